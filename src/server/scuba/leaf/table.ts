import { writeFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { LIMITS } from '../../../core/scuba/limits.ts'
import { ColumnSet } from '../../../core/scuba/rows/columns.ts'
import type { ViewFile } from '../../../core/scuba/plan/view.ts'

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
}

/** A closed file of rows as they arrived, in the form `normaliseRow` gives. Made from the journal, so it is never synced. */
export interface Chunk extends ViewFile {
  bytes: number
  /** newest batch in it */
  throughSeq: number
  sinceMs: number
}

const emptyOpen = (): Open => ({ buffers: [], bytes: 0, rows: 0, minUs: Infinity, maxUs: 0, throughSeq: 0, sinceMs: 0 })

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
  readonly #dir: string
  #open = emptyOpen()
  #rolling: Promise<void> | null = null
  #rolledAtMs = 0

  constructor(name: string, chunkDir: string) {
    this.name = name
    this.#dir = chunkDir
  }

  get openRows(): number {
    return this.#open.rows
  }

  get openBounds(): { rows: number; bytes: number; minUs: number; maxUs: number } {
    return this.#open
  }

  /** Rows that are durable and not sealed, with their oldest arrival. */
  get oldestMs(): number {
    return this.chunks[0]?.sinceMs ?? (this.#open.rows > 0 ? this.#open.sinceMs : Infinity)
  }

  get chunkBytes(): number {
    return this.chunks.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  add(batch: { payload: Uint8Array; rows: number; minUs: number; maxUs: number; seq: number; atMs: number }): void {
    this.isGone = false
    const open = this.#open
    if (open.rows === 0) open.sinceMs = batch.atMs
    open.buffers.push(batch.payload)
    open.bytes += batch.payload.length
    open.rows += batch.rows
    open.minUs = Math.min(open.minUs, batch.minUs)
    open.maxUs = Math.max(open.maxUs, batch.maxUs)
    open.throughSeq = batch.seq
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

  /** Writes the open rows into a chunk. Rejects when that fails; the rows stay in memory and in the journal then. */
  async roll(): Promise<void> {
    while (this.#rolling) await this.#rolling
    if (this.#open.rows === 0) return
    const taken = this.#open
    this.#open = emptyOpen()
    const rolling = this.#write(taken)
    this.#rolling = rolling.catch(() => undefined).then(() => void (this.#rolling = null))
    await rolling
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
    const { bytes, rows, minUs, maxUs, throughSeq, sinceMs } = taken
    this.chunks.push({ path, kind: 'chunk', bytes, rows, minUs, maxUs, throughSeq, sinceMs })
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
  }

  get isFull(): boolean {
    return this.#open.bytes >= LIMITS.chunkBytesMax
  }
}
