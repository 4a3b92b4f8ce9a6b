import type { ReadDb } from '../../contracts/storage.ts'
import { allowanceOf, type Allowance } from '../entitlements/allowance.ts'
import { specInForce } from '../ops/budget.ts'
import { standingOf } from '../ops/standing.ts'
import { jobRow, specOf, type DrainRow, type GroupRow, type GroupTask, type JobRow } from '../rows.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { awayTasks } from '../tasks/away.ts'
import { isToEnd } from '../tasks/back-off.ts'
import { completedTasks, endedGroupTasks, taskRow, tasksOnNode } from '../tasks/read.ts'
import { unmetAfter } from '../views/after.ts'
import { isSystem } from '../job-kind.ts'
import { barredNodes } from './per-node.ts'
import { FAILURE_MEMORY_MS, type Draining, type GroupView } from './reconcile-group.ts'

/** What all groups share in one decision. */
export interface FleetFacts {
  image: FleetImage
  draining: ReadonlyMap<string, Draining>
  regionOf: GroupView['regionOf']
  /** what owners may still place, counted down group by group */
  allowance: Allowance
}

export function fleetFacts(db: ReadDb, image: FleetImage): FleetFacts {
  return {
    image,
    draining: new Map(db.all<DrainRow>('SELECT * FROM tw_drain WHERE finished_at IS NULL').map((row) => [row.node, drainingOf(db, row)])),
    regionOf: (name) => {
      const node = image.indexOf(name)
      return node === undefined ? '' : (image.attribute(node, 'region') ?? '')
    },
    allowance: allowanceOf(db),
  }
}

/** The tasks of its node are read when somebody asks: only system jobs do. */
function drainingOf(db: ReadDb, row: DrainRow): Draining {
  let known: boolean | null = null
  return {
    ...row,
    get hasOthers() {
      return (known ??= hasOthers(db, row.node))
    },
  }
}

function hasOthers(db: ReadDb, node: string): boolean {
  return tasksOnNode(db, node).some((task) => !isSystem(jobRow(db, task.job)?.kind))
}

export function groupView(db: ReadDb, job: JobRow, group: GroupRow, facts: FleetFacts, now: number): GroupView {
  const standing = standingOf(db, job.name, group.name)
  const specs = [...standing.specs.values()]
  const memoryMs = Math.max(FAILURE_MEMORY_MS, ...specs.map((spec) => (spec.reschedule.attempts === null ? 0 : spec.reschedule.intervalMs)))
  const recent: GroupTask[] = endedGroupTasks(db, job.name, group.name, now - memoryMs)
  const ended = specs.some(isToEnd)
    ? [...recent.filter((task) => task.state !== 'complete'), ...completedTasks(db, job.name, group.name)].sort((a, b) => a.id - b.id)
    : recent
  const opTasks = new Map(
    standing.ops.flatMap((op) => (op.state === 'allowed' ? (taskRow(db, op.task) ?? []) : [])).map((task) => [task.id, task]),
  )
  const inForce = specInForce(standing)
  return {
    job,
    group: group.name,
    ...standing,
    ended,
    opTasks,
    draining: facts.draining,
    regionOf: facts.regionOf,
    away: awayTasks(db, job.name, group.name),
    rejectedAt: group.rejected_at,
    retriedAt: group.retried_at,
    waits: waitsOf(db, job.name, { ...standing, ended }),
    allowance: facts.allowance,
    entitlementOf: (version) => specOf(db, job.name, version).entitlement,
    barred: isSystem(job.kind) && inForce ? barredNodes(standing.live, inForce, facts.image) : new Set(),
  }
}

/** Versions that may not start yet. One that has started once goes on, whatever became of the groups it waited for. */
function waitsOf(db: ReadDb, job: string, view: Pick<GroupView, 'arms' | 'specs' | 'live' | 'ended'>): Map<number, string[]> {
  const waits = new Map<number, string[]>()
  for (const { version } of view.arms) {
    const spec = view.specs.get(version)
    const hasStarted = [...view.live, ...view.ended].some((task) => task.version === version)
    const unmet = !spec || spec.after.length === 0 || hasStarted ? [] : unmetAfter(db, job, spec, version)
    if (unmet.length > 0) waits.set(version, unmet)
  }
  return waits
}
