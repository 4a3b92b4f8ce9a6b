import { closeSync, ftruncateSync, fstatSync, openSync, readdirSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { JournalHeader } from '../../../core/scuba/wal/record.ts'
import { addHours } from './raw-chunks.ts'
import type { Chunk } from './table.ts'

/**
 * What was written longer than this before the journal's end was synced before its record was, or a second later; only what is
 * younger can be torn.
 */
const TORN_MS_MAX = 10_000

/** Collects what the journal says of raw chunks; then makes the files be that and nothing else. */
export class RawRecovery {
  readonly #dir: string
  readonly #files = new Map<string, JournalHeader[]>()
  #newestMs = 0

  constructor(dir: string) {
    this.#dir = dir
  }

  add(header: JournalHeader): void {
    const { file } = header.raw ?? {}
    if (file === undefined) return
    this.#newestMs = Math.max(this.#newestMs, header.at)
    const batches = this.#files.get(file)
    if (batches) batches.push(header)
    else this.#files.set(file, [header])
  }

  /** Cuts each file behind its last good batch and removes the others. Gives the chunks by table, and the rows that are not there. */
  finish(): { chunks: { table: string; chunk: Chunk }[]; lostRows: number } {
    const chunks: { table: string; chunk: Chunk }[] = []
    let lostRows = 0
    for (const name of readdirSync(this.#dir)) if (!this.#files.has(name)) rmSync(join(this.#dir, name), { force: true })
    for (const [file, batches] of this.#files) {
      const found = this.#chunk(file, batches)
      lostRows += found.lostRows
      const table = batches[0]?.table
      if (found.chunk && table !== undefined) chunks.push({ table, chunk: found.chunk })
    }
    chunks.sort((a, b) => a.chunk.throughSeq - b.chunk.throughSeq)
    return { chunks, lostRows }
  }

  #chunk(file: string, batches: readonly JournalHeader[]): { chunk: Chunk | null; lostRows: number } {
    const path = join(this.#dir, file)
    const chunk: Chunk = {
      ...{ path, kind: 'raw', raw: batches[0]?.raw?.form, bytes: 0, rows: 0, minUs: Infinity, maxUs: 0, throughSeq: 0 },
      ...{ sinceMs: batches[0]?.at ?? 0, hours: new Map<number, number>() },
    }
    let lostRows = 0
    let fd: number
    try {
      fd = openSync(path, 'r+')
    } catch {
      return { chunk: null, lostRows: batches.reduce((sum, { rows }) => sum + rows, 0) }
    }
    try {
      const { size } = fstatSync(fd)
      let isWhole = true
      for (const { seq, at, rows, minUs, maxUs, raw } of batches) {
        if (!raw) continue
        isWhole &&= raw.offset + raw.bytes <= size && (at < this.#newestMs - TORN_MS_MAX || crcOf(fd, raw.offset, raw.bytes) === raw.crc)
        if (!isWhole) {
          lostRows += rows
          continue
        }
        chunk.bytes = raw.offset + raw.bytes
        chunk.rows += rows
        chunk.minUs = Math.min(chunk.minUs, minUs)
        chunk.maxUs = Math.max(chunk.maxUs, maxUs)
        chunk.throughSeq = seq
        if (raw.onTrust) chunk.onTrust = true
        addHours(chunk.hours, new Map(raw.hours ?? [[Math.floor(minUs / 3_600_000_000), rows]]))
      }
      ftruncateSync(fd, chunk.bytes)
    } finally {
      closeSync(fd)
    }
    return { chunk: chunk.rows > 0 ? chunk : null, lostRows }
  }
}

function crcOf(fd: number, offset: number, bytes: number): number {
  const buffer = Buffer.allocUnsafe(Math.min(bytes, 1024 * 1024))
  let crc = 0
  for (let at = 0; at < bytes;) {
    const read = readSync(fd, buffer, 0, Math.min(buffer.length, bytes - at), offset + at)
    if (read === 0) break
    crc = crc32(buffer.subarray(0, read), crc)
    at += read
  }
  return crc
}
