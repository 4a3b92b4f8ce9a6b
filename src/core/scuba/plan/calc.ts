import { refuse, type MusterError } from '../../kernel/errors.ts'
import { nearNames, quoteName } from '../names.ts'

/** One calculation of a panel. */
export interface Calc {
  /** as it was asked: the name of the value in the answer */
  text: string
  /** SQL aggregate over the rows of a group */
  sql: string
}

const FUNCTIONS = [
  'count',
  'sum:COLUMN',
  'avg:COLUMN',
  'min:COLUMN',
  'max:COLUMN',
  'p50:COLUMN … p99.9:COLUMN',
  'distinct:COLUMN',
  'ratio(CONDITION)',
]

/**
 * `count`, `p99:latency_ms`, `ratio(status >= 500)` … as SQL. Counts, sums, averages and ratios are weighted by
 * `sample_rate` where the table has it; percentiles (exact, interpolated) and distinct counts are not.
 */
export function parseCalc(text: string, columns: readonly string[]): Calc | MusterError {
  const weight = columns.includes('sample_rate') ? 'coalesce("sample_rate", 1)' : '1'
  if (text === 'count') return { text, sql: weight === '1' ? 'count(*)' : `coalesce(sum(${weight}), 0)` }
  const ratio = /^ratio\((.+)\)$/s.exec(text)
  if (ratio) return { text, sql: `coalesce(sum(${weight}) FILTER (WHERE (${ratio[1]}\n)), 0)::DOUBLE / nullif(sum(${weight}), 0)` }
  const match = /^(sum|avg|min|max|distinct|p\d{1,2}(?:\.\d+)?):(.+)$/.exec(text)
  if (!match) return refuse('USAGE', `${JSON.stringify(text)} is no calculation`, { hint: `Use one of ${FUNCTIONS.join(', ')}.` })
  const name = findColumn(match[2] ?? '', columns)
  if (typeof name !== 'string') return name
  const column = quoteName(name)
  const kind = match[1] ?? ''
  const number = `${column}::DOUBLE`
  switch (kind) {
    case 'sum':
      return { text, sql: weight === '1' ? `sum(${number})` : `sum(${number} * ${weight})` }
    case 'avg':
      return {
        text,
        sql:
          weight === '1' ? `avg(${number})` : `sum(${number} * ${weight}) / nullif(sum(${weight}) FILTER (WHERE ${column} IS NOT NULL), 0)`,
      }
    case 'min':
    case 'max':
      return { text, sql: `${kind}(${number})` }
    case 'distinct':
      return { text, sql: `count(DISTINCT ${column})` }
    default:
      return { text, sql: `quantile_cont(${number}, ${Number(kind.slice(1)) / 100})` }
  }
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
