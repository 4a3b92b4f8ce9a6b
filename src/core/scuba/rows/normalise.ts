import { LIMITS } from '../limits.ts'
import type { RowShape } from '../declared/shape.ts'
import type { Column, ColumnSet, ColumnType } from './columns.ts'
import { coerced } from './coerce.ts'
import { cutValue } from './cut.ts'
import { canBeColumn, isReserved } from './names.ts'
import { microseconds, rowTime } from './time.ts'

export interface NormalRow {
  /** the row as it stands in a chunk: one flat JSON object, `time` and `ingest_time` in µs, each value of its column's type */
  line: string
  timeUs: number
  /** the time that the row itself names; null: none */
  claimedUs: number | null
}

const OPEN = { timeField: null, mode: 'open', coerce: false } as const

/**
 * Brings a parsed row into the form that chunks hold, and learns new columns from it. Values keep their meaning:
 * an integer column that meets a fraction widens to DOUBLE, a text column takes numbers as text, and any other value
 * that does not fit goes to `<column>$str` as text, unless its table coerces it. What has no column (arrays, keys nested too deep, another spelling
 * of a known name, the 1,001st name, the 101st new one of a minute) is kept in `_rest` as JSON.
 * @returns the reason when the row cannot be kept
 */
export function normaliseRow(
  row: Readonly<Record<string, unknown>>,
  columns: ColumnSet,
  receivedMs: number,
  { timeField, mode, coerce }: Pick<RowShape, 'timeField' | 'mode' | 'coerce'> = OPEN,
): NormalRow | string {
  const time = rowTime(row, receivedMs, LIMITS.futureMsMax, timeField)
  let undeclared: string | null = null
  let line = `{"time":${time.timeUs},"ingest_time":${receivedMs * 1000}`
  if (time.source !== 'row') line += `,"time_source":"${time.source}"`
  const rest: [string, unknown][] = []
  columns.beginRow()

  const added = (name: string, type: ColumnType): Column | null => {
    if (canBeColumn(name)) return columns.add(name, type, receivedMs)
    columns.caps.add('names')
    return null
  }
  const text = (prefix: string, value: string): void => {
    const kept = cutValue(value)
    if (kept.isCut) columns.caps.add('values')
    line += prefix + JSON.stringify(kept.text)
  }
  const conflict = (name: string, value: unknown): void => {
    const side = columns.exact(`${name}$str`) ?? added(`${name}$str`, 'VARCHAR')
    if (side?.type === 'VARCHAR' && columns.take(side)) text(side.prefix, String(value))
    else rest.push([name, String(value)])
  }
  const scalar = (name: string, value: string | number | boolean): void => {
    // `1e400` is JSON, but no number.
    if (typeof value === 'number' && !Number.isFinite(value)) return conflict(name, value)
    const type =
      typeof value === 'string' ? 'VARCHAR' : typeof value === 'boolean' ? 'BOOLEAN' : Number.isSafeInteger(value) ? 'BIGINT' : 'DOUBLE'
    const column = columns.exact(name) ?? (mode === 'open' ? added(name, type) : null)
    if (!column) undeclared ??= name
    if (!column || !columns.take(column)) {
      rest.push([name, value])
    } else if (column.type === 'TIMESTAMP') {
      const us = microseconds(value)
      if (us === null) conflict(name, value)
      else line += column.prefix + String(us)
    } else if (column.type === type || (column.type === 'DOUBLE' && type === 'BIGINT')) {
      if (typeof value === 'string') text(column.prefix, value)
      else line += column.prefix + String(value)
    } else if (column.type === 'BIGINT' && type === 'DOUBLE' && !column.isFixed) {
      columns.widen(column)
      line += column.prefix + String(value)
    } else if (column.type === 'VARCHAR') {
      text(column.prefix, String(value))
    } else {
      const fitting = coerce && column.isFixed ? coerced(value, column.type) : null
      if (fitting === null) conflict(name, value)
      else line += column.prefix + String(fitting)
    }
  }
  const walk = (object: Readonly<Record<string, unknown>>, path: string, depth: number): void => {
    for (const key of Object.keys(object)) {
      const value = object[key]
      const name = path === '' ? key : `${path}.${key}`
      if (value === null || value === undefined) continue
      if (path === '' && key === time.key && time.source === 'row') continue
      if (isReserved(name)) {
        if (name === 'time' && time.source === 'ahead') continue
        rest.push([name, value])
      } else if (typeof value === 'object') {
        if (Array.isArray(value) || depth >= LIMITS.nestingMax) {
          undeclared ??= name
          rest.push([name, value])
        } else walk(value as Record<string, unknown>, name, depth + 1)
      } else {
        scalar(name, value as string | number | boolean)
      }
    }
  }
  walk(row, '', 1)
  if (mode === 'strict' && undeclared !== null) return `${JSON.stringify(undeclared)} is no declared column`
  if (time.source === 'ahead' && time.key !== null) line += originalTime(row[time.key])
  if (rest.length > 0) text(',"_rest":', JSON.stringify(Object.fromEntries(rest)))
  if (line.length > LIMITS.rowBytesMax) {
    columns.caps.add('rows')
    return 'row is larger than 1 MiB'
  }
  return { line: `${line}}`, timeUs: time.timeUs, claimedUs: time.claimedUs }
}

/** The time a sender with a wrong clock gave, when it can be kept as one. */
function originalTime(value: unknown): string {
  return typeof value === 'number' && value > 1e11 && value < 1e14 ? `,"time_original":${Math.round(value * 1000)}` : ''
}
