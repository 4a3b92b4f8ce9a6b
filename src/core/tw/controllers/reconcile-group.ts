import { amountOf, type GroupSpec } from '../job-spec.ts'
import { isReady, type ArmRow, type JobRow, type TaskRow } from '../rows.ts'
import type { FilterCounts } from '../scheduler/filters.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { plan, type Placement } from '../scheduler/planner.ts'
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
  draining: ReadonlySet<string>
  regionOf: ReadonlyMap<string, string>
  rejectedAt: number | null
}

export interface GroupDecision {
  place: { version: number; tasks: Placement[] }[]
  stop: { ids: number[]; cause: string }[]
  /** slots that wait: for room, or for their back-off */
  blocked: { version: number; indexes: number[]; filters: FilterCounts }[]
  wakeAt: number | null
}

/** Failures older than this no longer slow a slot down, nor keep it away from the node. */
export const FAILURE_MEMORY_MS = 3_600_000
/** After the referee refused a plan, the next one waits this long, so that a planner's bug cannot spin. */
const REJECTED_HOLD_MS = 1000

/**
 * Desired against actual, for one group: what to place and what to stop now (I1, I3, I4).
 *
 * A task is kept when an arm wants its version and its node is not drained; every other one is excess, whether it is of
 * an old version, of a drained node or too many. New tasks come as far as `max_surge` allows; an excess task that serves
 * goes only while enough others are available. One that does not serve costs nothing and goes at once.
 */
export function reconcileGroup(view: GroupView, image: FleetImage, now: number): GroupDecision {
  const decision: GroupDecision = { place: [], stop: [], blocked: [], wakeAt: null }
  const active = view.live.filter((task) => task.want === 'run')
  const total = view.arms.reduce((sum, arm) => sum + arm.count, 0)
  const budget = budgetOf(view, total)

  const overdue = active.filter((task) => isOverdue(view, task, now))
  const candidates = active.filter((task) => !overdue.includes(task))
  const kept: TaskRow[] = []
  for (const arm of view.arms) {
    const own = candidates.filter((task) => task.version === arm.version && !isMoving(view, task))
    kept.push(...keepSpread(own, arm.count, view.regionOf))
  }
  const excess = candidates.filter((task) => !kept.includes(task))

  const stopping = stopsOf(view, kept, excess, total - budget.unavailableMax, now)
  if (overdue.length > 0) decision.stop.push({ ids: overdue.map((task) => task.id), cause: OVERDUE_CAUSE })
  for (const [cause, ids] of stopping.byCause) decision.stop.push({ ids, cause })

  const heldUntil = view.rejectedAt === null ? null : view.rejectedAt + REJECTED_HOLD_MS
  const wakes = [stopping.wakeAt, ...candidates.map((task) => healthyDeadline(view, task))]
  if (heldUntil !== null && heldUntil > now) {
    return { ...decision, wakeAt: earliest([heldUntil, ...wakes]) }
  }

  let room = total + budget.surgeMax - candidates.length + stopping.freed
  for (const arm of view.arms) {
    const spec = view.specs.get(arm.version)
    if (!spec) continue
    const completed =
      view.job.kind === 'batch' ? view.ended.filter((task) => task.version === arm.version && task.state === 'complete') : []
    const have = kept.filter((task) => task.version === arm.version).length + completed.length
    // Who was too late keeps its slot until it is gone: then the slot's back-off is known.
    const late = view.live.filter(
      (task) => task.version === arm.version && (overdue.includes(task) || task.stop_cause === OVERDUE_CAUSE),
    ).length
    const slots = freeSlots(view, arm.version, Math.max(0, arm.count - have - late), completed, decision)
    const due = slots.filter((slot) => slot.dueAt <= now).slice(0, Math.max(0, room))
    wakes.push(...slots.map((slot) => (slot.dueAt > now ? slot.dueAt : null)))
    if (due.length === 0) continue
    const result = plan(image, {
      job: view.job.name,
      group: spec,
      indexes: due.map((slot) => slot.index),
      standing: {
        sameVersion: view.live.filter((task) => task.version === arm.version && task.want === 'run').map((task) => task.node),
        group: active.map((task) => task.node),
        live: view.live.map((task) => task.node),
        avoid: new Set(view.ended.filter((task) => isFailure(view, task) || task.state === 'lost').map((task) => task.node)),
      },
    })
    room -= result.placements.length
    if (result.placements.length > 0) decision.place.push({ version: arm.version, tasks: result.placements })
    if (result.filters !== null) decision.blocked.push({ version: arm.version, indexes: result.unplaced, filters: result.filters })
  }
  return { ...decision, wakeAt: earliest(wakes) }
}

const OVERDUE_CAUSE = 'not healthy before its deadline'

/** How many may be missing and how many may be added, for a group of `total` tasks. */
function budgetOf(view: GroupView, total: number): { unavailableMax: number; surgeMax: number } {
  const version = view.arms[0]?.version
  const spec = version === undefined ? undefined : view.specs.get(version)
  if (!spec) return { unavailableMax: total, surgeMax: 0 }
  const unavailableMax = amountOf(spec.maxUnavailable, total, 'down')
  const surgeMax = amountOf(spec.maxSurge, total, 'up')
  // Two tasks cannot hold one static port, so such a group is replaced in place.
  if (Object.values(spec.container.ports).some((port) => port > 0)) return { unavailableMax: Math.max(1, unavailableMax), surgeMax: 0 }
  return surgeMax === 0 ? { unavailableMax: Math.max(1, unavailableMax), surgeMax } : { unavailableMax, surgeMax }
}

/** Tasks of services leave a drained node; those of batch jobs run to their end there. */
function isMoving(view: GroupView, task: TaskRow): boolean {
  return view.job.kind === 'service' && view.draining.has(task.node)
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
function keepSpread(tasks: readonly TaskRow[], count: number, regionOf: ReadonlyMap<string, string>): TaskRow[] {
  if (tasks.length <= count) return [...tasks]
  const kept: TaskRow[] = []
  const rest = [...tasks]
  const inRegion = new Map<string, number>()
  const onNode = new Map<string, number>()
  while (kept.length < count) {
    const cost = (task: TaskRow): number[] => [
      isReady(task) ? 0 : 1,
      inRegion.get(regionOf.get(task.node) ?? '') ?? 0,
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
    const region = regionOf.get(task.node) ?? ''
    inRegion.set(region, (inRegion.get(region) ?? 0) + 1)
    onNode.set(task.node, (onNode.get(task.node) ?? 0) + 1)
  }
  return kept
}

/** Which excess tasks go now. `availableMin`: so many tasks must stay available (I1). */
function stopsOf(
  view: GroupView,
  kept: readonly TaskRow[],
  excess: readonly TaskRow[],
  availableMin: number,
  now: number,
): { byCause: Map<string, number[]>; freed: number; wakeAt: number | null } {
  const byCause = new Map<string, number[]>()
  const matured = kept.filter((task) => isReady(task) && maturesAt(view, task) <= now).length
  let available = matured + excess.filter(isReady).length
  let freed = 0
  const order = [...excess].sort((a, b) => compare([isReady(a) ? 1 : 0, a.version, -a.idx], [isReady(b) ? 1 : 0, b.version, -b.idx]))
  for (const task of order) {
    if (isReady(task)) {
      if (available - 1 < availableMin) continue
      available -= 1
    }
    const cause = isMoving(view, task)
      ? `drain of ${task.node}`
      : view.arms.some((arm) => arm.version === task.version)
        ? 'too many'
        : view.arms.length === 0
          ? 'no longer wanted'
          : `replaced by version ${view.arms.map((arm) => arm.version).join(', ')}`
    byCause.set(cause, [...(byCause.get(cause) ?? []), task.id])
    freed += 1
  }
  const waits =
    freed < excess.length ? kept.map((task) => (isReady(task) && maturesAt(view, task) > now ? maturesAt(view, task) : null)) : []
  return { byCause, freed, wakeAt: earliest(waits) }
}

/** When a serving task has served long enough to count as available. */
function maturesAt(view: GroupView, task: TaskRow): number {
  return (task.healthy_since ?? 0) + (view.specs.get(task.version)?.minHealthyMs ?? 0)
}

function isFailure(view: GroupView, task: TaskRow): boolean {
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
