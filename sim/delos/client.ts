import type { Prng } from '../../src/core/kernel/prng.ts'
import type { Operation, RegisterInput } from '../check/linearizability.ts'
import { KEYS } from './options.ts'
import type { World } from './world.ts'

export interface KeyedOperation extends Operation<RegisterInput, number> {
  key: number
}

const TIMEOUT_MS = 120
const PATIENT_MS = 1000
const TRIES_MAX = 6

/** Writes and reads, one at a time; tries again elsewhere, with the same number, while it does not know the outcome. */
export class Client {
  readonly #world: World
  readonly #prng: Prng
  readonly #id: number
  #incarnation = 0
  #seq = 0
  #server: number
  finished = 0

  constructor(world: World, prng: Prng, id: number) {
    this.#world = world
    this.#prng = prng
    this.#id = id
    this.#server = 1 + prng.below(world.servers.length)
  }

  next(): void {
    if (!this.#world.wantsMore(this.finished)) return
    this.#world.queue.after(this.#prng.next() * 8, () => this.#begin())
  }

  #begin(): void {
    const key = this.#prng.below(KEYS)
    const isRead = this.#prng.next() < 0.5
    const input: RegisterInput = isRead ? { kind: 'read' } : { kind: 'write', value: this.#world.freshValue() }
    const operation: KeyedOperation = { key, input, output: null, calledAt: this.#world.queue.now, returnedAt: Infinity }
    this.#world.history.push(operation)
    if (!isRead) this.#seq += 1
    this.#attempt(operation, { proposerId: this.#id * 1000 + this.#incarnation, seq: this.#seq }, 1)
  }

  #attempt(operation: KeyedOperation, name: { proposerId: number; seq: number }, tries: number): void {
    let isOver = false
    const over = (output: number | null): void => {
      if (isOver) return
      isOver = true
      if (output !== null) return this.#finish(operation, output)
      this.#server = 1 + this.#prng.below(this.#world.servers.length)
      if (tries >= TRIES_MAX && this.#world.mayGiveUp()) return this.#giveUp()
      this.#world.queue.after(2 + this.#prng.next() * 20, () => this.#attempt(operation, name, tries + 1))
    }
    const { input } = operation
    const server = this.#world.server(this.#server)
    this.#world.queue.after(0.05 + this.#prng.next() * 0.2, () => {
      if (!server.isUp) return
      server.hear(() => {
        if (input.kind === 'read')
          return server.read(
            () => server.values.get(operation.key) ?? 0,
            (value) => this.#reply(() => over(value)),
          )
        const payload = new Uint8Array(5)
        new DataView(payload.buffer).setUint8(0, operation.key)
        new DataView(payload.buffer).setUint32(1, input.value)
        const proposal = { count: 1 + (input.value % 3), ...name, payload }
        server.write(proposal, (result) => this.#reply(() => over(result === 'done' ? 0 : null)))
      })
    })
    // Some wait on, and so hear what a process says that was stopped for long.
    const isPatient = this.#prng.next() < 0.15
    this.#world.queue.after(isPatient ? PATIENT_MS : TIMEOUT_MS, () => over(null))
  }

  #reply(run: () => void): void {
    this.#world.queue.after(0.05 + this.#prng.next() * 0.2, run)
  }

  #finish(operation: KeyedOperation, output: number): void {
    operation.output = output
    operation.returnedAt = this.#world.queue.now
    this.finished += 1
    this.next()
  }

  /** The outcome stays unknown for ever: whoever goes on is another proposer. */
  #giveUp(): void {
    this.#incarnation += 1
    this.#seq = 0
    this.next()
  }
}
