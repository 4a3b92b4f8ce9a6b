import { quoteName } from '../names.ts'
import type { ColumnTypes } from '../rows/columns.ts'
import { numberSql } from './calc.ts'
import type { PanelPlan } from './panel.ts'

/*
 * How much counters grew, from parts of files: of each series in each group and step its first and last sample and how much it grew between
 * them. A sample without a value (a marker that the series has ended) is one, too: what comes after it is another run.
 */

/** The column, when a panel asks for nothing but how much it grew. */
export function growingColumn({ calcs }: PanelPlan): string | null {
  const columns = new Set(calcs.map((calc) => (calc.kind === 'increase' || calc.kind === 'rate' ? calc.column : null)))
  const [column = null] = columns
  return columns.size === 1 ? column : null
}

/** What samples of one series have in common: its name where there is one, else what they are grouped by. */
export const seriesSql = ({ by }: PanelPlan, types: ColumnTypes): string[] =>
  'series' in types ? [quoteName('series')] : by.map(({ sql }) => sql)

/** How much a value grew since the one before; a drop is a reset: it began at zero again. */
export const grownSql = (value: string, before: string): string =>
  `CASE WHEN ${value} >= ${before} THEN ${value} - ${before} WHEN ${value} < ${before} THEN ${value} END`

/**
 * SELECT of one source's parts: step, keys, then series, time (µs) and value of the first and of the last sample, and the growth between.
 * @param from SELECT of its rows
 */
export function growthSql(plan: PanelPlan, column: string, types: ColumnTypes, from: string): string {
  const { by, stepMs, where, table } = plan
  const step = stepMs === null ? 'NULL::BIGINT' : `(epoch_us("time") // ${stepMs * 1000}) * ${stepMs}`
  const keys = by.map((_, at) => `muster_k${at}`)
  const series = seriesSql(plan, types)
  const value = numberSql(column, types[column])
  const rows = [
    ...[`${step} AS muster_st`, ...by.map(({ sql }, at) => `${sql} AS ${keys[at]}`)],
    ...[`${series.length === 0 ? 'NULL' : `to_json([${series.map((sql) => `${sql}::VARCHAR`).join(', ')}])::VARCHAR`} AS muster_s`],
    ...['epoch_us("time") AS muster_t', `${value} AS muster_v`],
  ]
  const cell = ['muster_st', ...keys, 'muster_s'].join(', ')
  return [
    `SELECT ${cell}, min(muster_t), arg_min_null(muster_v, muster_t), max(muster_t), arg_max_null(muster_v, muster_t), sum(${grownSql('muster_v', 'muster_b')})`,
    `FROM (SELECT *, lag(muster_v) OVER (PARTITION BY ${cell} ORDER BY muster_t) AS muster_b`,
    `FROM (SELECT ${rows.join(', ')} FROM (${from}) AS ${quoteName(table)}${where === null ? '' : ` WHERE (${where}\n)`}))`,
    `GROUP BY ${cell}`,
  ].join(' ')
}
