import { z } from 'zod'

/** What the values of one column have to be. */
export const rowRuleSchema = z
  .object({
    /** a row without it (or with null) fails */
    required: z.boolean().default(false),
    enum: z
      .array(z.union([z.string(), z.number(), z.boolean()]))
      .min(1)
      .max(1000)
      .optional(),
    /** numbers, both ends allowed; null: no end */
    range: z.tuple([z.number().nullable(), z.number().nullable()]).optional(),
    /** somewhere in the text, so anchor it to mean all of it */
    regex: z.string().min(1).max(1000).optional(),
    /** a failing row goes to quarantine, or is kept and counted */
    on_fail: z.enum(['quarantine', 'warn']).default('quarantine'),
  })
  .superRefine(({ range, regex }, context) => {
    if (range && range[0] !== null && range[1] !== null && range[0] > range[1])
      context.addIssue({ code: 'custom', path: ['range'], message: 'the range is empty' })
    if (regex !== undefined && compiled(regex) === null)
      context.addIssue({ code: 'custom', path: ['regex'], message: 'not a regular expression' })
  })
export type RowRule = z.output<typeof rowRuleSchema>

function compiled(regex: string): RegExp | null {
  try {
    return new RegExp(regex, 'u')
  } catch {
    return null
  }
}

export interface RuleFailure {
  column: string
  /** `status: 99 is less than 100` */
  reason: string
  isEnforced: boolean
}

/**
 * A check of rows against the rules of a table; made once, because expressions are compiled in it. It looks values up by
 * dotted path, so a nested object and a flat key of that name are the same column. Gives the failures, enforced ones first.
 */
export function rowChecker(rules: Readonly<Record<string, RowRule>>): (row: Readonly<Record<string, unknown>>) => RuleFailure[] {
  const checks = Object.entries(rules).map(([column, rule]) => ({
    column,
    rule,
    path: column.split('.'),
    allowed: rule.enum === undefined ? null : new Set<unknown>(rule.enum),
    expression: rule.regex === undefined ? null : compiled(rule.regex),
  }))
  return (row) => {
    const failures: RuleFailure[] = []
    for (const { column, rule, path, allowed, expression } of checks) {
      const value = valueAt(row, column, path)
      const why = failure(value, rule, allowed, expression)
      if (why !== null) failures.push({ column, reason: `${column}: ${why}`, isEnforced: rule.on_fail === 'quarantine' })
    }
    return failures.sort((a, b) => Number(b.isEnforced) - Number(a.isEnforced))
  }
}

function failure(value: unknown, rule: RowRule, allowed: ReadonlySet<unknown> | null, expression: RegExp | null): string | null {
  if (value === null || value === undefined) return rule.required ? 'is missing' : null
  if (allowed !== null && !allowed.has(value)) return `${shown(value)} is none of the values allowed`
  if (rule.range !== undefined) {
    const [min, max] = rule.range
    if (typeof value !== 'number') return `${shown(value)} is no number`
    if (min !== null && value < min) return `${value} is less than ${min}`
    if (max !== null && value > max) return `${value} is more than ${max}`
  }
  if (expression !== null && !(typeof value === 'string' && expression.test(value)))
    return `${shown(value)} does not match ${expression.source}`
  return null
}

function valueAt(row: Readonly<Record<string, unknown>>, column: string, path: readonly string[]): unknown {
  if (path.length === 1 || Object.hasOwn(row, column)) return Object.hasOwn(row, column) ? row[column] : undefined
  let value: unknown = row
  for (const key of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined'
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
