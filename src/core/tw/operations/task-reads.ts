import { endedTasks } from '../tasks/read.ts'
import { z } from 'zod'
import { defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { refuse } from '../../kernel/errors.ts'
import { isBatch } from '../job-kind.ts'
import { groupSpecOf, isReady, jobRow, specOf, taskName, type TaskRow } from '../rows.ts'
import { WAITING_CODES } from '../controllers/waiting.ts'
import { blockedOf, holdingLines, nodeLine, standstillOf, taskLines } from '../views/explain.ts'
import { jobStatus, type ArmStatus } from '../views/job-status.ts'
import { taskEvents } from '../tasks/events.ts'
import { isSmall, pendingGroups } from '../views/group-counts.ts'
import { onImage } from '../soft.ts'
import { taskPage } from '../views/task-page.ts'
import { findTask, parseTarget, taskViews } from '../views/tasks.ts'
import { unknownJob } from './helpers.ts'
import { blockedSchema, eventSchema, taskSchema } from './schemas.ts'

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
    /** the `next` of the page before */
    after: z.string().optional(),
    limit: z.int().min(1).max(10_000).default(1000),
  }),
  output: z.object({
    tasks: z.array(taskSchema),
    /** where the next page begins; null: this is the last one */
    next: z.string().nullable(),
    /** tasks without a place, by group: `web/api` */
    blocked: z.record(z.string(), z.object({ count: z.int(), code: z.enum(WAITING_CODES), why: z.string() })),
    nowMs: z.number(),
  }),
  answer: (db, input, ctx) => {
    const parsed = input.job === undefined ? null : parseTarget(input.job)
    if (input.job !== undefined && (parsed === null || 'id' in parsed))
      return refuse('USAGE', `"${input.job}" is not a job, JOB/GROUP or JOB/GROUP[INDEX]`)
    const target: { job?: string; group?: string; index?: number } = parsed !== null && 'job' in parsed ? parsed : {}
    if (target.job !== undefined && !jobRow(db, target.job)) return unknownJob(target.job)
    const { node, region, service, state, labels, isAll, after, limit } = input
    const page = taskPage(db, { ...target, node, region, service, state, labels, isAll }, after, limit)
    if (page === null) return refuse('USAGE', `"${after}" is not the \`next\` of a page of tasks`)
    const isPart = [node, region, service, state, labels, after].some((part) => part !== undefined)
    // Of a large fleet the server adds what the controllers found last.
    const hasBlocked = !isPart && pendingGroups(db, target.job).length > 0 && isSmall(db)
    const blocked = hasBlocked ? blockedOf(db, target.job ?? null, ctx) : []
    const byGroup = blocked.map((it) => [`${it.job}/${it.group}`, { count: it.tasks.length, code: it.code, why: it.why }] as const)
    return { ...page, blocked: Object.fromEntries(byGroup), nowMs: ctx.now }
  },
})

const unknownTask = (task: string) => refuse('TW_TASK_UNKNOWN', `there is no task ${task}; a task is named like web/api[3]`)

export const taskShow = defineQuery({
  name: 'tw.task.show',
  summary: 'Show a task and its last 20 events.',
  input: z.object({ task: z.string() }),
  output: z.object({
    task: taskSchema,
    why: z.string(),
    command: z.array(z.string()),
    events: z.array(eventSchema),
    /** tasks that had the same index before, newest first, as far as they are not forgotten */
    attempts: z.array(z.object({ id: z.int(), node: z.string(), state: z.string(), reason: z.string(), endedAtMs: z.number().nullable() })),
    nowMs: z.number(),
  }),
  answer: (db, input, ctx) => {
    const row = findTask(db, input.task)
    const [task] = row ? taskViews(db, [row]) : []
    if (!row || !task) return unknownTask(input.task)
    const group = groupSpecOf(specOf(db, row.job, row.version), row.grp)
    const attempts = endedTasks(db, row.job, row.grp, 0)
      .filter((it) => it.idx === row.idx && it.id < row.id)
      .reverse()
      .map((it) => ({ id: it.id, node: it.node, state: it.state, reason: it.reason || (it.stop_cause ?? ''), endedAtMs: it.ended_at }))
    return { task, why: row.why, command: group?.container.command ?? [], events: taskEvents(db, row), attempts, nowMs: ctx.now }
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
    /** the task that is named; of a job, at most 20, those that do not serve first */
    tasks: z.array(z.object({ task: z.string(), isServing: z.boolean(), lines: z.array(z.string()), events: z.array(eventSchema) })),
    /** further tasks of it */
    more: z.int(),
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
    const toEnd = isBatch(status.kind)
    if (group !== undefined && !status.groups.some((it) => it.group === group) && named === null)
      return refuse('NOT_FOUND', `the job ${job} has no group ${group}; it has ${status.groups.map((it) => it.group).join(', ')}`)
    const { blocked: all, waiting: lines } = standstillOf(db, job, ctx)
    const blocked = all.filter(
      (it) =>
        (group === undefined || it.group === group) &&
        (named === null || 'id' in target || it.tasks.includes(input.target) || named.is_terminal === 0),
    )
    if (named === null && 'index' in target && target.index !== undefined && !blocked.some((it) => it.tasks.includes(input.target)))
      return unknownTask(input.target)
    const isIndexed = 'index' in target && target.index !== undefined
    const { rows, more } = named ? { rows: [named], more: 0 } : isIndexed ? { rows: [], more: 0 } : firstToExplain(db, job, group ?? null)
    if (input.node !== undefined) {
      const asked = status.groups.filter((it) => group === undefined || it.group === group)
      const node = input.node
      const versionOf = (it: (typeof asked)[number]): number => it.arms[0]?.version ?? status.currentVersion
      lines.push(...onImage(db, ctx, (image) => asked.map((it) => nodeLine(db, image, job, it.group, versionOf(it), node))))
    }
    const served = (arm: ArmStatus): number => (toEnd ? arm.complete + arm.running : arm.healthy)
    const missing = status.groups.some((it) => it.leftover > 0 || it.arms.some((arm) => served(arm) < arm.wanted))
    const ended =
      toEnd && named === null ? status.groups.filter((it) => it.count > 0 && it.arms.every((arm) => arm.complete >= arm.wanted)) : []
    lines.push(
      ...ended
        .filter((it) => group === undefined || it.group === group)
        .map((it) => `${job}/${it.group}: all ${it.count} ran to their end`),
    )
    return {
      target: input.target,
      isFine: blocked.length === 0 && (named ? named.state === 'running' : !missing && status.state === 'running'),
      blocked: named && named.is_terminal === 0 ? [] : blocked,
      lines,
      tasks: rows.map((row) => ({
        task: taskName(row),
        isServing: isReady(row) && row.want === 'run',
        lines: [...taskLines(db, row, ctx.now), ...holdingLines(db, row)],
        events: named ? taskEvents(db, row) : [],
      })),
      more,
      nowMs: ctx.now,
    }
  },
})

/** Tasks of a job that are explained one by one: a page of a screen, not 10,000 that are well. */
const EXPLAINED_MAX = 20

/** Its live tasks that tell the most: those that do not serve, by name, then the others. */
function firstToExplain(db: ReadDb, job: string, group: string | null): { rows: TaskRow[]; more: number } {
  const live = 'job = ? AND is_terminal = 0 AND (? IS NULL OR grp = ?)'
  const isServing = "state = 'running' AND health IN ('healthy', 'none') AND want = 'run'"
  const rows = db.all<TaskRow>(
    `SELECT * FROM tw_task WHERE ${live} ORDER BY ${isServing}, grp, idx, id LIMIT ${EXPLAINED_MAX}`,
    job,
    group,
    group,
  )
  const all = db.get<{ n: number }>(`SELECT count(*) AS n FROM tw_task WHERE ${live}`, job, group, group)?.n ?? 0
  return { rows, more: all - rows.length }
}
