import { z } from 'zod'
import { LIMITS } from '../limits.ts'
import { isOwnTable, LIVE_TABLE } from '../names.ts'
import { columnTypeSchema } from '../registry.ts'
import { RESERVED } from '../rows/columns.ts'
import { rowRuleSchema } from './rules.ts'

const tableName = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, 'must be lower-case letters, digits and _, beginning with a letter')
const columnName = z
  .string()
  .min(1)
  .max(LIMITS.keyBytesMax)
  // oxlint-disable-next-line no-control-regex -- the engine cannot be told names with them
  .regex(/^[^\u0000-\u001f\u007f]+$/, 'must not hold control characters')

const declaredColumn = z.intersection(z.object({ type: columnTypeSchema, description: z.string().max(500).optional() }), rowRuleSchema)

/** A table as people declare it in a file. */
export const declarationSchema = z
  .strictObject({
    table: tableName,
    description: z.string().max(2000).optional(),
    /** what becomes of keys no column is declared for: a new column, `_rest`, or the row goes to quarantine */
    mode: z.enum(['open', 'closed', 'strict']).default('open'),
    /** values are brought into their column's type without a check */
    coerce: z.boolean().default(false),
    keys: z.enum(['all', 'sampled']).default('all'),
    time_field: columnName.optional(),
    timezone: z.string().min(1).max(64).default('UTC'),
    sort: z.array(columnName).max(8).default([]),
    columns_max: z.int().positive().max(LIMITS.columnsMax).optional(),
    /** leaves that have each row, the one that took it among them */
    replicas: z.int().min(1).max(LIMITS.replicasMax).default(1),
    columns: z.record(columnName, declaredColumn).default({}),
  })
  .superRefine(({ columns, columns_max: max, table, replicas }, context) => {
    const seen = new Map<string, string>()
    const issue = (column: string, message: string): void => context.addIssue({ code: 'custom', path: ['columns', column], message })
    for (const name of Object.keys(columns)) {
      const lower = name.toLowerCase()
      if (lower in RESERVED) issue(name, 'is a column every table has; it is not declared')
      const other = seen.get(lower)
      if (other !== undefined) issue(name, `is the same column as ${other}: names are compared without case`)
      seen.set(lower, name)
    }
    if (max !== undefined && Object.keys(columns).length > max)
      context.addIssue({ code: 'custom', path: ['columns_max'], message: 'is less than the columns declared' })
    if (table === LIVE_TABLE && replicas > 1)
      context.addIssue({
        code: 'custom',
        path: ['replicas'],
        message: 'is for other tables: the live aggregate of requests is of one leaf',
      })
    if (isOwnTable(table))
      context.addIssue({ code: 'custom', path: ['table'], message: 'begins with muster_, which is for tables of muster itself' })
  })
export type Declaration = z.output<typeof declarationSchema>
