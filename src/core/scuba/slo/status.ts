import type { ObjectiveStatus } from '../operations/slo.ts'
import type { SloEvaluation } from './evaluate.ts'
import { windowText, type Objective, type Window } from './objective.ts'
import type { SloStateRow } from './queries.ts'

/** What was measured longer ago than this is not known any more. */
const FRESH_MS = 20_000
/** Without events for so long there is no data, which is neither good nor bad. */
const SILENT_MS = 600_000

export interface StatusParts {
  window: Window
  /** what the log says; null: it never moved */
  state: SloStateRow | null
  evaluation: SloEvaluation | undefined
  /** why it could not be measured the last time */
  failure: string | null
  latencyMs: number | null
  nowMs: number
}

/** One objective as it stands, from what was measured last and what the log says. */
export function statusOf(objective: Objective, parts: StatusParts): ObjectiveStatus {
  const { window, state, evaluation, failure, latencyMs, nowMs } = parts
  return {
    service: objective.service,
    objective: objective.name,
    kind: objective.kind,
    target: objective.text,
    targetShare: objective.target,
    window: windowText(window),
    state: stateOf(parts),
    tier: state?.tier ?? null,
    sev: state?.sev ?? null,
    sinceMs: state?.sinceMs ?? null,
    lastBurnAtMs: state?.tier === null || state === null ? (state?.lastBurnAtMs ?? null) : nowMs,
    burn2m: evaluation?.burn2m ?? null,
    burn1h: evaluation?.burn1h ?? null,
    budget: evaluation?.budget ?? null,
    budgetWithExcluded: evaluation?.budgetWithExcluded ?? null,
    latencyMs,
    windowFromMs: evaluation?.windowFromMs ?? null,
    dataFromMs: evaluation?.dataFromMs ?? null,
    asOfMs: evaluation?.asOfMs ?? null,
    tiers: objective.tiers,
    reason: failure ?? state?.reason ?? null,
  }
}

/** What burns or is spent stays so while nothing can be measured: not knowing is never better. */
function stateOf({ state, evaluation, nowMs }: StatusParts): ObjectiveStatus['state'] {
  if (state !== null && state.tier !== null) return 'burning'
  if (state?.isSpent === true) return 'spent'
  if (evaluation === undefined || nowMs - evaluation.atMs > FRESH_MS || !evaluation.isWhole) return 'unknown'
  return evaluation.lastEventMs === null || evaluation.asOfMs - evaluation.lastEventMs > SILENT_MS ? 'no_data' : 'ok'
}
