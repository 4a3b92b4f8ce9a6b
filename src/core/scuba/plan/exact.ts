import { bucketSql, bucketValue, type Histogram } from '../merge/histogram.ts'
import { quoteName } from '../names.ts'
import type { ColumnTypes } from '../rows/columns.ts'
import { numberSql, type Calc } from './calc.ts'
import type { PanelPlan } from './panel.ts'
import { histogramSketch, type Sketch } from './parts.ts'

/*
 * Exact percentiles of all rows in two passes: a histogram, which can be put together from what is known of files, says in which bucket
 * the wanted place is; then only that bucket's values, one or two in a hundred, are put in order. A third of what sorting all of them costs.
 */

type ExactCalc = Extract<Calc, { q: number }>

/** The calculations, when they all are exact percentiles of all rows together. */
export function exactCalcs({ by, stepMs, calcs, having }: PanelPlan): ExactCalc[] | null {
  if (by.length > 0 || stepMs !== null || having.length > 0) return null
  const exact = calcs.filter((calc): calc is ExactCalc => calc.kind === 'exact')
  return exact.length === calcs.length ? exact : null
}

const counting = (plan: PanelPlan, counted: readonly string[], sketches: Sketch[]): PanelPlan => {
  const parts = counted.map((what) => ({ sql: `count(${what})`, merge: 'add' as const, isWhole: true }))
  return { ...plan, calcs: [], tier: 'A', list: { parts, sketches, calcs: [] } }
}

/**
 * The plan of the first pass: how many rows there are, and for each column a histogram of them as they are (exact percentiles are not weighted). One that
 * has fewer leaves out rows without a value, or some that are infinite or no number: {@link valuesPlan} tells.
 */
export const histogramPlan = (plan: PanelPlan, calcs: readonly ExactCalc[], types: ColumnTypes): PanelPlan =>
  counting(
    plan,
    ['*'],
    columnsOfCalcs(calcs).map((column): Sketch => ({ ...histogramSketch(column, types[column]), weightSql: 'count(*)' })),
  )

/** How many rows have a value, for each column. To know it all values are read, which codes of them save the first pass. */
export const valuesPlan = (plan: PanelPlan, calcs: readonly ExactCalc[], types: ColumnTypes): PanelPlan =>
  counting(
    plan,
    columnsOfCalcs(calcs).map((column) => numberSql(column, types[column])),
    [],
  )

/** The columns of {@link histogramPlan}, in the order of its histograms. */
export const columnsOfCalcs = (calcs: readonly ExactCalc[]): string[] => [...new Set(calcs.map(({ column }) => column))]

export interface Place {
  /** SELECT of the one or two values between which the percentile lies */
  sql: string
  /** how far it is from the first to the second */
  share: number
}

/** Where in the order of all values a percentile is: between those at `(n − 1) · q`, as the engine's `quantile_cont` has it. */
export function placeOf(plan: PanelPlan, { column, q }: ExactCalc, types: ColumnTypes, histogram: Histogram): Place {
  const at = (histogram.total - 1) * q
  const [low, high] = [Math.floor(at), Math.ceil(at)]
  let below = 0
  let before = 0
  const codes: number[] = []
  for (const [code, count] of [...histogram.counts].sort(([a], [b]) => a - b)) {
    if (below + count > low && below <= high) {
      if (codes.length === 0) before = below
      codes.push(code)
    }
    below += count
  }
  const first = codes[0] ?? 0
  const last = codes.at(-1) ?? first
  const number = numberSql(column, types[column])
  // By value, because that is cheap and may leave out whole stretches of a file; the bucket decides.
  const within = [
    `${number} >= ${outside(first, -1)}`,
    `${number} <= ${outside(last, 1)}`,
    `${bucketSql(number)} BETWEEN ${first} AND ${last}`,
  ]
  const where = [...(plan.where === null ? [] : [`(${plan.where}\n)`]), ...within].join(' AND ')
  return {
    sql: `SELECT ${number}::DOUBLE AS v FROM ${quoteName(plan.table)} WHERE ${where} ORDER BY v LIMIT ${high - low + 1} OFFSET ${low - before}`,
    share: at - low,
  }
}

/** A value below (−1) or above (1) all of a bucket. */
function outside(code: number, direction: -1 | 1): string {
  const value = bucketValue(code)
  return `${value + direction * Math.abs(value) * 0.02}::DOUBLE`
}
