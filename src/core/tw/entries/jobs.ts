import { z } from 'zod'
import { defineEntry, type EntryMeta } from '../../contracts/entry.ts'
import { must } from '../../kernel/assert.ts'
import { insertGroupCharges } from '../entitlements/tables.ts'
import { canonicalJson } from '../../kernel/json.ts'
import type { Db, ReadDb } from '../../contracts/storage.ts'
import { completeJob, type JobSpec } from '../job-spec.ts'
import { armRows, groupSpecOf, jobRow, specOf, versionRow } from '../rows.ts'
import { insertPatience } from '../tasks/away.ts'
import { isRecurring, isRunName } from '../runs/run-spec.ts'
import { markRun } from '../runs/mark.ts'
import { addEvent } from '../tasks/events.ts'
import { dropTasksOf } from '../tasks/forget.ts'
import { liveTasks } from '../tasks/read.ts'
import { changeTask } from '../tasks/write.ts'
import { because, note } from './marks.ts'

/** A version of a job exists from here on, and never changes. It runs only where an `UpdateTargetSet` says so. */
export const jobSubmitted = defineEntry({
  type: 'tw.JobSubmitted',
  body: z.object({
    job: z.string(),
    version: z.int(),
    /** as the user wrote it */
    document: z.record(z.string(), z.unknown()),
    /** resolved: {@link JobSpec} */
    spec: z.custom<JobSpec>((value) => typeof value === 'object' && value !== null),
    release: z.string().nullable(),
    reason: z.string(),
    /** false: kept for a rollout, not started */
    isStarted: z.boolean(),
  }),
  notable: (body) =>
    body.isStarted
      ? note(
          'job',
          `${body.job} v${body.version}`,
          firstService(body.spec),
          `job ${body.job} version ${body.version} submitted${because(body.reason)}`,
        )
      : null,
  apply: (db, body, meta) => {
    db.run(
      'INSERT INTO tw_job_version (job, version, document, spec, release, reason, author, at, position) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      body.job,
      body.version,
      canonicalJson(body.document),
      canonicalJson(body.spec),
      body.release,
      body.reason,
      meta.actor,
      meta.at,
      meta.position,
    )
    insertPatience(db, body.job, body.version, body.spec)
    insertGroupCharges(db, body.version, completeJob(body.spec))
    if (!body.isStarted) {
      db.run('UPDATE tw_job SET last_version = ?, changed_at = ? WHERE name = ?', body.version, meta.at, body.job)
      return
    }
    db.run(
      `INSERT INTO tw_job (name, kind, priority, state, current_version, last_version, owner, changed_at) VALUES (?, ?, ?, 'running', ?, ?, NULL, ?)
       ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, priority = excluded.priority, state = 'running',
         current_version = excluded.current_version, last_version = excluded.last_version, changed_at = excluded.changed_at`,
      body.job,
      body.spec.kind,
      body.spec.priority,
      body.version,
      body.version,
      meta.at,
    )
    setRecurring(db, completeJob(body.spec), meta)
  },
})

/** The clock of a job follows its running version: a new version's is read from its submission on. */
function setRecurring(db: Db, spec: JobSpec, meta: EntryMeta): void {
  if (!isRecurring(spec)) {
    db.run('DELETE FROM tw_recurring WHERE job = ?', spec.job)
    return
  }
  db.run(
    `INSERT INTO tw_recurring (job, is_periodic, is_paused, after_at, due, next_at, queued_at, note) VALUES (?, ?, 0, ?, '[]', NULL, NULL, NULL)
     ON CONFLICT (job) DO UPDATE SET is_periodic = excluded.is_periodic, after_at = excluded.after_at, due = '[]', next_at = NULL, note = NULL`,
    spec.job,
    spec.periodic === null ? 0 : 1,
    meta.at,
  )
}

export const jobStopped = defineEntry({
  type: 'tw.JobStopped',
  body: z.object({ job: z.string(), reason: z.string() }),
  notable: (body, db) => note('job', body.job, serviceOfJob(db, body.job), `job ${body.job} stopped${because(body.reason)}`),
  apply: (db, body, meta) => {
    db.run("UPDATE tw_job SET state = 'stopped', owner = NULL, changed_at = ? WHERE name = ?", meta.at, body.job)
    db.run('UPDATE tw_arm SET count = 0 WHERE job = ?', body.job)
    db.run('DELETE FROM tw_recurring WHERE job = ?', body.job)
    db.run('DELETE FROM tw_update WHERE job = ?', body.job)
    markRun(db, body.job)
  },
})

/** Tables with rows of one job; versions are counted from 1 again, so nothing of the old ones may stay. */
const OF_JOB = ['tw_job_version', 'tw_group', 'tw_group_charge', 'tw_patience', 'tw_arm', 'tw_op', 'tw_rejected'] as const

/** Everything the tables have of a stopped job goes; volumes stay, and the log keeps its story. */
export const jobPurged = defineEntry({
  type: 'tw.JobPurged',
  body: z.object({ job: z.string(), reason: z.string() }),
  notable: (body) => (isRunName(body.job) ? null : note('job', body.job, null, `job ${body.job} purged${because(body.reason)}`)),
  apply: (db, body) => {
    if (purgeProblem(db, body.job) !== null) return
    const runs = db.all<{ name: string }>('SELECT name FROM tw_run WHERE job = ?', body.job)
    for (const job of [...runs.map((run) => run.name), body.job]) {
      dropTasksOf(db, job)
      db.run('DELETE FROM tw_job WHERE name = ?', job)
      for (const table of OF_JOB) db.run(`DELETE FROM ${table} WHERE job = ?`, job)
      db.run('DELETE FROM tw_run WHERE name = ?', job)
    }
  },
})

/** What stands against purging a job, or null: it must be stopped, its runs too, and every process reported gone. */
export function purgeProblem(db: ReadDb, job: string): string | null {
  const runs = db.all<{ name: string }>('SELECT name FROM tw_run WHERE job = ?', job).map((run) => run.name)
  for (const name of [job, ...runs]) {
    if (jobRow(db, name)?.state === 'running') return `the job ${name} runs`
    const task = db.get<{ id: number; node: string }>('SELECT id, node FROM tw_task WHERE job = ? AND is_reaped = 0 LIMIT 1', name)
    if (task) return `a process of ${name} may still run on ${task.node}`
  }
  return null
}

/** The nodes say how many tasks a group of a `system` or `sysbatch` job has: its primary arm follows them. */
export const groupSized = defineEntry({
  type: 'tw.GroupSized',
  body: z.object({ job: z.string(), group: z.string(), count: z.int().min(0) }),
  apply: (db, body) => {
    db.run("UPDATE tw_arm SET count = ? WHERE job = ? AND grp = ? AND arm = 'primary'", body.count, body.job, body.group)
    db.run('UPDATE tw_group SET count = ? WHERE job = ? AND name = ?', body.count, body.job, body.group)
  },
})

/** Failures so far are forgiven: what waits for its back-off, or was given up, is tried again at once. */
export const backoffReset = defineEntry({
  type: 'tw.BackoffReset',
  body: z.object({ job: z.string(), group: z.string(), reason: z.string() }),
  apply: (db, body, meta) => {
    db.run('UPDATE tw_group SET retried_at = ?, rejected_at = NULL WHERE job = ? AND name = ?', meta.at, body.job, body.group)
    markRun(db, body.job)
  },
})

/** How many tasks of which version a group should have, per arm; with an owner, nobody else may change it. */
export const updateTargetSet = defineEntry({
  type: 'tw.UpdateTargetSet',
  body: z.object({
    job: z.string(),
    group: z.string(),
    owner: z.string().nullable(),
    arms: z.array(z.object({ arm: z.enum(['primary', 'canary']), version: z.int(), count: z.int().min(0) })),
    /** the group's own count, without surge and canaries; null: unchanged */
    count: z.int().min(0).nullable(),
    reason: z.string(),
  }),
  apply: (db, body, meta) => {
    const job = jobRow(db, body.job)
    if (!job) return
    if (body.owner === null && body.arms.length === 1) adoptTasks(db, body.job, body.group, must(body.arms[0], 'the arm').version, meta)
    db.run('DELETE FROM tw_arm WHERE job = ? AND grp = ?', body.job, body.group)
    for (const arm of body.arms) {
      db.run(
        'INSERT INTO tw_arm (job, grp, arm, version, count) VALUES (?, ?, ?, ?, ?)',
        body.job,
        body.group,
        arm.arm,
        arm.version,
        arm.count,
      )
    }
    if (body.count !== null) {
      db.run(
        'INSERT INTO tw_group (job, name, count, rejected_at) VALUES (?, ?, ?, NULL) ON CONFLICT (job, name) DO UPDATE SET count = excluded.count',
        body.job,
        body.group,
        body.count,
      )
    }
    // A rollout that takes the job over has its own idea of the way.
    if (body.owner !== null || body.arms.length === 0) db.run('DELETE FROM tw_update WHERE job = ? AND grp = ?', body.job, body.group)
    const primary = body.arms.find((arm) => arm.arm === 'primary')
    db.run(
      'UPDATE tw_job SET owner = ?, current_version = ?, changed_at = ? WHERE name = ?',
      body.owner,
      primary?.version ?? job.current_version,
      meta.at,
      body.job,
    )
    forgetEmptyGroup(db, body.job, body.group)
  },
})

/**
 * In place: tasks of the version that was primary already run exactly what the new one wants (only counts, budgets,
 * placement or labels differ), so they become its tasks without a restart.
 */
function adoptTasks(db: Db, job: string, group: string, version: number, meta: EntryMeta): void {
  const before = armRows(db, job, group).find((arm) => arm.arm === 'primary')
  if (before === undefined || before.version === version || !runsTheSame(db, job, group, before.version, version)) return
  for (const task of liveTasks(db, job, group)) {
    if (task.version !== before.version || task.want !== 'run') continue
    changeTask(db, task.id, { version })
    addEvent(db, task.id, meta, `goes on as version ${version}: its process stays as it is`)
  }
}

/** Whether a task of one version is, as a process, a task of the other. */
export function runsTheSame(db: ReadDb, job: string, group: string, from: number, to: number): boolean {
  const [a, b] = [versionRow(db, job, from), versionRow(db, job, to)]
  if (!a || !b || a.release !== b.release) return false
  const [before, after] = [groupSpecOf(specOf(db, job, from), group), groupSpecOf(specOf(db, job, to), group)]
  return before !== undefined && after !== undefined && canonicalJson(before.container) === canonicalJson(after.container)
}

/** A group that no arm names and no task belongs to any more is gone from the job. */
function forgetEmptyGroup(db: Db, job: string, group: string): void {
  db.run(
    `DELETE FROM tw_group WHERE job = ? AND name = ? AND NOT EXISTS (SELECT 1 FROM tw_arm WHERE job = ? AND grp = ?)
      AND NOT EXISTS (SELECT 1 FROM tw_task WHERE job = ? AND grp = ? AND is_terminal = 0)`,
    job,
    group,
    job,
    group,
    job,
    group,
  )
}

function firstService(spec: JobSpec): string | null {
  return spec.groups.flatMap((group) => group.services)[0]?.name ?? null
}

/** The first service of a job, for marks; null when it has none. */
export function serviceOfJob(db: ReadDb, job: string): string | null {
  return db.get<{ name: string }>('SELECT name FROM tw_mesh_service WHERE job = ? ORDER BY name', job)?.name ?? null
}

export const JOB_ENTRIES = [jobSubmitted, jobStopped, jobPurged, groupSized, backoffReset, updateTargetSet] as const
