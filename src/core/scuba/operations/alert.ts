import { z } from 'zod'
import { defineAction, defineQuery } from '../../contracts/operation.ts'
import { ALERT_STATES } from '../alert/judge.ts'
import { alertRuleSchema } from '../alert/rule.ts'
import { alertLate, alertMoves } from '../queries.ts'

const moveView = z.object({
  atMs: z.number(),
  rule: z.string(),
  group: z.string(),
  from: z.enum(ALERT_STATES),
  to: z.enum(ALERT_STATES),
  value: z.number().nullable(),
  reason: z.string(),
})

/** Replays a rule on the rows that are there. */
export const scubaAlertTest = defineAction({
  name: 'scuba.alert.test',
  summary: 'Try an alert rule on past rows: when it would have fired, and for how long.',
  isMutation: false,
  input: z.object({ rule: alertRuleSchema, sinceMs: z.number().int().nonnegative() }),
  output: z.object({ firings: z.number(), moves: z.array(moveView), sinceMs: z.number(), untilMs: z.number() }),
})

export const scubaAlertHistory = defineQuery({
  name: 'scuba.alert.history',
  summary: 'List how alert rules moved within the last 30 days, newest first.',
  input: z.object({ name: z.string().optional(), limit: z.number().int().min(1).max(1000).default(50) }),
  output: z.object({
    moves: z.array(moveView.extend({ position: z.number() })),
    /** what rows that came within an hour would have changed; no state was changed by them */
    late: z.array(
      z.object({
        position: z.number(),
        atMs: z.number(),
        rule: z.string(),
        group: z.string(),
        /** ends of the first and the last window, ms */
        fromMs: z.number(),
        toMs: z.number(),
        would: z.enum(['fire', 'not fire']),
        value: z.number().nullable(),
      }),
    ),
  }),
  answer: (db, { name, limit }) => ({ moves: alertMoves(db, name, limit), late: alertLate(db, name, limit) }),
})

export const alertOperations = [scubaAlertTest, scubaAlertHistory] as const
