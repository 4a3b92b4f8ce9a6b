import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { because, note } from '../entries/marks.ts'
import { BUFFERS } from './tables.ts'

export const amountsSchema = z.object({
  cpuMilli: z.int().min(0),
  memoryBytes: z.int().min(0),
  /** model → milli GPUs */
  gpus: z.record(z.string().min(1), z.int().min(0)),
})

export const limitsSchema = z.object({
  cpuMilli: z.int().min(0).nullable(),
  memoryBytes: z.int().min(0).nullable(),
  gpus: z.record(z.string().min(1), z.int().min(0)),
})

/** What an owner is guaranteed and may take at most, from here on. Nothing that runs is ended by it. */
export const entitlementSet = defineEntry({
  type: 'tw.EntitlementSet',
  body: z.object({
    name: z.string(),
    guaranteed: amountsSchema,
    buffer: z.enum(BUFFERS),
    /** null: no limit */
    quota: limitsSchema.nullable(),
    reason: z.string(),
  }),
  notable: (body) => note('entitlement', body.name, null, `entitlement ${body.name} changed${because(body.reason)}`),
  apply: (db, body, meta) => {
    db.run(
      'INSERT OR REPLACE INTO tw_entitlement (name, guaranteed, buffer, quota, author, changed_at) VALUES (?, ?, ?, ?, ?, ?)',
      body.name,
      canonicalJson(body.guaranteed),
      body.buffer,
      body.quota === null ? null : canonicalJson(body.quota),
      meta.actor,
      meta.at,
    )
  },
})

export const ENTITLEMENT_ENTRIES = [entitlementSet] as const
