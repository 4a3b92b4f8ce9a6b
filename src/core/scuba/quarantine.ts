import type { QueryRequest } from './wire-types.ts'

/** Lines that could not become rows, and what became of them. A line is never changed: a mark says that it is settled. */
export const QUARANTINE_TABLE = 'muster_quarantine'
export const QUARANTINE_MARKS = 'muster_quarantine_marks'

export interface QuarantineSelection {
  table?: string | undefined
  /** beginning of the reason */
  reason?: string | undefined
  sinceMs?: number | undefined
}

/**
 * A query over the lines that are still open.
 * @param tables that there are
 * @param tail GROUP BY, ORDER BY and LIMIT
 * @returns null when there is no quarantine yet
 */
export function quarantineSql(
  selection: QuarantineSelection,
  tables: readonly string[],
  columns: string,
  tail: string,
): QueryRequest | null {
  if (!tables.includes(QUARANTINE_TABLE)) return null
  const { table, reason, sinceMs } = selection
  const conditions = [
    'id IS NOT NULL',
    ...(table === undefined ? [] : ['"table" = $table']),
    ...(reason === undefined ? [] : ['starts_with(reason, $reason)']),
    ...(tables.includes(QUARANTINE_MARKS) ? [`id NOT IN (SELECT id FROM ${QUARANTINE_MARKS} WHERE id IS NOT NULL)`] : []),
  ]
  return {
    sql: `SELECT ${columns} FROM (SELECT * FROM ${QUARANTINE_TABLE}) WHERE ${conditions.join(' AND ')} ${tail}`,
    params: { ...(table === undefined ? {} : { table }), ...(reason === undefined ? {} : { reason }) },
    sinceMs,
    deadlineMs: 10_000,
  }
}
