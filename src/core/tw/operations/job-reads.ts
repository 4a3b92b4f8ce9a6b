import { z } from 'zod'
import { defineQuery } from '../../contracts/operation.ts'
import { isRefusal, refuse } from '../../kernel/errors.ts'
import { WAITING_CODES, waitingReasons } from '../controllers/waiting.ts'
import { documentDiff } from '../document-diff.ts'
import { fromJson, groupSpecOf, jobRow, specOf, taskName, versionRow, type JobRow, type VersionRow } from '../rows.ts'
import { liveTasks } from '../tasks/read.ts'
import { imageOf } from '../scheduler/fleet.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { standstillOf } from '../views/explain.ts'
import { jobStatus } from '../views/job-status.ts'
import { recurringSchema, recurringView } from '../views/recurring.ts'
import { tasksBySelector } from '../views/tasks.ts'
import { plannedGroups, startVersion } from './jobs.ts'
import { documentSchema, parseSpec, unknownJob } from './helpers.ts'
import { blockedSchema, statusSchema, taskSchema } from './schemas.ts'

const diffSchema = z.array(z.object({ path: z.string(), before: z.string().nullable(), after: z.string().nullable() }))
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
      ...standstillOf(db, input.job, ctx.now),
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

export const jobPlan = defineQuery({
  name: 'tw.job.plan',
  summary: 'Say what running a job document would do: fields that change, tasks, places.',
  input: z.object({ spec: documentSchema }),
  output: z.object({
    job: z.string(),
    isNew: z.boolean(),
    owner: z.string().nullable(),
    changes: diffSchema,
    groups: z.array(
      z.object({
        group: z.string(),
        action: z.enum(['start', 'replace', 'in-place', 'none', 'scale', 'stop']),
        count: z.int(),
        running: z.int(),
        places: z.array(z.object({ task: z.string(), node: z.string() })),
        unplaced: z.int(),
        code: z.enum(WAITING_CODES).nullable(),
        why: z.string().nullable(),
        /** what its tasks wait for beside room */
        waits: z.array(z.string()),
        /** tasks of lower priority that would be asked to go, and for whom */
        preempts: z.array(z.object({ task: z.string(), node: z.string(), for: z.string() })),
      }),
    ),
    /** when the clock would start runs of it next, log time; the server, who knows time zones, adds them */
    nextMs: z.array(z.number()),
    /** what open nodes have left after the first round */
    free: z.object({ cpuMilli: z.number(), memoryBytes: z.number(), gpuMilli: z.number() }),
  }),
  answer: (db, input, ctx) => {
    const spec = parseSpec(input.spec)
    if (isRefusal(spec)) return spec
    const job = jobRow(db, spec.job)
    const version = job ? versionRow(db, spec.job, job.current_version) : undefined
    const start = startVersion(db, { spec, document: input.spec, takeOver: true, release: null, reason: '' })
    if (isRefusal(start)) return start
    const changes = documentDiff(version ? fromJson(version.document) : undefined, input.spec)
    const image = imageOf(db)
    const groups = plannedGroups(db, image, spec, start.entries, ctx.now).map(
      ({ group, action, count, running, decision, preemptions }) => {
        const waiting = waitingReasons(decision)
        return {
          group: group.name,
          action,
          count,
          running,
          places: decision.place.flatMap((it) =>
            it.tasks.map((task) => ({ task: taskName({ job: spec.job, grp: group.name, idx: task.index }), node: task.node })),
          ),
          unplaced: waiting.reduce((sum, { indexes }) => sum + indexes.length, 0),
          code: waiting[0]?.code ?? null,
          why: waiting[0]?.why ?? null,
          waits: decision.held,
          preempts: preemptions.flatMap(({ index, node, victims }) =>
            victims.map((victim) => ({ task: taskName(victim), node, for: taskName({ job: spec.job, grp: group.name, idx: index }) })),
          ),
        }
      },
    )
    const gone = job ? specOf(db, spec.job, job.current_version).groups.filter((group) => !groupSpecOf(spec, group.name)) : []
    const stops = gone.map((group) => ({
      group: group.name,
      action: 'stop' as const,
      count: 0,
      running: liveTasks(db, spec.job, group.name).length,
      places: [],
      unplaced: 0,
      code: null,
      why: null,
      waits: [],
      preempts: [],
    }))
    return {
      job: spec.job,
      isNew: !job,
      owner: job?.owner ?? null,
      changes,
      groups: [...groups, ...stops],
      nextMs: [],
      free: freeOf(image),
    }
  },
})

function freeOf(image: FleetImage): { cpuMilli: number; memoryBytes: number; gpuMilli: number } {
  const free = { cpuMilli: 0, memoryBytes: 0, gpuMilli: 0 }
  for (const node of image.order.subarray(0, image.size)) {
    if (image.closed[node] !== 0) continue
    free.cpuMilli += image.cpuFree[node] ?? 0
    free.memoryBytes += image.memoryFree[node] ?? 0
    free.gpuMilli += image.freeGpu(node)
  }
  return free
}
