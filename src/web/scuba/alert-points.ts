import { holds, parseComparison } from '../../core/scuba/alert/comparison.ts'
import type { AlertRule } from '../../core/scuba/alert/rule.ts'
import { parseDuration } from '../../core/kernel/units.ts'
import type { PanelRequest } from '../../core/scuba/wire-types.ts'
import type { Line } from '../../core/scuba/explore/series.ts'

/** As many buckets as an alert's page looks back. */
const POINTS = 180

/** What asks for the values that the rule was judged by: its buckets, and how many rows are in each; null: it is SQL, which says them itself. */
export function pointsRequest(rule: AlertRule, nowMs: number): PanelRequest | null {
  if (rule.table === undefined || rule.calc === undefined) return null
  const stepMs = parseDuration(rule.every) ?? 10_000
  const untilMs = Math.floor((nowMs - (parseDuration(rule.delay) ?? 0)) / stepMs) * stepMs
  return {
    table: rule.table,
    calc: rule.calc === 'count' ? ['count'] : [rule.calc, 'count'],
    stepMs,
    sinceMs: untilMs - POINTS * stepMs,
    untilMs,
    by: rule.by,
    top: Math.min(50, rule.max_groups),
    ...(rule.where === undefined ? {} : { where: rule.where }),
  }
}

/** The levels of a rule, as lines across its chart. */
export function levelsOf({ fire, clear }: Pick<AlertRule, 'fire' | 'clear'>): { value: number; label: string }[] {
  return [
    { value: parseComparison(fire).value, label: `fires ${fire}` },
    ...(clear === undefined ? [] : [{ value: parseComparison(clear).value, label: `clears ${clear}` }]),
  ]
}

export interface Point {
  group: string
  stepMs: number
  value: number | null
  isBreached: boolean
}

/** The newest buckets of the lines, newest first, with what the rule says of each. */
export function pointsOf(lines: readonly Line[], steps: readonly number[], fire: string, shown: number): Point[] {
  const comparison = parseComparison(fire)
  return lines
    .flatMap(({ label, values }) =>
      steps.map((stepMs, i): Point => {
        const value = values[i] ?? null
        return { group: label, stepMs, value, isBreached: value !== null && holds(comparison, value) }
      }),
    )
    .toSorted((a, b) => b.stepMs - a.stepMs || (a.group < b.group ? -1 : 1))
    .slice(0, shown)
}
