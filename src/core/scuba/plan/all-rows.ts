import { quoteName } from '../names.ts'
import type { ColumnTypes } from '../rows/columns.ts'
import type { Accuracy, PanelAnswer, PanelGroup, PlainValue } from '../wire-types.ts'
import { numberSql, weightSql, type Calc } from './calc.ts'
import { grownSql, seriesSql } from './growth.ts'
import { meets } from './having.ts'
import type { PanelPlan } from './panel.ts'

/**
 * Tier B of a panel: one SELECT over all rows. Groups are ranked by the first calculation over the whole range, the best `top`
 * by name, all others as one if asked for; totals and, with a step, one row per step, by grouping sets over the same rows.
 * Everything is exact, also percentiles and distinct counts; percentiles are not weighted by `sample_rate`.
 */
export function allRowsSql(plan: PanelPlan, types: ColumnTypes): string {
  const { by, calcs, stepMs, where, top } = plan
  const weight = weightSql(types)
  const keys = by.map((_, index) => `"muster_k${index}"`)
  const keyList = keys.map((key) => `, ${key}`).join('')
  const step = stepMs === null ? 'NULL::BIGINT' : `(epoch_us("time") // ${stepMs * 1000}) * ${stepMs}`
  const values = calcs.map((calc) => calcSql(calc, types, weight))
  const order = ['muster_rank DESC NULLS LAST', ...keys].join(', ')
  const same = keys.map((key) => `r.${key} IS NOT DISTINCT FROM b.${key}`).join(' AND ') || 'true'
  const sets = [`(muster_other${keyList})`, ...(stepMs === null ? [] : [`(muster_other${keyList}, muster_step)`])]
  // A rate is worked out from the growth later: its bound is that of the growth.
  const seconds = (plan.untilMs - plan.sinceMs) / 1000
  const having = plan.having
    .map(({ calc, op, value }) => `(${values[calc]}) ${op} ${calcs[calc]?.kind === 'rate' ? value * seconds : value}`)
    .join(' AND ')
  return [
    `WITH muster_base AS (SELECT *${by.map(({ sql }, index) => `, ${sql} AS ${keys[index]}`).join('')}${growthColumns(plan, types)}, ${step} AS muster_step FROM ${quoteName(plan.table)}${where === null ? '' : ` WHERE (${where}\n)`}),`,
    `muster_ranked AS (SELECT ${[...keys, `${values[0] ?? 'count(*)'} AS muster_rank`].join(', ')} FROM muster_base GROUP BY ${keys.length > 0 ? keys.join(', ') : '()'}${having === '' ? '' : ` HAVING ${having}`}),`,
    `muster_top AS (SELECT * FROM muster_ranked ORDER BY ${order} LIMIT ${top}),`,
    `muster_marked AS (SELECT b.* EXCLUDE (${['muster_step', ...keys].join(', ')}), b.muster_step, r.muster_is IS NULL AS muster_other${keys.map((key) => `, CASE WHEN r.muster_is IS NULL THEN NULL ELSE b.${key} END AS ${key}`).join('')} FROM muster_base b LEFT JOIN (SELECT *, true AS muster_is FROM muster_top) r ON ${same})`,
    `SELECT muster_other, ${stepMs === null ? '1' : 'GROUPING(muster_step)'} AS muster_total, ${stepMs === null ? 'NULL' : 'muster_step'} AS muster_at, (SELECT count(*) FROM muster_ranked) AS muster_groups${keyList}${values.map((sql, index) => `, ${sql} AS muster_v${index}`).join('')}`,
    `FROM muster_marked${plan.hasOther ? '' : ' WHERE NOT muster_other'} GROUP BY GROUPING SETS (${sets.join(', ')})`,
    `ORDER BY muster_other, muster_total DESC, muster_v0 DESC NULLS LAST${keyList}`,
  ].join('\n')
}

/** Columns that say how much a counter grew since the row before of the same series. */
function growthColumns(plan: PanelPlan, types: ColumnTypes): string {
  const series = seriesSql(plan, types)
  const partition = series.length > 0 ? `PARTITION BY ${series.join(', ')} ` : ''
  return [...new Set(plan.calcs.flatMap((calc) => (calc.kind === 'increase' || calc.kind === 'rate' ? [calc.column] : [])))]
    .map((column) => {
      const value = numberSql(column, types[column])
      return `, ${grownSql(value, `lag(${value}) OVER (${partition}ORDER BY "time")`)} AS ${growthName(column)}`
    })
    .join('')
}

const growthName = (column: string): string => quoteName(`muster_growth_${column}`)

function calcSql(calc: Calc, types: ColumnTypes, weight: string | null): string {
  const all = weight === null ? 'count(*)' : `coalesce(sum(${weight}), 0)`
  if (calc.kind === 'count') return all
  if (calc.kind === 'ratio') return `coalesce(sum(${weight ?? '1'}) FILTER (WHERE (${calc.condition}\n)), 0)::DOUBLE / nullif(${all}, 0)`
  const number = numberSql(calc.column, types[calc.column])
  switch (calc.kind) {
    case 'sum':
      return weight === null ? `sum(${number})` : `sum(${number}::DOUBLE * ${weight})`
    case 'avg':
      return weight === null
        ? `avg(${number})`
        : `sum(${number}::DOUBLE * ${weight}) / nullif(sum(${weight}) FILTER (WHERE ${number} IS NOT NULL), 0)`
    case 'min':
    case 'max':
      return `${calc.kind}(${number})`
    case 'distinct':
      return `count(DISTINCT ${quoteName(calc.column)})`
    case 'increase':
    case 'rate':
      return `sum(${growthName(calc.column)})`
    case 'heatmap':
      return `count(${number})`
    default:
      return `quantile_cont(${number}::DOUBLE, ${calc.q})`
  }
}

/** The rows of {@link allRowsSql} as groups, best first, `other` last. */
export function allRowsAnswer(
  plan: PanelPlan,
  rows: readonly PlainValue[][],
): Pick<PanelAnswer, 'groups' | 'groupCount' | 'isGroupCountExact' | 'accuracy'> {
  const groups = new Map<string, PanelGroup>()
  let groupCount = 0
  const first = 4 + plan.by.length
  const seconds = (isTotal: boolean): number => (isTotal || plan.stepMs === null ? plan.untilMs - plan.sinceMs : plan.stepMs) / 1000
  const values = (row: PlainValue[], isTotal: boolean): (number | null)[] =>
    plan.calcs.map(({ kind }, at) => {
      const value = row[first + at] ?? null
      if (value === null) return null
      return kind === 'rate' ? Number(value) / seconds(isTotal) : Number(value)
    })
  for (const row of rows) {
    const [isOther, isTotal, step, count] = row
    const keyValues = row.slice(4, first)
    const id = JSON.stringify([isOther, keyValues])
    let group = groups.get(id)
    if (!group) {
      const key = Object.fromEntries(
        plan.by.map(({ name, type }, at) => {
          const value = keyValues[at] ?? null
          return [name, type === 'TIMESTAMP' && value !== null ? Number(value) / 1000 : value]
        }),
      )
      groups.set(id, (group = { key, isOther: isOther === true, values: {}, series: [] }))
    }
    groupCount = Number(count)
    if (Number(isTotal) === 1) values(row, true).forEach((value, at) => (group.values[plan.calcs[at]?.text ?? ''] = value))
    else group.series.push([Number(step), ...values(row, false)])
  }
  for (const { series } of groups.values()) series.sort((a, b) => a[0] - b[0])
  const shown = [...groups.values()].filter(
    ({ isOther, values: of }) => isOther || plan.having.every((one) => meets(one, of[plan.calcs[one.calc]?.text ?? ''] ?? null)),
  )
  return {
    groups: shown,
    groupCount,
    isGroupCountExact: true,
    accuracy: Object.fromEntries(
      plan.calcs.map(({ text, kind }): [string, Accuracy] => [
        text,
        plan.isSampled && (kind === 'exact' || kind === 'percentile' || kind === 'distinct')
          ? { exact: true, errorMax: 0, note: 'of the rows as they are: not weighted by sample_rate' }
          : { exact: true, errorMax: 0 },
      ]),
    ),
  }
}
