import type { ReadDb } from '../../contracts/storage.ts'
import type { JobRow } from '../rows.ts'

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

interface CountRow {
  job: string
  grp: string
  version: number
  active: number
  running: number
  ready: number
  stopping: number
  complete: number
  restarts: number
}

/** Every job by name. */
export function jobCounts(db: ReadDb): JobCounts[] {
  const tasks = Map.groupBy(countRows(db), (row) => row.job)
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
      const have = (row?.active ?? 0) + (job.kind === 'batch' ? (row?.complete ?? 0) : 0)
      counts.pending += Math.max(0, arm.count - have)
    }
    return counts
  })
}

function countRows(db: ReadDb): CountRow[] {
  return db.all<CountRow>(
    `SELECT job, grp, version, sum(is_terminal = 0 AND want = 'run') AS active, sum(state = 'running' AND want = 'run') AS running,
       sum(state = 'running' AND want = 'run' AND health IN ('healthy', 'none')) AS ready, sum(is_terminal = 0 AND want = 'stop') AS stopping,
       sum(state = 'complete') AS complete, sum(CASE WHEN is_terminal = 0 THEN restarts ELSE 0 END) AS restarts
     FROM tw_task GROUP BY job, grp, version`,
  )
}
