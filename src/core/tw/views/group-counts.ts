import type { ReadDb } from '../../contracts/storage.ts'
import { nodesInService } from '../entitlements/domains.ts'
import type { JobRow } from '../rows.ts'
import { tallyRows } from '../tasks/tally.ts'

/** How a job's tasks stand, summed over its groups and arms. */
export interface JobCounts {
  job: string
  kind: JobRow['kind']
  priority: number
  state: JobRow['state']
  version: number
  owner: string | null
  /** wanted by all arms */
  wanted: number
  /** live and not stopping, of a version that is wanted */
  placed: number
  running: number
  /** running, and healthy or without a check */
  healthy: number
  /** wanted and nowhere: without a place, or waiting for a next try */
  pending: number
  /** live, of a version nobody wants any more or stopping */
  leftover: number
  restarts: number
}

/** Every job by name. */
export function jobCounts(db: ReadDb): JobCounts[] {
  const tasks = Map.groupBy(tallyRows(db), (row) => row.job)
  const arms = Map.groupBy(
    db.all<{ job: string; grp: string; version: number; count: number }>('SELECT job, grp, version, count FROM tw_arm ORDER BY job'),
    (row) => row.job,
  )
  return db.all<JobRow>('SELECT * FROM tw_job ORDER BY name').map((job) => {
    const wants = arms.get(job.name) ?? []
    const counts: JobCounts = {
      job: job.name,
      kind: job.kind,
      priority: job.priority,
      state: job.state,
      version: job.current_version,
      owner: job.owner,
      wanted: wants.reduce((sum, arm) => sum + arm.count, 0),
      placed: 0,
      running: 0,
      healthy: 0,
      pending: 0,
      leftover: 0,
      restarts: 0,
    }
    const rows = tasks.get(job.name) ?? []
    for (const row of rows) {
      const isWanted = wants.some((arm) => arm.grp === row.grp && arm.version === row.version && arm.count > 0)
      if (isWanted) {
        counts.placed += row.active
        counts.running += row.running
        counts.healthy += row.ready
        counts.restarts += row.restarts
      } else counts.leftover += row.active
      counts.leftover += row.stopping
    }
    for (const arm of wants) {
      const row = rows.find((candidate) => candidate.grp === arm.grp && candidate.version === arm.version)
      // Of a service only those run to their end that others wait for; what has ended so is wanted no more.
      counts.pending += Math.max(0, arm.count - (row?.active ?? 0) - (row?.complete ?? 0))
    }
    return counts
  })
}

/** Groups that miss tasks, the most important first. */
export interface PendingCount {
  job: string
  group: string
  priority: number
  count: number
}

/** Groups of running jobs, or of one, that want more tasks than they have. */
export function pendingGroups(db: ReadDb, job?: string): PendingCount[] {
  const tallies = new Map(tallyRows(db).map((row) => [`${row.job}/${row.grp}@${row.version}`, row]))
  const groups = new Map<string, PendingCount>()
  const arms = db.all<{ job: string; grp: string; version: number; count: number; priority: number }>(
    `SELECT a.job, a.grp, a.version, a.count, j.priority FROM tw_arm a JOIN tw_job j ON j.name = a.job
     WHERE j.state = 'running' AND (? IS NULL OR a.job = ?) ORDER BY j.priority DESC, a.job, a.grp`,
    job ?? null,
    job ?? null,
  )
  for (const arm of arms) {
    const row = tallies.get(`${arm.job}/${arm.grp}@${arm.version}`)
    const count = arm.count - (row?.active ?? 0) - (row?.complete ?? 0)
    if (count <= 0) continue
    const name = `${arm.job}/${arm.grp}`
    const before = groups.get(name)?.count ?? 0
    groups.set(name, { job: arm.job, group: arm.grp, priority: arm.priority, count: before + count })
  }
  return [...groups.values()]
}

/** A plan of so many nodes and tasks is made for a question; of more, the controllers' last word is asked for. */
const PLANNED_NODES_MAX = 200
const PLANNED_TASKS_MAX = 5000

/** Whether all groups may be planned anew to answer a question. */
export function isSmall(db: ReadDb): boolean {
  const nodes = nodesInService(db)
  return nodes <= PLANNED_NODES_MAX && (db.get<{ n: number }>('SELECT sum(count) AS n FROM tw_arm')?.n ?? 0) <= PLANNED_TASKS_MAX
}
