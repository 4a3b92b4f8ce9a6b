import { z } from 'zod'
import { isOwnTable, LIVE_TABLE } from '../names.ts'

export const quotaKindSchema = z.enum(['token', 'table'])

/** How many bytes a second may come in, as they are sent: with one token, or for one table. */
export const quotaSchema = z.object({
  kind: quotaKindSchema,
  /** of the token or the table */
  name: z.string().min(1).max(100),
  bytesPerSecond: z.number().positive().max(1e12),
  /** what may come at once after a pause */
  burstBytes: z.number().positive().max(1e13),
})
export type Quota = z.output<typeof quotaSchema>

/** What a leaf counted of a quota since it started. */
export interface QuotaCounts {
  kind: Quota['kind']
  name: string
  /** bytes that were taken in */
  takenBytes: number
  /** requests that were refused, and their bytes as far as these were said; their rows were not read */
  refusedRequests: number
  refusedBytes: number
}

/** Why a table has no quota: muster's own rows must come in when others do not, and guards fail closed without requests. */
export function whyNoQuota(table: string): string | null {
  if (isOwnTable(table)) return `${table} is of muster itself, and is never kept waiting for others`
  return table === LIVE_TABLE ? `rollouts and experiments stop when rows of ${table} are missing` : null
}

/** A quota's counter and bucket go by this name. */
export const quotaKey = ({ kind, name }: Pick<Quota, 'kind' | 'name'>): string => `${kind}:${name}`
