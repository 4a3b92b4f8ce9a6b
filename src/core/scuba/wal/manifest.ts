import type { ColumnTypes } from '../rows/columns.ts'
import type { Crc32 } from './record.ts'

/** An immutable Parquet file of one table. */
export interface Segment {
  /** file name inside `segments/` */
  file: string
  table: string
  rows: number
  bytes: number
  sha256: string
  /** bounds of `time`, µs */
  minUs: number
  maxUs: number
}

/**
 * The manifest's lines: `crc32 in hex, space, JSON`. Its length is the manifest version. A `segment` record makes the
 * swap atomic: from it on, the rows of every batch up to `throughSeq` (and of the segments it replaces) are in this segment
 * and nowhere else.
 */
export type ManifestRecord =
  | { kind: 'segment'; segment: Segment; throughSeq: number; replaces: string[]; columns: ColumnTypes }
  | { kind: 'drop'; table: string; files: string[]; reason: 'age' | 'size' | 'damaged' }
  | { kind: 'retention'; table: string; days: number; gb: number }

export interface TableManifest {
  segments: Map<string, Segment>
  /** batches up to this number are in segments */
  throughSeq: number
  columns: ColumnTypes
  retention: { days: number; gb: number }
}

export const RETENTION_DEFAULT = { days: 30, gb: 100 } as const

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function encodeManifestLine(record: ManifestRecord, crc32: Crc32): Uint8Array {
  const json = JSON.stringify(record)
  return encoder.encode(`${crc32(encoder.encode(json)).toString(16).padStart(8, '0')} ${json}\n`)
}

/** The records of a manifest up to its first broken line, and the offset after the last good one. */
export function decodeManifest(bytes: Uint8Array, crc32: Crc32): { records: ManifestRecord[]; goodBytes: number } {
  const records: ManifestRecord[] = []
  let offset = 0
  for (;;) {
    const end = bytes.indexOf(10, offset)
    if (end < 0) break
    const crc = decoder.decode(bytes.subarray(offset, offset + 8))
    const json = bytes.subarray(Math.min(offset + 9, end), end)
    if (crc32(json).toString(16).padStart(8, '0') !== crc) break
    records.push(JSON.parse(decoder.decode(json)) as ManifestRecord)
    offset = end + 1
  }
  return { records, goodBytes: offset }
}

/** What the manifest's records say of each table. */
export function foldManifest(records: readonly ManifestRecord[]): Map<string, TableManifest> {
  const tables = new Map<string, TableManifest>()
  for (const record of records) applyManifest(tables, record)
  return tables
}

export function applyManifest(tables: Map<string, TableManifest>, record: ManifestRecord): void {
  const name = record.kind === 'segment' ? record.segment.table : record.table
  let table = tables.get(name)
  if (!table) {
    table = { segments: new Map(), throughSeq: 0, columns: {}, retention: { ...RETENTION_DEFAULT } }
    tables.set(name, table)
  }
  if (record.kind === 'segment') {
    for (const file of record.replaces) table.segments.delete(file)
    if (record.segment.rows > 0) table.segments.set(record.segment.file, record.segment)
    table.throughSeq = Math.max(table.throughSeq, record.throughSeq)
    table.columns = record.columns
  } else if (record.kind === 'drop') {
    for (const file of record.files) table.segments.delete(file)
  } else {
    table.retention = { days: record.days, gb: record.gb }
  }
}
