import { z } from 'zod'
import { defineCommand } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { isRefusal, type MusterError, refuse } from '../../kernel/errors.ts'
import { backoffReset, jobPurged, purgeProblem } from '../entries/jobs.ts'
import { jobPaused, runStarted } from '../entries/runs.ts'
import { startTask } from '../entries/tasks.ts'
import type { ParametersSpec } from '../job-spec.ts'
import { fromJson, groupRows, jobRow, specOf } from '../rows.ts'
import { activeRuns, recurringRow, runByPosition, runByToken, type RecurringRow } from '../runs/rows.ts'
import { liveTasks } from '../tasks/read.ts'
import { freeJob, unknownJob } from './helpers.ts'
import { onlyGroup } from './jobs.ts'

const PAYLOAD_MAX = 65_536

const runOutput = z.object({
  job: z.string(),
  /** the run, a job of its own: `backup.17` */
  run: z.string(),
  /** false: a run with this token exists already */
  isNew: z.boolean(),
  /** the next due times of a periodic job, log time in ms */
  nextMs: z.array(z.number()),
})

export const jobDispatch = defineCommand({
  name: 'tw.job.dispatch',
  summary: 'Start one run of a parameterised job.',
  input: z.object({
    job: z.string(),
    meta: z.record(z.string(), z.string()).default({}),
    /** text for the task, in MUSTER_PAYLOAD */
    payload: z.string().max(PAYLOAD_MAX).nullable().default(null),
    /** a token the caller chose: the same token gives the same run, once */
    token: z.string().min(1).max(200).nullable().default(null),
    reason: z.string().default(''),
  }),
  output: runOutput,
  decide: (db, input, ctx) => {
    const known = input.token === null ? undefined : runByToken(db, input.job, input.token)
    if (known) return { entries: [], reply: () => ({ job: input.job, run: known.name, isNew: false, nextMs: [] }) }
    const row = openRecurring(db, input.job)
    if (isRefusal(row)) return row
    const version = jobRow(db, input.job)?.current_version ?? 0
    const { parameters } = specOf(db, input.job, version)
    if (parameters === null)
      return refuse('TW_JOB_STATE', `${input.job} takes no parameters: the clock starts it`, {
        hint: `Start it now with \`muster tw job force-periodic ${input.job}\`.`,
      })
    const problem = parametersProblem(parameters, input.meta, input.payload)
    if (problem !== null) return refuse('TW_PARAMETERS', problem)
    const { job, token, meta, payload, reason } = input
    return {
      entries: [runStarted.of({ job, version, cause: 'dispatch', dueAt: null, token, meta, payload, reason })],
      reply: (after) => ({ job, run: runByPosition(after, ctx.position)?.name ?? '', isNew: true, nextMs: [] }),
    }
  },
})

export const jobForcePeriodic = defineCommand({
  name: 'tw.job.force-periodic',
  summary: 'Start a run of a periodic job now, beside its clock.',
  input: z.object({ job: z.string(), reason: z.string().default('') }),
  output: runOutput,
  decide: (db, input, ctx) => {
    const row = openRecurring(db, input.job)
    if (isRefusal(row)) return row
    if (!row.is_periodic)
      return refuse('TW_JOB_STATE', `${input.job} has no clock`, { hint: `Start a run with \`muster tw job dispatch ${input.job}\`.` })
    const [busy] = activeRuns(db, input.job)
    if (busy)
      return refuse('TW_JOB_STATE', `${busy.name} goes on, and runs of ${input.job} never overlap`, {
        hint: `Wait for it, or end it with \`muster tw job stop ${busy.name}\`.`,
      })
    const version = jobRow(db, input.job)?.current_version ?? 0
    return {
      entries: [
        runStarted.of({
          job: input.job,
          version,
          cause: 'operator',
          dueAt: null,
          token: null,
          meta: {},
          payload: null,
          reason: input.reason,
        }),
      ],
      reply: (after) => ({
        job: input.job,
        run: runByPosition(after, ctx.position)?.name ?? '',
        isNew: true,
        nextMs: fromJson<number[]>(row.due),
      }),
    }
  },
})

const pauseOutput = z.object({ job: z.string(), isPaused: z.boolean(), isChanged: z.boolean() })

export const jobPause = defineCommand({
  name: 'tw.job.pause',
  summary: 'Start no more runs of a periodic or parameterised job; runs that go on are left alone.',
  input: z.object({ job: z.string(), reason: z.string().default('') }),
  output: pauseOutput,
  decide: (db, input) => setPaused(db, input, true),
})

export const jobResume = defineCommand({
  name: 'tw.job.resume',
  summary: 'Let a paused job start runs again; what was due meanwhile is not made up for.',
  input: z.object({ job: z.string(), reason: z.string().default('') }),
  output: pauseOutput,
  decide: (db, input) => setPaused(db, input, false),
})

function setPaused(db: ReadDb, input: { job: string; reason: string }, isPaused: boolean) {
  const row = recurring(db, input.job)
  if (isRefusal(row)) return row
  const isChanged = Boolean(row.is_paused) !== isPaused
  return {
    entries: isChanged ? [jobPaused.of({ job: input.job, isPaused, reason: input.reason })] : [],
    reply: () => ({ job: input.job, isPaused, isChanged }),
  }
}

export const jobRetry = defineCommand({
  name: 'tw.job.retry',
  summary: 'Forgive failures: try at once what waits for its back-off or was given up.',
  input: z.object({ job: z.string(), group: z.string().optional(), reason: z.string().default('') }),
  output: z.object({ job: z.string(), groups: z.array(z.string()), restarted: z.array(z.int()) }),
  decide: (db, input) => {
    const job = jobRow(db, input.job)
    if (!job) return unknownJob(input.job)
    if (job.state !== 'running') return refuse('TW_JOB_STATE', `the job ${input.job} is stopped`)
    const named = input.group === undefined ? null : onlyGroup(db, input.job, input.group)
    if (isRefusal(named)) return named
    const groups = named === null ? groupRows(db, input.job).map((group) => group.name) : [named]
    // Agents hold a crashing task back themselves: a new start ends that wait.
    const waiting = groups.flatMap((group) =>
      liveTasks(db, input.job, group).filter((task) => task.want === 'run' && task.restarts > 0 && task.state !== 'running'),
    )
    return {
      entries: [
        ...groups.map((group) => backoffReset.of({ job: input.job, group, reason: input.reason })),
        ...waiting.map((task) => startTask.of({ id: task.id, cause: 'its back-off was reset' })),
      ],
      reply: () => ({ job: input.job, groups, restarted: waiting.map((task) => task.id) }),
    }
  },
})

export const jobPurge = defineCommand({
  name: 'tw.job.purge',
  summary: 'Forget a stopped job: its versions, runs and ended tasks. Volumes stay.',
  danger: 'high',
  confirmName: (input) => input.job,
  input: z.object({ job: z.string(), reason: z.string().default('') }),
  output: z.object({ job: z.string() }),
  decide: (db, input) => {
    const job = freeJob(db, input.job)
    if (isRefusal(job)) return job
    const problem = purgeProblem(db, input.job)
    if (problem !== null)
      return refuse('TW_JOB_STATE', problem, { hint: `Stop it with \`muster tw job stop ${input.job}\` and wait for its processes.` })
    return { entries: [jobPurged.of({ job: input.job, reason: input.reason })], reply: () => ({ job: input.job }) }
  },
})

/** The clock or dispatch of a job. */
function recurring(db: ReadDb, job: string): RecurringRow | MusterError {
  if (!jobRow(db, job)) return unknownJob(job)
  const row = recurringRow(db, job)
  return row ?? refuse('TW_JOB_STATE', `${job} has neither a clock nor parameters, or is stopped`)
}

function openRecurring(db: ReadDb, job: string): RecurringRow | MusterError {
  const row = recurring(db, job)
  if (isRefusal(row) || !row.is_paused) return row
  return refuse('TW_JOB_STATE', `${job} is paused`, { hint: `Let it go on with \`muster tw job resume ${job}\`.` })
}

/** What does not fit between what a run is given and what the job asks for, or null. */
function parametersProblem(spec: ParametersSpec, meta: Readonly<Record<string, string>>, payload: string | null): string | null {
  const missing = spec.required.filter((key) => meta[key] === undefined)
  const known = [...spec.required, ...spec.optional]
  const unknown = Object.keys(meta).filter((key) => !known.includes(key))
  const problems = [
    ...(missing.length > 0 ? [`--meta ${missing.join(', ')} is missing`] : []),
    ...(unknown.length > 0 ? [`--meta ${unknown.join(', ')} is not known; known: ${known.join(', ') || 'none'}`] : []),
    ...(payload === null && spec.payload === 'required' ? ['the payload is missing'] : []),
    ...(payload !== null && spec.payload === 'none' ? ['the job takes no payload'] : []),
  ]
  return problems.length === 0 ? null : problems.join('; ')
}
