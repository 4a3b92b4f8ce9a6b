import type { ReadDb } from '../../contracts/storage.ts'
import type { GroupSpec } from '../job-spec.ts'
import { armRows, groupSpecOf, specOf, type GroupRow, type JobRow, type NodeRow } from '../rows.ts'
import { completedTasks, endedTasks, liveTasks } from '../tasks/read.ts'
import { FAILURE_MEMORY_MS, type GroupView } from './reconcile-group.ts'

/** What all groups share in one decision. */
export interface FleetFacts {
  draining: ReadonlySet<string>
  regionOf: ReadonlyMap<string, string>
}

export function fleetFacts(db: ReadDb): FleetFacts {
  return {
    draining: new Set(db.all<{ node: string }>('SELECT node FROM tw_drain WHERE finished_at IS NULL').map((row) => row.node)),
    regionOf: new Map(db.all<Pick<NodeRow, 'name' | 'region'>>('SELECT name, region FROM tw_node').map((row) => [row.name, row.region])),
  }
}

export function groupView(db: ReadDb, job: JobRow, group: GroupRow, facts: FleetFacts, now: number): GroupView {
  const arms = armRows(db, job.name, group.name).filter((arm) => arm.count > 0)
  const live = liveTasks(db, job.name, group.name)
  const recent = endedTasks(db, job.name, group.name, now - FAILURE_MEMORY_MS)
  const ended =
    job.kind === 'batch'
      ? [...recent.filter((task) => task.state !== 'complete'), ...completedTasks(db, job.name, group.name)].sort((a, b) => a.id - b.id)
      : recent
  const specs = new Map<number, GroupSpec>()
  for (const version of new Set([...arms.map((arm) => arm.version), ...live.map((task) => task.version)])) {
    const spec = groupSpecOf(specOf(db, job.name, version), group.name)
    if (spec) specs.set(version, spec)
  }
  return { job, group: group.name, arms, specs, live, ended, ...facts, rejectedAt: group.rejected_at }
}
