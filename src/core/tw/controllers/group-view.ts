import type { ReadDb } from '../../contracts/storage.ts'
import { standingOf } from '../ops/standing.ts'
import { jobRow, type DrainRow, type GroupRow, type JobRow } from '../rows.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { completedTasks, endedTasks, taskRow, tasksOnNode } from '../tasks/read.ts'
import { isSystem } from './drainer.ts'
import { FAILURE_MEMORY_MS, type Draining, type GroupView } from './reconcile-group.ts'

/** What all groups share in one decision. */
export interface FleetFacts {
  draining: ReadonlyMap<string, Draining>
  regionOf: GroupView['regionOf']
}

export function fleetFacts(db: ReadDb, image: FleetImage): FleetFacts {
  return {
    draining: new Map(
      db
        .all<DrainRow>('SELECT * FROM tw_drain WHERE finished_at IS NULL')
        .map((row) => [row.node, { ...row, hasOthers: hasOthers(db, row.node) }]),
    ),
    regionOf: (name) => {
      const node = image.indexOf(name)
      return node === undefined ? '' : (image.attribute(node, 'region') ?? '')
    },
  }
}

function hasOthers(db: ReadDb, node: string): boolean {
  return tasksOnNode(db, node).some((task) => !isSystem(jobRow(db, task.job)?.kind ?? ''))
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
  return { job, group: group.name, ...standing, ended, opTasks, ...facts, rejectedAt: group.rejected_at }
}
