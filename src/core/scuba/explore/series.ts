import type { PanelAnswer, PanelGroup } from '../wire-types.ts'
import { plainText } from './conditions.ts'
import { POINTS_MAX, SERIES_MAX } from './range.ts'

/** One line of a chart. */
export interface Line {
  /** unique in its chart */
  key: string
  label: string
  /** of the groups; lines of one group have one colour */
  index: number
  group: PanelGroup
  isEarlier: boolean
  /** one a step of the chart; null: nothing is known */
  values: (number | null)[]
}

/** What stands in one chart: one calculation of all groups. */
export interface ChartData {
  calc: string
  stepMs: number
  /** beginnings of the steps, ms */
  steps: number[]
  lines: Line[]
}

export function groupLabel(by: readonly string[], { key, isOther }: Pick<PanelGroup, 'key' | 'isOther'>): string {
  if (isOther) return 'other'
  return by.length === 0 ? 'all' : by.map((column) => plainText(key[column])).join(' · ')
}

/** Steps of a panel's answer, ms: at most as many as a browser gets. */
export function stepsOf({ sinceMs, untilMs, stepMs }: Pick<PanelAnswer, 'sinceMs' | 'untilMs' | 'stepMs'>): number[] {
  if (stepMs === null) return []
  const end = Math.ceil(untilMs / stepMs) * stepMs
  // Of more than a browser gets, the newest.
  const count = Math.min(POINTS_MAX, Math.max(1, Math.ceil(end / stepMs - Math.floor(sinceMs / stepMs))))
  const first = end - count * stepMs
  return Array.from({ length: count }, (_, i) => first + i * stepMs)
}

/** One chart a calculation. */
export function chartsOf(answer: PanelAnswer): ChartData[] {
  const { by, stepMs, groups, compare } = answer
  if (stepMs === null) return []
  const steps = stepsOf(answer)
  const hotToMs = answer.coverage.hotToMs ?? Number.NEGATIVE_INFINITY
  return answer.calc.map((calc, index) => {
    const now = groups.slice(0, SERIES_MAX)
    const room = SERIES_MAX - now.length
    const lineOf = (group: PanelGroup, i: number, isEarlier: boolean): Line => ({
      key: `${isEarlier ? 'earlier ' : ''}${groupLabel(by, group)} ${i}`,
      label: `${groupLabel(by, group)}${isEarlier ? ', earlier' : ''}`,
      index: i,
      group,
      isEarlier,
      values: onSteps(group.series, index + 1, steps, isEarlier ? Number.POSITIVE_INFINITY : hotToMs, isZeroWithoutRows(calc)),
    })
    const earlier = (compare?.groups ?? []).slice(0, room).map((group) => {
      const same = now.findIndex((each) => groupLabel(by, each) === groupLabel(by, group))
      return lineOf(group, same === -1 ? now.length : same, true)
    })
    return { calc, stepMs, steps, lines: [...now.map((group, i) => lineOf(group, i, false)), ...earlier] }
  })
}

/** Whether no rows in a step are a zero: of counts and sums. The p99 of no rows is not known. */
export function isZeroWithoutRows(calc: string): boolean {
  return calc === 'count' || /^(sum|distinct|increase|rate):/.test(calc)
}

/** Values by step. Behind the newest row of the table nothing is known yet, so there is no zero. */
function onSteps(
  series: PanelGroup['series'],
  column: number,
  steps: readonly number[],
  hotToMs: number,
  isZero: boolean,
): (number | null)[] {
  const byStep = new Map(series.map((point) => [point[0], point[column] ?? null]))
  return steps.map((step) => byStep.get(step) ?? (isZero && !byStep.has(step) && step <= hotToMs ? 0 : null))
}

/** There is nothing to draw: no group has rows. */
export function isEmpty({ groups, compare }: PanelAnswer): boolean {
  const hasRows = ({ series, values, heatmaps }: PanelGroup): boolean =>
    series.length > 0 || heatmaps !== undefined || Object.values(values).some((value) => value !== null && value !== 0)
  return !groups.some(hasRows) && !(compare?.groups ?? []).some(hasRows)
}
