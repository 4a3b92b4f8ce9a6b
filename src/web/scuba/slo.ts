import { formatDuration } from '../../core/kernel/units.ts'
import type { ObjectiveStatus } from '../../core/scuba/operations/slo.ts'
import type { PanelAnswer } from '../../core/scuba/wire-types.ts'
import { short } from './numbers.ts'

/** What is spent of a budget, as a bar and in words. */
export interface Meter {
  /** 0 to 1 */
  left: number
  text: string
  /** how long nothing could answer until it is spent */
  outage: string | null
  kind: 'good' | 'low' | 'spent' | 'unknown'
}

interface Budget {
  left: number
  leftMs: number
}

const LOW = 0.25

export function meterOf(budget: Budget | null): Meter {
  if (budget === null) return { left: 0, text: 'not measured yet', outage: null, kind: 'unknown' }
  const left = Math.min(1, Math.max(0, budget.left))
  const outage = budget.leftMs > 0 ? `${formatDuration(Math.round(budget.leftMs / 1000) * 1000)} of full outage` : null
  if (budget.left <= 0) return { left, text: `✖ spent ${short(1 - budget.left)} ×`, outage: null, kind: 'spent' }
  return { left, text: `${short(budget.left * 100)} % left`, outage, kind: budget.left < LOW ? 'low' : 'good' }
}

const ORDER = ['burning', 'spent', 'unknown', 'no_data', 'ok'] as const

/** Those that want somebody first: what pages before tickets, then what is spent, then by name. */
export function byNeed(objectives: readonly ObjectiveStatus[]): ObjectiveStatus[] {
  const rank = ({ state, sev }: ObjectiveStatus): number => ORDER.indexOf(state) * 10 + (sev ?? 9)
  return objectives.toSorted((a, b) => rank(a) - rank(b) || a.service.localeCompare(b.service) || a.objective.localeCompare(b.objective))
}

/** `7 burning, 1 spent, 36 ok` */
export function stateCounts(objectives: readonly ObjectiveStatus[]): string {
  return ORDER.flatMap((state) => {
    const count = objectives.filter((one) => one.state === state).length
    return count === 0 ? [] : [`${count} ${state.replace('_', ' ')}`]
  }).join(', ')
}

/** `0.3 ×` */
export function burnText(burn: number | null): string {
  return burn === null ? '–' : `${short(burn)} ×`
}

/** The share of bad events per step, from sums of good and of all. */
export function errorShare(answer: PanelAnswer): PanelAnswer {
  const bad = (good: number | null | undefined, total: number | null | undefined): number | null => (total ? 1 - (good ?? 0) / total : null)
  const calc = 'ratio(bad)'
  return {
    ...answer,
    calc: [calc],
    groups: answer.groups.map((group) => ({
      ...group,
      values: { [calc]: bad(group.values['sum:good'], group.values['sum:total']) },
      series: group.series.map(([step, good, total]) => [step, bad(good, total)]),
    })),
  }
}

/** What the target allows, and from where on the fastest tier pages. */
export function levelsOf({ targetShare, tiers }: Pick<ObjectiveStatus, 'targetShare' | 'tiers'>): { value: number; label: string }[] {
  const [first] = tiers
  return [
    { value: 1 - targetShare, label: `allowed ${short((1 - targetShare) * 100)} %` },
    ...(first === undefined ? [] : [{ value: first.threshold, label: `${first.name} pages` }]),
  ]
}
