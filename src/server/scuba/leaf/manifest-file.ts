import { existsSync, readFileSync } from 'node:fs'
import { type FileHandle, open, truncate } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import {
  decodeManifest,
  encodeManifestLine,
  foldManifest,
  applyManifest,
  noteOf,
  type LeafNote,
  type ManifestRecord,
  type TableManifest,
} from '../../../core/scuba/wal/manifest.ts'
import { refuse } from '../../../core/kernel/errors.ts'
import { syncDirectory } from '../../../platform/files.ts'

/** Notes that are kept for a server that was away. */
const NOTES_MAX = 1000

/** The manifest on disk: append, fsync, then it counts. */
export class ManifestFile {
  readonly tables: Map<string, TableManifest>
  /** the newest of them, oldest first */
  readonly notes: LeafNote[] = []
  /** positions of the log whose drop or renaming of a table is done */
  readonly #gone = new Set<number>()
  readonly #handle: FileHandle
  #bytes: number
  #queue: Promise<void> = Promise.resolve()

  private constructor(handle: FileHandle, bytes: number, records: readonly ManifestRecord[]) {
    this.#handle = handle
    this.#bytes = bytes
    this.tables = foldManifest(records)
    for (const record of records) this.#remember(record)
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
    return new ManifestFile(handle, goodBytes, records)
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

  /** Whether the drop or renaming that the log's entry of this position asks for is done. */
  isGone(id: number): boolean {
    return this.#gone.has(id)
  }

  async #append(record: ManifestRecord, swap?: () => void): Promise<void> {
    if ('note' in record && record.note) record.note.number = (this.notes.at(-1)?.number ?? 0) + 1
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
    this.#remember(record)
    swap?.()
  }

  #remember(record: ManifestRecord): void {
    if (record.kind === 'gone') this.#gone.add(record.id)
    const note = noteOf(record)
    if (note === null) return
    this.notes.push(note)
    if (this.notes.length > NOTES_MAX) this.notes.shift()
  }
}
