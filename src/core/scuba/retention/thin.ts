import { quoteName, quoteText } from '../names.ts'
import type { ColumnTypes } from '../rows/columns.ts'

/** Columns that say which trace a row belongs to, the first that a table has. */
const TRACE_COLUMNS = ['trace_id', 'trace', 'traceid'] as const

/** The column that says which trace a row belongs to, as the table spells it. */
export const traceColumn = (columns: ColumnTypes): string | undefined =>
  TRACE_COLUMNS.map((name) => Object.keys(columns).find((column) => column.toLowerCase() === name)).find(Boolean)

/**
 * The SELECT that keeps one in `to` of a segment of which one in `from` is there already, and gives what stays `to / from`
 * times its weight. Traces stay or go whole, in every segment and table alike: by MD5, which does not change with the
 * engine's version. Rows without a trace are taken by their place in the file, which is the same whenever it is asked.
 * Estimates of counts and sums stay unbiased; distinct counts do not, and say so.
 */
export function thinSql(path: string, columns: ColumnTypes, from: number, to: number): string {
  const trace = traceColumn(columns)
  const factor = to / from
  const byPlace = `md5_number_lower(concat(${quoteText(path.slice(path.lastIndexOf('/') + 1))}, ':', "file_row_number")) % ${factor} = 0`
  const keep =
    trace === undefined
      ? byPlace
      : `CASE WHEN nullif(${quoteName(trace)}, '') IS NULL THEN ${byPlace} ELSE md5_number_lower(${quoteName(trace)}::VARCHAR) % ${to} = 0 END`
  // A file from before the first thinning of its table has no weights.
  const weight = `SELECT NULL::${columns['sample_rate'] ?? 'BIGINT'} AS "sample_rate" WHERE false`
  return `SELECT * EXCLUDE ("file_row_number") REPLACE (coalesce("sample_rate", 1) * ${factor} AS "sample_rate") FROM (SELECT * FROM read_parquet(${quoteText(path)}, file_row_number=true) UNION ALL BY NAME ${weight}) WHERE ${keep}`
}
