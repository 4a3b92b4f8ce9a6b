import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import { refuse } from '../../kernel/errors.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { NOTHING } from '../entitlements/amounts.ts'
import { amountsSchema, entitlementSet, limitsSchema } from '../entitlements/entries.ts'
import { BUFFERS, entitlements } from '../entitlements/tables.ts'
import { entitlementViews } from '../entitlements/view.ts'

const nameSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'a name of small letters, digits and hyphens')

const viewSchema = z.object({
  name: z.string(),
  guaranteed: amountsSchema,
  buffer: z.enum(BUFFERS),
  quota: limitsSchema.nullable(),
  author: z.string(),
  changedAtMs: z.number(),
  tasks: z.int(),
  used: amountsSchema,
  idle: amountsSchema,
  isCovered: z.boolean(),
  lacking: z.string().nullable(),
})

const changed = z.object({ name: z.string(), isChanged: z.boolean() })
const gpus = z.record(z.string().min(1), z.int().min(0))

const current = (db: ReadDb, name: string) =>
  entitlements(db).find((it) => it.name === name) ?? { name, guaranteed: NOTHING, buffer: 'none' as const, quota: null }

export const entitlementSetCommand = defineCommand({
  name: 'tw.entitlement.set',
  summary: 'Guarantee capacity to an owner.',
  role: 'admin',
  input: z.object({
    name: nameSchema,
    /** what is left out stays as it is */
    cpuMilli: z.int().min(0).optional(),
    memoryBytes: z.int().min(0).optional(),
    gpus: gpus.optional(),
    buffer: z.enum(BUFFERS).optional(),
    reason: z.string().default(''),
  }),
  output: changed,
  decide: (db, input) => {
    const before = current(db, input.name)
    const guaranteed = {
      cpuMilli: input.cpuMilli ?? before.guaranteed.cpuMilli,
      memoryBytes: input.memoryBytes ?? before.guaranteed.memoryBytes,
      gpus: input.gpus ?? before.guaranteed.gpus,
    }
    const entry = entitlementSet.of({
      name: input.name,
      guaranteed,
      buffer: input.buffer ?? before.buffer,
      quota: before.quota,
      reason: input.reason,
    })
    return { entries: [entry], reply: () => ({ name: input.name, isChanged: true }) }
  },
})

export const quotaSet = defineCommand({
  name: 'tw.quota.set',
  summary: 'Limit what an owner may take, guaranteed or not.',
  role: 'admin',
  input: z.object({
    name: nameSchema,
    /** null: no limit; left out: as it is */
    cpuMilli: z.int().min(0).nullable().optional(),
    memoryBytes: z.int().min(0).nullable().optional(),
    gpus: gpus.optional(),
    /** no limit at all any more */
    isLifted: z.boolean().default(false),
    reason: z.string().default(''),
  }),
  output: changed,
  decide: (db, input) => {
    const before = current(db, input.name)
    const old = before.quota ?? { cpuMilli: null, memoryBytes: null, gpus: {} }
    const quota = input.isLifted
      ? null
      : {
          cpuMilli: input.cpuMilli === undefined ? old.cpuMilli : input.cpuMilli,
          memoryBytes: input.memoryBytes === undefined ? old.memoryBytes : input.memoryBytes,
          gpus: input.gpus ?? old.gpus,
        }
    const { guaranteed, buffer } = before
    const entry = entitlementSet.of({ name: input.name, guaranteed, buffer, quota, reason: input.reason })
    return { entries: [entry], reply: () => ({ name: input.name, isChanged: true }) }
  },
})

export const entitlementList = defineQuery({
  name: 'tw.entitlement.list',
  summary: 'List what owners are guaranteed and what they use.',
  input: z.object({ hasQuota: z.boolean().default(false) }),
  output: z.array(viewSchema),
  answer: (db, input) => entitlementViews(db).filter((it) => !input.hasQuota || it.quota !== null),
})

export const entitlementShow = defineQuery({
  name: 'tw.entitlement.show',
  summary: 'Show what an owner is guaranteed, what it uses, and whether its buffer is still covered.',
  input: z.object({ name: z.string() }),
  output: viewSchema,
  answer: (db, input) =>
    entitlementViews(db, input.name)[0] ?? refuse('TW_ENTITLEMENT_UNKNOWN', `nothing is guaranteed to or held from ${input.name}`),
})
