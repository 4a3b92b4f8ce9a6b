import { z } from 'zod'
import type { OpContext } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { incidentRow, incidentView } from '../queries.ts'
import type { IncidentRow } from '../schema.ts'
import { IncidentView } from '../views.ts'

/** What an act on an incident answers. */
export const Acted = z.object({ incident: IncidentView, position: z.number(), text: z.string() })

export const isOver = (row: IncidentRow): boolean => row.state === 'resolved' || row.state === 'closed'

/** The reply of an act: the incident as it is then, and a sentence. */
export function acted(number: number, ctx: OpContext, text: string | ((db: ReadDb) => string)): (db: ReadDb) => z.input<typeof Acted> {
  return (db) => ({
    incident: incidentView(db, must(incidentRow(db, number), `incident ${number}`)),
    position: ctx.position,
    text: typeof text === 'string' ? text : text(db),
  })
}
