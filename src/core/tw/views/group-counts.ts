import type { ReadDb } from '../../contracts/storage.ts'
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
      const have = (row?.active ?? 0) + (job.kind === 'batch' || job.kind === 'sysbatch' ? (row?.complete ?? 0) : 0)
      counts.pending += Math.max(0, arm.count - have)
    }
    return counts
  })
}

/** Jobs whose missing tasks are explained at once; each costs a plan. */
const EXPLAINED_MAX = 5

/** Jobs that run and miss tasks, the most important first, at most so many as may be explained; of one job it alone. */
export function pendingJobs(db: ReadDb, job?: string): string[] {
  return jobCounts(db)
    .filter((it) => it.pending > 0 && it.state === 'running' && (job === undefined || it.job === job))
    .toSorted((a, b) => b.priority - a.priority)
    .slice(0, EXPLAINED_MAX)
    .map((it) => it.job)
}
