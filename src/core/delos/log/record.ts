import { assert } from '../../kernel/assert.ts'
import { crc32c } from './crc32c.ts'

/*
 * A record, little-endian, at an offset that is a multiple of 8:
 *
 *    0 magic u32     4 crc32c u32    8 length u32   12 kind u8   13 flags u8   14 count u16
 *   16 position u64  24 ballot u64   32 synced u64  40 prevCrc u32             44 loglet u32
 *   48 payload, `length` bytes, padded with zeros to a multiple of 8
 *
 * The CRC covers the header from `length` on and the payload. `position` is that of the batch's first entry, `count`
 * how many entries it has; a record without entries stands at the tail. `synced` is the last position known to be on
 * disk when the record was written: a later record that says so is the proof that a damaged one was acknowledged.
 */
export const RECORD_HEADER_BYTES = 48
const MAGIC = 0x474c754d // "MuLG"

export const KIND = { batch: 1, mark: 2, seal: 3 } as const
export type RecordKind = (typeof KIND)[keyof typeof KIND]

/** Entries one record can hold: `count` is a u16. */
export const BATCH_ENTRIES_MAX = 0xffff

export interface RecordHeader {
  kind: RecordKind
  count: number
  position: number
  /** who may write, in a quorum; 0 in a file */
  ballot: number
  synced: number
  prevCrc: number
  /** drawn at random when the log was made, so that no record of another log is ever taken for ours */
  loglet: number
}

export interface RecordRef extends RecordHeader {
  crc: number
  /** of the payload, without padding */
  length: number
  offset: number
  /** offset after the padded payload */
  end: number
}

export function paddedBytes(length: number): number {
  return Math.ceil(length / 8) * 8
}

export function setU64(view: DataView, offset: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, `${value} is not a u53`)
  view.setUint32(offset, value % 0x1_0000_0000, true)
  view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true)
}

/** NaN-free: a value over 2^53 reads as -1, which no valid field has. */
export function getU64(view: DataView, offset: number): number {
  const high = view.getUint32(offset + 4, true)
  return high > 0x1f_ffff ? -1 : high * 0x1_0000_0000 + view.getUint32(offset, true)
}

/**
 * Writes header and checksum before a payload that already stands at `offset + 48`, and zeros its padding.
 * @returns the record's CRC
 */
export function sealRecord(bytes: Uint8Array, offset: number, length: number, header: RecordHeader): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  view.setUint32(offset, MAGIC, true)
  view.setUint32(offset + 8, length, true)
  view.setUint8(offset + 12, header.kind)
  view.setUint8(offset + 13, 0)
  view.setUint16(offset + 14, header.count, true)
  setU64(view, offset + 16, header.position)
  setU64(view, offset + 24, header.ballot)
  setU64(view, offset + 32, header.synced)
  view.setUint32(offset + 40, header.prevCrc, true)
  view.setUint32(offset + 44, header.loglet, true)
  const end = offset + RECORD_HEADER_BYTES + length
  bytes.fill(0, end, offset + RECORD_HEADER_BYTES + paddedBytes(length))
  const crc = crc32c(bytes, offset + 8, end)
  view.setUint32(offset + 4, crc, true)
  return crc
}

/** Bytes the record at `offset` claims to take, padding included; null if no record starts there. Nothing is checked. */
export function claimedBytes(bytes: Uint8Array, offset: number): number | null {
  if (offset + RECORD_HEADER_BYTES > bytes.length) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return view.getUint32(offset, true) === MAGIC ? RECORD_HEADER_BYTES + paddedBytes(view.getUint32(offset + 8, true)) : null
}

/** The record at `offset`, if all of it is there and its checksum holds; else null. */
export function readRecord(bytes: Uint8Array, offset: number): RecordRef | null {
  const claimed = claimedBytes(bytes, offset)
  if (claimed === null || offset + claimed > bytes.length) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const crc = view.getUint32(offset + 4, true)
  const length = view.getUint32(offset + 8, true)
  const kind = view.getUint8(offset + 12)
  if (crc32c(bytes, offset + 8, offset + RECORD_HEADER_BYTES + length) !== crc) return null
  return {
    kind: kind as RecordKind,
    count: view.getUint16(offset + 14, true),
    position: getU64(view, offset + 16),
    ballot: getU64(view, offset + 24),
    synced: getU64(view, offset + 32),
    prevCrc: view.getUint32(offset + 40, true),
    loglet: view.getUint32(offset + 44, true),
    crc,
    length,
    offset,
    end: offset + claimed,
  }
}
