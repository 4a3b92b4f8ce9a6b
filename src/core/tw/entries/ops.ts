import { z } from 'zod'
import { defineEntry, type EntryMeta } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'
import { budgetOf, specInForce } from '../ops/budget.ts'
import { OP_CAUSES, OP_KINDS, openOpOf, opRow, type OpRow } from '../ops/op-row.ts'
import { standingOf } from '../ops/standing.ts'
import { isReady, taskName } from '../rows.ts'
import { taskRow } from '../tasks/read.ts'
import { serviceOfJob } from './jobs.ts'
import { nextOf, note } from './marks.ts'
import { startTask, stopTask } from './tasks.ts'

/** Ended ops of a group stay this long; the log keeps them. */
const ENDED_KEPT_MS = 3_600_000

const ofGroup = { job: z.string(), group: z.string() }

/**
 * Planned changes to tasks in service. One with `isAllowed` is allowed at once, if the budget has it; so a group that asks nobody and has
 * budget free needs this entry alone. A task that ended meanwhile, or has an op already, gets none.
 */
export const opsProposed = defineEntry({
  type: 'tw.OpsProposed',
  body: z.object({
    ...ofGroup,
    ops: z.array(
      z.object({
        task: z.int(),
        kind: z.enum(OP_KINDS),
        cause: z.enum(OP_CAUSES),
        text: z.string(),
        deadlineAt: z.number().nullable().default(null),
        isHard: z.boolean().default(false),
        isAllowed: z.boolean().default(false),
      }),
    ),
  }),
  apply: (db, body, meta) => {
    const allowed: OpRow[] = []
    let isNew = false
    for (const op of body.ops) {
      const task = taskRow(db, op.task)
      if (!task || task.is_terminal || task.want === 'stop' || openOpOf(db, op.task)) continue
      const id = nextOf(db, 'op')
      db.run(
        `INSERT INTO tw_op (id, job, grp, task, name, kind, cause, text, state, deadline_at, is_hard, is_consented, why, is_forced, proposed_by, proposed_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'proposed', ?, ?, 0, '', 0, ?, ?)`,
        id,
        body.job,
        body.group,
        task.id,
        taskName(task),
        op.kind,
        op.cause,
        op.text,
        op.deadlineAt,
        op.isHard ? 1 : 0,
        meta.actor,
        meta.at,
      )
      isNew = true
      const row = opRow(db, id)
      if (op.isAllowed && row) allowed.push(row)
    }
    // An order is of what the application was told: with more of them it no longer says who is the last.
    if (isNew) db.run("UPDATE tw_op SET rank = NULL WHERE job = ? AND grp = ? AND state = 'proposed'", body.job, body.group)
    allow(db, body, allowed, meta)
  },
})

/** Ops are to be carried out. Those the budget does not have, or that lack the application's yes, stay as they were (I1). */
export const opAllowed = defineEntry({
  type: 'tw.OpAllowed',
  body: z.object({ ...ofGroup, ops: z.array(z.int()) }),
  apply: (db, body, meta) => allow(db, body, proposedOnes(db, body), meta),
})

/** What the application said, or an operator in its place: yes to some, and in which order all should go. */
export const opAnswered = defineEntry({
  type: 'tw.OpAnswered',
  body: z.object({ ...ofGroup, allow: z.array(z.int()), order: z.array(z.int()), why: z.string() }),
  apply: (db, body) => {
    for (const id of body.allow)
      db.run("UPDATE tw_op SET is_consented = 1, delayed_until = NULL, why = ? WHERE id = ? AND state = 'proposed'", body.why, id)
    // The newest order is the whole one: whom it leaves out has no place in it, and goes before those that have.
    if (body.order.length > 0) db.run("UPDATE tw_op SET rank = NULL WHERE job = ? AND grp = ? AND state = 'proposed'", body.job, body.group)
    body.order.forEach((id, rank) => db.run("UPDATE tw_op SET rank = ? WHERE id = ? AND state = 'proposed'", rank, id))
  },
})

/** Ops wait until a time, by the word of the application or of an operator. */
export const opDelayed = defineEntry({
  type: 'tw.OpDelayed',
  body: z.object({ ...ofGroup, ops: z.array(z.object({ op: z.int(), untilAt: z.number(), why: z.string() })) }),
  apply: (db, body) => {
    for (const { op, untilAt, why } of body.ops)
      db.run("UPDATE tw_op SET delayed_until = ?, why = ?, is_consented = 0 WHERE id = ? AND state = 'proposed'", untilAt, why, op)
  },
})

/** Ops are carried out without regard for budget and consent: at a hard deadline, or by an operator. */
export const opForced = defineEntry({
  type: 'tw.OpForced',
  body: z.object({ ...ofGroup, ops: z.array(z.int()), why: z.string() }),
  notable: (body, db) => {
    const names = body.ops.flatMap((id) => opRow(db, id)?.name ?? [])
    const text = `forced past budget and consent: ${names.join(', ')} (${body.why})`
    return note('op-forced', names[0] ?? `${body.job}/${body.group}`, serviceOfJob(db, body.job), text)
  },
  apply: (db, body, meta) => {
    for (const op of proposedOnes(db, body)) {
      db.run('UPDATE tw_op SET is_forced = 1, why = ? WHERE id = ?', body.why, op.id)
      carryOut(db, op, meta)
    }
  },
})

export const opFinished = defineEntry({
  type: 'tw.OpFinished',
  body: z.object({ ...ofGroup, ops: z.array(z.object({ op: z.int(), isOk: z.boolean(), reason: z.string() })) }),
  apply: (db, body, meta) => {
    for (const { op, isOk, reason } of body.ops)
      db.run(
        "UPDATE tw_op SET state = ?, why = CASE WHEN ? = '' THEN why ELSE ? END, ended_at = ? WHERE id = ? AND state = 'allowed'",
        isOk ? 'done' : 'failed',
        reason,
        reason,
        meta.at,
        op,
      )
    forgetEnded(db, body, meta)
  },
})

/** Nobody wants these any more: their tasks ended by themselves, or what wanted them changed. */
export const opWithdrawn = defineEntry({
  type: 'tw.OpWithdrawn',
  body: z.object({ ...ofGroup, ops: z.array(z.int()), why: z.string() }),
  apply: (db, body, meta) => {
    for (const id of body.ops)
      db.run("UPDATE tw_op SET state = 'withdrawn', why = ?, ended_at = ? WHERE id = ? AND state = 'proposed'", body.why, meta.at, id)
    forgetEnded(db, body, meta)
  },
})

function forgetEnded(db: Db, { job, group }: { job: string; group: string }, meta: EntryMeta): void {
  db.run('DELETE FROM tw_op WHERE job = ? AND grp = ? AND ended_at <= ?', job, group, meta.at - ENDED_KEPT_MS)
}

function proposedOnes(db: Db, body: { ops: readonly number[] }): OpRow[] {
  return body.ops.flatMap((id) => {
    const op = opRow(db, id)
    return op?.state === 'proposed' ? [op] : []
  })
}

/** The referee of I1: whatever a controller or a person proposed, only what budget and consent have is carried out. */
function allow(db: Db, of: { job: string; group: string }, ops: readonly OpRow[], meta: EntryMeta): void {
  if (ops.length === 0) return
  const standing = standingOf(db, of.job, of.group)
  const budget = budgetOf(standing, meta.at)
  const asks = (specInForce(standing)?.consent.kind ?? 'none') !== 'none'
  const live = new Map(standing.live.map((task) => [task.id, task]))
  for (const op of ops) {
    const task = live.get(op.task)
    if (task && (!asks || op.is_consented || !isReady(task)) && budget.take(task)) carryOut(db, op, meta)
  }
}

function carryOut(db: Db, op: OpRow, meta: EntryMeta): void {
  db.run("UPDATE tw_op SET state = 'allowed', delayed_until = NULL, decided_at = ? WHERE id = ?", meta.at, op.id)
  if (op.kind === 'restart') startTask.apply(db, { id: op.task, cause: op.text }, meta)
  else stopTask.apply(db, { ids: [op.task], cause: op.text }, meta)
}

export const OP_ENTRIES = [opsProposed, opAllowed, opAnswered, opDelayed, opForced, opFinished, opWithdrawn] as const
