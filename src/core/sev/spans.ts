import type { ReadDb } from '../contracts/storage.ts'

/** An incident's stretch of the log. */
export interface IncidentSpan {
  number: number
  title: string
  level: number
  state: string
  isDrill: boolean
  openedAt: number
  /** position of the entry that opened it, and of the one that resolved it; null: it is not resolved */
  from: number
  to: number | null
}

/** The newest incidents, newest first. */
export function incidentSpans(db: ReadDb, limit: number): IncidentSpan[] {
  const rows = db.all<Omit<IncidentSpan, 'isDrill'> & { isDrill: number }>(
    `SELECT number, title, level, state, is_drill AS isDrill, detected_at AS openedAt, number AS "from",
       CASE WHEN state IN ('resolved', 'closed') THEN
         (SELECT max(position) FROM sev_timeline t WHERE t.incident = i.number AND t.kind = 'resolved') END AS "to"
     FROM sev_incident i ORDER BY number DESC LIMIT ?`,
    limit,
  )
  return rows.map((row) => ({ ...row, isDrill: row.isDrill === 1 }))
}
