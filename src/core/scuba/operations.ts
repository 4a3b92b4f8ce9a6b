import { z } from 'zod'
import { defineAction, defineCommand, defineQuery } from '../contracts/operation.ts'
import { refuse } from '../kernel/errors.ts'
import { parseDuration } from '../kernel/units.ts'
import { ALERT_STATES } from './alert/judge.ts'
import { alertRuleSchema } from './alert/rule.ts'
import { AlertMoved, AlertPaused, AlertRemoved, AlertSet } from './machine.ts'
import { declarationSchema } from './declared/declaration.ts'
import { nearNames } from './names.ts'
import { retentionPolicySchema } from './retention/policy.ts'
import { alert, alerts, type StoredAlert } from './queries.ts'
import { capCountsSchema, liveRequestSchema } from './schema.ts'

export * from './operations/asking.ts'

/** The live aggregate that guards read. */
export const scubaLiveRead = defineAction({
  name: 'scuba.live.read',
  summary: 'Read counts, latency and failing users of a service, second by second.',
  isMutation: false,
  input: liveRequestSchema,
  output: z.object({
    buckets: z.array(
      z.object({
        second: z.number(),
        arm: z.string(),
        version: z.string(),
        requests: z.number(),
        failing: z.number(),
        hist: z.record(z.string(), z.number()),
      }),
    ),
    users: z.record(z.string(), z.number()),
    isUsersExact: z.boolean(),
    failingUsers: z.array(z.object({ user: z.string(), arm: z.string(), firstMs: z.number() })),
    isFailingUsersCut: z.boolean(),
    coverage: z.number(),
    hotToMs: z.number(),
    nowMs: z.number(),
    /** leaves that did not answer, in words */
    missing: z.array(z.string()).optional(),
  }),
})

const tableInfo = z.object({
  name: z.string(),
  rows: z.number(),
  bytes: z.number(),
  segments: z.number(),
  chunks: z.number(),
  columns: z.record(z.string(), z.string()),
  fromMs: z.number().nullable(),
  toMs: z.number().nullable(),
  retention: retentionPolicySchema,
  /** how often rows met a bound of the table, since its leaf started */
  capped: capCountsSchema.optional(),
})

export const scubaTableList = defineAction({
  name: 'scuba.table.list',
  summary: 'List the tables of the store.',
  isMutation: false,
  input: z.object({}),
  output: z.object({ tables: z.array(tableInfo) }),
})

export const scubaTableShow = defineAction({
  name: 'scuba.table.show',
  summary: 'Show the columns, size and time range of a table.',
  isMutation: false,
  input: z.object({ table: z.string() }),
  output: tableInfo.extend({
    /** null: not declared */
    declaration: declarationSchema.nullable(),
    /** of the declaration; 0: not declared */
    version: z.number(),
  }),
})

const alertView = z.object({
  rule: alertRuleSchema,
  version: z.number(),
  pausedUntilMs: z.number().nullable(),
  pauseReason: z.string().nullable(),
  setAtMs: z.number(),
  setBy: z.string(),
  states: z.array(
    z.object({
      group: z.string(),
      state: z.enum(ALERT_STATES),
      sinceMs: z.number(),
      value: z.number().nullable(),
      sev: z.number(),
      service: z.string().nullable(),
      reason: z.string(),
    }),
  ),
})

export const scubaAlertPut = defineCommand({
  name: 'scuba.alert.put',
  summary: 'Put alert rules, new or instead of those of the same name.',
  input: z.object({ rules: z.array(alertRuleSchema).min(1).max(200) }),
  output: z.object({ names: z.array(z.string()) }),
  decide: (_db, { rules }) => {
    const names = rules.map(({ name }) => name)
    const twice = names.find((name, index) => names.indexOf(name) !== index)
    if (twice !== undefined) return refuse('SCUBA_ALERT_INVALID', `the rule ${twice} is there twice`)
    return { entries: rules.map((rule) => AlertSet.of({ rule })), reply: () => ({ names }) }
  },
})

export const scubaAlertList = defineQuery({
  name: 'scuba.alert.list',
  summary: 'List alert rules with their state.',
  input: z.object({}),
  output: z.object({ alerts: z.array(alertView) }),
  answer: (db) => ({ alerts: alerts(db) }),
})

export const scubaAlertShow = defineQuery({
  name: 'scuba.alert.show',
  summary: 'Show one alert rule and the state of its groups.',
  input: z.object({ name: z.string() }),
  output: alertView,
  answer: (db, { name }) => alert(db, name) ?? unknownAlert(name, alerts(db)),
})

export const scubaAlertRm = defineCommand({
  name: 'scuba.alert.rm',
  summary: 'Remove an alert rule.',
  danger: 'medium',
  input: z.object({ name: z.string() }),
  output: z.object({ name: z.string() }),
  decide: (db, { name }) => {
    const stored = alert(db, name)
    if (!stored) return unknownAlert(name, alerts(db))
    // Whoever was paged for it hears that it is over, before the rule is gone.
    const moves = stored.states.map(({ group, state, service, sev }) =>
      AlertMoved.of({
        rule: name,
        group,
        from: state,
        to: 'inactive',
        value: null,
        sev,
        service,
        title: stored.rule.summary ?? name,
        reason: 'rule removed',
      }),
    )
    return { entries: [...moves, AlertRemoved.of({ name })], reply: () => ({ name }) }
  },
})

export const scubaAlertPause = defineCommand({
  name: 'scuba.alert.pause',
  summary: 'Stop looking at an alert rule for a while, or go on.',
  input: z.object({
    name: z.string(),
    for: z.string().default('1h'),
    /** instead of `for`, ms */
    untilMs: z.number().int().positive().optional(),
    reason: z.string().min(1).max(500).default('not said'),
    resume: z.boolean().default(false),
  }),
  output: alertView,
  decide: (db, input, { now }) => {
    if (!alert(db, input.name)) return unknownAlert(input.name, alerts(db))
    const ms = parseDuration(input.for)
    if (ms === null || ms <= 0) return refuse('USAGE', `${JSON.stringify(input.for)} is no duration`, { hint: 'Write 30m or 2h.' })
    const untilMs = input.resume ? null : (input.untilMs ?? now + ms)
    if (untilMs !== null && untilMs <= now) return refuse('USAGE', 'The end of the pause has passed already.')
    return {
      entries: [AlertPaused.of({ name: input.name, untilMs, reason: input.reason })],
      reply: (after) => alert(after, input.name) as StoredAlert,
    }
  },
})

function unknownAlert(name: string, all: readonly StoredAlert[]): ReturnType<typeof refuse> {
  const near = nearNames(
    name,
    all.map(({ rule }) => rule.name),
  )
  return refuse('NOT_FOUND', `there is no alert rule ${name}${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`, {
    hint: 'List rules with `muster scuba alert list`.',
    details: { near },
  })
}
