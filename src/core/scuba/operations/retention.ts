import { z } from 'zod'
import { defineAction, defineCommand, defineQuery } from '../../contracts/operation.ts'
import { refuse } from '../../kernel/errors.ts'
import { HoldReleased, HoldSet, RetentionSet } from '../entries/retention.ts'
import type { RegistrySoft } from '../observed.ts'
import { storedHolds, storedPolicy } from '../registry-state.ts'
import { retentionDefault, holdSchema, retentionPolicySchema } from '../retention/policy.ts'
import { missingLeaves } from './missing.ts'
import { isTable, unknownTable } from './tables.ts'

const ms = z.int().nonnegative()

const tableRetention = z.object({
  table: z.string(),
  policy: retentionPolicySchema,
  segments: z.number(),
  rows: z.number(),
  bytes: z.number(),
  /** what goes with the next round, within 15 minutes */
  going: z.array(
    z.object({
      what: z.enum(['dropped by age', 'dropped by space', 'thinned']),
      segments: z.number(),
      rows: z.number(),
      bytes: z.number(),
      /** newest row of them */
      untilMs: z.number(),
    }),
  ),
  /** when the next segment after those is due by its age */
  nextMs: z.number().nullable(),
  /** segments that would go, were they not held */
  held: z.object({ segments: z.number(), rows: z.number() }),
})

export const scubaRetentionShow = defineAction({
  name: 'scuba.retention.show',
  summary: 'Show how long tables are kept, what would go now, and what goes next.',
  isMutation: false,
  input: z.object({ table: z.string().optional() }),
  output: z.object({
    /** the time ages are counted from */
    nowMs: z.number(),
    tables: z.array(tableRetention),
    missing: missingLeaves,
  }),
})

export const scubaRetentionPut = defineCommand({
  name: 'scuba.retention.put',
  summary: 'Set how long a table is kept, in how much space, and how its old rows are thinned.',
  danger: 'medium',
  input: z.object({
    table: z.string(),
    /** what is left out stays as it is */
    days: z.number().optional(),
    gb: z.number().optional(),
    thin: z.array(z.object({ afterDays: z.number(), keepOneIn: z.number() })).optional(),
    /** as any table: 30 days (`muster_slo`: 92), 100 GB */
    isDefault: z.boolean().default(false),
  }),
  output: z.object({ table: z.string(), policy: retentionPolicySchema }),
  decide: (db, { table, isDefault, ...change }, { soft }) => {
    if (!isTable(db, table, soft)) return unknownTable(db, table, soft)
    const before = storedPolicy(db, table) ?? retentionDefault(table)
    const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
    const parsed = retentionPolicySchema.safeParse(isDefault ? retentionDefault(table) : { ...before, ...given })
    if (!parsed.success) {
      const issue = parsed.error.issues[0]
      return refuse('USAGE', `the retention of ${table} cannot be that: ${issue?.path.join('.')}: ${issue?.message}`)
    }
    const policy = parsed.data
    const isShorter = policy.days < before.days || policy.gb < before.gb || policy.thin.length > before.thin.length
    return {
      entries: [RetentionSet.of({ table, policy: isDefault ? null : policy })],
      reply: () => ({ table, policy }),
      warnings: isShorter
        ? [`rows that are too old or too many by this go at once, and cannot be had back: \`muster scuba retention show ${table}\``]
        : [],
    }
  },
})

const hold = holdSchema.extend({ setAtMs: ms, setBy: z.string() })

export const scubaHoldPut = defineCommand({
  name: 'scuba.hold.put',
  summary: 'Hold the rows of a time: retention, thinning and erasure leave them alone.',
  input: z.object({
    table: z.string().optional(),
    fromMs: ms,
    toMs: ms,
    sev: z.int().positive().optional(),
    /** without it the title of the incident */
    reason: z.string().min(1).max(500).optional(),
  }),
  output: hold,
  decide: (db, { table, fromMs, toMs, sev, reason }, { position, soft }) => {
    if (table !== undefined && !isTable(db, table, soft)) return unknownTable(db, table, soft)
    if (toMs <= fromMs) return refuse('USAGE', 'the time to be held is empty: its end is not after its beginning')
    // Incidents are sev's, which stands on scuba; the server says of them.
    const titleOf = (soft as RegistrySoft | undefined)?.incidentTitle
    const title = sev === undefined ? undefined : titleOf?.(sev)
    if (title === null) return refuse('NOT_FOUND', `there is no incident #${sev}`, { hint: 'List incidents with `muster sev list --all`.' })
    const why = reason ?? title ?? 'not said'
    return {
      entries: [HoldSet.of({ table: table ?? null, fromMs, toMs, sev: sev ?? null, reason: why.slice(0, 500) })],
      reply: (after) => storedHolds(after).find(({ id }) => id === position) ?? noHold(position),
    }
  },
})

const noHold = (id: number): never => {
  throw new Error(`the hold of position ${id} was not kept`)
}

export const scubaHoldList = defineQuery({
  name: 'scuba.hold.list',
  summary: 'List the holds on rows.',
  input: z.object({}),
  output: z.object({ holds: z.array(hold) }),
  answer: (db) => ({ holds: storedHolds(db) }),
})

export const scubaHoldRm = defineCommand({
  name: 'scuba.hold.rm',
  summary: 'Release a hold: what is too old by then goes with the next round.',
  danger: 'medium',
  input: z.object({ id: z.int().positive() }),
  output: z.object({ id: z.number() }),
  decide: (db, { id }) => {
    if (!storedHolds(db).some((each) => each.id === id)) {
      return refuse('NOT_FOUND', `there is no hold ${id}`, { hint: 'List holds with `muster scuba hold list`.' })
    }
    return { entries: [HoldReleased.of({ id })], reply: () => ({ id }) }
  },
})

export const scubaErase = defineAction({
  name: 'scuba.row.erase',
  summary: 'Erase the rows of a table that a condition holds for; what is left of their segments is written anew.',
  isMutation: true,
  hasPlan: true,
  role: 'admin',
  danger: 'high',
  confirmName: ({ table }) => table,
  input: z.object({
    table: z.string(),
    /** SQL condition over the table's columns */
    where: z.string().min(1).max(20_000),
  }),
  output: z.object({ table: z.string(), rows: z.number(), segments: z.number(), predicateSha256: z.string() }),
})
