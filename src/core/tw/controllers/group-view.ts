import type { ReadDb } from '../../contracts/storage.ts'
import type { GroupSpec } from '../job-spec.ts'
import { openOps } from '../ops/op-row.ts'
import {
  armRows,
  groupSpecOf,
  liveTasks,
  specOf,
  taskRow,
  type DrainRow,
  type GroupRow,
  type JobRow,
  type NodeRow,
  type TaskRow,
} from '../rows.ts'
import { FAILURE_MEMORY_MS, type GroupView } from './reconcile-group.ts'

/** What all groups share in one decision. */
export interface FleetFacts {
  draining: ReadonlyMap<string, DrainRow>
  regionOf: ReadonlyMap<string, string>
}

export function fleetFacts(db: ReadDb): FleetFacts {
  return {
    draining: new Map(db.all<DrainRow>('SELECT * FROM tw_drain WHERE finished_at IS NULL').map((row) => [row.node, row])),
    regionOf: new Map(db.all<Pick<NodeRow, 'name' | 'region'>>('SELECT name, region FROM tw_node').map((row) => [row.name, row.region])),
  }
}

export function groupView(db: ReadDb, job: JobRow, group: GroupRow, facts: FleetFacts, now: number): GroupView {
  const arms = armRows(db, job.name, group.name).filter((arm) => arm.count > 0)
  const live = liveTasks(db, job.name, group.name)
  const ended = db.all<TaskRow>(
    "SELECT * FROM tw_task WHERE job = ? AND grp = ? AND is_terminal = 1 AND (ended_at > ? OR (? = 'batch' AND state = 'complete')) ORDER BY id",
    job.name,
    group.name,
    now - FAILURE_MEMORY_MS,
    job.kind,
  )
  const specs = new Map<number, GroupSpec>()
  for (const version of new Set([...arms.map((arm) => arm.version), ...live.map((task) => task.version)])) {
    const spec = groupSpecOf(specOf(db, job.name, version), group.name)
    if (spec) specs.set(version, spec)
  }
  const ops = openOps(db, job.name, group.name)
  const opTasks = new Map(ops.flatMap((op) => (op.state === 'allowed' ? (taskRow(db, op.task) ?? []) : [])).map((task) => [task.id, task]))
  return { job, group: group.name, arms, specs, live, ended, ops, opTasks, ...facts, rejectedAt: group.rejected_at }
}
