import { isRefusal, refuse, type MusterError } from '../../kernel/errors.ts'
import { LIMITS } from '../limits.ts'
import { quoteName } from '../names.ts'
import type { PanelAnswer, PanelGroup, PanelRequest, PlainValue } from '../wire-types.ts'
import { findColumn, parseCalc, type Calc } from './calc.ts'

export interface PanelPlan {
  sql: string
  by: string[]
  calcs: Calc[]
  stepMs: number | null
  sinceMs: number
  untilMs: number
}

const HOUR_MS = 3_600_000

/**
 * One SELECT that answers a panel: groups ranked by the first calculation over the whole range, the best `top` by name,
 * all others as one if asked for; totals and, with a step, one row per step, by grouping sets over the same rows. So the
 * totals, the series and the `other` group are computed from rows and are exact, also for percentiles.
 */
export function planPanel(request: PanelRequest, columns: readonly string[], nowMs: number): PanelPlan | MusterError {
  const calcs: Calc[] = []
  for (const text of request.calc.length > 0 ? request.calc : ['count']) {
    const calc = parseCalc(text.trim(), columns)
    if (isRefusal(calc)) return calc
    calcs.push(calc)
  }
  const by: string[] = []
  for (const name of request.by ?? []) {
    const column = findColumn(name, columns)
    if (typeof column !== 'string') return column
    by.push(column)
  }
  const untilMs = request.untilMs ?? nowMs
  const sinceMs = request.sinceMs ?? untilMs - HOUR_MS
  const stepMs = request.stepMs ?? null
  const top = request.top ?? 10
  if (sinceMs >= untilMs) return refuse('USAGE', 'the time range is empty')
  if (top < 1 || top > LIMITS.panelGroupsMax) return refuse('USAGE', `top must be 1 to ${LIMITS.panelGroupsMax}`)
  if (stepMs !== null && (stepMs < 1 || (untilMs - sinceMs) / stepMs > LIMITS.panelStepsMax)) {
    return refuse('SCUBA_TOO_LARGE', `more than ${LIMITS.panelStepsMax} steps`, { hint: 'Use a wider --step or a shorter range.' })
  }
  const keys = by.map((_, index) => `"muster_k${index}"`)
  const keyList = keys.map((key) => `, ${key}`).join('')
  const where = request.where === undefined || request.where.trim() === '' ? '' : ` WHERE (${request.where}\n)`
  const step = stepMs === null ? 'NULL::BIGINT' : `(epoch_us("time") // ${stepMs * 1000}) * ${stepMs}`
  const rank = calcs[0]?.sql ?? 'count(*)'
  const order = ['muster_rank DESC NULLS LAST', ...keys].join(', ')
  const same = keys.map((key) => `r.${key} IS NOT DISTINCT FROM b.${key}`).join(' AND ') || 'true'
  const sets = [`(muster_other${keyList})`, ...(stepMs === null ? [] : [`(muster_other${keyList}, muster_step)`])]
  const sql = [
    `WITH muster_base AS (SELECT *${by.map((name, index) => `, ${quoteName(name)} AS ${keys[index]}`).join('')}, ${step} AS muster_step FROM ${quoteName(request.table)}${where}),`,
    `muster_ranked AS (SELECT ${[...keys, `${rank} AS muster_rank`].join(', ')} FROM muster_base GROUP BY ${keys.length > 0 ? keys.join(', ') : '()'}),`,
    `muster_top AS (SELECT * FROM muster_ranked ORDER BY ${order} LIMIT ${top}),`,
    `muster_marked AS (SELECT b.* EXCLUDE (${['muster_step', ...keys].join(', ')}), b.muster_step, r.muster_is IS NULL AS muster_other${keys.map((key) => `, CASE WHEN r.muster_is IS NULL THEN NULL ELSE b.${key} END AS ${key}`).join('')} FROM muster_base b LEFT JOIN (SELECT *, true AS muster_is FROM muster_top) r ON ${same})`,
    `SELECT muster_other, ${stepMs === null ? '1' : 'GROUPING(muster_step)'} AS muster_total, ${stepMs === null ? 'NULL' : 'muster_step'} AS muster_at, (SELECT count(*) FROM muster_ranked) AS muster_groups${keyList}${calcs.map(({ sql: calc }, index) => `, ${calc} AS muster_v${index}`).join('')}`,
    `FROM muster_marked${request.other === true ? '' : ' WHERE NOT muster_other'} GROUP BY GROUPING SETS (${sets.join(', ')})`,
    `ORDER BY muster_other, muster_total DESC, muster_v0 DESC NULLS LAST${keyList}`,
  ].join('\n')
  return { sql, by, calcs, stepMs, sinceMs, untilMs }
}

/** The rows of a plan's SELECT as groups, best first, `other` last. */
export function panelGroups(plan: PanelPlan, rows: readonly PlainValue[][]): Pick<PanelAnswer, 'groups' | 'groupCount'> {
  const groups = new Map<string, PanelGroup>()
  let groupCount = 0
  const values = (row: PlainValue[]): (number | null)[] =>
    row.slice(4 + plan.by.length).map((value) => (value === null ? null : Number(value)))
  for (const row of rows) {
    const [isOther, isTotal, step, count] = row
    const keyValues = row.slice(4, 4 + plan.by.length)
    const id = JSON.stringify([isOther, keyValues])
    let group = groups.get(id)
    if (!group) {
      const key = Object.fromEntries(plan.by.map((name, index) => [name, keyValues[index] ?? null]))
      groups.set(id, (group = { key, isOther: isOther === true, values: {}, series: [] }))
    }
    groupCount = Number(count)
    if (Number(isTotal) === 1) values(row).forEach((value, index) => (group.values[plan.calcs[index]?.text ?? ''] = value))
    else group.series.push([Number(step), ...values(row)])
  }
  for (const { series } of groups.values()) series.sort((a, b) => a[0] - b[0])
  return { groups: [...groups.values()], groupCount }
}
