import { writeFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { LIMITS } from '../../../core/scuba/limits.ts'
import { ColumnSet } from '../../../core/scuba/rows/columns.ts'
import { RowScanner } from '../../../core/scuba/raw/scan.ts'
import type { ViewFile } from '../../../core/scuba/plan/view.ts'
import { RecentSamples } from './recent-samples.ts'
import { addHours, RawChunks } from './raw-chunks.ts'

/** Rows that came in and are durable in the journal, but in no file that a query can read. */
interface Open {
  buffers: Uint8Array[]
  bytes: number
  rows: number
  minUs: number
  maxUs: number
  throughSeq: number
  /** ms; when its first row came in */
  sinceMs: number
  hours: Map<number, number>
}

/**
 * A closed file of rows: as they arrived (`raw`), which is all there is of them, or in the form `normaliseRow` gives, made from
 * the journal and therefore never synced.
 */
export interface Chunk extends ViewFile {
  bytes: number
  /** newest batch in it */
  throughSeq: number
  sinceMs: number
  /** hour since the epoch → rows of it */
  hours: Map<number, number>
  /** not all of its lines were looked through: the engine may not be able to read it */
  onTrust?: boolean
  /** the raw chunk it was made from, which the journal speaks of, so that it stays as long as this one */
  madeFrom?: string
}

/** What goes when chunks go. */
export const filesOf = (chunks: readonly Chunk[]): string[] =>
  chunks.flatMap(({ path, madeFrom }) => (madeFrom === undefined ? [path] : [path, madeFrom]))

/** Runs things one after the other, commits among them. */
export type InTurn = <T>(run: () => Promise<T>) => Promise<T>

const emptyOpen = (): Open => ({ buffers: [], bytes: 0, rows: 0, minUs: Infinity, maxUs: 0, throughSeq: 0, sinceMs: 0, hours: new Map() })

/** The unsealed end of one table: rows in memory, then chunks. */
export class TableTail {
  readonly name: string
  readonly columns = new ColumnSet()
  /** version of {@link columns} that is in the journal */
  journaledVersion = this.columns.version
  readonly chunks: Chunk[] = []
  isSealing = false
  /** dropped or renamed, and nothing came in since */
  isGone = false
  readonly raw: RawChunks
  readonly #dir: string
  readonly #inTurn: InTurn
  #open = emptyOpen()
  #rolling: Promise<void> | null = null
  #rolledAtMs = 0
  /** which samples came of late; of the table `metrics` alone */
  samples = new RecentSamples()
  #scanner = { timeField: null as string | null, its: new RowScanner() }

  /** @param dir the store's folder */
  constructor(name: string, dir: string, inTurn: InTurn) {
    this.name = name
    this.raw = new RawChunks(name, join(dir, 'raw'))
    this.#dir = join(dir, 'chunks')
    this.#inTurn = inTurn
  }

  /** It remembers the keys of the rows before. @param timeField as it is declared now */
  scanner(timeField: string | null): RowScanner {
    if (this.#scanner.timeField !== timeField) this.#scanner = { timeField, its: new RowScanner(timeField) }
    return this.#scanner.its
  }

  get openRows(): number {
    return this.open.reduce((sum, { rows }) => sum + rows, 0)
  }

  /** Rows that no file a query can read holds yet. */
  get open(): { rows: number; bytes: number; minUs: number; maxUs: number; sinceMs: number }[] {
    return this.#open.rows > 0 ? [this.#open, ...this.raw.open] : this.raw.open
  }

  /** Rows that are durable and not sealed, with their oldest arrival. */
  get oldestMs(): number {
    return Math.min(this.chunks[0]?.sinceMs ?? Infinity, ...this.open.map(({ sinceMs }) => sinceMs))
  }

  get unsealedBytes(): number {
    return [...this.chunks, ...this.open].reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Newest batch of the chunks; call it when nothing is open. */
  get throughSeq(): number {
    return Math.max(0, ...this.chunks.map(({ throughSeq }) => throughSeq))
  }

  add(batch: {
    payload: Uint8Array
    rows: number
    minUs: number
    maxUs: number
    seq: number
    atMs: number
    hours: ReadonlyMap<number, number>
  }): void {
    this.isGone = false
    const open = this.#open
    if (open.rows === 0) open.sinceMs = batch.atMs
    open.buffers.push(batch.payload)
    open.bytes += batch.payload.length
    open.rows += batch.rows
    open.minUs = Math.min(open.minUs, batch.minUs)
    open.maxUs = Math.max(open.maxUs, batch.maxUs)
    open.throughSeq = batch.seq
    addHours(open.hours, batch.hours)
  }

  /**
   * Makes the open rows readable. With many chunks already, at most every 200 ms: then an answer may miss the rows of the
   * last 200 ms, which is what its freshness says.
   */
  async rollForReading(nowMs: number): Promise<void> {
    await this.#rolling
    if (this.chunks.length >= 64 && nowMs - this.#rolledAtMs < 200) return
    this.#rolledAtMs = nowMs
    await this.roll()
  }

  /**
   * Closes what is open, so that every row that counts now is in a chunk. Rejects when the open rows cannot be written; they stay
   * in memory and in the journal then.
   */
  async roll(): Promise<void> {
    // In the store's turn: no batch comes in between the closing of the one and of the other, or the newest batch of the chunks
    // would hide an older one that is in none of them.
    const rolling = await this.#inTurn(async () => {
      await this.#rolling
      this.chunks.push(...(await this.raw.closeAll()))
      if (this.#open.rows === 0) return { done: undefined }
      const taken = this.#open
      this.#open = emptyOpen()
      const done = this.#write(taken)
      this.#rolling = done.catch(() => undefined).then(() => void (this.#rolling = null))
      // In an object: the turn is not to last until it is written.
      return { done }
    })
    await rolling.done
  }

  async #write(taken: Open): Promise<void> {
    const path = join(this.#dir, `${this.name}-${String(taken.throughSeq).padStart(12, '0')}.ndjson`)
    try {
      await writeFile(path, taken.buffers, { mode: 0o600 })
    } catch (error) {
      await unlink(path).catch(() => undefined)
      this.#putBack(taken)
      throw error
    }
    const { bytes, rows, minUs, maxUs, throughSeq, sinceMs, hours } = taken
    this.chunks.push({ path, kind: 'chunk', bytes, rows, minUs, maxUs, throughSeq, sinceMs, hours })
  }

  #putBack(taken: Open): void {
    const later = this.#open
    this.#open = taken
    for (const buffer of later.buffers) taken.buffers.push(buffer)
    taken.bytes += later.bytes
    taken.rows += later.rows
    taken.minUs = Math.min(taken.minUs, later.minUs)
    taken.maxUs = Math.max(taken.maxUs, later.maxUs)
    taken.throughSeq = Math.max(taken.throughSeq, later.throughSeq)
    addHours(taken.hours, later.hours)
  }

  get isFull(): boolean {
    return this.#open.bytes >= LIMITS.chunkBytesMax
  }
}
