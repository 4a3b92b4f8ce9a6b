import { quoteName, quoteText } from '../names.ts'
import type { ColumnTypes } from '../rows/columns.ts'
import { isReserved } from '../rows/names.ts'
import { shapeKey, type RawShape } from './shape.ts'

/** Of one raw chunk: how its rows stand in it, and how its bytes do. */
export interface RawForm {
  shape: RawShape
  encoding: Encoding
}

/** How a body came in; compressed ones are kept as they are, for frames behind one another are one file. */
export type Encoding = 'none' | 'gzip' | 'zstd'

const FILE_ENDS = { none: '.ndjson', gzip: '.ndjson.gz', zstd: '.ndjson.zst' } as const

/** Name of a raw chunk. The time its rows came in stands in it: the engine takes it from there. */
export function rawFileName(table: string, number: number, receivedMs: number, encoding: Encoding): string {
  return `${table}-${String(number).padStart(12, '0')}~${receivedMs * 1000}~${FILE_ENDS[encoding]}`
}

/** A name no column can have. */
const FILE_NAME = 'file\u007f'

/** A SELECT for each kind of raw chunk among the files, with the registered columns and those reserved ones that it has. */
export function rawSources(columns: ColumnTypes, files: readonly { path: string; raw?: RawForm | undefined }[]): string[] {
  const groups = new Map<string, { form: RawForm; paths: string[] }>()
  for (const { path, raw } of files) {
    if (!raw) continue
    const key = `${raw.encoding} ${shapeKey(raw.shape)}`
    const group = groups.get(key)
    if (group) group.paths.push(path)
    else groups.set(key, { form: raw, paths: [path] })
  }
  return [...groups.values()].map(({ form, paths }) => rawSql(columns, form, paths))
}

function rawSql(columns: ColumnTypes, { shape, encoding }: RawForm, paths: readonly string[]): string {
  const { time, objects, arrays } = shape
  const read = new Map<string, string>()
  const select: string[] = []
  if (time) read.set(time.key, { integer: 'BIGINT', number: 'DOUBLE', text: 'VARCHAR' }[time.form])
  for (const [key = ''] of [...objects, ...arrays]) read.set(key, 'JSON')
  // Names are compared without case; a column of such a name is of other files.
  const taken = new Set([...read.keys(), ...[...objects, ...arrays].map((path) => path.join('.'))].map((name) => name.toLowerCase()))
  const tops = objects.filter(({ length }) => length === 1).map(([key = '']) => key)
  for (const [name, type] of Object.entries(columns)) {
    if (isReserved(name) || taken.has(name.toLowerCase())) continue
    const within = tops.find((key) => name.startsWith(`${key}.`))
    if (within !== undefined) {
      // Members' names may have dots of their own: every way to cut the name is a place where its value may be.
      const values = pathsOf(name.slice(within.length + 1)).map((path) => member(within, path))
      select.push(`${cast(values.length === 1 ? (values[0] ?? 'NULL') : `coalesce(${values.join(', ')})`, type)} AS ${quoteName(name)}`)
    } else {
      read.set(name, type)
      select.push(`r.${quoteName(name)}`)
    }
  }
  if (arrays.length > 0) select.push(`${restOf(arrays)} AS "_rest"`)
  const received = `make_timestamp(split_part(r.${quoteName(FILE_NAME)}, '~', -2)::BIGINT)`
  if (!time) select.push(`'ingest' AS time_source`)
  select.unshift(`${time ? timeSql(`r.${quoteName(time.key)}`, time.form) : received} AS "time"`, `${received} AS ingest_time`)
  // A reader without columns would look for some itself.
  if (read.size === 0) read.set(`no${FILE_NAME}`, 'VARCHAR')
  const types = [...read].map(([name, type]) => `${quoteText(name)}: ${quoteText(type)}`)
  const list = paths.map(quoteText).join(', ')
  const options = [
    "format='newline_delimited'",
    'records=true',
    'maximum_object_size=2097152',
    `compression='${encoding === 'none' ? 'uncompressed' : encoding}'`,
    `filename=${quoteText(FILE_NAME)}`,
    `columns={${types.join(', ')}}`,
  ]
  return `SELECT ${select.join(', ')} FROM read_json([${list}], ${options.join(', ')}) r`
}

/** As {@link microseconds} has it. */
function timeSql(value: string, form: 'integer' | 'number' | 'text'): string {
  if (form === 'text') return `${value}::TIMESTAMP`
  const whole = (sql: string): string => (form === 'integer' ? sql : `round(${sql})::BIGINT`)
  return `make_timestamp(CASE WHEN ${value} < 100000000000 THEN ${whole(`${value} * 1000000`)} WHEN ${value} < 100000000000000 THEN ${whole(`${value} * 1000`)} WHEN ${value} < 100000000000000000 THEN ${whole(value)} ELSE round(${value}::DOUBLE / 1000)::BIGINT END)`
}

/** The ways to take a name with dots apart into members' names. */
function pathsOf(name: string): string[][] {
  const paths: string[][] = [[name]]
  for (let dot = name.indexOf('.'); dot >= 0 && paths.length < 32; dot = name.indexOf('.', dot + 1))
    for (const rest of pathsOf(name.slice(dot + 1))) paths.push([name.slice(0, dot), ...rest])
  return paths
}

/** A pointer (RFC 6901), whose escapes the engine knows; its paths have none for quotes. */
const pointer = (path: readonly string[]): string =>
  quoteText(path.map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''))

const member = (key: string, path: readonly string[]): string => `(r.${quoteName(key)} ->> ${pointer(path)})`

const cast = (value: string, type: string): string => (type === 'VARCHAR' ? value : `${value}::${type}`)

/** `{"path":array,…}` of those that the row has, NULL without one. */
function restOf(arrays: readonly (readonly string[])[]): string {
  const values = arrays.map(([key = '', ...path]) =>
    path.length === 0 ? `r.${quoteName(key)}` : `(r.${quoteName(key)} -> ${pointer(path)})`,
  )
  const parts = values.map((value, index) => {
    const name = JSON.stringify((arrays[index] ?? []).join('.'))
    return `CASE WHEN ${value}::VARCHAR <> 'null' THEN ${quoteText(`${name}:`)} || ${value}::VARCHAR END`
  })
  return `nullif('{' || concat_ws(',', ${parts.join(', ')}) || '}', '{}')`
}
