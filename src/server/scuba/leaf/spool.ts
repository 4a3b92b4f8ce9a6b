import { randomBytes } from 'node:crypto'
import type { AckLevel } from '../../../core/scuba/wire-types.ts'

/** A batch as it came in, to be told to another leaf. */
export interface Spooled {
  seq: number
  table: string
  /** under which it is added once, there too */
  key: string
  ack: AckLevel
  rows: number
  body: Buffer
}

export interface SpoolCounts {
  batches: number
  bytes: number
  /** rows that had to go untold, since the leaf started */
  droppedRows: number
}

/** Bytes that wait to be told; then the oldest go. */
const BYTES_MAX = 64 * 1024 * 1024
/** A table that each server fills by itself from what all of them know. */
const OWN_TABLES = new Set(['muster_log_entries'])

/**
 * What this leaf took in and the leader's leaf does not have yet, while another server leads; in memory, for it is kept here in any
 * case. Off until somebody asks for it.
 */
export class Spool {
  /** of this run of the leaf: a place in another one's spool is none in this */
  readonly id = randomBytes(6).toString('hex')
  readonly #bytesMax: number
  #isOn = false
  #seq = 0
  #batches: Spooled[] = []
  #bytes = 0
  #droppedRows = 0
  readonly #waiting = new Set<() => void>()

  constructor(bytesMax = BYTES_MAX) {
    this.#bytesMax = bytesMax
  }

  get counts(): SpoolCounts {
    return { batches: this.#batches.length, bytes: this.#bytes, droppedRows: this.#droppedRows }
  }

  /** Whether a batch of that table would be kept now. */
  wants(table: string): boolean {
    return this.#isOn && !OWN_TABLES.has(table)
  }

  add(batch: { table: string; key: string | null; ack: AckLevel; rows: number; body: Buffer }): void {
    if (!this.wants(batch.table)) return
    this.#seq += 1
    this.#batches.push({ ...batch, seq: this.#seq, key: batch.key ?? `${this.id}-${this.#seq}` })
    this.#bytes += batch.body.length
    while (this.#bytes > this.#bytesMax) this.#droppedRows += this.#shift()?.rows ?? 0
    for (const wake of this.#waiting) wake()
  }

  /** The oldest after a place, `ID-SEQ` or '' for the beginning; what is up to there is told and goes. Waits for one; null: none came. Turns it on. */
  async next(after: string, waitMs: number, signal: AbortSignal): Promise<Spooled | null> {
    this.#isOn = true
    const [id, seq] = after.split('-')
    if (id === this.id) while ((this.#batches[0]?.seq ?? Infinity) <= Number(seq)) this.#shift()
    if (this.#batches.length === 0 && waitMs > 0) {
      const news = Promise.withResolvers<void>()
      const timer = setTimeout(news.resolve, waitMs)
      this.#waiting.add(news.resolve)
      signal.addEventListener('abort', () => news.resolve(), { once: true })
      await news.promise
      this.#waiting.delete(news.resolve)
      clearTimeout(timer)
    }
    return this.#batches[0] ?? null
  }

  /** This leaf is the one that is asked: nobody has to be told. */
  off(): void {
    this.#isOn = false
    this.#batches = []
    this.#bytes = 0
  }

  #shift(): Spooled | undefined {
    const batch = this.#batches.shift()
    this.#bytes -= batch?.body.length ?? 0
    return batch
  }
}
