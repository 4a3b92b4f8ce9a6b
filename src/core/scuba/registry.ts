import { z } from 'zod'
import { rowRuleSchema } from './declared/rules.ts'
import { LIMITS } from './limits.ts'
import { quotaSchema } from './quota/quota.ts'
import { holdSchema, retentionPolicySchema } from './retention/policy.ts'
import type { ColumnType } from './rows/columns.ts'

export const columnTypeSchema = z.enum(['BOOLEAN', 'BIGINT', 'DOUBLE', 'VARCHAR', 'TIMESTAMP']) satisfies z.ZodType<ColumnType>

/** What is declared of one table, as the leaf needs it. */
export const tableConfigSchema = z.object({
  /** of the schema; 1 is the first that was declared */
  version: z.number().int().positive(),
  /** what becomes of keys that no column is declared for: a new column, `_rest`, or the row goes to quarantine */
  mode: z.enum(['open', 'closed', 'strict']).default('open'),
  /** values are brought into their column's type as the engine's reader does it, without a check (1.5 in a BIGINT column is 2) */
  coerce: z.boolean().default(false),
  /** whether every row's keys are looked at for new ones, or those of the first rows of each chunk */
  keys: z.enum(['all', 'sampled']).default('all'),
  /** the key that holds the row's time; null: `time`, `ts`, `timestamp` or `@timestamp` */
  timeField: z.string().min(1).nullable().default(null),
  columns: z.record(z.string(), columnTypeSchema).default({}),
  /** columns whose type was another one before, of which older files hold values that may not fit */
  retyped: z.array(z.string()).default([]),
  /** column → what its values have to be */
  rules: z.record(z.string(), rowRuleSchema).default({}),
  /** how compacted segments are sorted; empty: service, time */
  sort: z.array(z.string()).default([]),
  /** IANA name; by it civil days are counted when a panel is compared with another week */
  timezone: z.string().default('UTC'),
  /** columns this table may have; null: as many as any */
  columnsMax: z.int().positive().nullable().default(null),
  /** leaves that are to have each row, the one that took it among them */
  replicas: z.int().min(1).max(LIMITS.replicasMax).default(1),
})
export type TableConfig = z.output<typeof tableConfigSchema>

/** A column computed from others when it is asked for. */
export const derivedSchema = z.object({
  /** SQL over the table's columns */
  sql: z.string().min(1).max(10_000),
  /** log position of its DerivedSet: what was computed by another version is not this one's */
  version: z.int().positive(),
})
export type Derived = z.output<typeof derivedSchema>

/** What is to be done once to a table, because the log says so; `id` is the position of its entry. */
export const tableJobSchema = z.object({
  id: z.int().positive(),
  table: z.string(),
  /** null: its rows go; else they are this table's from then on */
  to: z.string().nullable(),
})
export type TableJob = z.output<typeof tableJobSchema>

/** A leaf of the fleet, as the others reach it. */
export const peerSchema = z.object({
  /** its name, for good */
  id: z.string().min(1).max(100),
  /** `unix:PATH` or `https://HOST:PORT` */
  address: z.string().min(1).max(300),
  /** that it runs on, and whose certificate it shows there if not a server's; null: it is a server's own */
  node: z.string().nullable().default(null),
  /** whose certificate it shows there, 16 hex digits; null: its node's, or, on this machine, none */
  server: z.string().nullable().default(null),
  /** it gives what it has to another one: once its shards are that one's, none of its rows belongs into answers */
  isLeaving: z.boolean().optional(),
})
export type Peer = z.output<typeof peerSchema>

/** Where rows of a part of all keys go. */
export const shardSchema = z.object({
  id: z.string(),
  /** grows with each move from one leaf to another */
  epoch: z.int().positive(),
  /** name of the leaf */
  primary: z.string(),
  /** of the leaf, whose certificate it shows; null: on the server's machine */
  node: z.string().nullable().default(null),
  /** whether its leaf is leaving: all it has is copied, not only replicated tables; when it is draining it takes no rows */
  leaving: z.enum(['copying', 'draining']).nullable().default(null),
  /** leaves that hold copies of what the leaf has of replicated tables */
  replicas: z.array(peerSchema).max(8).default([]),
  /** log time of when it was first there, or there again, to be chosen, ms */
  sinceMs: z.int().nonnegative(),
  /** its leaf is a server's own and is lost: rows of its keys go to others, for a control plane goes on without one of its servers */
  isLost: z.boolean().default(false),
})
export type Shard = z.output<typeof shardSchema>

/** What the server tells its leaf, which keeps it and works by it while the server is away. */
export const registrySchema = z.object({
  /** position in the control log that it is true at; grows */
  version: z.number().int().nonnegative(),
  tables: z.record(z.string(), tableConfigSchema).default({}),
  /** table → how long it is kept; without one the default */
  retention: z.record(z.string(), retentionPolicySchema).default({}),
  holds: z.array(holdSchema).default([]),
  /** how much may come in */
  quotas: z.array(quotaSchema).default([]),
  /** table → column → what it is computed from */
  derived: z.record(z.string(), z.record(z.string(), derivedSchema)).default({}),
  /** every leaf whose rows belong into answers, the one that is told among them */
  leaves: z.array(peerSchema).max(4096).default([]),
  /** every shard; none: the leaf is alone */
  shards: z.array(shardSchema).max(4096).default([]),
  /** oldest first */
  jobs: z.array(tableJobSchema).default([]),
})
export type Registry = z.output<typeof registrySchema>

export const EMPTY_REGISTRY: Registry = registrySchema.parse({ version: 0 })

/** Whether rows of a table are to be on several leaves. */
export function isReplicated(config: TableConfig | undefined): boolean {
  return config !== undefined && config.replicas > 1
}

/** Whether the table's chunks may be read by the engine's plain typed read: declared, coercing, and with keys only sampled. */
export function isTrusted(config: TableConfig | undefined): boolean {
  return config !== undefined && config.coerce && config.keys === 'sampled'
}
