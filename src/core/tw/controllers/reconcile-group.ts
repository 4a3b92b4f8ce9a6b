import type { GroupSpec } from '../job-spec.ts'
import { limitsOf, specInForce, totalOf } from '../ops/budget.ts'
import type { OpRow } from '../ops/op-row.ts'
import { opSteps, standsByItself, type OpSteps, type WantedOp } from '../ops/op-steps.ts'
import { isReady, type ArmRow, type DrainRow, type JobRow, type TaskRow } from '../rows.ts'
import type { FilterCounts } from '../scheduler/filters.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { plan, type Placement } from '../scheduler/planner.ts'
import { standingWith, type PlanRequest } from '../scheduler/slice.ts'
import { isSystem } from './drainer.ts'
import { earliest } from './wake.ts'

/** Everything the decision about one group rests on. */
export interface GroupView {
  job: Pick<JobRow, 'name' | 'kind'>
  group: string
  /** arms that want tasks */
  arms: readonly ArmRow[]
  specs: ReadonlyMap<number, GroupSpec>
  /** not in a final state */
  live: readonly TaskRow[]
  /** in a final state since less than an hour, and for batch all that completed */
  ended: readonly TaskRow[]
  /** nodes that are being drained */
  draining: ReadonlyMap<string, Draining>
  /** its planned changes that have not ended, and their tasks */
  ops: readonly OpRow[]
  leaving: ReadonlySet<number>
  /** tasks of those that ended, by id, as far as they are not forgotten */
  opTasks: ReadonlyMap<number, TaskRow>
  /** the region of a node; empty when there is no such node */
  regionOf: (node: string) => string
  rejectedAt: number | null
}

/** A drain, and whether tasks of other than system jobs are still there. */
export type Draining = DrainRow & { hasOthers: boolean }

export interface GroupDecision {
  place: { version: number; tasks: Placement[] }[]
  /** tasks whose end is not planned, or costs nothing */
  stop: { ids: number[]; cause: string }[]
  ops: Omit<OpSteps, 'stop'>
  /** slots that wait: for room, or for their back-off */
  blocked: Blocked[]
  wakeAt: number | null
}

export interface Blocked {
  version: number
  indexes: number[]
  filters: FilterCounts
  /** what found no place, for who may make room for it */
  request: PlanRequest
}

/** Failures older than this no longer slow a slot down, nor keep it away from the node. */
export const FAILURE_MEMORY_MS = 3_600_000
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

  const overdue = active.filter((task) => isOverdue(view, task, now))
  const late = new Set(overdue)
  const candidates = active.filter((task) => !late.has(task))
  const opOf = new Map(view.ops.map((op) => [op.task, op]))
  const kept: TaskRow[] = []
  for (const arm of view.arms) {
    const own = candidates.filter((task) => task.version === arm.version && !isMoving(view, task) && !isSentAway(opOf.get(task.id)))
    kept.push(...keepSpread(own, arm.count, view.regionOf, opOf))
  }
  const keeps = new Set(kept)
  const excess = candidates.filter((task) => !keeps.has(task))

  const unwanted = view.arms.length === 0 ? excess : []
  const wants = wantsOf(view, excess, opOf)
  const { stop, ...ops } = opSteps(view, view.ops, (id) => view.opTasks.get(id), wants, now)
  const decision: GroupDecision = { place: [], stop, ops, blocked: [], wakeAt: null }
  if (overdue.length > 0) decision.stop.push({ ids: overdue.map((task) => task.id), cause: OVERDUE_CAUSE })
  if (unwanted.length > 0) decision.stop.push({ ids: unwanted.map((task) => task.id), cause: 'no longer wanted' })

  const heldUntil = view.rejectedAt === null ? null : view.rejectedAt + REJECTED_HOLD_MS
  const wakes = [ops.wakeAt, ...candidates.map((task) => healthyDeadline(view, task))]
  if (heldUntil !== null && heldUntil > now) {
    return { ...decision, wakeAt: earliest([heldUntil, ...wakes]) }
  }

  let room = total + surgeMax - candidates.length + ops.freed + unwanted.length
  for (const arm of view.arms) {
    const spec = view.specs.get(arm.version)
    if (!spec) continue
    const completed =
      view.job.kind === 'batch' ? view.ended.filter((task) => task.version === arm.version && task.state === 'complete') : []
    const have = kept.filter((task) => task.version === arm.version).length + completed.length
    // Who was too late keeps its slot until it is gone: then the slot's back-off is known.
    const tooLate = view.live.filter((task) => task.version === arm.version && (late.has(task) || task.stop_cause === OVERDUE_CAUSE)).length
    const slots = freeSlots(view, arm.version, Math.max(0, arm.count - have - tooLate), completed, decision)
    const due = slots.filter((slot) => slot.dueAt <= now).slice(0, Math.max(0, Math.min(room, placedMax)))
    wakes.push(...slots.map((slot) => (slot.dueAt > now ? slot.dueAt : null)))
    if (due.length === 0) continue
    const request: PlanRequest = {
      job: view.job.name,
      group: spec,
      indexes: due.map((slot) => slot.index),
      standing: {
        sameVersion: view.live.filter((task) => task.version === arm.version && task.want === 'run').map((task) => task.node),
        group: active.map((task) => task.node),
        live: view.live.map((task) => task.node),
        avoid: new Set(view.ended.filter((task) => isFailure(view, task) || task.state === 'lost').map((task) => task.node)),
      },
    }
    const result = plan(image, request)
    room -= result.placements.length
    if (result.placements.length > 0) decision.place.push({ version: arm.version, tasks: result.placements })
    if (result.filters !== null) {
      const standing = standingWith(
        request.standing,
        result.placements.map(({ node }) => node),
      )
      const left = { ...request, indexes: result.unplaced, standing }
      decision.blocked.push({ version: arm.version, indexes: result.unplaced, filters: result.filters, request: left })
    }
  }
  return { ...decision, wakeAt: earliest(wakes) }
}

const OVERDUE_CAUSE = 'not healthy before its deadline'

/** Tasks of services leave a drained node, those of system jobs after all others; those of batch jobs run to their end there. */
function isMoving(view: GroupView, task: TaskRow): boolean {
  const drain = view.draining.get(task.node)
  if (drain === undefined) return false
  return isSystem(view.job.kind) ? !drain.ignores_system && !drain.hasOthers : view.job.kind === 'service'
}

function healthyDeadline(view: GroupView, task: TaskRow): number | null {
  const spec = view.specs.get(task.version)
  return task.was_healthy || !spec || spec.container.readiness === null ? null : task.placed_at + spec.healthyDeadlineMs
}

function isOverdue(view: GroupView, task: TaskRow, now: number): boolean {
  const deadline = healthyDeadline(view, task)
  return deadline !== null && now >= deadline
}

/** At most `count` of the tasks: serving ones first, and of equals those that keep regions and nodes even. */
function keepSpread(
  tasks: readonly TaskRow[],
  count: number,
  regionOf: GroupView['regionOf'],
  opOf: ReadonlyMap<number, OpRow>,
): TaskRow[] {
  if (tasks.length <= count) return [...tasks]
  const kept: TaskRow[] = []
  const rest = [...tasks]
  const inRegion = new Map<string, number>()
  const onNode = new Map<string, number>()
  while (kept.length < count) {
    const cost = (task: TaskRow): number[] => [
      isReady(task) || isRestarting(opOf.get(task.id)) ? 0 : 1,
      // Whose end was proposed already goes first, so that a proposal stands.
      opOf.get(task.id)?.state === 'proposed' ? 1 : 0,
      inRegion.get(regionOf(task.node)) ?? 0,
      onNode.get(task.node) ?? 0,
      task.idx,
    ]
    let best = 0
    for (let i = 1; i < rest.length; i += 1) {
      const [a, b] = [rest[i], rest[best]]
      if (a && b && compare(cost(a), cost(b)) < 0) best = i
    }
    const [task] = rest.splice(best, 1)
    if (!task) break
    kept.push(task)
    const region = regionOf(task.node)
    inRegion.set(region, (inRegion.get(region) ?? 0) + 1)
    onNode.set(task.node, (onNode.get(task.node) ?? 0) + 1)
  }
  return kept
}

/** Its end or move was proposed by somebody else, or its restart, which a replacement has to cover too. */
function isSentAway(op: OpRow | undefined): boolean {
  return op?.state === 'proposed' && standsByItself(op)
}

function isRestarting(op: OpRow | undefined): boolean {
  return op?.state === 'allowed' && op.kind === 'restart'
}

/** The excess tasks that are to go as planned changes, in the order they should; those sent away have their op already. */
function wantsOf(view: GroupView, excess: readonly TaskRow[], opOf: ReadonlyMap<number, OpRow>): WantedOp[] {
  if (view.arms.length === 0) return []
  return excess
    .filter((task) => !isSentAway(opOf.get(task.id)) && !isRestarting(opOf.get(task.id)))
    .sort((a, b) => compare([isReady(a) ? 1 : 0, a.version, -a.idx], [isReady(b) ? 1 : 0, b.version, -b.idx]))
    .map((task): WantedOp => {
      const soft = { task, deadlineAt: null, isHard: false }
      const drain = isMoving(view, task) ? view.draining.get(task.node) : undefined
      if (drain) {
        const cause = drain.maintenance === null ? 'drain' : 'maintenance'
        const text = drain.maintenance === null ? `drain of ${task.node}` : `maintenance ${drain.maintenance} of ${task.node}`
        return { task, kind: 'move', cause, text, deadlineAt: drain.deadline_at, isHard: drain.is_hard === 1 }
      }
      if (view.arms.some((arm) => arm.version === task.version)) return { ...soft, kind: 'stop', cause: 'scale', text: 'too many' }
      const versions = view.arms.map((arm) => arm.version).join(', ')
      return { ...soft, kind: 'update', cause: 'rollout', text: `replaced by version ${versions}` }
    })
}

/** Whether a task that ended counts against its slot: the next try waits, and goes elsewhere. */
export function isFailure(view: Pick<GroupView, 'job'>, task: TaskRow): boolean {
  return task.state === 'failed' || (view.job.kind === 'service' && task.state === 'complete') || task.stop_cause === OVERDUE_CAUSE
}

/** The lowest free indexes, each with the time its back-off is over. */
function freeSlots(
  view: GroupView,
  version: number,
  count: number,
  completed: readonly TaskRow[],
  decision: GroupDecision,
): { index: number; dueAt: number }[] {
  const taken = new Set([...view.live, ...completed].map((task) => task.idx))
  for (const placed of decision.place) for (const task of placed.tasks) taken.add(task.index)
  const { delayMs, factor, maxDelayMs } = view.specs.get(version)?.reschedule ?? { delayMs: 0, factor: 1, maxDelayMs: 0 }
  const slots: { index: number; dueAt: number }[] = []
  for (let index = 0; slots.length < count; index += 1) {
    if (taken.has(index)) continue
    const failures = view.ended.filter((task) => task.idx === index && task.version === version && isFailure(view, task))
    const last = Math.max(0, ...failures.map((task) => task.ended_at ?? 0))
    slots.push({ index, dueAt: failures.length === 0 ? 0 : last + Math.min(maxDelayMs, delayMs * factor ** (failures.length - 1)) })
  }
  return slots
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
