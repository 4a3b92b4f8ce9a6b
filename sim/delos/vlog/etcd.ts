import type { Prng } from '../../../src/core/kernel/prng.ts'
import type { EtcdAnswer, EtcdRequest } from '../../../src/core/delos/virtual-log/register-contract.ts'
import type { Process } from './process.ts'
import type { Entry } from './entry.ts'

interface EtcdLog {
  entries: Map<number, Entry>
  /** position after the last one */
  tail: number
  isSealed: boolean
}

/** An etcd that others run, as a model: it answers late, not at all, or after it did what was asked. */
export class FakeEtcd {
  readonly #prng: Prng
  readonly #logs = new Map<number, EtcdLog>()
  #register: { modRevision: number; bytes: Uint8Array } | null = null
  #revision = 1
  isDown = false
  /** share of answers that get lost */
  loss = 0

  constructor(prng: Prng) {
    this.#prng = prng
  }

  log(loglet: number, firstPosition: number): EtcdLog {
    let log = this.#logs.get(loglet)
    if (log === undefined) this.#logs.set(loglet, (log = { entries: new Map(), tail: firstPosition, isSealed: false }))
    return log
  }

  /** Runs `run` here at some moment, all at once; `done` gets null where the asker cannot know whether it ran. */
  ask<T>(server: Process, run: () => T, done: (result: T | null) => void): void {
    let isOver = false
    const finish = (result: T | null): void => {
      if (isOver) return
      isOver = true
      done(result)
    }
    const late = this.#prng.next() < this.loss ? this.#prng.next() * 150 : 0
    server.world.queue.after(0.3 + this.#prng.next() + late, () => {
      if (this.isDown) return
      const result = run()
      if (this.#prng.next() < this.loss) return
      server.after(0.3 + this.#prng.next(), () => finish(result))
    })
    server.after(100, () => finish(null))
  }

  register(ask: EtcdRequest['ask']): EtcdAnswer {
    const { modRevision = 0, bytes = null } = this.#register ?? {}
    if (ask.kind === 'read' || ask.modRevision !== modRevision) return { kind: 'is', modRevision, bytes }
    this.#revision += 1
    this.#register = { modRevision: this.#revision, bytes: ask.bytes }
    return { kind: 'put', modRevision: this.#revision }
  }

  /** The transaction of the etcd loglet: the batch is put if it is next and nothing is sealed. */
  append(loglet: number, entry: Entry): { kind: 'put' } | { kind: 'sealed' } | { kind: 'other'; tail: number; there: Entry | null } {
    const log = this.log(loglet, entry.position)
    if (log.isSealed) return { kind: 'sealed' }
    if (log.tail !== entry.position) return { kind: 'other', tail: log.tail, there: log.entries.get(entry.position) ?? null }
    log.entries.set(entry.position, entry)
    log.tail = entry.position + entry.count
    return { kind: 'put' }
  }
}
