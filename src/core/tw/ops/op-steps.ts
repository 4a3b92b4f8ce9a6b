import { earliest } from '../controllers/wake.ts'
import type { GroupSpec } from '../job-spec.ts'
import { isReady, type GroupTask, type TaskRow } from '../rows.ts'
import { availableAt, budgetOf, specInForce, type Standing } from './budget.ts'
import type { OpCause, OpKind, OpRow } from './op-row.ts'

/** A task that should go, and why. */
export interface WantedOp {
  task: GroupTask
  kind: OpKind
  cause: OpCause
  text: string
  deadlineAt: number | null
  isHard: boolean
}

/** What to do now about the planned changes of one group. Every list is of op ids, but `propose` and `stop`. */
export interface OpSteps {
  /** tasks that do not serve: their end costs nothing and asks nobody */
  stop: { ids: number[]; cause: string }[]
  propose: (WantedOp & { isAllowed: boolean })[]
  allow: number[]
  force: { ops: number[]; why: string }[]
  withdraw: { ops: number[]; why: string }[]
  finish: { op: number; isOk: boolean; reason: string }[]
  /** tasks that go now, so that others may take their room */
  freed: number
  wakeAt: number | null
}

/** In one step: tasks that are stopped, and changes that are proposed. Each is work for whoever applies it; the others come in the next. */
export const STOPPED_MAX = 1000
export const PROPOSED_MAX = 1000

/** Causes the reconciler finds anew at each look; ops of other causes stand until they are done or their task ends. */
const FOUND_ANEW: ReadonlySet<OpCause> = new Set(['rollout', 'drain', 'maintenance', 'profile', 'scale'])

/** Whether the op stands until it is done or its task ends, whatever the reconciler finds. */
export function standsByItself(op: OpRow): boolean {
  return !FOUND_ANEW.has(op.cause)
}

interface Candidate {
  task: GroupTask
  /** null: not proposed yet */
  op: OpRow | null
  want: WantedOp | null
}

/**
 * From what should go (`wants`, in the order it should) and the ops there are: what to propose, allow, force and end now.
 * `taskOf` gives the task of an op that no longer lives; undefined once it is forgotten.
 */
export function opSteps(
  standing: Standing,
  ops: readonly OpRow[],
  taskOf: (id: number) => TaskRow | undefined,
  wants: readonly WantedOp[],
  now: number,
): OpSteps {
  const steps: OpSteps = { stop: [], propose: [], allow: [], force: [], withdraw: [], finish: [], freed: 0, wakeAt: null }
  if (ops.length === 0 && wants.length === 0) return steps
  const spec = specInForce(standing)
  const live = new Map(standing.live.map((task) => [task.id, task]))
  const all = pendingOf(ops, live, wants, steps)
  for (const op of ops) if (op.state === 'allowed') finishOf(op, taskOf(op.task), steps)
  const pending = all.filter((candidate) => !isIdle(candidate))
  stopIdle(all.filter(isIdle).slice(0, STOPPED_MAX), steps)

  const wakes: (number | null)[] = []
  const due = pending.filter(({ op }) => op !== null && forceAt(op, spec) <= now)
  if (due.length > 0) {
    // What is left of the budget is known once these are gone.
    steps.force.push({ ops: due.flatMap(({ op }) => op?.id ?? []), why: 'its deadline has passed' })
    return steps
  }
  const leaving = new Set([...standing.leaving, ...pending.map(({ task }) => task.id)])
  const budget = budgetOf({ ...standing, leaving }, now)
  const asks = (spec?.consent.kind ?? 'none') !== 'none'
  const allowedNow = ops.filter((op) => op.state === 'allowed').length - steps.finish.length
  const { queue, isStrict } = inOrder(pending, spec)
  let isBlocked = false
  for (const [place, { task, op, want }] of queue.entries()) {
    if (op === null && steps.propose.length >= PROPOSED_MAX) {
      isBlocked = true
      continue
    }
    const isDelayed = op?.delayed_until != null && op.delayed_until > now
    const lacksConsent = asks && isReady(task) && !op?.is_consented
    const isLeader = spec?.order === 'leader-last' && op?.rank != null && place === queue.length - 1
    const waitsForOthers = (isStrict && isBlocked) || (isLeader && (place > 0 || allowedNow > 0))
    const goes = !isDelayed && !lacksConsent && !waitsForOthers && budget.take(task)
    if (!goes) isBlocked = true
    if (op === null && want !== null) steps.propose.push({ ...want, isAllowed: goes })
    else if (goes && op) steps.allow.push(op.id)
    if (goes && (op?.kind ?? want?.kind) !== 'restart') steps.freed += 1
    if (op) wakes.push(isDelayed ? op.delayed_until : null, finite(forceAt(op, spec)))
  }
  if (isBlocked) {
    for (const task of standing.live) {
      const at = availableAt(standing.specs, task)
      if (task.want === 'run' && isReady(task) && at > now) wakes.push(at)
    }
  }
  steps.wakeAt = earliest(wakes)
  return steps
}

/** Every task that should go, with its op if it has one; ops nobody wants any more are withdrawn. */
function pendingOf(ops: readonly OpRow[], live: ReadonlyMap<number, GroupTask>, wants: readonly WantedOp[], steps: OpSteps): Candidate[] {
  const proposed = new Map(ops.filter((op) => op.state === 'proposed').map((op) => [op.task, op]))
  const running = new Set(ops.filter((op) => op.state === 'allowed').map((op) => op.task))
  const ended: number[] = []
  const unwanted: number[] = []
  const pending: Candidate[] = []
  for (const want of wants) {
    if (running.has(want.task.id)) continue
    const op = proposed.get(want.task.id)
    const isSame = op !== undefined && (!FOUND_ANEW.has(op.cause) || isStill(op, want))
    if (op && !isSame) unwanted.push(op.id)
    pending.push({ task: want.task, op: isSame ? op : null, want })
    proposed.delete(want.task.id)
  }
  for (const op of proposed.values()) {
    const task = live.get(op.task)
    if (!task || task.want === 'stop') ended.push(op.id)
    else if (FOUND_ANEW.has(op.cause)) unwanted.push(op.id)
    else pending.push({ task, op, want: null })
  }
  if (ended.length > 0) steps.withdraw.push({ ops: ended, why: 'its task ended' })
  if (unwanted.length > 0) steps.withdraw.push({ ops: unwanted, why: 'no longer wanted' })
  return pending
}

function isStill(op: OpRow, want: WantedOp): boolean {
  return op.cause === want.cause && op.text === want.text && op.deadline_at === want.deadlineAt && (op.is_hard === 1) === want.isHard
}

/** A task that does not serve and has no op yet goes without one. */
function isIdle({ task, op, want }: Candidate): boolean {
  return op === null && want !== null && !isReady(task)
}

function stopIdle(idle: readonly Candidate[], steps: OpSteps): void {
  for (const [cause, of] of Map.groupBy(idle, ({ want }) => want?.text ?? '')) {
    steps.stop.push({ ids: of.map(({ task }) => task.id), cause })
    steps.freed += of.length
  }
}

function finishOf(op: OpRow, task: TaskRow | undefined, steps: OpSteps): void {
  if (op.kind === 'restart') {
    if (!task || task.is_terminal) steps.finish.push({ op: op.id, isOk: false, reason: 'its task ended' })
    else if (isReady(task)) steps.finish.push({ op: op.id, isOk: true, reason: '' })
    else if (task.want === 'stop') steps.finish.push({ op: op.id, isOk: false, reason: 'its task was stopped' })
  } else if (!task || task.is_terminal) {
    // Who ended without its agent's word ended with its node.
    steps.finish.push({ op: op.id, isOk: true, reason: task && !task.is_reaped ? 'its node was lost' : '' })
  }
}

/** When a hard op no longer waits, log time; Infinity: it waits for ever. */
export function forceAt(op: OpRow, spec: GroupSpec | undefined): number {
  if (!op.is_hard) return Infinity
  const patience = spec?.opsTimeoutMs ?? null
  return Math.min(op.deadline_at ?? Infinity, patience === null ? Infinity : op.proposed_at + patience)
}

/**
 * Candidates in the order they should go. By the application's own order, else by the group's; strictly then: none goes before the one
 * ahead of it. In any order: as found.
 */
function inOrder(pending: readonly Candidate[], spec: GroupSpec | undefined): { queue: Candidate[]; isStrict: boolean } {
  if (pending.some(({ op }) => op?.rank != null)) {
    const rank = ({ op }: Candidate): number => op?.rank ?? -1
    return { queue: [...pending].sort((a, b) => rank(a) - rank(b)), isStrict: true }
  }
  if (spec?.order === 'index') return { queue: [...pending].sort((a, b) => a.task.idx - b.task.idx), isStrict: true }
  if (spec?.order === 'reverse-index') return { queue: [...pending].sort((a, b) => b.task.idx - a.task.idx), isStrict: true }
  return { queue: [...pending], isStrict: false }
}

function finite(time: number): number | null {
  return Number.isFinite(time) ? time : null
}
