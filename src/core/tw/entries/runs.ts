import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { insertGroupCharges } from '../entitlements/tables.ts'
import { jobRow, specOf, versionRow } from '../rows.ts'
import { insertPatience } from '../tasks/away.ts'
import { runName, runSpecOf } from '../runs/run-spec.ts'
import { because, nextOf, note } from './marks.ts'

/** What the clock of a job says next: due times in order, or why there are none. Everything due until `afterAt` is decided on. */
const schedule = z.object({ due: z.array(z.number()), afterAt: z.number(), note: z.string().nullable() })

export const runsScheduled = defineEntry({
  type: 'tw.RunsScheduled',
  body: z.object({
    job: z.string(),
    schedule,
    /** a due time that waits for the run before it to end */
    queuedAt: z.number().nullable(),
  }),
  apply: (db, body) => {
    db.run(
      'UPDATE tw_recurring SET due = ?, next_at = ?, after_at = ?, note = ?, queued_at = ? WHERE job = ?',
      canonicalJson(body.schedule.due),
      body.schedule.due[0] ?? null,
      body.schedule.afterAt,
      body.schedule.note,
      body.queuedAt,
      body.job,
    )
  },
})

/** One run of a recurring job begins: a job of its own, `JOB.N`, with one version made from the job's. */
export const runStarted = defineEntry({
  type: 'tw.RunStarted',
  body: z.object({
    job: z.string(),
    version: z.int(),
    cause: z.enum(['clock', 'queue', 'operator', 'dispatch']),
    dueAt: z.number().nullable(),
    token: z.string().nullable(),
    meta: z.record(z.string(), z.string()),
    payload: z.string().nullable(),
    reason: z.string(),
  }),
  apply: (db, body, meta) => {
    const job = jobRow(db, body.job)
    const version = versionRow(db, body.job, body.version)
    if (!job || !version) return
    const n = nextOf(db, `run/${body.job}`)
    const name = runName(body.job, n)
    const spec = runSpecOf(specOf(db, body.job, body.version), { name, dueAt: body.dueAt, meta: body.meta, payload: body.payload })
    db.run(
      `INSERT INTO tw_run (job, n, name, version, cause, due_at, token, meta, author, position, started_at, finished_at, outcome, reason, is_dirty)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?, ?)`,
      body.job,
      n,
      name,
      body.version,
      body.cause,
      body.dueAt,
      body.token,
      canonicalJson(body.meta),
      meta.actor,
      meta.position,
      meta.at,
      body.reason,
      spec.groups.every((group) => group.count === 0) ? 1 : 0,
    )
    db.run(
      'INSERT INTO tw_job_version (job, version, document, spec, release, reason, author, at, position) VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?)',
      name,
      version.document,
      canonicalJson(spec),
      version.release,
      body.reason,
      meta.actor,
      meta.at,
      meta.position,
    )
    insertPatience(db, name, 1, spec)
    insertGroupCharges(db, 1, spec)
    db.run(
      `INSERT INTO tw_job (name, kind, priority, state, current_version, last_version, owner, changed_at) VALUES (?, ?, ?, 'running', 1, 1, NULL, ?)`,
      name,
      spec.kind,
      spec.priority,
      meta.at,
    )
    for (const group of spec.groups) {
      db.run('INSERT INTO tw_group (job, name, count, rejected_at) VALUES (?, ?, ?, NULL)', name, group.name, group.count)
      db.run("INSERT INTO tw_arm (job, grp, arm, version, count) VALUES (?, ?, 'primary', 1, ?)", name, group.name, group.count)
    }
    if (body.cause === 'queue') db.run('UPDATE tw_recurring SET queued_at = NULL WHERE job = ?', body.job)
  },
})

/** A run has come to its end; its job is stopped and goes by age. */
export const runFinished = defineEntry({
  type: 'tw.RunFinished',
  body: z.object({ name: z.string(), outcome: z.enum(['complete', 'failed', 'stopped']), reason: z.string() }),
  notable: (body) =>
    body.outcome === 'failed' ? note('run-failed', body.name, null, `run ${body.name} failed${because(body.reason)}`) : null,
  apply: (db, body, meta) => {
    db.run(
      'UPDATE tw_run SET finished_at = ?, outcome = ?, reason = ? WHERE name = ? AND finished_at IS NULL',
      meta.at,
      body.outcome,
      body.reason,
      body.name,
    )
    db.run("UPDATE tw_job SET state = 'stopped', changed_at = ? WHERE name = ?", meta.at, body.name)
    db.run('UPDATE tw_arm SET count = 0 WHERE job = ?', body.name)
  },
})

/** The clock of a job, or its dispatch, stands still or goes on. What is due meanwhile is not made up for. */
export const jobPaused = defineEntry({
  type: 'tw.JobPaused',
  body: z.object({ job: z.string(), isPaused: z.boolean(), reason: z.string() }),
  notable: (body) => note('job', body.job, null, `runs of ${body.job} ${body.isPaused ? 'paused' : 'resumed'}${because(body.reason)}`),
  apply: (db, body, meta) => {
    db.run(
      "UPDATE tw_recurring SET is_paused = ?, after_at = ?, due = '[]', next_at = NULL, queued_at = NULL, note = NULL WHERE job = ?",
      body.isPaused ? 1 : 0,
      meta.at,
      body.job,
    )
  },
})

export const RUN_ENTRIES = [runsScheduled, runStarted, runFinished, jobPaused] as const
