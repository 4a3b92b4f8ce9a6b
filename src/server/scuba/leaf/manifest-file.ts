import { existsSync, readFileSync } from 'node:fs'
import { type FileHandle, open, truncate } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import {
  decodeManifest,
  encodeManifestLine,
  foldManifest,
  applyManifest,
  type ManifestRecord,
  type TableManifest,
} from '../../../core/scuba/wal/manifest.ts'
import { refuse } from '../../../core/kernel/errors.ts'
import { syncDirectory } from '../../../platform/files.ts'

/** The manifest on disk: append, fsync, then it counts. */
export class ManifestFile {
  readonly tables: Map<string, TableManifest>
  readonly #handle: FileHandle
  #bytes: number
  #queue: Promise<void> = Promise.resolve()

  private constructor(handle: FileHandle, bytes: number, tables: Map<string, TableManifest>) {
    this.#handle = handle
    this.#bytes = bytes
    this.tables = tables
  }

  /** Opens or creates it; a torn last line is cut, damage before it is refused (STATE_UNREADABLE). */
  static async open(path: string): Promise<ManifestFile> {
    const isNew = !existsSync(path)
    const bytes = isNew ? Buffer.alloc(0) : readFileSync(path)
    const { records, goodBytes } = decodeManifest(bytes, crc32)
    const rest = bytes.subarray(goodBytes)
    if (rest.indexOf(10) >= 0 && rest.indexOf(10) < rest.length - 1) {
      throw refuse('STATE_UNREADABLE', `${path} is damaged at byte ${goodBytes}`, {
        hint: 'Put back the file from a copy; the segments beside it are intact.',
      })
    }
    if (goodBytes < bytes.length) await truncate(path, goodBytes)
    const handle = await open(path, 'a', 0o600)
    if (isNew) await syncDirectory(dirname(path))
    return new ManifestFile(handle, goodBytes, foldManifest(records))
  }

  /**
   * Resolves once the record is durable and folded into {@link tables}. `swap` runs in the same turn as the folding, so
   * that no reader can stand between what the record adds and what it replaces.
   */
  append(record: ManifestRecord, swap?: () => void): Promise<void> {
    const done = this.#queue.then(() => this.#append(record, swap))
    this.#queue = done.catch(() => undefined)
    return done
  }

  async close(): Promise<void> {
    await this.#queue
    await this.#handle.close()
  }

  async #append(record: ManifestRecord, swap?: () => void): Promise<void> {
    const line = encodeManifestLine(record, crc32)
    try {
      await this.#handle.appendFile(line)
      await this.#handle.datasync()
    } catch (error) {
      await this.#handle.truncate(this.#bytes).catch(() => undefined)
      throw error
    }
    this.#bytes += line.length
    applyManifest(this.tables, record)
    swap?.()
  }
}
