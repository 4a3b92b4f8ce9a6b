import type { MusterError } from '../../kernel/errors.ts'

/** Why something is not answered, as PostgreSQL's clients read it. */
export interface PgRefusal {
  /** five characters, "PostgreSQL Error Codes" */
  sqlState: string
  message: string
  detail?: string | undefined
  hint?: string | undefined
  /** characters into the statement, from 0 */
  offset?: number | undefined
}

/** An answer would be incomplete, and the connection did not say that it may be. Class 58 is for errors outside of PostgreSQL itself. */
export const SQLSTATE_PARTIAL = '58M01'

const STATES: Record<string, string> = {
  SCUBA_TABLE_UNKNOWN: '42P01',
  SCUBA_COLUMN_UNKNOWN: '42703',
  SCUBA_DEADLINE: '57014',
  SCUBA_MEMORY: '53200',
  SCUBA_TOO_LARGE: '54000',
  SCUBA_DOWN: '57P03',
  SCUBA_PARTIAL: SQLSTATE_PARTIAL,
  SCUBA_BUSY: '53300',
  USAGE: '22023',
}

/** What the engine calls its errors. */
const ENGINE_STATES: Record<string, string> = {
  Parser: '42601',
  Syntax: '42601',
  Catalog: '42883',
  Conversion: '22P02',
  'Out of Range': '22003',
  'Invalid Input': '22023',
  'Mismatch Type': '42804',
  'Not implemented': '0A000',
  Permission: '42501',
}

/** What the engine's binder says, which calls all of it the same. */
const BINDER_STATES: readonly [RegExp, string][] = [
  [/^No function matches|^Cannot compare values of type/, '42883'],
  [/must appear in the GROUP BY clause/, '42803'],
  [/^Ambiguous reference/, '42702'],
]

/** What the check of a statement calls its refusals (`sql/check.ts`). */
const REFUSAL_STATES: Record<string, string> = { syntax: '42601', forbidden: '42501', unsupported: '0A000' }

/** @param text the statement that `details` count in */
export function pgRefusalOf(error: MusterError, text: string): PgRefusal {
  const { category, refused, position, line, column } = (error.details ?? {}) as Record<string, unknown>
  const state =
    STATES[error.code] ??
    (typeof refused === 'string' ? REFUSAL_STATES[refused] : undefined) ??
    (typeof category === 'string' ? ENGINE_STATES[category] : undefined) ??
    (error.code === 'SCUBA_SQL' ? (BINDER_STATES.find(([words]) => words.test(error.message))?.[1] ?? '42000') : 'XX000')
  return {
    sqlState: state,
    message: error.message.replace(/ \(line \d+, column \d+\)$/, ''),
    hint: error.code === 'SCUBA_SQL' || error.hint === '' ? undefined : error.hint,
    offset: typeof position === 'number' ? position : offsetOf(text, line, column),
  }
}

function offsetOf(text: string, line: unknown, column: unknown): number | undefined {
  if (typeof line !== 'number' || typeof column !== 'number') return undefined
  const before = text.split('\n').slice(0, line - 1)
  return before.reduce((sum, one) => sum + one.length + 1, 0) + column - 1
}
