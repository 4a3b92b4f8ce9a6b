import type { Controller } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { levelRule, STALE_GRACE_MS } from '../levels.ts'
import { IncidentUnacknowledged } from '../entries/incident.ts'
import { StepDue } from '../entries/page.ts'
import { ladderOf, peopleOf, rungAt } from '../people.ts'
import type { IncidentRow } from '../schema.ts'

/** Rungs without anybody that are passed over in one go; more than any ladder has. */
const EMPTY_MAX = 500

function stepOf(db: ReadDb, incident: IncidentRow, now: number): Proposal[] {
  const ladder = ladderOf(db, incident.service, incident.level)
  const rung = rungAt(ladder, incident.step_next)
  if (!rung || incident.step_next > EMPTY_MAX) {
    return incident.step_due_at === null ? [] : [stepEntry(incident, 'the ladder is spent', [], null)]
  }
  const persons = peopleOf(db, rung.targets, incident.service, now)
  const next = rungAt(ladder, incident.step_next + 1)
  // The wait counts from now, not from when the step was due: after a restart there is at most one overdue step. A step
  // without anybody moves on at once, but the endless last resort keeps its distance.
  const isLastResort = incident.step_next >= ladder.rungs.length - 1
  const nextAt = next === null ? null : persons.length === 0 && !isLastResort ? now : now + next.waitMs
  return [stepEntry(incident, `${ladder.policy}, ${rung.name}`, persons, nextAt)]
}

function stepEntry(incident: IncidentRow, name: string, persons: { person: string; via: string }[], nextAt: number | null): Proposal {
  return StepDue.of({ incident: incident.number, generation: incident.generation, step: incident.step_next, name, persons, nextAt })
}

/** When an acknowledgement is stale; null: never. */
function staleAt(incident: IncidentRow): number | null {
  const { staleAckMs } = levelRule(incident.level)
  if (incident.state !== 'acked' || staleAckMs === null) return null
  return Math.max(incident.acked_at ?? 0, incident.human_at ?? 0) + staleAckMs + STALE_GRACE_MS
}

/** Goes up the ladder of each open incident, and takes back acknowledgements nobody acts on. All timers are in the state. */
export const escalator: Controller = {
  name: 'sev.escalator',
  wakes: ['sev.'],
  decide: (db, now) => {
    const entries: Proposal[] = []
    let wakeAt: number | null = null
    const later = (at: number | null): void => {
      if (at !== null && (wakeAt === null || at < wakeAt)) wakeAt = at
    }
    for (const incident of db.all<IncidentRow>(`SELECT * FROM sev_incident WHERE state IN ('open', 'acked') ORDER BY number`)) {
      const stale = staleAt(incident)
      if (stale !== null && stale <= now) entries.push(IncidentUnacknowledged.of({ incident: incident.number, why: 'stale' }))
      else later(stale)
      if (incident.state !== 'open' || incident.step_due_at === null) continue
      if (incident.step_due_at <= now) entries.push(...stepOf(db, incident, now))
      else later(incident.step_due_at)
    }
    return { entries, wakeAt }
  },
}
