import { bucketSql } from '../merge/histogram.ts'
import { quoteName } from '../names.ts'
import type { ColumnTypes } from '../rows/columns.ts'

/*
 * Codes that a file of columns stores beside those of its table, because panels need them of every row and making them costs more than reading
 * them: ten seconds' number of `time` (18 ns a row to make, 3 to read), and the bucket of each number's value (29 ns, 3 to read). They have
 * few values, so they are about a byte a row. Their names begin with a character that no column's name can have.
 */

/** What is one tick of the time code, ms; a panel whose step is made of whole ticks need not read the time. */
export const TICK_MS = 10_000

/** Number of ten seconds since 1970, rounded to zero as the engine's `//` does. */
export const TICK = '\u0001tick'

/** Code of the bucket of a column's value (`merge/histogram.ts`). */
export const bucketColumn = (name: string): string => `\u0001bucket ${name}`

/** A table of very many numbers has codes of its first few only: each costs a byte a row. */
const BUCKETS_MAX = 8

/** A SELECT of a table's columns with the codes of its rows, and their names. Columns whose type was another one have none. */
export function codedSql(select: string, columns: ColumnTypes, retyped: readonly string[] = []): { sql: string; codes: string[] } {
  const numbers = Object.keys(columns)
    .filter((name) => columns[name] === 'DOUBLE' && !retyped.includes(name))
    .slice(0, BUCKETS_MAX)
  const made = [
    [TICK, `epoch_us("time") // ${TICK_MS * 1000}`] as const,
    ...numbers.map((name) => [bucketColumn(name), bucketSql(quoteName(name))] as const),
  ]
  return {
    sql: `SELECT *, ${made.map(([name, code]) => `(${code})::BIGINT AS ${quoteName(name)}`).join(', ')} FROM (${select})`,
    codes: made.map(([name]) => name),
  }
}

/** Whether a name is that of a code. */
export const isCode = (name: string): boolean => name.startsWith('\u0001')

export const withoutCodes = (columns: ColumnTypes): ColumnTypes =>
  Object.fromEntries(Object.entries(columns).filter(([name]) => !isCode(name)))

/** The codes that all of these files have, of those that are of use. */
export const codesOfAll = (files: readonly { codes?: readonly string[] | undefined }[], useful: readonly string[]): string[] =>
  useful.filter((code) => files.every(({ codes = [] }) => codes.includes(code)))
