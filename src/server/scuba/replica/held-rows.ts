import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as pause } from 'node:timers/promises'
import { shapeOf } from '../../../core/scuba/declared/shape.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import type { JournalRecord } from '../../../core/scuba/wal/record.ts'
import { parseBatch } from '../leaf/batch.ts'
import { rawBatch } from '../leaf/raw-batch.ts'
import type { Store } from '../leaf/store.ts'
import { TableTail, type InTurn } from '../leaf/table.ts'
import { bodyOf } from './copied-batch.ts'
import type { Copy } from './wire.ts'

/** So long rows are parsed before others get a turn. */
const PARSE_MS = 20

let folders = 0

/**
 * What a copy has in batches and not in segments, as chunks that an engine can read. Made when somebody asks, in a folder that goes with it; batches
 * that come later wait until somebody asks again.
 */
export class HeldRows {
  readonly copy: Copy
  readonly #store: Pick<Store, 'dir' | 'registry' | 'discard'>
  readonly #dir: string
  readonly #tails = new Map<string, TableTail>()
  #waiting: JournalRecord[]
  #waitingBytes = 0
  #turn: Promise<unknown> = Promise.resolve()
  /** a batch could not be read: without it nothing of this is whole */
  #broken: unknown = null
  usedAtMs = performance.now()

  constructor(store: Pick<Store, 'dir' | 'registry' | 'discard'>, copy: Copy, records: readonly JournalRecord[]) {
    this.copy = copy
    this.#store = store
    this.#waiting = [...records]
    this.#dir = join(store.dir, 'tmp', `held-${(folders += 1)}`)
    for (const folder of ['chunks', 'raw']) mkdirSync(join(this.#dir, folder), { recursive: true, mode: 0o700 })
  }

  /** @returns whether so much waits that it is better to begin anew */
  wait(records: readonly JournalRecord[]): boolean {
    this.#waiting.push(...records)
    this.#waitingBytes += records.reduce((sum, { payload }) => sum + payload.length, 0)
    return this.#waitingBytes > LIMITS.replicaWaitingBytesMax
  }

  /** A table with every row that was there when it was asked for. @throws when a batch cannot be read */
  tail(name: string): Promise<TableTail> {
    this.usedAtMs = performance.now()
    return this.#inTurn(async () => {
      const records = this.#waiting
      this.#waiting = []
      this.#waitingBytes = 0
      if (this.#broken !== null) throw this.#broken
      await this.#addAll(records).catch((error: unknown) => {
        this.#broken = error
        throw error
      })
      const tail = this.#tailOf(name)
      await tail.roll()
      return tail
    })
  }

  /** Nobody asks any more: files go once no query can be reading them. */
  end(): void {
    void this.#inTurn(async () => {
      for (const tail of this.#tails.values()) await tail.raw.closeAll()
      this.#store.discard([this.#dir])
    })
  }

  async #addAll(records: readonly JournalRecord[]): Promise<void> {
    let until = performance.now() + PARSE_MS
    for (const record of records) {
      await this.#add(record)
      if (performance.now() < until) continue
      await pause()
      until = performance.now() + PARSE_MS
    }
  }

  /** As the leaf itself took it in. What is bad in it is that leaf's to put into the quarantine. */
  async #add(record: JournalRecord): Promise<void> {
    const { seq, table, at } = record.header
    const tail = this.#tailOf(table)
    const { body, stored } = bodyOf(record)
    const config = this.#store.registry.current.tables[table]
    // Nothing on trust: there is nobody to look through it later.
    const raw = body.length >= LIMITS.rawBytesMin ? rawBatch(body, stored, tail, config, at, true) : null
    if (raw !== null) {
      tail.chunks.push(...(await tail.raw.beginGroup(at)))
      tail.raw.accept(raw, await tail.raw.write(raw, seq, at), seq)
      return
    }
    const batch = parseBatch(body, tail.columns, at, false, shapeOf(config))
    if (batch.rows > 0) tail.add({ ...batch, seq, atMs: at })
  }

  #tailOf(name: string): TableTail {
    let tail = this.#tails.get(name)
    if (tail) return tail
    const run: InTurn = (work) => work()
    this.#tails.set(name, (tail = new TableTail(name, this.#dir, run)))
    tail.columns.merge(this.copy.tables[name]?.columns ?? {})
    const config = this.#store.registry.current.tables[name]
    if (config) tail.columns.declare(config.columns, config.retyped, config.columnsMax)
    return tail
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(run)
    this.#turn = done.catch(() => undefined)
    return done
  }
}
