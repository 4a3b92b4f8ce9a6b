import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { LIMITS } from '../../../core/scuba/limits.ts'
import { rawFileName, type RawForm } from '../../../core/scuba/raw/read.ts'
import { shapeKey } from '../../../core/scuba/raw/shape.ts'
import type { RawPlace } from '../../../core/scuba/wal/record.ts'
import { syncDirectory } from '../../../platform/files.ts'
import type { Chunk } from './table.ts'

/** A body on its way into a chunk as it stands. */
export interface RawBatch {
  /** whole lines, or frames of them; written one behind the other */
  parts: readonly Uint8Array[]
  form: RawForm
  rows: number
  minUs: number
  maxUs: number
  hours: ReadonlyMap<number, number>
  /** its lines were not all looked through */
  onTrust: boolean
}

interface OpenChunk extends Chunk {
  handle: FileHandle
  /** what was written; from `bytes` on it does not count yet */
  written: number
  isUnsynced: boolean
}

const OPEN_MAX = 8
/** Its rows' `ingest_time` is when the first of them came in, so they come in within this time. */
const OPEN_MS_MAX = 1000

/**
 * The raw chunks of one table that are being written, one for each form. Everything here happens in the store's turn, so that
 * nothing is written to a chunk that is being closed.
 */
export class RawChunks {
  readonly #dir: string
  readonly #table: string
  readonly #open = new Map<string, OpenChunk>()
  /** chunk files whose name is not durable yet */
  #hasNewName = false

  constructor(table: string, dir: string) {
    this.#table = table
    this.#dir = dir
  }

  /** Those with rows that count. */
  get open(): Chunk[] {
    return [...this.#open.values()].filter(({ rows }) => rows > 0)
  }

  /**
   * Before a group of batches: closes what is full or old. Never within a group: a batch counts in the chunk it was written to, and
   * only when the group's records are in the journal.
   */
  async beginGroup(nowMs: number): Promise<Chunk[]> {
    if (this.#open.size >= OPEN_MAX) return this.closeAll()
    const closed: Chunk[] = []
    for (const chunk of [...this.#open.values()])
      if (nowMs - chunk.sinceMs >= OPEN_MS_MAX || chunk.bytes >= LIMITS.chunkBytesMax) closed.push(...(await this.#close(chunk)))
    return closed
  }

  /** Writes a batch behind what is there. It counts after {@link accept}; on an error the chunks are to be given up. */
  async write(batch: RawBatch, seq: number, atMs: number): Promise<RawPlace> {
    const key = keyOf(batch.form)
    const chunk = this.#open.get(key) ?? (await this.#create(key, batch.form, seq, atMs))
    const bytes = batch.parts.reduce((sum, { length }) => sum + length, 0)
    const place: RawPlace = {
      file: chunk.path.slice(this.#dir.length + 1),
      form: batch.form,
      offset: chunk.written,
      bytes,
      crc: batch.parts.reduce((crc, part) => crc32(part, crc), 0),
      ...(batch.hours.size > 1 ? { hours: [...batch.hours] } : {}),
      ...(batch.onTrust ? { onTrust: true } : {}),
    }
    const { bytesWritten } = await chunk.handle.writev(batch.parts, chunk.written)
    if (bytesWritten !== bytes) throw Object.assign(new Error('short write'), { code: 'ENOSPC' })
    chunk.written += bytes
    chunk.isUnsynced = true
    return place
  }

  /** Everything written is on the disk then, under its name. */
  async sync(): Promise<void> {
    const unsynced = [...this.#open.values()].filter((chunk) => chunk.isUnsynced)
    await Promise.all(unsynced.map(({ handle }) => handle.datasync()))
    if (this.#hasNewName) await syncDirectory(this.#dir)
    this.#hasNewName = false
    for (const chunk of unsynced) chunk.isUnsynced = false
  }

  /** The batch's record is in the journal: from now on its rows count. */
  accept(batch: RawBatch, place: RawPlace, seq: number): void {
    const chunk = this.#open.get(keyOf(batch.form))
    if (!chunk?.path.endsWith(place.file)) throw new Error(`the chunk ${place.file} is not open`)
    chunk.bytes = place.offset + place.bytes
    chunk.rows += batch.rows
    chunk.minUs = Math.min(chunk.minUs, batch.minUs)
    chunk.maxUs = Math.max(chunk.maxUs, batch.maxUs)
    chunk.throughSeq = seq
    if (batch.onTrust) chunk.onTrust = true
    addHours(chunk.hours, batch.hours)
  }

  /** Something failed: every open chunk ends where its counted rows end, and no file is written or synced again. */
  async giveUp(): Promise<Chunk[]> {
    const closed: Chunk[] = []
    for (const chunk of [...this.#open.values()]) {
      await chunk.handle.truncate(chunk.bytes).catch(() => undefined)
      chunk.isUnsynced = false
      closed.push(...(await this.#close(chunk)))
    }
    return closed
  }

  async closeAll(): Promise<Chunk[]> {
    const closed: Chunk[] = []
    for (const chunk of [...this.#open.values()]) closed.push(...(await this.#close(chunk)))
    return closed
  }

  async #create(key: string, form: RawForm, seq: number, atMs: number): Promise<OpenChunk> {
    const path = join(this.#dir, rawFileName(this.#table, seq, atMs, form.encoding))
    const handle = await open(path, 'wx', 0o600)
    const chunk: OpenChunk = {
      ...{ path, kind: 'raw', raw: form, bytes: 0, rows: 0, minUs: Infinity, maxUs: 0, throughSeq: 0, sinceMs: atMs, hours: new Map() },
      ...{ handle, written: 0, isUnsynced: false },
    }
    this.#open.set(key, chunk)
    this.#hasNewName = true
    return chunk
  }

  async #close(chunk: OpenChunk): Promise<Chunk[]> {
    const { handle, written, isUnsynced, ...closed } = chunk
    this.#open.delete(keyOf(chunk.raw))
    // Only what was acknowledged from memory is not synced yet; recovery looks at its checksum.
    if (isUnsynced) await handle.datasync().catch(() => undefined)
    await handle.close()
    return chunk.rows > 0 && written > 0 ? [closed] : []
  }
}

const keyOf = (form: RawForm | undefined): string => (form === undefined ? '' : `${form.encoding} ${shapeKey(form.shape)}`)

/** Adds rows per hour. */
export function addHours(to: Map<number, number>, hours: ReadonlyMap<number, number>): void {
  for (const [hour, rows] of hours) to.set(hour, (to.get(hour) ?? 0) + rows)
}
