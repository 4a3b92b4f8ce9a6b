import type { PlainValue, QueryAnswer } from '../../core/scuba/wire-types.ts'
import { dateTime } from '../shell/text.ts'
import { plainText } from '../../core/scuba/explore/conditions.ts'

/** Columns that say how a row came in, not what happened. */
const HIDDEN = new Set(['ingest_time', 'time_source', 'time_original', '_rest'])
/** Columns that hold a trace's id. */
const TRACE_COLUMNS = ['trace', 'trace_id', 'traceid']

export interface ShownColumn {
  name: string
  type: string
  /** in the rows */
  at: number
  isNumber: boolean
}

/** Columns of which at least one row says something, time first. */
export function shownColumns({ columns, rows }: Pick<QueryAnswer, 'columns' | 'rows'>): ShownColumn[] {
  return columns
    .map(({ name, type }, at) => ({ name, type, at, isNumber: isNumeric(type) }))
    .filter(({ name, at }) => !HIDDEN.has(name) && rows.some((row) => row[at] !== null && row[at] !== ''))
    .toSorted((a, b) => Number(b.name === 'time') - Number(a.name === 'time'))
}

export function isNumeric(type: string): boolean {
  return /^(BIGINT|DOUBLE|INTEGER|HUGEINT|FLOAT|DECIMAL|U?TINYINT|U?SMALLINT|U?INTEGER|UBIGINT|UHUGEINT)/.test(type)
}

/** A value of an answer in its cell. */
export function cellText(value: PlainValue | undefined, type: string): string {
  if (typeof value === 'number' && type.startsWith('TIMESTAMP'))
    return `${dateTime(value)}.${String(Math.trunc(value) % 1000).padStart(3, '0')}`
  if (typeof value === 'number' && !Number.isInteger(value)) return String(Number(value.toPrecision(6)))
  return plainText(value)
}

/** The trace a row belongs to; null: none. */
export function traceOf(columns: readonly { name: string }[], row: readonly PlainValue[]): string | null {
  const at = columns.findIndex(({ name }) => TRACE_COLUMNS.includes(name.toLowerCase()))
  const value = at === -1 ? null : row[at]
  return typeof value === 'string' && value !== '' ? value : null
}
