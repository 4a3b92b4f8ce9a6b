import { closeSync, openSync, readSync } from 'node:fs'
import { batchEntries } from '../../core/delos/log/batch.ts'
import { KIND, RECORD_HEADER_BYTES, claimedBytes, readRecord, type RecordRef } from '../../core/delos/log/record.ts'
import { SEGMENT_HEADER_BYTES } from '../../core/delos/log/segment.ts'
import { corrupt, type Segment } from './recover-log.ts'

/** Bytes read at once; also what one sequential read costs in memory. */
const WINDOW_BYTES = 256 * 1024

/** A decoded batch, and where the record after it stands. */
export interface ReadBatch {
  position: number
  entries: Uint8Array[]
  segment: Segment
  nextOffset: number
}

/** Reads batches from segment files by position; checks every checksum again, for disks rot while a server runs. */
export class SegmentReader {
  #open: { segment: Segment; fd: number } | null = null
  #window = { offset: 0, bytes: new Uint8Array(0) }
  #last: ReadBatch | null = null

  /** The batch that holds `position`, which must be a durable position of this segment. Throws DELOS_LOG_CORRUPT. */
  batchAt(segment: Segment, position: number): ReadBatch {
    const last = this.#last
    if (last !== null && position >= last.position && position < last.position + last.entries.length) return last
    this.#use(segment)
    let offset =
      last !== null && last.segment === segment && position === last.position + last.entries.length
        ? last.nextOffset
        : seek(segment, position)
    for (;;) {
      const record = this.#recordAt(offset)
      if (record === null) {
        // Behind damage that was passed over at the start, the index begins again.
        const after = seek(segment, position)
        if (after > offset) {
          offset = after
          continue
        }
      }
      if (record === null) throw corrupt(segment.path, offset, position, 'a record that was read before cannot be read any more')
      if (record.kind === KIND.batch && position < record.position + record.count) {
        const bytes = this.#window.bytes.slice(offset - this.#window.offset, record.end - this.#window.offset)
        const entries = batchEntries(bytes, { ...record, offset: 0 })
        this.#last = { position: record.position, entries, segment, nextOffset: record.end }
        return this.#last
      }
      offset = record.end
    }
  }

  close(): void {
    if (this.#open !== null) closeSync(this.#open.fd)
    this.#open = null
    this.#last = null
    this.#window = { offset: 0, bytes: new Uint8Array(0) }
  }

  #use(segment: Segment): void {
    if (this.#open?.segment === segment) return
    this.close()
    this.#open = { segment, fd: openSync(segment.path, 'r') }
  }

  /** The record at a file offset, with `offset` and `end` as file offsets; its bytes are in the window. */
  #recordAt(offset: number): RecordRef | null {
    const inWindow = this.#parse(offset)
    if (inWindow !== null) return inWindow
    this.#load(offset, WINDOW_BYTES)
    const claimed = claimedBytes(this.#window.bytes, 0)
    if (claimed !== null && claimed > WINDOW_BYTES && this.#open !== null) {
      this.#load(offset, Math.min(claimed, this.#open.segment.sizeBytes - offset))
    }
    return this.#parse(offset)
  }

  #parse(offset: number): RecordRef | null {
    const at = offset - this.#window.offset
    if (at < 0 || at + RECORD_HEADER_BYTES > this.#window.bytes.length) return null
    const record = readRecord(this.#window.bytes, at)
    return record === null ? null : { ...record, offset, end: offset + (record.end - record.offset) }
  }

  #load(offset: number, length: number): void {
    if (this.#open === null) return
    const bytes = new Uint8Array(length)
    const read = readSync(this.#open.fd, bytes, 0, length, offset)
    this.#window = { offset, bytes: bytes.subarray(0, read) }
  }
}

/** Offset of the last indexed record at or before `position`. */
function seek(segment: Segment, position: number): number {
  let low = 0
  let high = segment.index.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const entry = segment.index[middle]
    if (entry !== undefined && entry.position <= position) low = middle + 1
    else high = middle
  }
  return segment.index[low - 1]?.offset ?? SEGMENT_HEADER_BYTES
}
