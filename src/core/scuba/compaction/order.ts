import { quoteName } from '../names.ts'
import type { ColumnTypes } from '../rows/columns.ts'

/**
 * `ORDER BY` of a compacted segment: the columns the table is declared to be sorted by, else service and time. Equal values
 * side by side compress better, and a filter on them skips row groups. Columns the table does not have (yet) are left out.
 */
export function sortSql(sort: readonly string[] | undefined, columns: ColumnTypes): string {
  const known = new Map(Object.keys(columns).map((name) => [name.toLowerCase(), name]))
  const wanted = sort !== undefined && sort.length > 0 ? sort : ['service', 'time']
  const names = wanted.flatMap((name) => known.get(name.toLowerCase()) ?? [])
  if (!names.includes('time')) names.push('time')
  return names.map(quoteName).join(', ')
}
