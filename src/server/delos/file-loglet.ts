import { randomInt } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { join } from 'node:path'
import type { Loglet, LogletEntry } from '../../core/contracts/loglet.ts'
import { assert } from '../../core/kernel/assert.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { BatchBuilder, payloadBytes } from '../../core/delos/log/batch.ts'
import { BATCH_ENTRIES_MAX, KIND, RECORD_HEADER_BYTES, type RecordKind } from '../../core/delos/log/record.ts'
import { INDEX_STRIDE_BYTES } from '../../core/delos/log/recovery.ts'
import { FORMAT, SEGMENT_HEADER_BYTES, encodeSegmentHeader, segmentName } from '../../core/delos/log/segment.ts'
import { isDiskFull, syncDirectory } from '../../platform/files.ts'
import { closeFile, diskFailed, diskFull, DURABLE, openFile, writeAll } from './disk.ts'
import type { Gap } from '../../core/delos/log/repair.ts'
import { recoverLog, type Recovered, type Segment } from './recover-log.ts'
import { adoptPrepared, dropPrepared, paceOf, prepareSegment } from './segment-files.ts'
import { SegmentReader } from './segment-reader.ts'

export interface FileLogletOptions {
  /** size of a segment file; the first append writes and syncs this many zeros. Default 16 MiB */
  segmentBytes?: number
  /** entries are collected into one batch up to this size; a larger single append gets a batch of its own. Default 1 MiB */
  batchBytesMax?: number
  /** idle time after which the tail is marked as synced. Default 50 ms */
  markAfterMs?: number
  /** start though acknowledged entries cannot be read, which `gaps` then names. Default false: refuse */
  isSalvage?: boolean
  /** of a log without entries: position of its first. Default 1 */
  firstPosition?: number
  /** told the time from each write of a batch to the return of its fdatasync */
  onSync?: (ms: number) => void
}

export interface LogletStats {
  /** since it was opened */
  batches: number
  entries: number
  bytes: number
  /** of the last 256 batches: time from write to return of fdatasync, ms; 0 without any */
  syncP50Ms: number
  syncP99Ms: number
}

export interface FileLoglet extends Loglet {
  readonly dir: string
  /** what was cut from the tail when it was opened, or null */
  readonly repaired: Recovered['repaired']
  /** what could not be read when it was opened */
  readonly gaps: readonly Gap[]
  readonly isSealed: boolean
  /** why nothing can be appended any more, or null */
  readonly failure: MusterError | null
  stats(): LogletStats
  /**
   * Makes the first segment file ahead, so that the first append need not wait for it. Rejects when there is no room.
   * @param isHurried somebody waits for it; else it leaves the disk to others as far as it can
   */
  prepare(isHurried: boolean): Promise<void>
  /** Puts the first segment file in its place, too, so that the first append is one write, as any other: of a log that knows where it begins. */
  begin(isHurried: boolean): Promise<void>
  /** Begins at another position than 1; of no effect once something was written. */
  beginAt(position: number): void
}

/** Largest append at once. */
export const APPEND_BYTES_MAX = 8 * 1024 * 1024
/** Bytes waiting for the disk, after which appends are refused: a disk that stopped must not take all memory. */
export const PENDING_BYTES_MAX = 64 * 1024 * 1024
/** Bytes one `readNext` gives at most, beside its first entry. */
const READ_BYTES_MAX = 4 * 1024 * 1024
const SYNC_SAMPLES = 256

/** Opens the log in a directory, making it if it is not there. See {@link recoverLog} for what it refuses. */
export async function openFileLoglet(dir: string, options: FileLogletOptions = {}): Promise<FileLoglet> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await syncDirectory(dirname(dir))
  await dropPrepared(dir)
  const recovered = await recoverLog(dir, { isSalvage: options.isSalvage })
  const newest = recovered.segments.at(-1)
  const current = newest === undefined ? null : { segment: newest, fd: await openFile(newest.path, DURABLE), offset: recovered.end.offset }
  return new FileLogletRuntime(dir, options, recovered, current)
}

/** The segment file that is written to. */
interface Current {
  segment: Segment
  fd: number
  /** where the next record goes */
  offset: number
}

/** Entries that become one record, and who waits for them. */
interface Batch {
  entries: BatchBuilder
  waiters: { index: number; resolve: (position: number) => void; reject: (error: unknown) => void }[]
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

class FileLogletRuntime implements FileLoglet {
  readonly dir: string
  readonly repaired: Recovered['repaired']
  readonly gaps: readonly Gap[]
  readonly #segmentBytes: number
  readonly #batchBytesMax: number
  readonly #markAfterMs: number
  readonly #onSync: (ms: number) => void
  readonly #loglet: number
  /** where it begins while there is no segment file */
  #firstPosition: number
  readonly #segments: Segment[]
  readonly #reader = new SegmentReader()
  #current: Current | null
  #tail: number
  #prevCrc: number
  #isSealed: boolean
  #isMarked: boolean
  #failure: MusterError | null = null
  #isClosed = false

  /** The last one takes new entries; the others wait for the disk. */
  readonly #queue: Batch[] = []
  readonly #spareBuilders: BatchBuilder[] = []
  #pendingBytes = 0
  #isDraining = false
  #isSealDue = false
  #isMarkDue = false
  #markTimer: NodeJS.Timeout | null = null
  #lastWriteAt = 0
  readonly #idle: (() => void)[] = []
  /** the next segment file, being made or made, and open; null: not asked for, or it failed for want of space */
  #spare: Promise<number> | null = null
  /** of the spare that is being made */
  #pace = paceOf(false)

  readonly #samples: number[] = []
  #batches = 0
  #entries = 0
  #bytes = 0

  constructor(dir: string, options: FileLogletOptions, recovered: Recovered, current: Current | null) {
    this.dir = dir
    this.repaired = recovered.repaired
    this.gaps = recovered.gaps
    this.#segmentBytes = options.segmentBytes ?? 16 * 1024 * 1024
    this.#batchBytesMax = options.batchBytesMax ?? 1024 * 1024
    this.#markAfterMs = options.markAfterMs ?? 50
    this.#onSync = options.onSync ?? (() => undefined)
    this.#loglet = recovered.loglet ?? randomInt(1, 0x1_0000_0000)
    this.#segments = recovered.segments
    this.#current = current
    this.#firstPosition = options.firstPosition ?? 1
    this.#tail = recovered.segments.length === 0 ? this.#firstPosition : recovered.end.position
    this.#prevCrc = recovered.end.prevCrc ?? 0
    this.#isSealed = recovered.isSealed
    this.#isMarked = recovered.isMarked
    this.#armMark()
  }

  get isSealed(): boolean {
    return this.#isSealed
  }

  get failure(): MusterError | null {
    return this.#failure
  }

  append(payloads: readonly Uint8Array[]): Promise<number> {
    const size = payloadBytes(payloads)
    const refusal = this.#refusal(payloads.length, size)
    if (refusal !== null) return Promise.reject(refusal)
    const batch = this.#batchFor(payloads.length, size)
    const index = batch.entries.add(payloads)
    this.#pendingBytes += size
    this.#kick()
    return new Promise((resolve, reject) => batch.waiters.push({ index, resolve, reject }))
  }

  checkTail(): number {
    return this.#tail
  }

  head(): number {
    return this.#segments[0]?.first ?? this.#firstPosition
  }

  readNext(from: number, max: number): LogletEntry[] {
    if (from < this.head()) {
      throw new MusterError('DELOS_TRIMMED', `The log starts at position ${this.head()}; ${from} is no longer kept.`)
    }
    const found: LogletEntry[] = []
    let bytes = 0
    for (let position = from; position < this.#tail && found.length < max && bytes < READ_BYTES_MAX;) {
      const batch = this.#reader.batchAt(this.#segmentOf(position), position)
      for (const payload of batch.entries.slice(position - batch.position, position - batch.position + max - found.length)) {
        found.push({ position, payload })
        bytes += payload.length
        position += 1
      }
    }
    return found
  }

  async prefixTrim(position: number): Promise<void> {
    for (;;) {
      const [oldest, next] = this.#segments
      if (oldest === undefined || next === undefined || next.first > position) break
      this.#reader.close()
      this.#segments.shift()
      await rm(oldest.path, { force: true })
    }
    await syncDirectory(this.dir)
  }

  async seal(): Promise<number> {
    if (!this.#isSealed) {
      this.#isSealDue = true
      this.#kick()
      await this.#whenIdle()
      if (this.#failure !== null) throw this.#failure
      if (!this.#isSealed) throw diskFull(this.dir, null)
    }
    return this.#tail
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#markTimer !== null) clearTimeout(this.#markTimer)
    if (!this.#isMarked && this.#failure === null) {
      this.#isMarkDue = true
      this.#kick()
    }
    await this.#whenIdle()
    await this.#dropSpare()
    this.#reader.close()
    if (this.#current !== null) await closeFile(this.#current.fd)
    this.#current = null
    await dropPrepared(this.dir)
  }

  async #dropSpare(): Promise<void> {
    this.#pace.isGivenUp = true
    const fd = await this.#spare?.catch(() => null)
    this.#spare = null
    if (fd != null) await closeFile(fd)
  }

  beginAt(position: number): void {
    if (this.#segments.length > 0 || this.#isDraining) return
    this.#firstPosition = position
    this.#tail = position
  }

  async prepare(isHurried: boolean): Promise<void> {
    if (this.#current === null) this.#prepareAhead(isHurried)
    await this.#spare
  }

  async begin(isHurried: boolean): Promise<void> {
    if (this.#current !== null) return
    await this.prepare(isHurried)
    const target = await this.#startSegment()
    try {
      await writeAll(target.fd, this.#headerOf(target), 0)
    } catch (error) {
      await this.#undo(target, true, error)
    }
    await this.#nameSegment(target)
  }

  stats(): LogletStats {
    const sorted = this.#samples.toSorted((a, b) => a - b)
    // Rounded down: one slow write among less than a hundred is not their p99.
    const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0
    return { batches: this.#batches, entries: this.#entries, bytes: this.#bytes, syncP50Ms: at(0.5), syncP99Ms: at(0.99) }
  }

  #refusal(count: number, size: number): MusterError | null {
    assert(count > 0, 'an append has at least one entry')
    if (this.#failure !== null) return this.#failure
    if (this.#isClosed) return new MusterError('UNAVAILABLE', 'The log is closed.')
    if (this.#isSealed || this.#isSealDue)
      return new MusterError('DELOS_SEALED', `The log in ${this.dir} is sealed at position ${this.#tail}.`)
    const sizeMax = Math.min(APPEND_BYTES_MAX, this.#segmentBytes - SEGMENT_HEADER_BYTES - RECORD_HEADER_BYTES)
    if (size > sizeMax || count > BATCH_ENTRIES_MAX) {
      return new MusterError(
        'DELOS_ENTRY_TOO_LARGE',
        `${count} entries of ${size} bytes; at most ${BATCH_ENTRIES_MAX} of ${sizeMax} bytes go in at once.`,
      )
    }
    if (this.#pendingBytes + size > PENDING_BYTES_MAX) {
      return new MusterError('UNAVAILABLE', `${this.#pendingBytes} bytes already wait for the disk of ${this.dir}.`)
    }
    return null
  }

  /** The batch these entries join: the newest that waits, if they fit it. */
  #batchFor(count: number, size: number): Batch {
    const open = this.#queue.at(-1)
    if (open !== undefined && open.entries.length + size <= this.#batchBytesMax && open.entries.count + count <= BATCH_ENTRIES_MAX)
      return open
    const batch: Batch = { entries: this.#spareBuilders.pop() ?? new BatchBuilder(16 * 1024), waiters: [] }
    this.#queue.push(batch)
    return batch
  }

  /** Starts writing at the end of this turn of the event loop, so that all appends of the turn share one batch. */
  #kick(): void {
    if (this.#isDraining) return
    this.#isDraining = true
    setImmediate(() => void this.#drain())
  }

  async #drain(): Promise<void> {
    for (;;) {
      const batch = this.#queue.shift()
      if (batch !== undefined) await this.#commit(batch)
      else if (this.#isSealDue) await this.#commitSeal()
      else if (this.#isMarkDue) await this.#commitMark()
      else break
      // Whoever was just answered may append again in this turn and share the next batch.
      await turn()
    }
    this.#isDraining = false
    for (const resolve of this.#idle.splice(0)) resolve()
    this.#armMark()
  }

  #whenIdle(): Promise<void> {
    return this.#isDraining ? new Promise((resolve) => this.#idle.push(resolve)) : Promise.resolve()
  }

  async #commit(batch: Batch): Promise<void> {
    const { entries, waiters } = batch
    this.#pendingBytes -= entries.length
    try {
      const first = await this.#put(KIND.batch, entries)
      this.#batches += 1
      this.#entries += entries.count
      this.#bytes += entries.recordBytes
      for (const waiter of waiters) waiter.resolve(first + waiter.index)
    } catch (error) {
      const refusal = this.#onWriteError(error)
      for (const waiter of waiters) waiter.reject(refusal)
      // What waits behind was appended after it and must not take its positions.
      for (const later of this.#queue.splice(0)) {
        this.#pendingBytes -= later.entries.length
        for (const waiter of later.waiters) waiter.reject(refusal)
      }
    }
    entries.reset()
    if (this.#spareBuilders.length < 2) this.#spareBuilders.push(entries)
  }

  async #commitSeal(): Promise<void> {
    this.#isSealDue = false
    try {
      await this.#put(KIND.seal, new BatchBuilder(0))
      this.#isSealed = true
    } catch (error) {
      this.#onWriteError(error)
    }
  }

  async #commitMark(): Promise<void> {
    this.#isMarkDue = false
    // A mark is a help for repair; it is not worth a new segment file.
    if (this.#isMarked || this.#failure !== null || this.#room() < RECORD_HEADER_BYTES) return
    try {
      await this.#put(KIND.mark, new BatchBuilder(0))
    } catch (error) {
      this.#onWriteError(error)
    }
  }

  /** The refusal to answer with. All but a full disk ends the loglet: after a failed fdatasync nobody knows what is on disk. */
  #onWriteError(error: unknown): MusterError {
    const refusal = error instanceof MusterError ? error : diskFailed(this.dir, error)
    if (refusal.code !== 'DISK_FULL') this.#failure ??= refusal
    return refusal
  }

  /** Writes one record, durably; gives its position. Throws DISK_FULL if nothing was written; all else is fatal. */
  async #put(kind: RecordKind, payload: BatchBuilder): Promise<number> {
    if (this.#failure !== null) throw this.#failure
    const size = payload.recordBytes
    const isNew = this.#room() < size
    const target = isNew ? await this.#startSegment() : this.#current
    assert(target !== null && target.offset + size <= target.segment.sizeBytes, 'the record fits its segment file')
    const position = this.#tail
    const record = payload.finish({ kind, position, ballot: 0, synced: position - 1, prevCrc: this.#prevCrc, loglet: this.#loglet })
    const startedAt = performance.now()
    try {
      if (isNew) await writeAll(target.fd, Buffer.concat([this.#headerOf(target), record.bytes]), 0)
      else await writeAll(target.fd, record.bytes, target.offset)
    } catch (error) {
      await this.#undo(target, isNew, error)
    }
    this.#lastWriteAt = performance.now()
    this.#samples[this.#batches % SYNC_SAMPLES] = this.#lastWriteAt - startedAt
    this.#onSync(this.#lastWriteAt - startedAt)
    if (isNew) await this.#nameSegment(target)
    this.#advance(target, kind, payload.count, record.crc, size)
    return position
  }

  #advance(target: Current, kind: RecordKind, count: number, crc: number, size: number): void {
    const { index } = target.segment
    const indexed = index.at(-1)
    if (kind === KIND.batch && (indexed === undefined || target.offset - indexed.offset >= INDEX_STRIDE_BYTES)) {
      index.push({ position: this.#tail, offset: target.offset })
    }
    target.offset += size
    this.#tail += count
    this.#prevCrc = crc
    this.#isMarked = kind !== KIND.batch
    if (this.#room() < target.segment.sizeBytes / 2) this.#prepareAhead(false)
  }

  /** Bytes left in the current segment file. */
  #room(): number {
    return this.#current === null ? 0 : this.#current.segment.sizeBytes - this.#current.offset
  }

  /** After a write that did not fit the disk: makes sure that nothing of it can be read back, then throws DISK_FULL. */
  async #undo(target: Current, isNew: boolean, error: unknown): Promise<never> {
    if (!isDiskFull(error)) throw error
    if (isNew) await this.#abandon(target)
    else await writeAll(target.fd, new Uint8Array(RECORD_HEADER_BYTES), target.offset)
    throw diskFull(this.dir, error)
  }

  async #abandon(target: Current): Promise<void> {
    await closeFile(target.fd)
    await dropPrepared(this.dir)
  }

  /** Takes the prepared file for the next segment. It gets its name only once its first record is on disk. */
  async #startSegment(): Promise<Current> {
    const first = this.#tail
    const segment: Segment = { first, path: join(this.dir, segmentName(first)), sizeBytes: this.#segmentBytes, index: [] }
    this.#pace.isHurried = true
    const spare = this.#spare ?? prepareSegment(this.dir, this.#segmentBytes, paceOf(true))
    this.#spare = null
    try {
      return { segment, fd: await spare, offset: SEGMENT_HEADER_BYTES }
    } catch (error) {
      throw isDiskFull(error) ? diskFull(this.dir, error) : error
    }
  }

  #headerOf({ segment }: Current): Uint8Array {
    return encodeSegmentHeader({ format: FORMAT, firstPosition: segment.first, loglet: this.#loglet })
  }

  async #nameSegment(target: Current): Promise<void> {
    try {
      await adoptPrepared(this.dir, segmentName(target.segment.first))
    } catch (error) {
      await this.#undo(target, true, error)
    }
    await syncDirectory(this.dir)
    const full = this.#current
    this.#current = target
    this.#segments.push(target.segment)
    if (full !== null) await closeFile(full.fd)
  }

  #prepareAhead(isHurried: boolean): void {
    if (isHurried) this.#pace.isHurried = true
    if (this.#spare !== null || this.#isClosed) return
    this.#pace = paceOf(isHurried)
    const spare = prepareSegment(this.dir, this.#segmentBytes, this.#pace)
    this.#spare = spare
    spare.catch(() => {
      // Tried again, and answered with DISK_FULL if need be, when the current file is full.
      if (this.#spare === spare) this.#spare = null
    })
  }

  #armMark(): void {
    if (this.#isMarked || this.#markTimer !== null || this.#isClosed || this.#failure !== null) return
    this.#markTimer = setTimeout(() => {
      this.#markTimer = null
      if (performance.now() - this.#lastWriteAt < this.#markAfterMs * 0.9) return this.#armMark()
      this.#isMarkDue = true
      this.#kick()
    }, this.#markAfterMs)
    this.#markTimer.unref()
  }

  #segmentOf(position: number): Segment {
    const segment = this.#segments.findLast(({ first }) => first <= position)
    assert(segment !== undefined, 'every durable position is in a segment file')
    return segment
  }
}
