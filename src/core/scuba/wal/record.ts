import type { Encoding, RawForm } from '../raw/read.ts'
import type { ColumnTypes } from '../rows/columns.ts'

/**
 * One accepted batch in the leaf's journal. On disk, little-endian:
 * `u32 magic · u32 header bytes · u32 payload bytes · u32 crc32(header, payload) · header (JSON) · payload (NDJSON)`.
 */
export interface JournalHeader {
  /** number of the batch, growing by one over all tables of the leaf */
  seq: number
  table: string
  rows: number
  minUs: number
  maxUs: number
  /** received, ms */
  at: number
  /** columns that this batch brought or widened */
  columns?: ColumnTypes
  /** idempotency key with the digest of the bytes it came with, and the lines that went to quarantine */
  key?: { key: string; digest: string; quarantined: number }
  /** its rows are not in the record but in a raw chunk, which was synced before */
  raw?: RawPlace
  /** of a batch that is a copy of another leaf's: the payload is the body as it came, in this encoding */
  body?: Encoding
}

/** Where a batch stands in a raw chunk. */
export interface RawPlace {
  /** file name inside `raw/` */
  file: string
  form: RawForm
  offset: number
  bytes: number
  crc: number
  /** hour since the epoch and rows of it, when there are several */
  hours?: [number, number][]
  /** its lines were not all looked through */
  onTrust?: true
}

export interface JournalRecord {
  header: JournalHeader
  payload: Uint8Array
  /** offset after the record */
  end: number
}

/** crc32 as in zlib; handed in, because the fast one is native. */
export type Crc32 = (bytes: Uint8Array, before?: number) => number

const MAGIC = 0x314a_534d
const PREFIX_BYTES = 16

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function encodeRecord(header: JournalHeader, payload: Uint8Array, crc32: Crc32): Uint8Array {
  const head = encoder.encode(JSON.stringify(header))
  const bytes = new Uint8Array(PREFIX_BYTES + head.length + payload.length)
  const view = new DataView(bytes.buffer)
  bytes.set(head, PREFIX_BYTES)
  bytes.set(payload, PREFIX_BYTES + head.length)
  view.setUint32(0, MAGIC, true)
  view.setUint32(4, head.length, true)
  view.setUint32(8, payload.length, true)
  view.setUint32(12, crc32(bytes.subarray(PREFIX_BYTES)), true)
  return bytes
}

/**
 * The record at `offset`, or null when no whole, intact one is there: the torn end of a file whose writer was killed.
 * Everything before it had been written, and if acknowledged synced, before.
 */
export function decodeRecord(bytes: Uint8Array, offset: number, crc32: Crc32): JournalRecord | null {
  if (bytes.length - offset < PREFIX_BYTES) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, PREFIX_BYTES)
  if (view.getUint32(0, true) !== MAGIC) return null
  const headEnd = offset + PREFIX_BYTES + view.getUint32(4, true)
  const end = headEnd + view.getUint32(8, true)
  if (end > bytes.length || crc32(bytes.subarray(offset + PREFIX_BYTES, end)) !== view.getUint32(12, true)) return null
  const header = JSON.parse(decoder.decode(bytes.subarray(offset + PREFIX_BYTES, headEnd))) as JournalHeader
  return { header, payload: bytes.subarray(headEnd, end), end }
}
