import { checksOf } from '../spec/checks.ts'
import type { RunSoft } from '../soft.ts'
import { experimentOf, planOf, type FaultRow, type RunRow, type Verdict } from '../rows.ts'

export interface Summary {
  [key: string]: unknown
  effect: number
  effectMin: number
  observedMs: number
  recoveryMs: number | null
  radius: { predicted: unknown; measuredUsers: number }
  checks: { name: string; kind: string; lowest: number | null; highest: number | null; last: number | null }[]
}

/** How often faults took effect: tasks killed or paused, requests hit by rules. */
export function effectOf(faults: readonly FaultRow[], soft: RunSoft | undefined): number {
  const onTasks = faults.filter(({ backend }) => backend === 'node').reduce((sum, { effect }) => sum + effect, 0)
  return onTasks + (soft?.effect.requests ?? 0)
}

/** Rules on requests need 100 of them to have proven anything, faults on tasks one each (chaos, `effect_min`). */
export function effectMinOf(run: RunRow, faults: readonly FaultRow[]): number {
  const asked = experimentOf(run).muster.effect_min
  if (asked !== undefined) return asked
  return faults.some(({ backend }) => backend === 'mesh') ? 100 : 1
}

/** Verdict of a run whose faults are undone. `recoveryMs` null: it did not recover in time. */
export function verdictOf(
  run: RunRow,
  faults: readonly FaultRow[],
  soft: RunSoft | undefined,
  now: number,
  recoveryMs: number | null,
): { verdict: Verdict; reason: string; summary: Summary } {
  const experiment = experimentOf(run)
  const plan = planOf(run)
  const effect = effectOf(faults, soft)
  const effectMin = effectMinOf(run, faults)
  const observedMs = run.observing_at === null ? 0 : (run.undone_at ?? now) - run.observing_at
  const checks = checksOf(experiment, plan.services)
  const summary: Summary = {
    effect,
    effectMin,
    observedMs,
    recoveryMs,
    radius: { predicted: plan.radius, measuredUsers: soft?.effect.users ?? 0 },
    checks: checks.map(({ name, kind }, i) => ({
      name,
      kind,
      lowest: soft?.checks[i]?.lowest ?? null,
      highest: soft?.checks[i]?.highest ?? null,
      last: soft?.checks[i]?.value ?? null,
    })),
  }
  const is = (verdict: Verdict, reason: string) => ({ verdict, reason, summary })
  if (run.cause === 'breach') return is('deviated', run.reason)
  if (recoveryMs === null) return is('deviated', `not well again ${Math.round(experiment.muster.recovery_within / 1000)} s after the undo`)
  if (run.cause !== null) return is('inconclusive', run.reason)
  const leaked = faults.find(({ state }) => state === 'leaked')
  if (leaked) return is('inconclusive', `fault ${leaked.id} could not be undone: ${leaked.message}`)
  if (effect < effectMin)
    return is('inconclusive', `the faults took effect ${effect} times, at least ${effectMin} are needed to prove anything`)
  if (observedMs < experiment.muster.observe_min) return is('inconclusive', `watched for ${observedMs} ms only`)
  return is('held', '')
}
