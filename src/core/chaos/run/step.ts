import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { isRefusal } from '../../kernel/errors.ts'
import { inFlightOf } from '../../deploy/queries.ts'
import { openIncidents } from '../../sev/queries.ts'
import { findTask, tasksBySelector } from '../../tw/queries.ts'
import { releaseTargets } from '../gates/gates.ts'
import { BLIND_MS } from '../guard/step.ts'
import {
  armFault,
  chaosGuardBreached,
  chaosRunAborting,
  chaosRunClosed,
  chaosRunObserving,
  chaosRunStarted,
  chaosRunVerifying,
  faultArmed,
  faultReverted,
  revertFault,
} from '../machine.ts'
import { planRun, usersMaxOf, type Plan, type PlannedFault } from '../plan/plan.ts'
import { isServing } from '../plan/targets.ts'
import { experimentOf, faultsOf, haltRow, isEnded, planOf, type AbortCause, type FaultRow, type RunRow } from '../rows.ts'
import type { Experiment } from '../schema.ts'
import { checksOf, type Check } from '../spec/checks.ts'
import { STALE_MS, type RunSoft } from '../soft.ts'
import { leaseEnd, meshRuleOf, removeRules, setRules } from './mesh-rules.ts'
import { verdictOf } from './verdict.ts'

export interface RunView {
  db: ReadDb
  now: number
  run: RunRow
  experiment: Experiment
  plan: Plan
  faults: FaultRow[]
  soft: RunSoft | undefined
}

export interface Next {
  entries: Proposal[]
  wakeAt: number | null
}

const LOOK_MS = 250
const ARM_PATIENCE_MS = 10_000
/** a node's clock may be this far ahead of ours */
const EARLY_MS = 1000
/** without a look of the server for this long before anything is armed, the run is given up */
const BASELINE_PATIENCE_MS = 15_000
/** a node that does not answer: its faults ended by token and lease long before */
const SILENT_MS = 20_000

const wait = (view: RunView, ms = LOOK_MS): Next => ({ entries: [], wakeAt: view.now + ms })
const act = (...entries: Proposal[]): Next => ({ entries, wakeAt: null })

export function viewOf(db: ReadDb, now: number, run: RunRow, soft: RunSoft | undefined): RunView {
  return { db, now, run, experiment: experimentOf(run), plan: planOf(run), faults: faultsOf(db, run.id), soft }
}

// ------------------------------------------------------------------------------------------------ baseline

/** Nothing is broken yet: the hypothesis must hold without a break for as long as the file says. */
export function decideBaseline(view: RunView): Next {
  const { run, now, soft, experiment } = view
  const broken = interruption(view)
  if (broken) return notRun(view, broken.reason)
  const waitedMs = now - run.since_ms
  if (soft === undefined || now - soft.atMs > STALE_MS) {
    return waitedMs > BASELINE_PATIENCE_MS + experiment.muster.baseline
      ? notRun(view, 'nothing was measured: the store of events does not answer')
      : wait(view)
  }
  const checks = checksOf(experiment, view.plan.services)
  for (const [i, check] of checks.entries()) {
    const state = soft.checks[i]
    if (state?.status === 'breach')
      return notRun(view, `not steady before anything was broken: ${check.name} is ${state.value}, allowed is ${boundsOf(check)}`)
    if (state?.status === 'blind' && waitedMs > BASELINE_PATIENCE_MS) return notRun(view, `CHAOS_GUARD_BLIND: ${check.name} has no data`)
  }
  const heldMs = Math.min(
    waitedMs,
    ...checks.map((_, i) => (soft.checks[i]?.okSinceMs == null ? 0 : now - (soft.checks[i]?.okSinceMs ?? now))),
  )
  if (heldMs < experiment.muster.baseline)
    return waitedMs > BASELINE_PATIENCE_MS + 3 * experiment.muster.baseline
      ? notRun(view, 'the hypothesis did not hold long enough')
      : wait(view)
  const plan = planStill(view)
  if (plan === null) return notRun(view, 'the targets are gone')
  return act(chaosRunStarted.of({ run: run.id, plan: { ...plan }, service: run.service }))
}

/** The proposed plan while all its tasks still serve; else a new one under the same caps. */
function planStill({ db, run, plan, experiment }: RunView): Plan | null {
  const isSame = plan.faults.every(({ task }) => task === null || isStill(db, task.id, task.incarnation))
  if (isSame) return plan
  const again = planRun(db, experiment, run.id)
  return isRefusal(again) ? null : again
}

function isStill(db: ReadDb, id: number, incarnation: number): boolean {
  const row = findTask(db, String(id))
  return row !== null && row.incarnation === incarnation && row.state === 'running' && row.want === 'run'
}

function notRun(view: RunView, reason: string): Next {
  const { verdict: _, ...rest } = verdictOf(view.run, view.faults, view.soft, view.now, 0)
  return act(
    chaosRunClosed.of({ run: view.run.id, service: view.run.service, verdict: 'not-run', reason, summary: rest.summary }),
    ...releaseTargets(view.run),
  )
}

// --------------------------------------------------------------------------------------- arming, observing

/** Faults are armed when their time comes; guards, halt, incidents and rollouts end it at any time. */
export function decideArmed(view: RunView): Next {
  const { run, now, faults, plan, experiment } = view
  const startedAt = run.started_at ?? now
  const broken = interruption(view) ?? guardBreak(view) ?? failedFault(view) ?? lapsed(view)
  if (broken) return act(...broken.entries, chaosRunAborting.of({ run: run.id, cause: broken.cause, reason: broken.reason }))
  const due = plan.faults.filter((planned, i) => now >= startedAt + planned.atMs && !faults.some(({ n }) => n === i + 1))
  if (due.length > 0) return act(...due.flatMap((planned) => arm(view, planned, plan.faults.indexOf(planned) + 1, startedAt)))
  if (run.state === 'arming') {
    if (faults.some(({ state }) => state === 'arming')) return wait(view)
    return act(chaosRunObserving.of({ run: run.id }))
  }
  const over = faults.filter((fault) => !isEnded(fault) && fault.state !== 'reverting' && now >= fault.until_ms)
  if (over.length > 0) return act(...over.flatMap((fault) => undo(view, fault, 'its time is over')))
  const watchedUntil = Math.max(startedAt + plan.observeMs, (run.observing_at ?? now) + experiment.muster.observe_min)
  if (now >= watchedUntil) return takeBack(view)
  const renewed = renew(view)
  return renewed.length > 0 ? act(...renewed) : wait(view)
}

function arm(view: RunView, planned: PlannedFault, n: number, startedAt: number): Proposal[] {
  const { run, experiment, now, db } = view
  const action = experiment.method[planned.action]
  if (action === undefined) return []
  const { provider } = action
  const args: Record<string, string | number> = {}
  for (const [name, value] of Object.entries(provider.arguments)) if (value !== undefined) args[name] = value
  if (provider.target.version !== undefined) args['version'] = provider.target.version
  if (planned.backend === 'mesh') args['usersMax'] = usersMax(view)
  const id = `${run.id}/${n}`
  const untilMs = Math.max(startedAt + planned.atMs + planned.durationMs, now + 1000)
  const leaseMs = experiment.muster.lease
  const intent = armFault.of({
    run: run.id,
    fault: id,
    n,
    action: planned.action,
    kind: planned.fault,
    backend: planned.backend,
    service: planned.service,
    task: planned.task?.id ?? null,
    taskName: planned.task?.name ?? null,
    incarnation: planned.task?.incarnation ?? null,
    node: planned.task?.node ?? null,
    arguments: args,
    untilMs,
    leaseMs,
  })
  if (planned.backend === 'node' || planned.service === null) return [intent]
  // The proxies carry the rule out and end it by themselves, so the rule's entry is the fact.
  const rule = meshRuleOf({ id, run: run.id, fault: planned.fault, arguments: JSON.stringify(args) }, Math.min(untilMs, now + leaseMs))
  return [
    intent,
    ...setRules(db, now, planned.service, [rule], `chaos run ${run.id}`),
    faultArmed.of({ run: run.id, fault: id, effect: 0 }),
  ]
}

/** Most distinct users a rule may touch in one proxy: the cap on the share of those seen in the baseline. */
function usersMax({ experiment, soft }: RunView): number {
  const ppm = usersMaxOf(experiment)
  if (ppm >= 1_000_000) return 1_000_000
  return Math.max(1, Math.floor(((soft?.users ?? 0) * ppm) / 1_000_000))
}

/** Prolongs the leases of mesh rules at half time; only ever called while the guards hold. */
function renew({ db, now, faults, run }: RunView): Proposal[] {
  return faults.flatMap((fault) => {
    if (fault.backend !== 'mesh' || fault.state !== 'armed' || fault.service === null) return []
    const endsAt = leaseEnd(db, now, fault.service, fault.id)
    const wanted = Math.min(fault.until_ms, now + fault.lease_ms)
    if (endsAt !== null && (endsAt >= fault.until_ms || endsAt - now > fault.lease_ms / 2 || wanted <= endsAt)) return []
    return wanted <= now ? [] : setRules(db, now, fault.service, [meshRuleOf(fault, wanted)], `chaos run ${run.id}, lease`)
  })
}

interface Break {
  cause: AbortCause
  reason: string
  entries: Proposal[]
}

/** What ends a run from outside, in any state before its undo. */
function interruption({ db, run, plan }: RunView): Break | null {
  const halt = haltRow(db)
  if (halt) return { cause: 'halted', reason: `chaos was halted: ${halt.reason}`, entries: [] }
  const sev = openIncidents(db, undefined, 2).find((incident) => incident.detected_at >= run.at)
  if (sev) return { cause: 'sev', reason: `SEV${sev.level} #${sev.number} was opened`, entries: [] }
  const rollout = plan.services.flatMap((service) => inFlightOf(db, service))[0]
  if (rollout) return { cause: 'rollout', reason: `rollout r${rollout.id} of ${rollout.service} began`, entries: [] }
  return null
}

/** A check that is breached or blind; no look of the server at all is blind too. */
function guardBreak({ run, now, soft, experiment, plan }: RunView): Break | null {
  const sinceMs = run.observing_at ?? run.started_at ?? now
  if (soft === undefined || now - soft.atMs > STALE_MS) {
    // A server that has just started has not looked yet; leases end by themselves meanwhile.
    return now - Math.max(sinceMs, soft?.atMs ?? 0) > STALE_MS * 2
      ? { cause: 'blind', reason: 'nothing was measured for 10 s', entries: [] }
      : null
  }
  for (const [i, check] of checksOf(experiment, plan.services).entries()) {
    const state = soft.checks[i]
    if (state?.status !== 'breach' && state?.status !== 'blind') continue
    const isBlind = state.status === 'blind'
    return {
      cause: isBlind ? 'blind' : 'breach',
      reason: isBlind
        ? `${check.name} had no data for ${BLIND_MS / 1000} s`
        : `${check.name} was ${state.value}, allowed is ${boundsOf(check)}`,
      entries: [
        chaosGuardBreached.of({
          run: run.id,
          check: check.name,
          kind: check.kind,
          status: state.status,
          value: state.value,
          bounds: boundsOf(check),
        }),
      ],
    }
  }
  return null
}

function failedFault({ now, faults, plan }: RunView): Break | null {
  const unheard = faults.find(
    (fault) => fault.state === 'arming' && now - (fault.until_ms - (plan.faults[fault.n - 1]?.durationMs ?? 0)) > ARM_PATIENCE_MS,
  )
  if (unheard)
    return {
      cause: 'fault-failed',
      reason: `node ${unheard.node} did not say within ${ARM_PATIENCE_MS / 1000} s whether ${unheard.fault} is armed`,
      entries: [],
    }
  const failed = faults.find(({ state }) => state === 'failed')
  return failed
    ? {
        cause: 'fault-failed',
        reason: `${failed.fault} on ${failed.task_name ?? failed.service ?? ''} could not be armed: ${failed.message}`,
        entries: [],
      }
    : null
}

/** A fault that ended before its time, because a server, a link or an agent was away: what was seen after it proves nothing. */
function lapsed({ db, now, faults }: RunView): Break | null {
  const gone = faults.find((fault) => {
    if (now >= fault.until_ms) return false
    if (fault.backend === 'node') return fault.state === 'reverted' && now < fault.until_ms - EARLY_MS
    return fault.state === 'armed' && fault.service !== null && (leaseEnd(db, now, fault.service, fault.id) ?? 0) <= now
  })
  return gone
    ? {
        cause: 'blind',
        reason: `${gone.fault} on ${gone.task_name ?? gone.service ?? ''} ended early: ${gone.message || 'its lease was not renewed'}`,
        entries: [],
      }
    : null
}

export function boundsOf({ min, max, fromBaseline }: Check): string {
  if (fromBaseline) return `the larger of 3 × the baseline and ${max} above it`
  return min !== null && max !== null ? `${min} to ${max}` : min !== null ? `at least ${min}` : `at most ${max}`
}

// ------------------------------------------------------------------------------------------------- undo

/** Undo of one fault: rules go at once, a node is asked. */
function undo({ db, now, run }: RunView, fault: FaultRow, cause: string): Proposal[] {
  const intent = revertFault.of({ run: run.id, fault: fault.id, cause })
  if (fault.backend === 'node' || fault.service === null) return [intent]
  return [
    intent,
    ...removeRules(db, now, fault.service, [fault.id], `chaos run ${run.id}: ${cause}`),
    faultReverted.of({ run: run.id, fault: fault.id, by: 'order', effect: -1 }),
  ]
}

/** In reverse order; waits for nobody but the nodes concerned. */
export function takeBack(view: RunView): Next {
  const { run, now, faults } = view
  const cause = run.state === 'aborting' ? run.reason : 'the time is over'
  const open = faults.filter((fault) => !isEnded(fault)).reverse()
  const unasked = open.filter(({ state }) => state !== 'reverting')
  if (unasked.length > 0) return act(...unasked.flatMap((fault) => undo(view, fault, cause)))
  const silent = open.filter(({ asked_at, until_ms }) => now - (asked_at ?? now) > SILENT_MS || now - until_ms > SILENT_MS)
  if (silent.length > 0)
    return act(
      ...silent.map((fault) => faultReverted.of({ run: run.id, fault: fault.id, by: 'lease, the node does not answer', effect: -1 })),
    )
  return open.length > 0 ? wait(view) : act(chaosRunVerifying.of({ run: run.id }))
}

// ----------------------------------------------------------------------------------------------- verify

/** Well again: every hypothesis holds on what was measured since the undo, and as many tasks serve as before. */
export function decideVerifying(view: RunView): Next {
  const { run, now, soft, experiment, plan, db } = view
  const undoneAt = run.undone_at ?? now
  const checks = checksOf(experiment, plan.services)
  const isFresh = soft !== undefined && now - soft.atMs <= STALE_MS && soft.atMs > undoneAt
  const holds =
    isFresh && checks.every((check, i) => check.kind !== 'hypothesis' || (soft.checks[i]?.bad === 0 && soft.checks[i]?.status !== 'blind'))
  const serving = new Set(
    plan.services.flatMap((service) =>
      tasksBySelector(db, { service })
        .filter(isServing)
        .map(({ id }) => id),
    ),
  ).size
  const isWell = holds && serving >= (plan.services.length === 0 ? 0 : plan.radius.serving)
  if (!isWell && now - undoneAt <= experiment.muster.recovery_within) return wait(view)
  const { verdict, reason, summary } = verdictOf(run, view.faults, soft, now, isWell ? now - undoneAt : null)
  return act(chaosRunClosed.of({ run: run.id, service: run.service, verdict, reason, summary }), ...releaseTargets(view.run))
}
