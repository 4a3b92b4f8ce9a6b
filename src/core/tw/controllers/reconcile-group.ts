import type { Allowance, Refusal } from '../entitlements/allowance.ts'
import { chargeOf, type TaskCharge } from '../entitlements/tables.ts'
import type { GroupSpec } from '../job-spec.ts'
import { limitsOf, specInForce, totalOf } from '../ops/budget.ts'
import type { OpRow } from '../ops/op-row.ts'
import { opSteps, standsByItself, STOPPED_MAX, type OpSteps, type WantedOp } from '../ops/op-steps.ts'
import { isReady, type ArmRow, type DrainRow, type JobRow, type GroupTask, type TaskRow } from '../rows.ts'
import type { FilterCounts } from '../scheduler/filters.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { filtersOfOne, plan, type Placement } from '../scheduler/planner.ts'
import { standingWith, type PlanRequest, type Standing } from '../scheduler/slice.ts'
import { firstDeadline, isFailure, isLateStop, isToEnd, lateCause } from '../tasks/back-off.ts'
import type { AwayRow } from '../tasks/away.ts'
import { awayOf } from './away.ts'
import { isRestarting, keepSpread } from './keep-spread.ts'
import { freeSlots, givenUpText } from './slots.ts'
import { drainsWakeAt, isMoving, isToEndOf } from './moving.ts'
import { earliest } from './wake.ts'

/** Everything the decision about one group rests on. */
export interface GroupView {
  job: Pick<JobRow, 'name' | 'kind'>
  group: string
  /** arms that want tasks */
  arms: readonly ArmRow[]
  specs: ReadonlyMap<number, GroupSpec>
  /** not in a final state */
  live: readonly GroupTask[]
  /** in a final state since less than an hour, and of groups that run to an end all that completed */
  ended: readonly GroupTask[]
  /** nodes that are being drained */
  draining: ReadonlyMap<string, Draining>
  /** its planned changes that have not ended, and their tasks */
  ops: readonly OpRow[]
  leaving: ReadonlySet<number>
  /** tasks of those that ended, by id, as far as they are not forgotten */
  opTasks: ReadonlyMap<number, TaskRow>
  /** the region of a node; empty when there is no such node */
  regionOf: (node: string) => string
  /** tasks whose nodes are silent or were, by id */
  away: ReadonlyMap<number, AwayRow>
  rejectedAt: number | null
  /** failures up to here are forgiven, log time */
  retriedAt: number | null
  /** versions whose first tasks wait for other groups, and for what */
  waits: ReadonlyMap<number, string[]>
  /** of jobs with one task per node: nodes whose task is to leave */
  barred: ReadonlySet<string>
  /** what owners may still place; counted down as this group places */
  allowance: Allowance
  entitlementOf: (version: number) => string | null
}

/** A drain, and whether tasks of other than system jobs are still there. */
export type Draining = DrainRow & { hasOthers: boolean }

export interface GroupDecision {
  place: { version: number; tasks: Placement[] }[]
  /** so many of these have room before anything that is stopped here is gone from the count */
  roomNow: number
  /** tasks whose end is not planned, or costs nothing */
  stop: { ids: number[]; cause: string }[]
  ops: Omit<OpSteps, 'stop'>
  /** slots that wait: for room, or for their back-off */
  blocked: Blocked[]
  /** slots that their owner may not fill now */
  overQuota: OverQuota[]
  /** what else keeps tasks from being placed, as sentences: other groups, tries that are used up */
  held: string[]
  wakeAt: number | null
}

export interface Blocked {
  version: number
  indexes: number[]
  filters: FilterCounts
  /** what found no place, for who may make room for it */
  request: PlanRequest
}

export interface OverQuota extends Refusal {
  version: number
  indexes: number[]
  claim: TaskCharge
  /** what took the nodes away, where none would take the task either */
  filters: FilterCounts | null
}

/** Failures older than this no longer slow a slot down, nor keep it away from the node. */
export const FAILURE_MEMORY_MS = 3_600_000
/** A group that waits for others looks so often whether they have come far enough. */
const WAITS_LOOK_MS = 500
/** After the referee refused a plan, the next one waits this long, so that a planner's bug cannot spin. */
const REJECTED_HOLD_MS = 1000

/**
 * Desired against actual, for one group: what to place and what to stop now (I1, I3, I4).
 *
 * A task is kept when an arm wants its version, its node is not drained and no op moves it; every other one is excess, whether it is of
 * an old version, of a drained node or too many. New tasks come as far as `max_surge` allows; an excess task that serves goes as an op:
 * when budget and consent have it. One that does not serve costs nothing and goes at once.
 */
export function reconcileGroup(view: GroupView, image: FleetImage, now: number, placedMax = Infinity): GroupDecision {
  const active = view.live.filter((task) => task.want === 'run')
  const total = totalOf(view)
  const { surgeMax } = limitsOf(specInForce(view), total)

  const away = awayOf(view, active, now)
  const awayIds = new Set([...away.replaced.map((task) => task.id), ...away.givenUp.flatMap(({ ids }) => ids)])
  const late = new Map<GroupTask, string>()
  for (const task of active) {
    const cause = task.state === 'unknown' ? null : lateCause(view.specs.get(task.version), task, now)
    if (cause !== null) late.set(task, cause)
  }
  const candidates = active.filter((task) => !late.has(task) && !awayIds.has(task.id))
  const opOf = new Map(view.ops.map((op) => [op.task, op]))
  const kept: GroupTask[] = []
  for (const arm of view.arms) {
    const own = candidates.filter((task) => task.version === arm.version && !isMoving(view, task, now) && !isSentAway(opOf.get(task.id)))
    for (const task of keepSpread(own, arm, view, opOf)) kept.push(task)
  }
  const keeps = new Set(kept)
  const excess = candidates.filter((task) => !keeps.has(task))

  const unwanted = view.arms.length === 0 ? excess : []
  const wants = wantsOf(view, excess, opOf, now)
  const { stop, ...ops } = opSteps(view, view.ops, (id) => view.opTasks.get(id), wants, now)
  const roomNow = Math.max(0, total + surgeMax - active.filter((task) => task.state !== 'unknown').length)
  const decision: GroupDecision = {
    ...{ place: [], roomNow, stop: [...stop, ...away.givenUp], ops, blocked: [], overQuota: [], held: [], wakeAt: null },
  }
  for (const [cause, tasks] of Map.groupBy(late.keys(), (task) => late.get(task) ?? ''))
    decision.stop.push({ ids: tasks.slice(0, STOPPED_MAX).map((task) => task.id), cause })
  if (unwanted.length > 0) decision.stop.push({ ids: unwanted.slice(0, STOPPED_MAX).map((task) => task.id), cause: 'no longer wanted' })

  const heldUntil = view.rejectedAt === null ? null : view.rejectedAt + REJECTED_HOLD_MS
  const wakes = [ops.wakeAt, drainsWakeAt(view, active, now), ...away.wakes, firstDeadline(view.specs, candidates)]
  if (heldUntil !== null && heldUntil > now) {
    return { ...decision, wakeAt: earliest([heldUntil, ...wakes]) }
  }

  let room = total + surgeMax - candidates.length + ops.freed + unwanted.length
  for (const arm of view.arms) {
    const spec = view.specs.get(arm.version)
    if (!spec) continue
    const waits = view.waits.get(arm.version)
    if (waits) {
      decision.held.push(...waits)
      wakes.push(now + WAITS_LOOK_MS)
      continue
    }
    const completed = isToEnd(spec) ? view.ended.filter((task) => task.version === arm.version && task.state === 'complete') : []
    const have = kept.filter((task) => task.version === arm.version).length + completed.length
    // Who was too late keeps its slot until it is gone: then the slot's back-off is known.
    const leaving = view.live.filter((task) => task.version === arm.version && (late.has(task) || isLateStop(task))).length
    const slots = freeSlots(view, arm.version, Math.max(0, arm.count - have - leaving), completed, decision, now)
    const due = slots.filter(({ dueAt }) => dueAt !== null && dueAt <= now).slice(0, Math.max(0, Math.min(room, placedMax)))
    decision.held.push(...givenUpText(slots))
    wakes.push(earliest(slots.map(({ dueAt }) => (dueAt !== null && dueAt > now ? dueAt : null))))
    const claim = chargeOf(view.entitlementOf(arm.version), spec)
    const { granted, refusal } = view.allowance.take(claim, due.length)
    const over = due.splice(granted).map((slot) => slot.index)
    if (due.length === 0 && refusal === null) continue
    const fresh = decision.place.flatMap(({ tasks }) => tasks)
    const request: PlanRequest = {
      job: view.job.name,
      group: spec,
      indexes: due.map((slot) => slot.index),
      standing: {
        // Also those that an arm before this one is about to place.
        ...placesOf(active, [...view.live, ...(view.job.kind === 'sysbatch' ? completed : [])], fresh, arm.version),
        avoid: new Set(
          view.ended.filter((task) => isFailure(task, isToEndOf(view, task)) || task.state === 'lost').map((task) => task.node),
        ),
      },
    }
    const result = plan(image, request)
    room -= result.placements.length
    view.allowance.giveBack(claim, due.length - result.placements.length)
    if (result.placements.length > 0) decision.place.push({ version: arm.version, tasks: result.placements })
    if (result.filters === null && refusal === null) continue
    const nodes = result.placements.map(({ node }) => node)
    const left = { ...request, indexes: result.unplaced, standing: standingWith(request.standing, nodes) }
    if (result.filters !== null)
      decision.blocked.push({ version: arm.version, indexes: result.unplaced, filters: result.filters, request: left })
    if (refusal === null) continue
    const filters = filtersOfOne(image, { ...left, indexes: over.slice(0, 1) })
    decision.overQuota.push({ ...refusal, version: arm.version, indexes: over, claim, filters })
  }
  return { ...decision, wakeAt: earliest(wakes) }
}

/** Where tasks are: one list where they are the same, as they most often are, so that it is counted once. */
function placesOf(
  active: readonly GroupTask[],
  live: readonly GroupTask[],
  fresh: readonly Placement[],
  version: number,
): Omit<Standing, 'avoid'> {
  const nodes = (tasks: readonly { node: string }[]): string[] => tasks.map((task) => task.node)
  const own = active.filter((task) => task.version === version)
  const liveOn = nodes([...live, ...fresh])
  const group = active.length === live.length ? liveOn : nodes([...active, ...fresh])
  return { live: liveOn, group, sameVersion: own.length === active.length && fresh.length === 0 ? group : nodes(own) }
}

/** Its end or move was proposed by somebody else, or its restart, which a replacement has to cover too. */
function isSentAway(op: OpRow | undefined): boolean {
  return op?.state === 'proposed' && standsByItself(op)
}

/** The excess tasks that are to go as planned changes, in the order they should; those sent away have their op already. */
function wantsOf(view: GroupView, excess: readonly GroupTask[], opOf: ReadonlyMap<number, OpRow>, now: number): WantedOp[] {
  if (view.arms.length === 0) return []
  return excess
    .filter((task) => !isSentAway(opOf.get(task.id)) && !isRestarting(opOf.get(task.id)))
    .sort((a, b) => compare([isReady(a) ? 1 : 0, a.version, -a.idx], [isReady(b) ? 1 : 0, b.version, -b.idx]))
    .map((task): WantedOp => {
      const soft = { task, deadlineAt: null, isHard: false }
      const drain = isMoving(view, task, now) ? view.draining.get(task.node) : undefined
      if (drain) {
        return { task, kind: 'move', ...causeOf(drain), deadlineAt: drain.deadline_at, isHard: drain.is_hard === 1 }
      }
      if (view.arms.some((arm) => arm.version === task.version))
        return { ...soft, kind: 'stop', cause: 'scale', text: view.barred.has(task.node) ? 'its node is no longer eligible' : 'too many' }
      const versions = view.arms.map((arm) => arm.version).join(', ')
      return { ...soft, kind: 'update', cause: 'rollout', text: `replaced by version ${versions}` }
    })
}

function causeOf({ node, maintenance, profile }: Draining): Pick<WantedOp, 'cause' | 'text'> {
  if (maintenance !== null) return { cause: 'maintenance', text: `maintenance ${maintenance} of ${node}` }
  return profile === null ? { cause: 'drain', text: `drain of ${node}` } : { cause: 'profile', text: `profile ${profile} of ${node}` }
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
