import { assert } from '../../kernel/assert.ts'
import { BATCH_ENTRIES_MAX, RECORD_HEADER_BYTES, paddedBytes, sealRecord, type RecordHeader, type RecordRef } from './record.ts'

/** Before each entry in a batch's payload: its length, u32. */
const ENTRY_HEADER_BYTES = 4

/** Bytes these entries take in a batch's payload. */
export function payloadBytes(entries: readonly Uint8Array[]): number {
  let total = entries.length * ENTRY_HEADER_BYTES
  for (const entry of entries) total += entry.length
  return total
}

/**
 * Collects entries straight into the bytes of one record: no object is kept per entry, and the buffer is used again
 * for the next batch.
 */
export class BatchBuilder {
  #bytes: Uint8Array
  #view: DataView
  #length = 0
  #count = 0

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(RECORD_HEADER_BYTES + paddedBytes(capacity))
    this.#view = new DataView(this.#bytes.buffer)
  }

  get count(): number {
    return this.#count
  }

  /** payload collected so far */
  get length(): number {
    return this.#length
  }

  /** size of the record it becomes */
  get recordBytes(): number {
    return RECORD_HEADER_BYTES + paddedBytes(this.#length)
  }

  /** Adds all of them, copied; gives the index of the first within the batch. */
  add(entries: readonly Uint8Array[]): number {
    assert(this.#count + entries.length <= BATCH_ENTRIES_MAX, 'a batch holds at most 65,535 entries')
    this.#reserve(this.#length + payloadBytes(entries))
    const first = this.#count
    let at = RECORD_HEADER_BYTES + this.#length
    for (const entry of entries) {
      this.#view.setUint32(at, entry.length, true)
      this.#bytes.set(entry, at + ENTRY_HEADER_BYTES)
      at += ENTRY_HEADER_BYTES + entry.length
    }
    this.#length = at - RECORD_HEADER_BYTES
    this.#count += entries.length
    return first
  }

  /** The finished record; its bytes are valid until the next `add` or `reset`. */
  finish(header: Omit<RecordHeader, 'count'>): { bytes: Uint8Array; crc: number } {
    const crc = sealRecord(this.#bytes, 0, this.#length, { ...header, count: this.#count })
    return { bytes: this.#bytes.subarray(0, this.recordBytes), crc }
  }

  reset(): void {
    this.#length = 0
    this.#count = 0
  }

  #reserve(length: number): void {
    const needed = RECORD_HEADER_BYTES + paddedBytes(length)
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, RECORD_HEADER_BYTES + this.#length))
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

/** The entries of a batch whose checksum was verified, as views into `bytes`. */
export function batchEntries(bytes: Uint8Array, record: RecordRef): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const entries: Uint8Array[] = []
  let at = record.offset + RECORD_HEADER_BYTES
  const end = at + record.length
  for (let i = 0; i < record.count; i += 1) {
    assert(at + ENTRY_HEADER_BYTES <= end, 'a batch with a good checksum holds the entries it counts')
    const length = view.getUint32(at, true)
    assert(at + ENTRY_HEADER_BYTES + length <= end, 'an entry ends inside its batch')
    entries.push(bytes.subarray(at + ENTRY_HEADER_BYTES, at + ENTRY_HEADER_BYTES + length))
    at += ENTRY_HEADER_BYTES + length
  }
  return entries
}
