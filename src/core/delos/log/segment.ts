import { crc32c } from './crc32c.ts'
import { getU64, setU64 } from './record.ts'

/**
 * The first 64 bytes of a segment file. Their place and checksum never change, so that every version can tell that a
 * file was written by a newer one:
 *
 *   0 "MUSTERLG"   8 format u32   12 crc32c u32 (of bytes 0–11 and 16–63)   16 firstPosition u64   24 loglet u32
 */
export const SEGMENT_HEADER_BYTES = 64

/** Version of the records in the file; a reader refuses a higher one. */
export const FORMAT = 1

const NAME = new TextEncoder().encode('MUSTERLG')

export interface SegmentHeader {
  format: number
  firstPosition: number
  loglet: number
}

function checksum(bytes: Uint8Array): number {
  const covered = new Uint8Array(SEGMENT_HEADER_BYTES - 4)
  covered.set(bytes.subarray(0, 12))
  covered.set(bytes.subarray(16, SEGMENT_HEADER_BYTES), 12)
  return crc32c(covered)
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  bytes.set(NAME)
  view.setUint32(8, header.format, true)
  setU64(view, 16, header.firstPosition)
  view.setUint32(24, header.loglet, true)
  view.setUint32(12, checksum(bytes), true)
  return bytes
}

/** The header, or null if these bytes do not start a segment file of any version. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | null {
  if (bytes.length < SEGMENT_HEADER_BYTES || NAME.some((byte, i) => bytes[i] !== byte)) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(12, true) !== checksum(bytes)) return null
  return { format: view.getUint32(8, true), firstPosition: getU64(view, 16), loglet: view.getUint32(24, true) }
}

/** `000000000000002a.seg` for the segment whose first entry has position 42: names sort as positions do. */
export function segmentName(firstPosition: number): string {
  return `${firstPosition.toString(16).padStart(16, '0')}.seg`
}

/** The first position a file name tells, or null if it is not a segment's. */
export function positionOfName(name: string): number | null {
  return /^[0-9a-f]{16}\.seg$/.test(name) ? Number.parseInt(name.slice(0, 16), 16) : null
}
