import { z } from 'zod'
import { defineAction } from '../../contracts/operation.ts'
import { missingLeaves } from './missing.ts'

export const scubaReceiptList = defineAction({
  name: 'scuba.receipt.list',
  summary: 'Look up batches by the key they were sent under, the newest first.',
  isMutation: false,
  input: z.object({
    key: z.string().min(1).max(256),
    /** all keys that begin with it */
    isPrefix: z.boolean().default(false),
    table: z.string().optional(),
    limit: z.int().positive().max(10_000).default(100),
  }),
  output: z.object({
    receipts: z.array(
      z.object({
        /** that has its rows */
        leaf: z.string().default(''),
        table: z.string(),
        key: z.string(),
        accepted: z.number(),
        quarantined: z.number(),
        /** ms */
        receivedMs: z.number(),
        /** ms; until then the same key is recognised */
        dedupeUntilMs: z.number(),
        /** the first half of the SHA-256 of what came, in hex */
        digest: z.string(),
      }),
    ),
    missing: missingLeaves,
  }),
})

export type ReceiptList = z.input<typeof scubaReceiptList.output>
