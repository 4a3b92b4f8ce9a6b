import { z } from 'zod'
import { defineCommand, type Decision, type OpContext } from '../../contracts/operation.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { refuse, type MusterError } from '../../kernel/errors.ts'
import { ACK_UNDO_MS } from '../levels.ts'
import { IncidentAcknowledged, IncidentUnacknowledged, nameOf } from '../entries/incident.ts'
import { DeliveryConfirmed, PageCancelled, StepDue } from '../entries/page.ts'
import { ladderOf, peopleOf, rungAt } from '../people.ts'
import { incidentRow, incidentView, openIncidents } from '../queries.ts'
import type { DeliveryRow, IncidentRow } from '../schema.ts'
import { IncidentView } from '../views.ts'
import { IncidentNumber, isIncident, pickIncident } from './pick.ts'
import { Acted, acted, isOver } from './acted.ts'

/** The entries of one acknowledgement. */
export function ackOne(row: IncidentRow, ctx: OpContext): Proposal[] {
  const by = nameOf(ctx.actor)
  return [IncidentAcknowledged.of({ incident: row.number }), PageCancelled.of({ incident: row.number, why: `acknowledged by ${by}`, by })]
}

export const incidentAck = defineCommand({
  name: 'sev.incident.ack',
  summary: 'Acknowledge an incident: the paging stops, and those who were told may stand down.',
  input: z.strictObject({ incident: IncidentNumber.optional(), isAllMine: z.boolean().default(false) }),
  output: z.object({ incidents: z.array(IncidentView), position: z.number(), text: z.string() }),
  decide: (db, input, ctx) => {
    const by = nameOf(ctx.actor)
    let rows: IncidentRow[]
    if (input.isAllMine) {
      rows = openIncidents(db).filter(
        (row) =>
          db.get(`SELECT 1 AS one FROM sev_page WHERE incident = ? AND person = ? AND state = 'open' LIMIT 1`, row.number, by) !==
          undefined,
      )
    } else {
      const picked = pickIncident(db, input.incident, ctx)
      if (!isIncident(picked)) return picked
      rows = [picked]
    }
    const open = rows.filter((row) => row.state === 'open')
    // Never an error at 3 am: what is over or was acknowledged says so and is done.
    const said = (row: IncidentRow): string =>
      row.state === 'open'
        ? `#${row.number} acknowledged by ${by}`
        : isOver(row)
          ? `#${row.number} is ${row.state} already`
          : `#${row.number} was acknowledged by ${row.acked_by ?? 'somebody'}`
    return {
      entries: open.flatMap((row) => ackOne(row, ctx)),
      reply: (after) => ({
        incidents: rows.map((row) => incidentView(after, must(incidentRow(after, row.number), 'the incident'))),
        position: ctx.position,
        text: rows.length === 0 ? 'nothing is waiting for you' : rows.map(said).join('; '),
      }),
    }
  },
})

export const incidentUnack = defineCommand({
  name: 'sev.incident.unack',
  summary: 'Take an acknowledgement back; within 10 s as if it had not been given.',
  input: z.strictObject({ incident: IncidentNumber.optional() }),
  output: Acted,
  decide: (db, input, ctx) => {
    const row = pickIncident(db, input.incident, ctx)
    if (!isIncident(row)) return row
    if (row.state !== 'acked' && row.state !== 'mitigated')
      return refuse('SEV_STATE', `#${row.number} is ${row.state}: there is no acknowledgement to take back`)
    const isUndo = row.acked_by === nameOf(ctx.actor) && row.acked_position !== null && ctx.now - ackTime(db, row) <= ACK_UNDO_MS
    return {
      entries: [IncidentUnacknowledged.of({ incident: row.number, why: isUndo ? 'undo' : 'person' })],
      reply: acted(
        row.number,
        ctx,
        isUndo ? `#${row.number} is open again, its timers go on` : `#${row.number} is open again from its first step`,
      ),
    }
  },
})

const ackTime = (db: ReadDb, row: IncidentRow): number =>
  db.get<{ at: number }>('SELECT at FROM sev_timeline WHERE incident = ? AND position = ? LIMIT 1', row.number, row.acked_position)?.at ??
  row.acked_at ??
  0

export const incidentEscalate = defineCommand({
  name: 'sev.incident.escalate',
  summary: 'Ask the next step now, or a person, schedule or team; an acknowledged incident opens again.',
  input: z.strictObject({
    incident: IncidentNumber.optional(),
    /** person, schedule, team or role */
    to: z.string().max(80).optional(),
    /** number of the step, from 1 */
    step: z.number().int().min(1).max(100).optional(),
  }),
  output: Acted,
  decide: (db, input, ctx): Decision<z.input<typeof Acted>> | MusterError => {
    const row = pickIncident(db, input.incident, ctx)
    if (!isIncident(row)) return row
    if (isOver(row)) return refuse('SEV_STATE', `#${row.number} is ${row.state}`)
    const isOpen = row.state === 'open'
    if (input.to !== undefined) {
      const persons = peopleOf(db, [input.to], row.service, ctx.now)
      if (persons.length === 0) return refuse('SEV_PERSON_UNKNOWN', `${input.to} means nobody now`)
      const generation = isOpen ? row.generation : row.generation + 1
      const step = StepDue.of({
        incident: row.number,
        generation,
        step: isOpen ? Math.max(0, row.step_next - 1) : 0,
        name: `asked by ${nameOf(ctx.actor)}`,
        persons,
        nextAt: isOpen ? row.step_due_at : ctx.now + (rungAt(ladderOf(db, row.service, row.level), 1)?.waitMs ?? 3_600_000),
      })
      const entries = isOpen ? [step] : [IncidentUnacknowledged.of({ incident: row.number, why: 'escalated' }), step]
      return {
        entries,
        reply: acted(row.number, ctx, `paging ${persons.map((target) => target.person).join(', ')} (${persons[0]?.via ?? ''})`),
      }
    }
    const step = input.step === undefined ? row.step_next : input.step - 1
    const rung = rungAt(ladderOf(db, row.service, row.level), step)
    if (!rung) return refuse('SEV_STATE', `#${row.number} has no further step`, { hint: 'Name somebody with --to.' })
    const persons = peopleOf(db, rung.targets, row.service, ctx.now)
    return {
      entries: [IncidentUnacknowledged.of({ incident: row.number, why: 'escalated', step })],
      reply: acted(
        row.number,
        ctx,
        persons.length === 0 ? `${rung.name} has nobody, on to the next` : `paging ${persons.map((target) => target.person).join(', ')}`,
      ),
    }
  },
})

export const pageReceipt = defineCommand({
  name: 'sev.page.receipt',
  summary: 'Confirm that a page was shown to its person.',
  input: z.strictObject({ key: z.string().max(80) }),
  output: z.object({ key: z.string(), state: z.string() }),
  decide: (db, input, ctx) => {
    const row = db.get<DeliveryRow>('SELECT * FROM sev_delivery WHERE key = ?', input.key)
    if (!row) return refuse('NOT_FOUND', `there is no delivery ${input.key}`)
    const isNews = row.state !== 'confirmed' && row.state !== 'cancelled'
    return {
      entries: isNews ? [DeliveryConfirmed.of({ key: input.key, by: nameOf(ctx.actor) })] : [],
      reply: (after) => ({
        key: input.key,
        state: after.get<{ state: string }>('SELECT state FROM sev_delivery WHERE key = ?', input.key)?.state ?? '',
      }),
    }
  },
})
