import type { ColumnTypes } from '../rows/columns.ts'
import type { Crc32 } from './record.ts'

/** An immutable Parquet file of one table. */
export interface Segment {
  /** file name inside `segments/`, or that of a place in ClickHouse (`clickhouse/place.ts`), which has no checksum */
  file: string
  table: string
  rows: number
  bytes: number
  sha256: string
  /** bounds of `time`, µs */
  minUs: number
  maxUs: number
  /** one row of so many is left; missing: all */
  thinned?: number
  /** codes stored beside its columns (`plan/codes.ts`); missing: none */
  codes?: readonly string[]
}

/**
 * What the leaf did to a table that has to become an entry of the control log. Numbered without gaps and kept in the manifest
 * with the deed itself, so that the server, which may have been away, concludes each once.
 */
export interface LeafNote {
  number: number
  atMs: number
  table: string
  what: 'dropped' | 'thinned' | 'erased'
  /** of a drop: why; else empty */
  reason: 'age' | 'space' | 'disk' | ''
  segments: number
  /** rows that are gone */
  rows: number
  bytes: number
  /** of an erasure: SHA-256 of the condition, and who asked */
  predicateSha256?: string
  by?: string
}

/** Everything of a note but its number, which the manifest gives. */
export type NewLeafNote = Omit<LeafNote, 'number'> & { number?: number }

/**
 * The manifest's lines: `crc32 in hex, space, JSON`. Its length is the manifest version. A `segment` record makes the
 * swap atomic: from it on, the rows of every batch up to `throughSeq` (and of the segments it replaces) are in this segment
 * and nowhere else.
 */
export type ManifestRecord =
  | { kind: 'segment'; segment: Segment; throughSeq: number; replaces: string[]; columns: ColumnTypes }
  /** what a table had in chunks up to that batch is in these segments, and nowhere else */
  | { kind: 'sealed'; table: string; segments: Segment[]; throughSeq: number; columns: ColumnTypes }
  /** what a table had in chunks up to that batch is about to be written to a place; it counts once `sealed` says so */
  | { kind: 'sealing'; table: string; file: string; rows: number; throughSeq: number; columns: ColumnTypes }
  /** that will not be looked at again; its rows are sealed anew */
  | { kind: 'unsealed'; table: string; file: string }
  | { kind: 'drop'; table: string; files: string[]; reason: 'age' | 'size' | 'damaged'; note?: NewLeafNote }
  /** segments written anew with fewer rows; those that would be empty are not written */
  | { kind: 'rewrite'; table: string; segments: Segment[]; replaces: string[]; columns: ColumnTypes; note: NewLeafNote }
  /** a segment's file is not there or not what was written: it is not read */
  | { kind: 'lost'; table: string; file: string; reason: string }
  /** it is whole again: put back from a copy */
  | { kind: 'found'; table: string; file: string }
  /** the table's rows up to that batch are gone, or another's: asked for by the log's entry of that position; 0: they are another leaf's */
  | { kind: 'gone'; table: string; throughSeq: number; id: number; to: string | null }
  /** what was a copy of another leaf's rows is the table's own from now on; once for each `from` */
  | { kind: 'adopted'; table: string; from: string; segments: Segment[]; columns: ColumnTypes }
  | { kind: 'retention'; table: string; days: number; gb: number }

export interface TableManifest {
  segments: Map<string, Segment>
  /** batches up to this number are in segments */
  throughSeq: number
  columns: ColumnTypes
  /** as an older version kept it here; null: none */
  retention: { days: number; gb: number } | null
  /** file → why it is not read */
  lost: Map<string, string>
  /** dropped or renamed, and nothing has come in under this name since */
  isGone: boolean
  /** a seal that was begun, and whose end the manifest does not have */
  sealing: Sealing | null
  /** copies of other leaves' rows that are its own by now */
  adopted: Set<string>
  /** batches up to this number, and their keys, are another leaf's */
  asideSeq: number
}

export type Sealing = Pick<Extract<ManifestRecord, { kind: 'sealing' }>, 'file' | 'rows' | 'throughSeq' | 'columns'>

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
  const table = tableOf(tables, record.kind === 'segment' ? record.segment.table : record.table)
  const remove = (files: readonly string[]): void => {
    for (const file of files) {
      table.segments.delete(file)
      table.lost.delete(file)
    }
  }
  switch (record.kind) {
    case 'segment':
      remove(record.replaces)
      if (record.segment.rows > 0) table.segments.set(record.segment.file, record.segment)
      table.throughSeq = Math.max(table.throughSeq, record.throughSeq)
      table.columns = record.columns
      table.isGone = false
      break
    case 'sealed':
      for (const segment of record.segments) table.segments.set(segment.file, segment)
      table.throughSeq = Math.max(table.throughSeq, record.throughSeq)
      table.columns = record.columns
      table.isGone = false
      table.sealing = null
      break
    case 'sealing':
      table.sealing = record
      break
    case 'unsealed':
      table.sealing = null
      break
    case 'rewrite':
      remove(record.replaces)
      for (const segment of record.segments) table.segments.set(segment.file, segment)
      table.columns = record.columns
      break
    case 'drop':
      remove(record.files)
      break
    case 'lost':
      if (table.segments.has(record.file)) table.lost.set(record.file, record.reason)
      break
    case 'found':
      table.lost.delete(record.file)
      break
    case 'gone':
      if (record.to !== null) moveTable(table, tableOf(tables, record.to), record.to)
      Object.assign(table, {
        ...emptyTable(),
        throughSeq: Math.max(table.throughSeq, record.throughSeq),
        isGone: true,
        adopted: table.adopted,
        asideSeq: record.id === 0 ? Math.max(table.throughSeq, record.throughSeq) : table.asideSeq,
      })
      break
    case 'adopted':
      if (table.adopted.has(record.from)) break
      for (const segment of record.segments) table.segments.set(segment.file, segment)
      table.columns = { ...record.columns, ...table.columns }
      table.isGone = false
      table.adopted.add(record.from)
      break
    case 'retention':
      table.retention = { days: record.days, gb: record.gb }
  }
}

/** The note of a record, once the manifest gave it its number. */
export function noteOf(record: ManifestRecord): LeafNote | null {
  const note = 'note' in record ? record.note : undefined
  return note?.number === undefined ? null : { ...note, number: note.number }
}

const emptyTable = (): TableManifest => ({
  segments: new Map(),
  throughSeq: 0,
  columns: {},
  retention: null,
  lost: new Map(),
  isGone: false,
  sealing: null,
  adopted: new Set(),
  asideSeq: 0,
})

function tableOf(tables: Map<string, TableManifest>, name: string): TableManifest {
  let table = tables.get(name)
  if (!table) tables.set(name, (table = emptyTable()))
  return table
}

/** The files stay where they are, under their names; only the manifest says whose they are. */
function moveTable(from: TableManifest, to: TableManifest, name: string): void {
  for (const [file, segment] of from.segments) to.segments.set(file, { ...segment, table: name })
  for (const [file, reason] of from.lost) to.lost.set(file, reason)
  to.columns = { ...from.columns, ...to.columns }
  to.isGone = false
}
