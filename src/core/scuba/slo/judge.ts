import { formatDuration } from '../../kernel/units.ts'
import type { Burn, SloEvaluation } from './evaluate.ts'
import { percent, type Objective } from './objective.ts'
import { BAD_EVENTS_MIN, TIERS, tierRank } from './tiers.ts'

export type SloMoveKind = 'burn_started' | 'burn_raised' | 'burn_ended' | 'budget_spent' | 'budget_restored'

/** What the log knows of an objective. */
export interface SloState {
  /** the tier by which it burns; null: it does not */
  tier: string | null
  sev: number | null
  isSpent: boolean
}

export const QUIET: SloState = { tier: null, sev: null, isSpent: false }

export interface SloMove {
  kind: SloMoveKind
  tier: string | null
  sev: number
  burnLong: number | null
  burnShort: number | null
  bad: number
  total: number
  budgetLeft: number
  reason: string
}

/** A budget that was spent is told to be back when this much of it is left, so that one on the edge does not come and go. */
const RESTORED_LEFT = 0.01

/**
 * The moves an evaluation calls for. One objective has one alert: a burn that gets worse raises it, and is over when no
 * tier has held for a minute. While history is still being read nothing ends and no budget is spent or restored.
 */
export function judgeSlo(objective: Objective, state: SloState, evaluation: SloEvaluation): SloMove[] {
  const { now, hasHeld, budget, isWhole } = evaluation
  const moves: SloMove[] = []
  const move = (kind: SloMoveKind, sev: number, burn: Burn | null, reason: string): SloMove => ({
    kind,
    tier: burn?.tier ?? state.tier,
    sev,
    burnLong: burn === null ? null : round(burn.long),
    burnShort: burn === null ? null : round(burn.short),
    bad: round(burn?.bad ?? budget.bad),
    total: round(burn?.total ?? budget.total),
    budgetLeft: round(budget.left),
    reason,
  })
  if (now !== null && state.tier === null) moves.push(move('burn_started', now.sev, now, burnText(now)))
  else if (now !== null && state.sev !== null && now.sev < state.sev) moves.push(move('burn_raised', now.sev, now, burnText(now)))
  else if (now === null && state.tier !== null && !hasHeld && isWhole) {
    moves.push(move('burn_ended', state.sev ?? 4, null, 'below every tier for a minute'))
  }
  if (!isWhole) return moves
  // One bad event of the first few would spend a budget that hardly exists yet.
  if (!state.isSpent && budget.left <= 0 && budget.bad >= BAD_EVENTS_MIN) {
    moves.push(
      move(
        'budget_spent',
        4,
        null,
        `${count(budget.bad)} bad events of ${count(budget.allowed)} that ${objective.text} allows in its window`,
      ),
    )
  } else if (state.isSpent && budget.left >= RESTORED_LEFT) {
    moves.push(move('budget_restored', 4, null, `${percent(budget.left, 1)} of it is left`))
  }
  return moves
}

/** `burns 146 × over 2m and 160 × over 30s (fast)`. */
function burnText({ tier, long, short, bad, total, isFew }: Burn): string {
  const rule = TIERS[tierRank(tier)]
  const windows = `${round(long)} × over ${formatDuration(rule?.longMs ?? 0)} and ${round(short)} × over ${formatDuration(rule?.shortMs ?? 0)}`
  return `burns its budget ${windows} (tier ${tier})${isFew ? `, but only ${count(bad)} bad of ${count(total)} events` : ''}`
}

const count = (events: number): string => String(Number(events.toFixed(1)))

/** Three significant digits or whole: what is written into the log. */
function round(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))
}
