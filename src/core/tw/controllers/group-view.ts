import type { ReadDb } from '../../contracts/storage.ts'
import { allowanceOf, type Allowance } from '../entitlements/allowance.ts'
import { standingOf } from '../ops/standing.ts'
import { specOf, type DrainRow, type GroupRow, type JobRow, type NodeRow } from '../rows.ts'
import { completedTasks, endedTasks, taskRow } from '../tasks/read.ts'
import { FAILURE_MEMORY_MS, type GroupView } from './reconcile-group.ts'

/** What all groups share in one decision. */
export interface FleetFacts {
  draining: ReadonlyMap<string, DrainRow>
  regionOf: ReadonlyMap<string, string>
  /** what owners may still place, counted down group by group */
  allowance: Allowance
}

export function fleetFacts(db: ReadDb): FleetFacts {
  return {
    draining: new Map(db.all<DrainRow>('SELECT * FROM tw_drain WHERE finished_at IS NULL').map((row) => [row.node, row])),
    regionOf: new Map(db.all<Pick<NodeRow, 'name' | 'region'>>('SELECT name, region FROM tw_node').map((row) => [row.name, row.region])),
    allowance: allowanceOf(db),
  }
}

export function groupView(db: ReadDb, job: JobRow, group: GroupRow, facts: FleetFacts, now: number): GroupView {
  const standing = standingOf(db, job.name, group.name)
  const recent = endedTasks(db, job.name, group.name, now - FAILURE_MEMORY_MS)
  const ended =
    job.kind === 'batch'
      ? [...recent.filter((task) => task.state !== 'complete'), ...completedTasks(db, job.name, group.name)].sort((a, b) => a.id - b.id)
      : recent
  const opTasks = new Map(
    standing.ops.flatMap((op) => (op.state === 'allowed' ? (taskRow(db, op.task) ?? []) : [])).map((task) => [task.id, task]),
  )
  const entitlementOf = (version: number): string | null => specOf(db, job.name, version).entitlement
  return { job, group: group.name, ...standing, ended, opTasks, ...facts, entitlementOf, rejectedAt: group.rejected_at }
}
