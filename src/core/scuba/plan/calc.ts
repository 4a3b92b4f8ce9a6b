import { refuse, type MusterError } from '../../kernel/errors.ts'
import { nearNames, quoteName } from '../names.ts'
import type { ColumnType, ColumnTypes } from '../rows/columns.ts'

/** One calculation of a panel. */
export type Calc = { text: string } & (
  | { kind: 'count' }
  | { kind: 'ratio'; condition: string }
  | { kind: 'percentile' | 'exact'; column: string; q: number }
  | { kind: 'sum' | 'avg' | 'min' | 'max' | 'distinct' | 'heatmap' | 'increase' | 'rate'; column: string }
)

const FUNCTIONS = [
  'count',
  'sum:COLUMN',
  'avg:COLUMN',
  'min:COLUMN',
  'max:COLUMN',
  'p50:COLUMN … p99.9:COLUMN',
  'exact_p99:COLUMN',
  'distinct:COLUMN',
  'heatmap:COLUMN',
  'increase:COLUMN',
  'rate:COLUMN',
  'ratio(CONDITION)',
]

/** `count`, `p99:latency_ms`, `ratio(status >= 500)` … with the column as the table spells it. */
export function parseCalc(text: string, columns: readonly string[]): Calc | MusterError {
  if (text === 'count') return { text, kind: 'count' }
  const ratio = /^ratio\((.+)\)$/s.exec(text)?.[1]
  if (ratio !== undefined) return { text, kind: 'ratio', condition: ratio }
  const match = /^(sum|avg|min|max|distinct|heatmap|increase|rate|(?:exact_)?p\d{1,2}(?:\.\d+)?):(.+)$/.exec(text)
  const kind = match?.[1]
  if (!match || kind === undefined) {
    return refuse('USAGE', `${JSON.stringify(text)} is no calculation`, { hint: `Use one of ${FUNCTIONS.join(', ')}.` })
  }
  const column = findColumn(match[2] ?? '', columns)
  if (typeof column !== 'string') return column
  const percent = /^(exact_)?p(.+)$/.exec(kind)
  if (percent) return { text, kind: percent[1] === undefined ? 'percentile' : 'exact', column, q: Number(percent[2]) / 100 }
  return { text, kind: kind as 'sum', column }
}

/** The column of that name in any case, or SCUBA_COLUMN_UNKNOWN with near names. */
export function findColumn(name: string, columns: readonly string[]): string | MusterError {
  const found = columns.find((column) => column.toLowerCase() === name.toLowerCase())
  if (found !== undefined) return found
  const near = nearNames(name, columns)
  return refuse('SCUBA_COLUMN_UNKNOWN', `there is no column ${name}${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`, {
    details: { column: name, near },
  })
}

/** A column as a number: text that is one counts, times are ms, yes is 1. */
export function numberSql(column: string, type: ColumnType | undefined): string {
  const name = quoteName(column)
  switch (type) {
    case 'BIGINT':
    case 'DOUBLE':
      return name
    case 'BOOLEAN':
      return `${name}::BIGINT`
    case 'TIMESTAMP':
      return `(epoch_us(${name}) / 1000)`
    default:
      return `TRY_CAST(${name} AS DOUBLE)`
  }
}

/** Whether {@link numberSql} gives whole numbers, whose sums are exact in 128 bit. */
export const isWholeType = (type: ColumnType | undefined): boolean => type === 'BIGINT' || type === 'BOOLEAN'

/** SQL of how many events a row stands for (`sample_rate`, at least 1), or null where every row is one. */
export function weightSql(columns: ColumnTypes): string | null {
  const type = columns['sample_rate']
  if (type === undefined) return null
  const rate = numberSql('sample_rate', type)
  // A fifth of what greatest(1, coalesce(…)) costs.
  return `CASE WHEN ${rate} >= 1 THEN ${rate} ELSE 1 END`
}
