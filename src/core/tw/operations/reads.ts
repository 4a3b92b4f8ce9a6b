import { z } from 'zod'
import { defineQuery } from '../../contracts/operation.ts'
import { isRefusal, refuse } from '../../kernel/errors.ts'
import { reconcileGroup } from '../controllers/reconcile-group.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { documentDiff } from '../document-diff.ts'
import type { GroupSpec } from '../job-spec.ts'
import {
  armRows,
  fromJson,
  groupSpecOf,
  jobRow,
  liveTasks,
  specOf,
  taskName,
  versionRow,
  type JobRow,
  type TaskRow,
  type VersionRow,
} from '../rows.ts'
import { fleetOf } from '../scheduler/fleet.ts'
import { filterText, isInfeasible } from '../scheduler/planner.ts'
import { fleetFacts } from '../controllers/group-view.ts'
import { blockedOf, nodeLine, taskLines, waitingOf } from '../views/explain.ts'
import { jobStatus } from '../views/job-status.ts'
import { findTask, parseTarget, taskEvents, tasksBySelector, taskViews } from '../views/tasks.ts'
import { documentSchema, parseSpec, unknownJob } from './helpers.ts'
import { blockedSchema, eventSchema, statusSchema, taskSchema } from './schemas.ts'

const versionSchema = z.object({
  version: z.int(),
  release: z.string().nullable(),
  reason: z.string(),
  author: z.string(),
  atMs: z.number(),
  isCurrent: z.boolean(),
})
const diffSchema = z.array(z.object({ path: z.string(), before: z.string().nullable(), after: z.string().nullable() }))

export const jobList = defineQuery({
  name: 'tw.job.list',
  summary: 'List the jobs.',
  input: z.object({ isAll: z.boolean().default(true) }),
  output: z.array(statusSchema),
  answer: (db) => db.all<Pick<JobRow, 'name'>>('SELECT name FROM tw_job ORDER BY name').flatMap((row) => jobStatus(db, row.name) ?? []),
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
  }),
  answer: (db, input, ctx) => {
    const status = jobStatus(db, input.job)
    if (!status) return unknownJob(input.job)
    const version = versionRow(db, input.job, status.currentVersion)
    return {
      status,
      blocked: blockedOf(db, input.job, ctx.now),
      waiting: waitingOf(db, input.job, ctx.now),
      tasks: tasksBySelector(db, { job: input.job }),
      release: version?.release ?? null,
      document: version ? fromJson<Record<string, unknown>>(version.document) : {},
    }
  },
})

export const jobHistory = defineQuery({
  name: 'tw.job.history',
  summary: 'List the versions of a job, newest first.',
  input: z.object({ job: z.string() }),
  output: z.array(versionSchema),
  answer: (db, input) => {
    const job = jobRow(db, input.job)
    if (!job) return unknownJob(input.job)
    return db.all<VersionRow>('SELECT * FROM tw_job_version WHERE job = ? ORDER BY version DESC', input.job).map((row) => ({
      version: row.version,
      release: row.release,
      reason: row.reason,
      author: row.author,
      atMs: row.at,
      isCurrent: row.version === job.current_version,
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
        code: z.enum(['TW_NO_CAPACITY', 'TW_NO_FEASIBLE_NODE']).nullable(),
        why: z.string().nullable(),
      }),
    ),
  }),
  answer: (db, input, ctx) => {
    const spec = parseSpec(input.spec)
    if (isRefusal(spec)) return spec
    const job = jobRow(db, spec.job)
    const version = job ? versionRow(db, spec.job, job.current_version) : undefined
    const changes = documentDiff(version ? fromJson(version.document) : undefined, input.spec)
    const fleet = fleetOf(db)
    const facts = fleetFacts(db)
    const next = (job?.last_version ?? 0) + 1
    const groups = spec.groups.map((group) => {
      const live = job ? liveTasks(db, spec.job, group.name) : []
      const arms = job ? armRows(db, spec.job, group.name) : []
      const isSame = changes.length === 0 && job?.state === 'running'
      const current = arms.find((arm) => arm.arm === 'primary')
      const before = current && groupSpecOf(specOf(db, spec.job, current.version), group.name)
      const isInPlace =
        before !== undefined && version?.release === null && canonicalJson(before.container) === canonicalJson(group.container)
      const arm = { job: spec.job, grp: group.name, arm: 'primary' as const, version: next, count: group.count }
      // The first round of the rollout: what would be started before anything old is stopped.
      const decision = reconcileGroup(
        {
          job: { name: spec.job, kind: spec.kind },
          group: group.name,
          arms: group.count > 0 ? [arm] : [],
          specs: new Map<number, GroupSpec>([[next, group]]),
          live: isSame || isInPlace ? live.map((task) => (task.version === current?.version ? { ...task, version: next } : task)) : live,
          ended: [],
          ...facts,
          rejectedAt: null,
        },
        fleet,
        ctx.now,
      )
      const blocked = decision.blocked[0]
      return {
        group: group.name,
        action: actionOf(live.length > 0, isSame || isInPlace, isSame, current?.count === group.count),
        count: group.count,
        running: live.filter((task) => task.want === 'run').length,
        places: decision.place.flatMap((it) =>
          it.tasks.map((task) => ({ task: taskName({ job: spec.job, grp: group.name, idx: task.index }), node: task.node })),
        ),
        unplaced: blocked?.indexes.length ?? 0,
        code: blocked ? (isInfeasible(blocked.filters) ? ('TW_NO_FEASIBLE_NODE' as const) : ('TW_NO_CAPACITY' as const)) : null,
        why: blocked ? filterText(blocked.filters) : null,
      }
    })
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
    }))
    return { job: spec.job, isNew: !job, owner: job?.owner ?? null, changes, groups: [...groups, ...stops] }
  },
})

function actionOf(
  isLive: boolean,
  isSameProcess: boolean,
  isSameDocument: boolean,
  isSameCount: boolean,
): 'start' | 'replace' | 'in-place' | 'none' | 'scale' {
  if (!isLive) return 'start'
  if (!isSameProcess) return 'replace'
  if (!isSameCount) return 'scale'
  return isSameDocument ? 'none' : 'in-place'
}

export const ps = defineQuery({
  name: 'tw.ps',
  summary: 'List tasks and where they run.',
  input: z.object({
    job: z.string().optional(),
    isAll: z.boolean().default(false),
    node: z.string().optional(),
    region: z.string().optional(),
    service: z.string().optional(),
    state: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
  }),
  output: z.object({
    tasks: z.array(taskSchema),
    /** tasks without a place, by group: `web/api` */
    blocked: z.record(z.string(), z.object({ count: z.int(), code: z.enum(['TW_NO_CAPACITY', 'TW_NO_FEASIBLE_NODE']), why: z.string() })),
    nowMs: z.number(),
  }),
  answer: (db, input, ctx) => {
    const parsed = input.job === undefined ? null : parseTarget(input.job)
    if (input.job !== undefined && (parsed === null || 'id' in parsed))
      return refuse('USAGE', `"${input.job}" is not a job, JOB/GROUP or JOB/GROUP[INDEX]`)
    const target: { job?: string; group?: string; index?: number } = parsed !== null && 'job' in parsed ? parsed : {}
    if (target.job !== undefined && !jobRow(db, target.job)) return unknownJob(target.job)
    const { node, region, service, labels, isAll } = input
    const tasks = tasksBySelector(db, { ...target, node, region, service, labels, isAll }).filter(
      (task) => input.state === undefined || task.state === input.state,
    )
    const hasFilter = [node, region, service, input.state, labels].some((part) => part !== undefined)
    const blocked = hasFilter ? [] : blockedOf(db, target.job ?? null, ctx.now)
    const byGroup = blocked.map((it) => [`${it.job}/${it.group}`, { count: it.tasks.length, code: it.code, why: it.why }] as const)
    return { tasks, blocked: Object.fromEntries(byGroup), nowMs: ctx.now }
  },
})

const unknownTask = (task: string) => refuse('TW_TASK_UNKNOWN', `there is no task ${task}; a task is named like web/api[3]`)

export const taskShow = defineQuery({
  name: 'tw.task.show',
  summary: 'Show a task and its last 20 events.',
  input: z.object({ task: z.string() }),
  output: z.object({ task: taskSchema, why: z.string(), command: z.array(z.string()), events: z.array(eventSchema), nowMs: z.number() }),
  answer: (db, input, ctx) => {
    const row = findTask(db, input.task)
    const [task] = row ? taskViews(db, [row]) : []
    if (!row || !task) return unknownTask(input.task)
    const group = groupSpecOf(specOf(db, row.job, row.version), row.grp)
    return { task, why: row.why, command: group?.container.command ?? [], events: taskEvents(db, row.id), nowMs: ctx.now }
  },
})

export const explain = defineQuery({
  name: 'tw.explain',
  summary: 'Say why tasks are not placed, or why they are where and as they are.',
  input: z.object({ target: z.string(), node: z.string().optional() }),
  output: z.object({
    target: z.string(),
    isFine: z.boolean(),
    blocked: blockedSchema,
    lines: z.array(z.string()),
    tasks: z.array(z.object({ task: z.string(), lines: z.array(z.string()), events: z.array(eventSchema) })),
    nowMs: z.number(),
  }),
  answer: (db, input, ctx) => {
    const target = parseTarget(input.target)
    if (target === null) return refuse('USAGE', `"${input.target}" is not a job, JOB/GROUP or JOB/GROUP[INDEX]`)
    const named = findTask(db, input.target)
    const job = 'id' in target ? named?.job : target.job
    const status = job === undefined ? null : jobStatus(db, job)
    if (job === undefined || status === null) return 'id' in target ? unknownTask(input.target) : unknownJob(job ?? input.target)
    const group = 'id' in target ? named?.grp : target.group
    if (group !== undefined && !status.groups.some((it) => it.group === group) && named === null)
      return refuse('NOT_FOUND', `the job ${job} has no group ${group}; it has ${status.groups.map((it) => it.group).join(', ')}`)
    const blocked = blockedOf(db, job, ctx.now).filter(
      (it) =>
        (group === undefined || it.group === group) &&
        (named === null || 'id' in target || it.tasks.includes(input.target) || named.is_terminal === 0),
    )
    if (named === null && 'index' in target && target.index !== undefined && !blocked.some((it) => it.tasks.includes(input.target)))
      return unknownTask(input.target)
    const rows = named
      ? [named]
      : 'index' in target && target.index !== undefined
        ? []
        : db.all<TaskRow>(
            'SELECT * FROM tw_task WHERE job = ? AND is_terminal = 0 AND (? IS NULL OR grp = ?) ORDER BY grp, idx, id',
            job,
            group ?? null,
            group ?? null,
          )
    const lines = waitingOf(db, job, ctx.now)
    if (input.node !== undefined) {
      for (const it of status.groups) {
        if (group === undefined || it.group === group)
          lines.push(nodeLine(db, job, it.group, it.arms[0]?.version ?? status.currentVersion, input.node))
      }
    }
    const missing = status.groups.some((it) => it.leftover > 0 || it.arms.some((arm) => arm.healthy < arm.wanted))
    return {
      target: input.target,
      isFine: blocked.length === 0 && (named ? named.state === 'running' : !missing && status.state === 'running'),
      blocked: named && named.is_terminal === 0 ? [] : blocked,
      lines,
      tasks: rows.map((row) => ({ task: taskName(row), lines: taskLines(row, ctx.now), events: named ? taskEvents(db, row.id) : [] })),
      nowMs: ctx.now,
    }
  },
})
