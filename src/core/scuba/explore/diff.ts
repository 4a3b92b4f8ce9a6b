import { quoteName } from '../names.ts'
import { weightSql } from '../plan/calc.ts'
import { RESERVED, type ColumnTypes } from '../rows/columns.ts'
import type { DiffColumn, PlainValue } from '../wire-types.ts'

export const DIFF_COLUMNS_MAX = 60
/** Values of a column that are looked at one by one; the rest counts as one. */
const VALUES_MAX = 200
const SHOWN_MAX = 10
/** Numbers with more different values than this are compared by ranges. */
const SINGLE_NUMBERS_MAX = 50

export interface DiffQuestion {
  table: string
  /** checked conditions */
  select: string
  baseline: string | undefined
  where: string | undefined
}

/** Columns worth comparing when nobody said which: all but the store's own. */
export const diffColumns = (types: ColumnTypes): string[] =>
  Object.keys(types)
    .filter((name) => !(name in RESERVED) && name !== 'sample_rate' && types[name] !== 'TIMESTAMP')
    .slice(0, DIFF_COLUMNS_MAX)

const isNumber = (types: ColumnTypes, column: string): boolean => types[column] === 'BIGINT' || types[column] === 'DOUBLE'

/** One row: weighted rows of the selection, of the baseline, then how many values each numeric column has, about. */
export function diffSizesSql(question: DiffQuestion, columns: readonly string[], types: ColumnTypes): string {
  const numeric = columns.filter((column) => isNumber(types, column))
  return `SELECT ${['sum(muster_s)', 'sum(muster_b)', ...numeric.map((column) => `approx_count_distinct(${quoteName(column)})`)].join(', ')} FROM (${rowsSql(question, types, numeric)})`
}

/** From the row of {@link diffSizesSql}: the numeric columns to be compared by ranges. */
export function rangedColumns(row: readonly PlainValue[], columns: readonly string[], types: ColumnTypes): Set<string> {
  const numeric = columns.filter((column) => isNumber(types, column))
  return new Set(numeric.filter((_, at) => Number(row[2 + at]) > SINGLE_NUMBERS_MAX))
}

/** Rows [place of the column, value, weight in the selection, weight in the baseline]. */
export function diffValuesSql(question: DiffQuestion, columns: readonly string[], types: ColumnTypes, ranged: ReadonlySet<string>): string {
  return columns
    .map((column, at) => {
      const name = quoteName(column)
      // Steps of the square root of two: fine enough to see a shift, coarse enough to compare.
      const low = `CASE WHEN ${name} = 0 THEN 0 WHEN abs(${name}) < 1e300 THEN sign(${name}) * pow(2, floor(log2(abs(${name})) * 2) / 2) END`
      const value = ranged.has(column) ? `round(${low}, 6)::VARCHAR` : `${name}::VARCHAR`
      return `SELECT * FROM (SELECT ${at} AS c, ${value} AS v, sum(muster_s) AS s, sum(muster_b) AS b FROM (${rowsSql(question, types, [column])}) GROUP BY 2 ORDER BY greatest(s, b) DESC LIMIT ${VALUES_MAX})`
    })
    .join('\nUNION ALL\n')
}

function rowsSql({ table, select, baseline, where }: DiffQuestion, types: ColumnTypes, columns: readonly string[]): string {
  const weight = weightSql(types) ?? '1'
  const of = (condition: string): string => `CASE WHEN coalesce((${condition}\n), false) THEN ${weight} ELSE 0 END`
  const other = baseline === undefined ? `CASE WHEN coalesce((${select}\n), false) THEN 0 ELSE ${weight} END` : of(baseline)
  return `SELECT ${[...columns.map(quoteName), `${of(select)} AS muster_s`, `${other} AS muster_b`].join(', ')} FROM ${quoteName(table)}${where === undefined ? '' : ` WHERE (${where}\n)`}`
}

/** Columns by how much their values' shares differ, from the rows of {@link diffValuesSql}. */
export function rankColumns(
  rows: readonly PlainValue[][],
  columns: readonly string[],
  ranged: ReadonlySet<string>,
  sizes: { selection: number; baseline: number },
): DiffColumn[] {
  const share = (weight: PlainValue | undefined, all: number): number => (all > 0 ? Number(weight ?? 0) / all : 0)
  const found = columns.map((name, at): DiffColumn => {
    const values = rows
      .filter(([column]) => column === at)
      .map(([, value, s, b]) => ({ value: value ?? null, selection: share(s, sizes.selection), baseline: share(b, sizes.baseline) }))
    const sum = (side: 'selection' | 'baseline'): number => values.reduce((total, value) => total + value[side], 0)
    // Values beyond the limit count as one, which they have in common as far as they can.
    const rest = Math.abs(Math.max(0, 1 - sum('selection')) - Math.max(0, 1 - sum('baseline')))
    const difference = (values.reduce((total, { selection, baseline }) => total + Math.abs(selection - baseline), 0) + rest) / 2
    values.sort((a, b) => Math.abs(b.selection - b.baseline) - Math.abs(a.selection - a.baseline))
    return { name, difference: Math.min(1, difference), isRanges: ranged.has(name), values: values.slice(0, SHOWN_MAX) }
  })
  return found.sort((a, b) => b.difference - a.difference || (a.name < b.name ? -1 : 1))
}
