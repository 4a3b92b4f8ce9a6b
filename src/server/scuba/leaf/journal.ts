import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { decodeRecord, encodeRecord, type JournalHeader, type JournalRecord } from '../../../core/scuba/wal/record.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import { syncDirectory } from '../../../platform/files.ts'
import type { Logger } from '../../../platform/logger.ts'

interface JournalFile {
  path: string
  /** table → newest batch in this file; the file may go when all of them are in segments */
  newest: Map<string, number>
}

/**
 * The leaf's journal: every accepted batch of every table, in order, durable by one fdatasync per group. Files
 * `journal/<n>.wal`; a batch stands in exactly one. It is what recovery reads; chunks are made from it.
 */
export class Journal {
  readonly #dir: string
  readonly #log: Logger
  readonly #closed: JournalFile[] = []
  #turn: Promise<void> = Promise.resolve()
  #current: JournalFile | null = null
  #handle: FileHandle | null = null
  #bytes = 0
  #number = 0

  constructor(dir: string, log: Logger) {
    this.#dir = dir
    this.#log = log
    mkdirSync(dir, { recursive: true, mode: 0o700 })
  }

  /**
   * Reads every whole record, oldest first. The first broken one ends its file: in the newest file that is the torn end
   * of a killed writer; in an older one it is damage, which is logged and counted.
   * @returns number of files that were damaged in the middle
   */
  replay(each: (record: JournalRecord) => void): number {
    const names = readdirSync(this.#dir)
      .filter((name) => name.endsWith('.wal'))
      .sort()
    let damaged = 0
    for (const [index, name] of names.entries()) {
      const path = join(this.#dir, name)
      const bytes = readFileSync(path)
      const newest = new Map<string, number>()
      let offset = 0
      for (let record = decodeRecord(bytes, 0, crc32); record; record = decodeRecord(bytes, offset, crc32)) {
        each(record)
        // A batch without rows only brought its key, which is saved elsewhere before a file goes.
        if (record.header.rows > 0) newest.set(record.header.table, record.header.seq)
        offset = record.end
      }
      if (offset < bytes.length) {
        const isTorn = index === names.length - 1
        if (!isTorn) damaged += 1
        this.#log.warn(isTorn ? 'journal ended in the middle of a batch that was never acknowledged' : 'journal file is damaged', {
          path,
          offset,
          bytes: bytes.length,
        })
      }
      // Never appended to again: what follows a torn end could be taken for part of it.
      this.#closed.push({ path, newest })
      this.#number = Math.max(this.#number, Number.parseInt(name, 10))
    }
    return damaged
  }

  /**
   * Writes the records and, if asked, syncs them. On an error nothing of them counts: the file is cut back to its last
   * good end and closed, the next append opens a new one. A failed sync is never tried again on the same file.
   */
  append(records: readonly { header: JournalHeader; payload: Uint8Array }[], isSynced: boolean): Promise<void> {
    return this.#inTurn(() => this.#append(records, isSynced))
  }

  async #append(records: readonly { header: JournalHeader; payload: Uint8Array }[], isSynced: boolean): Promise<void> {
    const file = this.#current ?? (await this.#open())
    const handle = this.#handle
    if (!handle) throw new Error('journal is closed')
    const before = this.#bytes
    try {
      const buffers = records.map(({ header, payload }) => encodeRecord(header, payload, crc32))
      const { bytesWritten } = await handle.writev(buffers, before)
      const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
      if (bytesWritten !== bytes) throw Object.assign(new Error('short write'), { code: 'ENOSPC' })
      this.#bytes += bytes
      if (isSynced) await handle.datasync()
    } catch (error) {
      await handle.truncate(before).catch(() => undefined)
      await this.#close()
      throw error
    }
    for (const { header } of records) if (header.rows > 0) file.newest.set(header.table, header.seq)
    if (this.#bytes >= LIMITS.journalBytesMax) await this.#close()
  }

  /** Syncs what was appended without. */
  sync(): Promise<void> {
    return this.#inTurn(async () => this.#handle?.datasync())
  }

  /** Ends the current file, so that it can be trimmed once its batches are in segments. */
  roll(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#bytes > 0) await this.#close()
    })
  }

  /** Removes closed files all of whose batches are in segments. */
  async trim(isSealed: (table: string, seq: number) => boolean): Promise<void> {
    for (const file of [...this.#closed]) {
      if (![...file.newest].every(([table, seq]) => isSealed(table, seq))) continue
      const at = this.#closed.indexOf(file)
      // Another trim may have taken it while this one waited.
      if (at < 0) continue
      this.#closed.splice(at, 1)
      await unlink(file.path).catch((error: unknown) => {
        this.#closed.push(file)
        throw error
      })
    }
  }

  close(): Promise<void> {
    return this.#inTurn(() => this.#close())
  }

  /** One after the other: a file that is ended between the write and the sync of a batch would fail that batch. */
  #inTurn(run: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(run)
    this.#turn = done.catch(() => undefined)
    return done
  }

  async #open(): Promise<JournalFile> {
    this.#number += 1
    const path = join(this.#dir, `${String(this.#number).padStart(10, '0')}.wal`)
    this.#handle = await open(path, 'wx', 0o600)
    this.#bytes = 0
    this.#current = { path, newest: new Map() }
    await syncDirectory(this.#dir)
    return this.#current
  }

  async #close(): Promise<void> {
    if (!this.#current || !this.#handle) return
    const handle = this.#handle
    this.#closed.push(this.#current)
    this.#current = null
    this.#handle = null
    await handle.datasync().catch((error: unknown) => this.#log.error('journal could not be synced at its end', { error: String(error) }))
    await handle.close()
  }
}
