import { createHash } from 'node:crypto'
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { crc32, constants, zstdCompress, zstdDecompress } from 'node:zlib'
import type { Partial } from '../../../core/scuba/merge/partial.ts'
import { partialOfStored, STORED_FORM, storedPartial } from '../../../core/scuba/merge/stored.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import { replaceFile } from '../../../platform/files.ts'

/** A partial on the disk, as a line of the index says of it. */
interface Entry {
  /** its file's name */
  file: string
  /** digest of what was computed */
  plan: string
  /** names of the segments it was computed from */
  segments: string[]
  bytes: number
  /** of the engine, ms */
  costMs: number
  usedAtMs: number
}

export interface PartialFilesOptions {
  /** of the engine: another one may count otherwise */
  version: string
  /** whether a segment of this name still is */
  isThere: (segment: string) => boolean
  /** whether the disk has room for what is not needed */
  hasRoom: () => boolean
  /** of all files together */
  bytesMax?: number
}

/** Cheaper ones are sooner computed than read. */
const COST_MS_MIN = 1
/** partials that wait to be written; more are not kept */
const WAITING_MAX = 1000
/** from one file to the next: a thousand boards that open at once must not have the leaf write files and nothing else */
const WRITE_EVERY_MS = 20
const HOUR_MS = 3_600_000
const INDEX = 'index.jsonl'
const CRC_BYTES = 4

/**
 * Partials of sealed segments on the disk, so that they are there after a restart. Nothing of it is needed: what is broken, of another
 * engine or of segments that are gone is dropped. One file each; `index.jsonl` says of which segments, so that no file has to be read to
 * forget what an erased segment gave.
 */
export class PartialFiles {
  readonly #dir: string
  readonly #isThere: PartialFilesOptions['isThere']
  readonly #hasRoom: PartialFilesOptions['hasRoom']
  readonly #bytesMax: number
  /** first line of the index: what all of it is of */
  readonly #head: string
  readonly #entries = new Map<string, Entry>()
  /** plan → names of its files */
  readonly #plans = new Map<string, Set<string>>()
  #bytes = 0
  readonly #waiting: { entry: Entry; partial: Partial }[] = []
  #isWriting = false
  #lines = 0
  /** that were read back */
  recalled = 0

  /** Takes over what an earlier process left. */
  constructor(dir: string, { version, isThere, hasRoom, bytesMax = LIMITS.partialDiskBytesMax }: PartialFilesOptions) {
    this.#dir = dir
    this.#isThere = isThere
    this.#hasRoom = hasRoom
    this.#bytesMax = bytesMax
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    this.#head = JSON.stringify({ form: STORED_FORM, version })
    for (const entry of readIndex(join(dir, INDEX), this.#head)) {
      const size = statSync(join(dir, entry.file), { throwIfNoEntry: false })?.size
      if (size === entry.bytes && entry.segments.every(isThere)) this.#add(entry)
    }
    for (const name of readdirSync(dir)) if (!this.#entries.has(name) && name !== INDEX) rmSync(join(dir, name), { force: true })
    this.#writeIndex()
  }

  get bytes(): number {
    return this.#bytes
  }

  get count(): number {
    return this.#entries.size
  }

  /** Keeps one, in its own time. Gives the name of its file; null when it is not worth one. */
  put(plan: string, files: readonly { path: string }[], partial: Partial, costMs: number, nowMs: number): string | null {
    if (costMs < COST_MS_MIN || this.#waiting.length >= WAITING_MAX || !this.#hasRoom()) return null
    const segments = files.map(({ path }) => basename(path))
    const digest = digestOf(plan)
    const file = `${digest}-${digestOf(JSON.stringify(segments))}`
    if (this.#entries.has(file)) return file
    this.#waiting.push({ entry: { file, plan: digest, segments, bytes: 0, costMs, usedAtMs: nowMs }, partial })
    if (!this.#isWriting) void this.#writeAll()
    return file
  }

  /** Whether anything is kept of a plan. */
  has(plan: string): boolean {
    return this.#plans.has(digestOf(plan))
  }

  /** Names of all that is kept of a plan. */
  filesOf(plan: string): string[] {
    return [...(this.#plans.get(digestOf(plan)) ?? [])]
  }

  /** One of them with the names of its segments; null when it is no longer there, or broken. */
  async read(file: string, nowMs: number): Promise<{ segments: string[]; costMs: number; partial: Partial } | null> {
    const entry = this.#entries.get(file)
    const partial = entry ? await this.#read(entry) : null
    if (!entry || partial === null) return null
    entry.usedAtMs = nowMs
    this.recalled += 1
    return { segments: entry.segments, costMs: entry.costMs, partial }
  }

  /** Forgets what was computed from files that are gone. */
  dropFiles(paths: readonly string[]): void {
    const gone = new Set(paths.map((path) => basename(path)))
    for (const entry of this.#entries.values()) if (entry.segments.some((segment) => gone.has(segment))) this.#drop(entry)
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      const { entry, partial } = next
      if (this.#entries.has(entry.file)) continue
      // A disk that is full or broken costs the time of computing again.
      await this.#write(entry, partial).catch(() => rmSync(join(this.#dir, entry.file), { force: true }))
      await sleep(WRITE_EVERY_MS, undefined, { ref: false })
    }
    this.#isWriting = false
  }

  async #write(entry: Entry, partial: Partial): Promise<void> {
    const options = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
    const packed = await promisify<Buffer, object, Buffer>(zstdCompress)(Buffer.from(storedPartial(partial)), options)
    const check = Buffer.alloc(CRC_BYTES)
    check.writeUInt32LE(crc32(packed))
    const bytes = Buffer.concat([check, packed])
    if (bytes.length > this.#bytesMax / 16) return
    await writeFile(join(this.#dir, entry.file), bytes, { mode: 0o600 })
    // They may have gone while it was written: nobody would tell of them any more.
    if (!entry.segments.every(this.#isThere)) return rmSync(join(this.#dir, entry.file), { force: true })
    this.#add({ ...entry, bytes: bytes.length })
    appendFileSync(join(this.#dir, INDEX), `${JSON.stringify({ ...entry, bytes: bytes.length })}\n`)
    this.#lines += 1
    if (this.#bytes > this.#bytesMax) this.#evict(entry.usedAtMs)
    if (this.#lines > 2 * this.#entries.size + 1000) this.#writeIndex()
  }

  async #read(entry: Entry): Promise<Partial | null> {
    try {
      const bytes = await readFile(join(this.#dir, entry.file))
      const packed = bytes.subarray(CRC_BYTES)
      if (bytes.readUInt32LE(0) !== crc32(packed)) throw new Error('another checksum')
      return partialOfStored((await promisify<Buffer, Buffer>(zstdDecompress)(packed)).toString('utf8'))
    } catch {
      // Broken: it is computed again.
      this.#drop(entry)
      return null
    }
  }

  #add(entry: Entry): void {
    this.#entries.set(entry.file, entry)
    this.#bytes += entry.bytes
    const files = this.#plans.get(entry.plan)
    if (files) files.add(entry.file)
    else this.#plans.set(entry.plan, new Set([entry.file]))
  }

  #drop(entry: Entry): void {
    if (!this.#entries.delete(entry.file)) return
    this.#bytes -= entry.bytes
    const files = this.#plans.get(entry.plan)
    files?.delete(entry.file)
    if (files?.size === 0) this.#plans.delete(entry.plan)
    try {
      unlinkSync(join(this.#dir, entry.file))
    } catch {
      // It is gone already.
    }
  }

  /** What saves least of the engine's time for its room goes first, the older the sooner. */
  #evict(nowMs: number): void {
    const worth = ({ costMs, bytes, usedAtMs }: Entry): number => (costMs / bytes) * 0.5 ** ((nowMs - usedAtMs) / (24 * HOUR_MS))
    const all = [...this.#entries.values()].sort((a, b) => worth(a) - worth(b))
    for (const entry of all) {
      if (this.#bytes <= this.#bytesMax * 0.9) return
      this.#drop(entry)
    }
  }

  #writeIndex(): void {
    replaceFile(join(this.#dir, INDEX), [this.#head, ...[...this.#entries.values()].map((entry) => JSON.stringify(entry)), ''].join('\n'))
    this.#lines = this.#entries.size
  }
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 24)

function readIndex(path: string, head: string): Entry[] {
  try {
    const [first, ...lines] = readFileSync(path, 'utf8').split('\n')
    if (first !== head) return []
    return lines.flatMap((line) => {
      try {
        return [JSON.parse(line) as Entry]
      } catch {
        // The last line may be half of one.
        return []
      }
    })
  } catch {
    return []
  }
}
