import type { ReadDb } from '../../contracts/storage.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { isSystem } from '../job-kind.ts'
import { fleetFacts, groupView, type FleetFacts } from '../controllers/group-view.ts'
import { barredNodes, nodesFor } from '../controllers/per-node.ts'
import { preemptionsFor } from '../controllers/preemptor.ts'
import { reconcileGroup, type GroupDecision, type GroupView } from '../controllers/reconcile-group.ts'
import type { GroupSpec, JobSpec } from '../job-spec.ts'
import { armRows, groupRow, groupRows, groupSpecOf, jobRow, specOf, versionRow, type ArmRow, type JobRow } from '../rows.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { unknownIn } from '../scheduler/unknown-values.ts'
import type { Preemption } from '../scheduler/preempt.ts'
import { totalOf } from '../ops/budget.ts'
import { unmetAfter } from './after.ts'
import { jobCounts } from './group-counts.ts'
import { plannedStops, type PlannedStops } from './planned-stops.ts'

/** How many tasks of which version each group is to have. */
export type Targets = ReadonlyMap<string, readonly Pick<ArmRow, 'arm' | 'version' | 'count'>[]>

/** What becomes of one group when a job document is run. */
export interface GroupPlan {
  group: GroupSpec
  action: 'start' | 'replace' | 'in-place' | 'none' | 'scale' | 'stop'
  /** tasks it wants, of all versions */
  count: number
  running: number
  /** the first round: what would be started before anything old is stopped */
  decision: GroupDecision
  preemptions: Preemption[]
  /** which tasks go, in that round and later */
  stops: PlannedStops
  /** what it names and no node has, as sentences */
  unknown: string[]
}

/**
 * What running `spec` on the state as it is would do, group by group; `isSame`: its document is the one that runs. Counts
 * the image down, also by what groups that come first are about to place, so that what is free on it afterwards stays free.
 * @param targets how many tasks of which version a group is to have, where it is not simply the new one's count
 */
export function planOf(
  db: ReadDb,
  image: FleetImage,
  spec: JobSpec,
  isSame: boolean,
  now: number,
  targets: Targets = new Map(),
): GroupPlan[] {
  const facts = fleetFacts(db, image)
  const job = jobRow(db, spec.job)
  planAhead(db, facts, spec, now)
  return spec.groups.map((group) => {
    const { view, isInPlace, count } = viewAfter(db, job, spec, group, isSame, facts, now, targets.get(group.name))
    const action = actionOf(view.live.length > 0, isSame || isInPlace, isSame, count === totalOf(view))
    return { group, action, ...decided(db, image, spec.priority, view, now), unknown: unknownIn(image, group) }
  })
}

/**
 * What other counts would do to groups of a job that runs, as {@link planOf}; groups that keep theirs are left out.
 * @param targets what each group is to have; of a job that stops nothing
 */
export function rescaledPlan(db: ReadDb, image: FleetImage, job: JobRow, targets: Targets, now: number): GroupPlan[] {
  const facts = fleetFacts(db, image)
  planAhead(db, facts, { job: job.name, priority: job.priority }, now)
  return groupRows(db, job.name).flatMap((row) => {
    const arms = targets.get(row.name)?.map((arm) => ({ ...arm, job: job.name, grp: row.name }))
    const version = arms?.[0]?.version ?? armRows(db, job.name, row.name)[0]?.version ?? job.current_version
    const group = groupSpecOf(specOf(db, job.name, version), row.name)
    if (arms === undefined || group === undefined) return []
    const base = groupView(db, job, row, facts, now)
    const wanted = arms.filter((arm) => arm.count > 0)
    const unmet = base.live.length > 0 ? [] : unmetAfter(db, job.name, group, version)
    const view: GroupView = {
      ...base,
      arms: wanted,
      specs: new Map([...base.specs, [version, group]]),
      waits: new Map(unmet.length === 0 ? [] : [[version, unmet]]),
    }
    const isSame = totalOf(base) === totalOf(view)
    const action = wanted.length === 0 ? 'stop' : isSame ? 'none' : 'scale'
    return [{ group, action, ...decided(db, image, job.priority, view, now), unknown: [] }]
  })
}

function decided(
  db: ReadDb,
  image: FleetImage,
  priority: number,
  view: GroupView,
  now: number,
): Pick<GroupPlan, 'count' | 'running' | 'decision' | 'preemptions' | 'stops'> {
  const decision = reconcileGroup(view, image, now)
  const wanting = decision.blocked.filter(({ request }) => request.group.preempts)
  return {
    count: totalOf(view),
    running: view.live.filter((task) => task.want === 'run').length,
    decision,
    preemptions: wanting.flatMap(({ request }) => preemptionsFor(db, image, priority, request)),
    stops: plannedStops(view, decision, now),
  }
}

/** Groups of jobs that are looked at before this one and have something to do: they take their places first. */
function planAhead(db: ReadDb, facts: FleetFacts, spec: Pick<JobSpec, 'job' | 'priority'>, now: number): void {
  const busy = jobCounts(db).filter((it) => it.state === 'running' && it.job !== spec.job && (it.pending > 0 || it.leftover > 0))
  const isAhead = (it: { priority: number; job: string }): boolean =>
    it.priority > spec.priority || (it.priority === spec.priority && it.job < spec.job)
  for (const it of busy.filter(isAhead).sort((a, b) => b.priority - a.priority || (a.job < b.job ? -1 : 1))) {
    const job = jobRow(db, it.job)
    if (!job) continue
    for (const group of groupRows(db, it.job)) reconcileGroup(groupView(db, job, group, facts, now), facts.image, now)
  }
}

/** The group as it would be right after the run. */
function viewAfter(
  db: ReadDb,
  job: JobRow | undefined,
  spec: JobSpec,
  group: GroupSpec,
  isSame: boolean,
  facts: FleetFacts,
  now: number,
  target: readonly Pick<ArmRow, 'arm' | 'version' | 'count'>[] | undefined,
): { view: GroupView; isInPlace: boolean; count: number | undefined } {
  const row = job && groupRow(db, spec.job, group.name)
  const current = job && armRows(db, spec.job, group.name).find((arm) => arm.arm === 'primary')
  const before = current && groupSpecOf(specOf(db, spec.job, current.version), group.name)
  const isInPlace =
    before !== undefined &&
    job !== undefined &&
    versionRow(db, spec.job, job.current_version)?.release === null &&
    canonicalJson(before.container) === canonicalJson(group.container)
  const version = isSame && current ? current.version : (job?.last_version ?? 0) + 1
  const base = job && row ? groupView(db, job, row, facts, now) : newGroup(spec, group, facts)
  const live = isInPlace
    ? base.live.map((task) => (task.version === current?.version && task.want === 'run' ? { ...task, version } : task))
    : base.live
  // Of one task per node the nodes say how many, a moment after the run.
  const perNode = isSystem(spec.kind) ? nodesFor(db, { name: spec.job, kind: spec.kind }, group, facts) : null
  const arms = (target ?? [{ arm: 'primary' as const, version, count: group.count }]).map((arm) => ({
    job: spec.job,
    grp: group.name,
    ...arm,
    count: perNode !== null && arm.arm === 'primary' ? perNode : arm.count,
  }))
  const unmet = live.length > 0 ? [] : unmetAfter(db, spec.job, group, version)
  const view: GroupView = {
    ...base,
    job: { name: spec.job, kind: spec.kind },
    arms: arms.filter((arm) => arm.count > 0),
    specs: new Map([...base.specs, [version, group]]),
    live,
    entitlementOf: (of) => (of === version ? spec.entitlement : base.entitlementOf(of)),
    waits: isSame ? base.waits : new Map(unmet.length === 0 ? [] : [[version, unmet]]),
    barred: isSystem(spec.kind) ? barredNodes(live, group, facts.image) : new Set(),
  }
  return { view, isInPlace, count: current?.count }
}

function newGroup(spec: JobSpec, group: GroupSpec, facts: FleetFacts): GroupView {
  return {
    job: { name: spec.job, kind: spec.kind },
    group: group.name,
    arms: [],
    specs: new Map(),
    live: [],
    ended: [],
    ops: [],
    opTasks: new Map(),
    leaving: new Set(),
    draining: facts.draining,
    regionOf: facts.regionOf,
    away: new Map(),
    rejectedAt: null,
    retriedAt: null,
    waits: new Map(),
    allowance: facts.allowance,
    entitlementOf: () => spec.entitlement,
    barred: new Set(),
  }
}

function actionOf(isLive: boolean, isSameProcess: boolean, isSameDocument: boolean, isSameCount: boolean): GroupPlan['action'] {
  if (!isLive) return 'start'
  if (!isSameProcess) return 'replace'
  if (!isSameCount) return 'scale'
  return isSameDocument ? 'none' : 'in-place'
}
