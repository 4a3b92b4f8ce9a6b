import { quoteName } from '../names.ts'
import type { ColumnType } from '../rows/columns.ts'

/** JSON numbers: `007` and `0x10`, which the engine's casts take for numbers, are texts. */
const INTEGER = String.raw`-?(0|[1-9]\d*)(\.0+)?`
const NUMBER = String.raw`-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?`

/** A text as a value of the type it has now, or NULL where that would bend it. */
function fitted(text: string, type: ColumnType): string {
  switch (type) {
    case 'VARCHAR':
      return text
    case 'BIGINT':
      return `CASE WHEN regexp_full_match(${text}, '${INTEGER}') THEN try_cast(${text} AS BIGINT) END`
    case 'DOUBLE':
      return `CASE WHEN regexp_full_match(${text}, '${NUMBER}') THEN try_cast(${text} AS DOUBLE) END`
    case 'BOOLEAN':
      return `CASE ${text} WHEN 'true' THEN true WHEN 'false' THEN false END`
    case 'TIMESTAMP':
      // In chunks a time is a number of µs.
      return `coalesce(make_timestamp(try_cast(${text} AS BIGINT)), try_cast(${text} AS TIMESTAMP))`
  }
}

/** Where values that do not fit a column are kept, as text. */
export const sideOf = (name: string): string => `${name}$str`

/**
 * What stands for a column whose type was another one in older files, over sources that give it as text: its values where
 * they fit the type of now, and beside them, in `<column>$str`, those that do not.
 */
export function retypedColumn(name: string, type: ColumnType): { value: string; side: string } {
  const text = `${quoteName(name)}::VARCHAR`
  const value = fitted(text, type)
  return { value, side: `coalesce(${quoteName(sideOf(name))}, CASE WHEN (${value}) IS NULL THEN ${text} END)` }
}
