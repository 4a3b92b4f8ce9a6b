import type { CopyFormat, PgStatement } from '../../../../core/scuba/pgwire/statements.ts'
import type { PgRefusal } from '../../../../core/scuba/pgwire/problem.ts'
import type { Format, PgField } from '../../../../core/scuba/pgwire/writer.ts'
import type { PgRows } from './select.ts'

/** A prepared statement of a connection. */
export interface Prepared {
  statement: PgStatement
  /** oids of `$1`, …; 0: not known yet */
  parameterTypes: number[]
  /** columns, once they were asked for; null: it gives no rows */
  fields: PgField[] | null | undefined
}

/** A statement with its parameters, whose rows are taken bit by bit. */
export interface Portal {
  statement: PgStatement
  literals: string[]
  formats: readonly number[]
  rows: PgRows | null
  /** rows that were sent */
  sent: number
  isDone: boolean
  /** DECLARE … WITH HOLD: stays when a transaction ends */
  isHeld: boolean
}

export const newPortal = (statement: PgStatement, literals: string[] = [], formats: readonly number[] = [], isHeld = false): Portal => ({
  statement,
  literals,
  formats,
  rows: null,
  sent: 0,
  isDone: false,
  isHeld,
})

/** One format for each column: none given means text, one given is for all. */
export function formatsOf(formats: readonly number[], columns: number): Format[] | PgRefusal {
  if (formats.length > 1 && formats.length !== columns)
    return { sqlState: '08P01', message: `${formats.length} result formats were given for ${columns} columns` }
  const each = Array.from({ length: columns }, (_, index) => (formats.length === 1 ? formats[0] : formats[index]) ?? 0)
  return each.every((format): format is Format => format === 0 || format === 1)
    ? each
    : { sqlState: '22023', message: 'formats are 0 and 1' }
}

/** The rows' query of a statement; null: it has none. */
export function sqlOf(statement: PgStatement): { sql: string; copy: CopyFormat | null } | null {
  if (statement.kind === 'select') return { sql: statement.sql, copy: null }
  if (statement.kind === 'copy') return { sql: statement.sql, copy: statement.format }
  return statement.kind === 'declare' ? { sql: statement.sql, copy: null } : null
}
