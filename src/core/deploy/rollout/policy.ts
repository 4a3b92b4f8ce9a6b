import type { ReadDb } from '../../contracts/storage.ts'
import { SPREAD_UNKNOWN, toleranceOf } from '../../kernel/stats/tolerance.ts'
import type { JudgePolicy } from '../analysis/policy.ts'
import type { Evidence } from '../evidence.ts'
import { profileOf, verdictsOf, type RolloutRow } from '../rows.ts'

/** τ of a service: how much its tasks differ among themselves. */
export function spreadOf(db: ReadDb, service: string): number {
  const learned =
    db.get<{ spread_ppm: number | null }>('SELECT spread_ppm FROM deploy_service WHERE service = ?', service)?.spread_ppm ?? null
  return learned === null ? SPREAD_UNKNOWN : learned / 1e6
}

/** What the judge of the rollout's present step goes by. */
export function judgePolicy(db: ReadDb, row: RolloutRow): JudgePolicy {
  const profile = profileOf(row)
  const step = profile.steps[row.step]
  return {
    alpha: profile.alpha,
    beta: profile.beta,
    share: (step?.sharePpm ?? 0) / 1e6,
    split: 'assigned',
    tolerance: toleranceOf(spreadOf(db, row.service), row.canary_tasks),
    gateRatio: step?.gateRatio ?? 2,
    floorRate: profile.floorRate,
    latency: profile.latency,
  }
}

/** Evidence of the steps before the present one, from the verdicts that let the rollout pass them. */
export function earlierEvidence(db: ReadDb, row: RolloutRow): Evidence[] {
  return verdictsOf(db, row.id)
    .filter((one) => one.verdict === 'pass' && one.step < row.step && one.evidence !== null)
    .map((one) => JSON.parse(one.evidence ?? 'null') as Evidence)
}
