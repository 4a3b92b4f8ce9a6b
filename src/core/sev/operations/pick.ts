import { z } from 'zod'
import type { OpContext } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { refuse, type MusterError } from '../../kernel/errors.ts'
import { nameOf } from '../entries/incident.ts'
import { incidentRow, openIncidents } from '../queries.ts'
import type { IncidentRow } from '../schema.ts'

/** Number of an incident; left out: your only open one. */
export const IncidentNumber = z.number().int().positive()

/** The incident that is meant: by number, else the only open one, else the only open one you were paged for. */
export function pickIncident(db: ReadDb, number: number | undefined, ctx: OpContext): IncidentRow | MusterError {
  if (number !== undefined) return incidentRow(db, number) ?? refuse('SEV_INCIDENT_UNKNOWN', `there is no incident #${number}`)
  const open = openIncidents(db)
  if (open.length === 0)
    return refuse('SEV_INCIDENT_UNKNOWN', 'no incident is open', { hint: 'See past ones with `muster sev list --all`.' })
  if (open.length === 1 && open[0]) return open[0]
  const person = nameOf(ctx.actor)
  const mine = open.filter(
    (row) => db.get('SELECT 1 AS one FROM sev_page WHERE incident = ? AND person = ? LIMIT 1', row.number, person) !== undefined,
  )
  if (mine.length === 1 && mine[0]) return mine[0]
  return refuse('SEV_AMBIGUOUS', `${open.length} incidents are open: ${open.map((row) => `#${row.number}`).join(', ')}`)
}

/** The last incident, open or not: for reading, when no number is given. */
export function pickAny(db: ReadDb, number: number | undefined, ctx: OpContext): IncidentRow | MusterError {
  const picked = pickIncident(db, number, ctx)
  if (!('code' in picked) || number !== undefined || picked.code !== 'SEV_INCIDENT_UNKNOWN') return picked
  return db.get<IncidentRow>('SELECT * FROM sev_incident ORDER BY number DESC LIMIT 1') ?? picked
}

/** A row or a refusal: which one it is. */
export function isIncident(value: IncidentRow | MusterError): value is IncidentRow {
  return 'number' in value
}
