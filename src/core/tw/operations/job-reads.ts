import { z } from 'zod'
import { defineQuery } from '../../contracts/operation.ts'
import { refuse } from '../../kernel/errors.ts'
import { documentDiff } from '../document-diff.ts'
import { fromJson, jobRow, versionRow, type JobRow, type VersionRow } from '../rows.ts'
import { standstillOf } from '../views/explain.ts'
import { jobStatus } from '../views/job-status.ts'
import { recurringSchema, recurringView } from '../views/recurring.ts'
import { tasksBySelector } from '../views/tasks.ts'
import { documentSchema, unknownJob } from './helpers.ts'
import { blockedSchema, statusSchema, taskSchema } from './schemas.ts'

export const diffSchema = z.array(z.object({ path: z.string(), before: z.string().nullable(), after: z.string().nullable() }))
const versionSchema = z.object({
  version: z.int(),
  release: z.string().nullable(),
  reason: z.string(),
  author: z.string(),
  atMs: z.number(),
  isCurrent: z.boolean(),
  /** what it changed of the version before it; null when not asked for */
  changes: diffSchema.nullable(),
})

export const jobList = defineQuery({
  name: 'tw.job.list',
  summary: 'List the jobs.',
  input: z.object({
    isAll: z.boolean().default(true),
    /** the last name of the page before */
    after: z.string().default(''),
    limit: z.int().min(1).max(10_000).default(1000),
  }),
  output: z.array(statusSchema),
  answer: (db, { after, limit }) =>
    db
      .all<Pick<JobRow, 'name'>>('SELECT name FROM tw_job WHERE name > ? ORDER BY name LIMIT ?', after, limit)
      .flatMap((row) => jobStatus(db, row.name) ?? []),
})

export const jobShow = defineQuery({
  name: 'tw.job.show',
  summary: 'Show a job: what it wants, what it has, what is blocked, its document.',
  input: z.object({ job: z.string() }),
  output: z.object({
    status: statusSchema,
    blocked: blockedSchema,
    waiting: z.array(z.string()),
    tasks: z.array(taskSchema),
    release: z.string().nullable(),
    document: documentSchema,
    /** of a job whose runs are started by the clock or by dispatch */
    recurring: recurringSchema.nullable(),
  }),
  answer: (db, input, ctx) => {
    const status = jobStatus(db, input.job)
    if (!status) return unknownJob(input.job)
    const version = versionRow(db, input.job, status.currentVersion)
    return {
      status,
      ...standstillOf(db, input.job, ctx),
      tasks: tasksBySelector(db, { job: input.job }),
      release: version?.release ?? null,
      document: version ? fromJson<Record<string, unknown>>(version.document) : {},
      recurring: recurringView(db, input.job),
    }
  },
})

export const jobHistory = defineQuery({
  name: 'tw.job.history',
  summary: 'List the versions of a job, newest first.',
  input: z.object({ job: z.string(), withChanges: z.boolean().default(false) }),
  output: z.array(versionSchema),
  answer: (db, input) => {
    const job = jobRow(db, input.job)
    if (!job) return unknownJob(input.job)
    const rows = db.all<VersionRow>('SELECT * FROM tw_job_version WHERE job = ? ORDER BY version DESC', input.job)
    const changesOf = (row: VersionRow, before: VersionRow | undefined) =>
      documentDiff(before && fromJson(before.document), fromJson(row.document))
    return rows.map((row, i) => ({
      version: row.version,
      release: row.release,
      reason: row.reason,
      author: row.author,
      atMs: row.at,
      isCurrent: row.version === job.current_version,
      changes: input.withChanges ? changesOf(row, rows[i + 1]) : null,
    }))
  },
})

export const jobDiff = defineQuery({
  name: 'tw.job.diff',
  summary: 'Show what changed between two versions of a job.',
  input: z.object({ job: z.string(), from: z.int().optional(), to: z.int().optional() }),
  output: z.object({ job: z.string(), from: z.int(), to: z.int(), changes: diffSchema }),
  answer: (db, input) => {
    const job = jobRow(db, input.job)
    if (!job) return unknownJob(input.job)
    const to = input.to ?? job.last_version
    const from = input.from ?? Math.max(1, to - 1)
    const [a, b] = [versionRow(db, input.job, from), versionRow(db, input.job, to)]
    if (!a || !b) return refuse('TW_VERSION_UNKNOWN', `the job ${input.job} has no version ${a ? to : from}`)
    return { job: input.job, from, to, changes: documentDiff(fromJson(a.document), fromJson(b.document)) }
  },
})
