import { z } from 'zod'
import type { Proposal } from '../../contracts/entry.ts'
import { defineAction, defineCommand, defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { isRefusal, type MusterError, refuse } from '../../kernel/errors.ts'
import { opAllowed, opAnswered, opDelayed, opForced } from '../entries/ops.ts'
import { consentAnswerSchema, type ConsentAnswer } from '../ops/consent.ts'
import { OP_CAUSES, OP_KINDS, opRow, type OpRow } from '../ops/op-row.ts'
import { opSteps, type WantedOp } from '../ops/op-steps.ts'
import { standingOf } from '../ops/standing.ts'
import { jobRow, type GroupTask } from '../rows.ts'
import { taskRow } from '../tasks/read.ts'
import { opsView } from '../views/ops.ts'
import { unknownJob } from './helpers.ts'

const opSchema = z.object({
  op: z.int(),
  task: z.string(),
  taskId: z.int(),
  node: z.string().nullable(),
  job: z.string(),
  group: z.string(),
  kind: z.enum(OP_KINDS),
  cause: z.enum(OP_CAUSES),
  text: z.string(),
  state: z.enum(['proposed', 'waiting-budget', 'asked', 'delayed', 'allowed', 'running', 'done', 'failed', 'withdrawn']),
  isForced: z.boolean(),
  isHard: z.boolean(),
  isLate: z.boolean(),
  deadlineAtMs: z.number().nullable(),
  delayedUntilMs: z.number().nullable(),
  proposedBy: z.string(),
  proposedAtMs: z.number(),
  decidedAtMs: z.number().nullable(),
  endedAtMs: z.number().nullable(),
  why: z.string(),
  waitsFor: z.string(),
  code: z.enum(['TW_CONSENT_WAIT', 'TW_NO_SURGE_CAPACITY', 'TW_BUDGET_WAIT']).nullable(),
})

export const opList = defineQuery({
  name: 'tw.op.list',
  summary: 'List planned changes to tasks, and what each of them waits for.',
  input: z.object({ job: z.string().optional(), node: z.string().optional(), isAll: z.boolean().optional() }),
  output: z.object({ ops: z.array(opSchema) }),
  answer: (db, input, ctx) =>
    input.job !== undefined && !jobRow(db, input.job) ? unknownJob(input.job) : { ops: opsView(db, input, ctx.now) },
})

export const opShow = defineQuery({
  name: 'tw.op.show',
  summary: 'Show a planned change: its cause, its state, and what it waits for.',
  input: z.object({ op: z.int() }),
  output: opSchema,
  answer: (db, input, ctx) => {
    const row = opRow(db, input.op)
    const view = row && opsView(db, { job: row.job, group: row.grp, isAll: true }, ctx.now).find((op) => op.op === input.op)
    return view ?? unknownOp(input.op)
  },
})

function unknownOp(op: number): MusterError {
  return refuse('TW_OP_UNKNOWN', `there is no op ${op}, or it ended more than an hour ago`)
}

/** An op that nobody has decided on yet. */
function pendingOp(db: ReadDb, id: number): OpRow | MusterError {
  const op = opRow(db, id)
  if (!op) return unknownOp(id)
  return op.state === 'proposed' ? op : refuse('TW_JOB_STATE', `op ${id} on ${op.name} no longer waits: it is ${op.state}`)
}

const decided = z.object({ op: z.int(), task: z.string() })

export const opAllow = defineCommand({
  name: 'tw.op.allow',
  summary: 'Say yes to a planned change in place of its application; the budget still holds.',
  danger: 'medium',
  input: z.object({ op: z.int(), reason: z.string().default('') }),
  output: decided,
  decide: (db, input, ctx) => {
    const op = pendingOp(db, input.op)
    if (isRefusal(op)) return op
    const why = `allowed by ${ctx.actor}${input.reason === '' ? '' : `: ${input.reason}`}`
    return {
      entries: [opAnswered.of({ job: op.job, group: op.grp, allow: [op.id], order: [], why })],
      reply: () => ({ op: op.id, task: op.name }),
    }
  },
})

export const opDelay = defineCommand({
  name: 'tw.op.delay',
  summary: 'Let a planned change wait for a while.',
  input: z.object({ op: z.int(), forMs: z.int().min(1000), reason: z.string().default('') }),
  output: decided.extend({ untilMs: z.number() }),
  decide: (db, input, ctx) => {
    const op = pendingOp(db, input.op)
    if (isRefusal(op)) return op
    const untilAt = ctx.now + input.forMs
    const why = `delayed by ${ctx.actor}${input.reason === '' ? '' : `: ${input.reason}`}`
    return {
      entries: [opDelayed.of({ job: op.job, group: op.grp, ops: [{ op: op.id, untilAt, why }] })],
      reply: () => ({ op: op.id, task: op.name, untilMs: untilAt }),
      ...(op.is_hard && op.deadline_at !== null && op.deadline_at < untilAt
        ? { warnings: ['its hard deadline comes before that: it is forced then'] }
        : {}),
    }
  },
})

export const opForce = defineCommand({
  name: 'tw.op.force',
  summary: 'Carry a planned change out now, whatever budget and application say.',
  danger: 'high',
  input: z.object({ op: z.int(), reason: z.string().default('') }),
  output: decided,
  confirmName: (input) => String(input.op),
  decide: (db, input, ctx) => {
    const op = pendingOp(db, input.op)
    if (isRefusal(op)) return op
    const why = `by ${ctx.actor}${input.reason === '' ? '' : `: ${input.reason}`}`
    return { entries: [opForced.of({ job: op.job, group: op.grp, ops: [op.id], why })], reply: () => ({ op: op.id, task: op.name }) }
  },
})

const toldSchema = z.object({
  op: z.int(),
  task: z.string(),
  kind: z.enum(OP_KINDS),
  cause: z.enum(OP_CAUSES),
  why: z.string(),
  planned: z.number(),
  deadline: z.number().nullable(),
  hard: z.boolean(),
  delayed: z.number().nullable(),
  allowed: z.boolean(),
})

export const opPending = defineAction({
  name: 'tw.op.pending',
  summary: 'Tell an application the planned changes to its tasks, as its endpoint would be told; wait until there are some.',
  isMutation: false,
  input: z.object({
    /** may be left out with a task's own token, which stands for its group */
    job: z.string().optional(),
    group: z.string().optional(),
    /** answer later, when something waits for the application; 0: at once */
    waitMs: z.int().min(0).max(60_000).default(0),
  }),
  output: z.object({
    job: z.string(),
    group: z.string(),
    budget: z.object({ max: z.int(), unavailable: z.int(), left: z.int() }),
    pending: z.array(toldSchema),
    running: z.array(toldSchema),
  }),
})

export const opAnswer = defineCommand({
  name: 'tw.op.answer',
  summary: 'Answer for an application which planned changes may go now, which later, and in which order.',
  input: consentAnswerSchema.extend({
    /** may be left out with a task's own token, which stands for its group */
    job: z.string().optional(),
    group: z.string().optional(),
  }),
  output: z.object({ allowed: z.array(z.int()), delayed: z.array(z.int()) }),
  decide: (db, input, ctx) => {
    const of = askedGroup(db, input, ctx.actor)
    if (isRefusal(of)) return of
    const { allowed, delayed, entries } = answerEntries(db, { ...input, ...of }, ctx.now, ctx.actor)
    return { entries, reply: () => ({ allowed, delayed }) }
  },
})

/** The group an application speaks for: a task (`task:17`) for its own, anybody else for the one that is named. */
export function askedGroup(
  db: ReadDb,
  { job, group }: { job?: string | undefined; group?: string | undefined },
  actor: string,
): { job: string; group: string } | MusterError {
  const [, id] = /^task:(\d+)$/.exec(actor) ?? []
  if (id === undefined) return job === undefined || group === undefined ? refuse('USAGE', 'of which job and group?') : { job, group }
  const task = taskRow(db, Number(id))
  if (!task) return refuse('TW_TASK_UNKNOWN', `there is no task ${id}`)
  if ((job ?? task.job) !== task.job || (group ?? task.grp) !== task.grp)
    return refuse('NOT_PERMITTED', `a task of ${task.job}/${task.grp} speaks for its own group`)
  return { job: task.job, group: task.grp }
}

/**
 * Of what the application allows, as much as goes now by budget and order: a yes beyond that would be old when its turn comes, so that is
 * asked again. What is put off stays so. Ops it names that do not wait are passed over: they ended while it thought.
 */
function answerEntries(db: ReadDb, input: ConsentAnswer & { job: string; group: string }, now: number, actor: string) {
  const of = { job: input.job, group: input.group }
  const standing = standingOf(db, input.job, input.group)
  const waiting = new Map(standing.ops.filter((op) => op.state === 'proposed').map((op) => [op.id, op]))
  const order = input.order.filter((id) => waiting.has(id))
  const delays = input.delay.filter(({ op, until }) => waiting.has(op) && until > now)
  const yes = new Set(input.allow)
  const rankOf = (op: OpRow): number | null => {
    const rank = order.indexOf(op.id)
    return order.length === 0 ? op.rank : rank < 0 ? null : rank
  }
  const answered = standing.ops.map((op): OpRow => {
    const delay = delays.find((it) => it.op === op.id)
    return {
      ...op,
      rank: rankOf(op),
      is_consented: op.is_consented || (yes.has(op.id) && !delay) ? 1 : 0,
      delayed_until: delay?.until ?? op.delayed_until,
    }
  })
  const { allow } = opSteps(standing, answered, (id) => taskRow(db, id), wantsOf(standing.live, answered), now)
  const allowed = allow.filter((id) => yes.has(id))
  const fresh = delays.filter(({ op, until }) => waiting.get(op)?.delayed_until !== until)
  const entries: Proposal[] = []
  if (allowed.length > 0 || [...waiting.values()].some((op) => op.rank !== rankOf(op)))
    entries.push(opAnswered.of({ ...of, allow: allowed, order, why: `allowed by ${actor}` }))
  if (fresh.length > 0)
    entries.push(
      opDelayed.of({ ...of, ops: fresh.map(({ op, until, why }) => ({ op, untilAt: until, why: why || `delayed by ${actor}` })) }),
    )
  if (allowed.length > 0) entries.push(opAllowed.of({ ...of, ops: allowed }))
  return { allowed, delayed: delays.map(({ op }) => op), entries }
}

/** What waits, as it was wanted. */
function wantsOf(live: readonly GroupTask[], ops: readonly OpRow[]): WantedOp[] {
  return ops.flatMap((op) => {
    const task = op.state === 'proposed' ? live.find((it) => it.id === op.task) : undefined
    return task ? [{ task, kind: op.kind, cause: op.cause, text: op.text, deadlineAt: op.deadline_at, isHard: op.is_hard === 1 }] : []
  })
}
