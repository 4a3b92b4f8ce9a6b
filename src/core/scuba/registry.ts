import { z } from 'zod'
import type { ColumnType } from './rows/columns.ts'

const columnType = z.enum(['BOOLEAN', 'BIGINT', 'DOUBLE', 'VARCHAR', 'TIMESTAMP']) satisfies z.ZodType<ColumnType>

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
  columns: z.record(z.string(), columnType).default({}),
})
export type TableConfig = z.output<typeof tableConfigSchema>

/** What the server tells its leaf, which keeps it and works by it while the server is away. */
export const registrySchema = z.object({
  /** position in the control log that it is true at; grows */
  version: z.number().int().nonnegative(),
  tables: z.record(z.string(), tableConfigSchema).default({}),
})
export type Registry = z.output<typeof registrySchema>

export const EMPTY_REGISTRY: Registry = { version: 0, tables: {} }

/** Whether the table's chunks may be read by the engine's plain typed read: declared, coercing, and with keys only sampled. */
export function isTrusted(config: TableConfig | undefined): boolean {
  return config !== undefined && config.coerce && config.keys === 'sampled'
}
