import { open, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { LIMITS } from '../../../core/scuba/limits.ts'
import { quoteText } from '../../../core/scuba/names.ts'
import { viewSql, type ViewFile } from '../../../core/scuba/plan/view.ts'
import type { Segment } from '../../../core/scuba/wal/manifest.ts'
import { fileSha256, syncDirectory } from '../../../platform/files.ts'
import type { Engine } from './engine.ts'
import type { Store } from './store.ts'
import type { TableTail } from './table.ts'

const SMALL_BYTES = 16 * 1024 * 1024
const SMALL_COUNT = 16

/** Turns chunks into segments, small segments into larger ones, and drops what is too old or too much. */
export class Sealer {
  readonly #store: Store
  readonly #engine: Engine
  #isBusy = false
  #file = 0

  constructor(store: Store, engine: Engine) {
    this.#store = store
    this.#engine = engine
  }

  /** One round over all tables; a failure is logged and tried again in the next. Called each second. */
  async tick(nowMs: number): Promise<void> {
    if (this.#isBusy || !this.#engine.isReady) return
    this.#isBusy = true
    let hasSealed = false
    try {
      for (const tail of this.#store.tails()) {
        const isDue = tail.chunkBytes >= LIMITS.sealBytes || nowMs - tail.oldestMs >= LIMITS.sealAgeMs
        if (isDue) hasSealed = (await this.seal(tail)) || hasSealed
        await this.#compact(tail)
        await this.#retain(tail.name, nowMs)
      }
      if (hasSealed) await this.#trimJournal()
    } catch (error) {
      this.#store.log.warn('sealing failed; it is tried again', { error: String(error) })
    } finally {
      this.#isBusy = false
    }
  }

  /** Seals a table at once, as asked from outside, and gives up the journal it no longer needs. */
  async sealNow(tail: TableTail): Promise<boolean> {
    const hasSealed = await this.seal(tail)
    if (hasSealed) await this.#trimJournal()
    return hasSealed
  }

  /** Seals everything a table has unsealed. Gives whether there was something. */
  async seal(tail: TableTail): Promise<boolean> {
    if (tail.isSealing) return false
    tail.isSealing = true
    try {
      await tail.roll()
      const chunks = [...tail.chunks]
      const last = chunks.at(-1)
      if (!last) return false
      const columns = tail.columns.toJSON()
      const segment = await this.#write(tail.name, viewSql({ columns, files: chunks }).sql, chunks)
      await this.#store.manifest.append({ kind: 'segment', segment, throughSeq: last.throughSeq, replaces: [], columns }, () => {
        tail.chunks.splice(0, chunks.length)
      })
      this.#store.discard(chunks.map(({ path }) => path))
      return true
    } finally {
      tail.isSealing = false
    }
  }

  async #trimJournal(): Promise<void> {
    await this.#store.journal.roll()
    await this.#store.keys.save()
    await this.#store.journal.trim((table, seq) => seq <= (this.#store.manifest.tables.get(table)?.throughSeq ?? 0))
  }

  async #compact(tail: TableTail): Promise<void> {
    const small = this.#store.segments(tail.name).filter(({ bytes }) => bytes < SMALL_BYTES)
    if (small.length < SMALL_COUNT) return
    const names = new Set(small.map(({ file }) => this.#store.segmentPath(file)))
    const files = this.#store.segmentFiles(tail.name).filter(({ path }) => names.has(path))
    const columns = tail.columns.toJSON()
    const segment = await this.#write(tail.name, viewSql({ columns, files }).sql, files)
    await this.#store.manifest.append({ kind: 'segment', segment, throughSeq: 0, replaces: small.map(({ file }) => file), columns })
    this.#store.discard(files.map(({ path }) => path))
  }

  /** Oldest segments first: past their age, then past the table's size. */
  async #retain(table: string, nowMs: number): Promise<void> {
    const retention = this.#store.manifest.tables.get(table)?.retention
    if (!retention) return
    const segments = this.#store.segments(table).sort((a, b) => a.maxUs - b.maxUs)
    const old = segments.filter(({ maxUs }) => maxUs / 1000 < nowMs - retention.days * 86_400_000)
    let bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0)
    const over = segments.filter((segment) => bytes > retention.gb * 1e9 && ((bytes -= segment.bytes), true))
    for (const [reason, dropped] of [
      ['age', old],
      ['size', over.filter((segment) => !old.includes(segment))],
    ] as const) {
      if (dropped.length === 0) continue
      const files = dropped.map(({ file }) => file)
      await this.#store.manifest.append({ kind: 'drop', table, files, reason })
      this.#store.discard(files.map((file) => this.#store.segmentPath(file)))
      this.#store.log.info('rows dropped by retention', { table, reason, segments: files.length })
    }
  }

  /** Writes a segment file; it is whole, synced and checked before its name is there. */
  async #write(table: string, select: string, from: readonly ViewFile[]): Promise<Segment> {
    const rows = from.reduce((sum, file) => sum + file.rows, 0)
    const file = `${table}-${Date.now().toString(36)}-${process.pid.toString(36)}-${(this.#file += 1)}.parquet`
    const temporary = join(this.#store.dir, 'tmp', file)
    try {
      const written = await this.#engine.copy(
        `COPY (${select} ORDER BY "time") TO ${quoteText(temporary)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)`,
        temporary,
      )
      if (written !== rows) throw new Error(`the engine wrote ${written} rows of ${rows} of table ${table}`)
      const handle = await open(temporary, 'r')
      await handle.sync().finally(() => handle.close())
      const sha256 = await fileSha256(temporary)
      const { size } = await stat(temporary)
      await rename(temporary, this.#store.segmentPath(file))
      await syncDirectory(join(this.#store.dir, 'segments'))
      const minUs = Math.min(...from.map((part) => part.minUs))
      const maxUs = Math.max(...from.map((part) => part.maxUs))
      return { file, table, rows, bytes: size, sha256, minUs, maxUs }
    } catch (error) {
      await unlink(temporary).catch(() => undefined)
      throw error
    }
  }
}
