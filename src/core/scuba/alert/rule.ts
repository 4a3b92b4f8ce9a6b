import { z } from 'zod'
import { parseDuration } from '../../kernel/units.ts'
import { parseComparison, type Comparison } from './comparison.ts'

const duration = (minMs: number, maxMs: number) =>
  z.string().refine(
    (text) => {
      const ms = parseDuration(text)
      return ms !== null && ms >= minMs && ms <= maxMs
    },
    `must be a duration such as 10s or 2m, from ${minMs} ms to ${maxMs / 60_000} min`,
  )

const threshold = z.string().regex(/^\s*(>=|<=|>|<)\s*-?\d+(\.\d+)?\s*%?\s*$/, 'must be a comparison such as "> 1%" or ">= 200"')

/** An alert rule as people write it: a threshold over a window of a table. */
export const alertRuleSchema = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'must be lower-case letters, digits, ".", "_" or "-"'),
    table: z
      .string()
      .regex(/^[a-z][a-z0-9_]{0,62}$/)
      .optional(),
    sev: z.number().int().min(1).max(4),
    /** the service whose team is paged; without it the group's own `service` */
    service: z.string().min(1).optional(),
    summary: z.string().max(500).optional(),
    /** how often it is looked at, and the width of a bucket */
    every: duration(1000, 3_600_000).default('10s'),
    /** rows are waited for this long */
    delay: duration(0, 3_600_000).default('2s'),
    calc: z.string().min(1).optional(),
    /** instead of `table` and `calc`: a SELECT that gives `time`, `value`, perhaps `events`, and columns that name the group */
    sql: z.string().min(1).max(20_000).optional(),
    by: z.array(z.string().min(1)).max(4).default([]),
    where: z.string().min(1).optional(),
    fire: threshold,
    /** default: the opposite of `fire` */
    clear: threshold.optional(),
    /** every bucket of this long must breach */
    for: duration(0, 86_400_000).default('0s'),
    /** every bucket of this long must be clear again */
    keep_firing_for: duration(0, 86_400_000).default('1m'),
    /** with fewer rows in the window a breach is a SEV4 that says so */
    min_events: z.number().int().nonnegative().default(1),
    no_data: z.enum(['notify', 'fire', 'keep', 'ok']).default('notify'),
    max_groups: z.number().int().min(1).max(1000).default(1000),
  })
  .refine((it) => (it.sql === undefined) === (it.calc !== undefined), 'must have either calc, with its table, or sql')
  .refine((it) => it.calc === undefined || it.table !== undefined, 'calc needs its table')
  .refine(
    (it) => it.sql === undefined || (it.by.length === 0 && it.where === undefined),
    '`by` and `where` go with calc; a query has its own',
  )

export type AlertRule = z.output<typeof alertRuleSchema>

const OPPOSITE = { '>': '<=', '>=': '<', '<': '>=', '<=': '>' } as const

/** The rule with its texts read: what the evaluator and the controller work from. */
export interface CompiledRule {
  rule: AlertRule
  everyMs: number
  delayMs: number
  forMs: number
  keepFiringMs: number
  fire: Comparison
  clear: Comparison
}

export function compileRule(rule: AlertRule): CompiledRule {
  const ms = (text: string): number => parseDuration(text) ?? 0
  const fire = parseComparison(rule.fire)
  return {
    rule,
    everyMs: ms(rule.every),
    delayMs: ms(rule.delay),
    forMs: ms(rule.for),
    keepFiringMs: ms(rule.keep_firing_for),
    fire,
    clear: rule.clear === undefined ? { op: OPPOSITE[fire.op], value: fire.value } : parseComparison(rule.clear),
  }
}
