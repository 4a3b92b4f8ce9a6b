import { placeOf } from '../clickhouse/place.ts'
import { quoteName, quoteText } from '../names.ts'
import { rawSources, type RawForm } from '../raw/read.ts'
import type { ColumnType, ColumnTypes } from '../rows/columns.ts'
import type { Segment } from '../wal/manifest.ts'
import { retypedColumn, sideOf } from './retyped.ts'

/** A closed file of a table, as far as a view needs it; it never changes, so whatever was computed from it stays true. */
export interface ViewFile {
  path: string
  /** `raw`: rows as they came in; `away`: a segment in ClickHouse, which no view can read */
  kind: 'chunk' | 'segment' | 'raw' | 'away'
  /** of a raw one: how its rows are read */
  raw?: RawForm | undefined
  minUs: number
  maxUs: number
  rows: number
  /** codes stored in it (`codes.ts`); missing: none */
  codes?: readonly string[] | undefined
  /** the only parts of it that matter to the question, µs, both ends included; without: all */
  stretches?: readonly { minUs: number; maxUs: number }[] | undefined
  /** what is read in place of it */
  copy?: NativeCopy | undefined
}

/** Some columns of a segment in a database of the engine's own. */
export interface NativeCopy {
  /** of the database where it is attached; no other one's, ever */
  name: string
  path: string
  columns: readonly string[]
}

/** Of the one table that such a database has. */
export const COPIED = 'main.copied'

/** A segment as a file of a view, at its path; what is away has its name for one. */
export function viewFileAt(path: string, { file, rows, minUs, maxUs, codes }: Segment): ViewFile {
  return { path, kind: placeOf(file) ? 'away' : 'segment', rows, minUs, maxUs, ...(codes ? { codes } : {}) }
}

export interface ViewRequest {
  columns: ColumnTypes
  files: readonly ViewFile[]
  /** columns whose type was another one when some of the files were written */
  retyped?: readonly string[] | undefined
  /** codes to be given as well, which all of the files must have */
  codes?: readonly string[] | undefined
  /** columns computed from the others */
  derived?: readonly { name: string; sql: string; type: ColumnType }[] | undefined
  /** event time, ms; rows of `[sinceMs, untilMs)` */
  sinceMs?: number | undefined
  untilMs?: number | undefined
}

/**
 * The SELECT that is a table: its segments and chunks under the registered columns and types, so that a column only some
 * files have is NULL in the others. Files outside of the time range are left out, and only those that reach over its ends are
 * filtered by it: reading and comparing `time` costs 20 ns a row, as much as a sum over another column.
 */
export function viewSql(request: ViewRequest): { sql: string; files: ViewFile[] } {
  const retyped = (request.retyped ?? []).filter((name) => name in request.columns && sideOf(name) in request.columns)
  // Files differ in the types of these: all give them as text, which is then fitted.
  const columns: ColumnTypes = {
    ...request.columns,
    ...Object.fromEntries(retyped.map((name) => [name, 'VARCHAR' as const])),
    ...Object.fromEntries((request.codes ?? []).map((code) => [code, 'BIGINT' as const])),
  }
  const sinceUs = (request.sinceMs ?? -Infinity) * 1000
  const untilUs = (request.untilMs ?? Infinity) * 1000
  const files = request.files.filter(({ minUs, maxUs }) => maxUs >= sinceUs && minUs < untilUs)
  const away = files.find(({ kind }) => kind === 'away')
  if (away) throw new Error(`${away.path} has to be fetched before it can be read`)
  const isWhole = ({ minUs, maxUs }: ViewFile): boolean => minUs >= sinceUs && maxUs < untilUs
  const bounds = [
    ...(request.sinceMs === undefined ? [] : [`"time" >= make_timestamp(${Math.round(sinceUs)})`]),
    ...(request.untilMs === undefined ? [] : [`"time" < make_timestamp(${Math.round(untilUs)})`]),
  ]
  const names = Object.keys(columns)
  const cut = files.filter((file) => file.stretches === undefined && !isWhole(file))
  const sources = [
    ...reads(
      columns,
      files.filter((file) => file.stretches === undefined && isWhole(file)),
    ),
    ...reads(columns, cut).map((sql) => `${sql} WHERE ${bounds.join(' AND ')}`),
    ...files.flatMap((file) => stretches(columns, file, bounds)),
    `SELECT ${names.map((name) => `NULL::${typeOf(columns, name)} AS ${quoteName(name)}`).join(', ')} WHERE false`,
  ]
  const shown = new Map<string, string>()
  for (const name of retyped) {
    const { value, side } = retypedColumn(name, typeOf(request.columns, name))
    shown.set(name, `${value} AS ${quoteName(name)}`).set(sideOf(name), `${side} AS ${quoteName(sideOf(name))}`)
  }
  const sql = `SELECT ${names.map((name) => shown.get(name) ?? quoteName(name)).join(', ')} FROM (${sources.join(' UNION ALL BY NAME ')})`
  const derived = (request.derived ?? []).map(({ name, sql: expression, type }) => `(${expression}\n)::${type} AS ${quoteName(name)}`)
  return { sql: derived.length === 0 ? sql : `SELECT *, ${derived.join(', ')} FROM (${sql})`, files }
}

/** The columns a view gives, derived ones among them. */
export function columnsOf({ columns, derived = [] }: Pick<ViewRequest, 'columns' | 'derived'>): ColumnTypes {
  return { ...columns, ...Object.fromEntries(derived.map(({ name, type }) => [name, type])) }
}

/** One SELECT for each stretch: of an OR over all of them the engine would read every row group. */
function stretches(columns: ColumnTypes, file: ViewFile, bounds: readonly string[]): string[] {
  return (file.stretches ?? []).flatMap(({ minUs, maxUs }) => {
    const within = [`"time" >= make_timestamp(${minUs})`, `"time" <= make_timestamp(${maxUs})`, ...bounds]
    return reads(columns, [file]).map((sql) => `${sql} WHERE ${within.join(' AND ')}`)
  })
}

/** One SELECT for each kind of file, to which a WHERE can be added. */
function reads(columns: ColumnTypes, files: readonly ViewFile[]): string[] {
  const paths = (kind: ViewFile['kind']): string[] => files.filter((file) => file.kind === kind).map(({ path }) => quoteText(path))
  const chunks = paths('chunk')
  const segments = files.filter(({ kind, copy }) => kind === 'segment' && !copy).map(({ path }) => quoteText(path))
  const names = Object.keys(columns)
  const sources: string[] = []
  if (chunks.length > 0) {
    // Chunks hold times as µs; every other value already is of its column's type.
    const types = names.map((name) => `${quoteText(name)}: ${quoteText(isTime(columns, name) ? 'BIGINT' : typeOf(columns, name))}`)
    const times = names.filter((name) => isTime(columns, name)).map((name) => `make_timestamp(${quoteName(name)}) AS ${quoteName(name)}`)
    sources.push(
      `SELECT * FROM (SELECT * REPLACE (${times.join(', ')}) FROM read_json([${chunks.join(', ')}], format='newline_delimited', records=true, maximum_object_size=8388608, columns={${types.join(', ')}}))`,
    )
  }
  sources.push(...rawSources(columns, files).map((sql) => `SELECT * FROM (${sql})`))
  if (segments.length > 0) sources.push(`SELECT * FROM read_parquet([${segments.join(', ')}], union_by_name=true)`)
  for (const { copy } of files) if (copy) sources.push(copySql(columns, copy))
  return sources
}

/**
 * A copy under all columns of a view. One that it does not have is an error where it is read, never a NULL; nobody reads it when the copy was
 * chosen well, and the engine leaves it out then.
 */
function copySql(columns: ColumnTypes, { name, columns: has }: NativeCopy): string {
  const there = new Set(has)
  const list = Object.keys(columns).map((column) =>
    there.has(column)
      ? quoteName(column)
      : `error(${quoteText(`${column} is not in the copy`)})::${typeOf(columns, column)} AS ${quoteName(column)}`,
  )
  return `SELECT ${list.join(', ')} FROM ${quoteName(name)}.${COPIED}`
}

/** The copies that are read in place of files. */
export const copiesIn = (files: readonly ViewFile[]): NativeCopy[] => files.flatMap(({ copy }) => copy ?? [])

const typeOf = (columns: ColumnTypes, name: string): ColumnType => columns[name] ?? 'VARCHAR'
const isTime = (columns: ColumnTypes, name: string): boolean => columns[name] === 'TIMESTAMP'
