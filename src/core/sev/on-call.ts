import type { ReadDb } from '../contracts/storage.ts'
import { isScheduleApplied, overridesOf, personOf, scheduleOf, targetsOf, zonesFrom } from './people.ts'
import { gapsIn, spansBetween, type Span } from './schedule/resolve.ts'
import { wallOf } from '../kernel/zone.ts'
import type { Team } from './schema.ts'
import type { OnCallView } from './views.ts'

/** Who is on call, until when, and what is missing: db → view. */

const SHIFT_AHEAD_MS = 8 * 86_400_000

/** Until when somebody stays on call in a schedule, and who follows. */
export function shiftEnd(db: ReadDb, schedule: string, person: string, now: number): { untilMs: number | null; then: string | null } {
  const spec = scheduleOf(db, schedule)
  if (spec === null) return { untilMs: null, then: null }
  const spans = spansBetween(spec, overridesOf(db, schedule), zonesFrom(db), now, now + SHIFT_AHEAD_MS)
  const own = spans.find((span) => span.user === person && span.fromMs <= now)
  if (!own || own.toMs >= now + SHIFT_AHEAD_MS) return { untilMs: null, then: null }
  const after = spans.filter((span) => span.fromMs <= own.toMs && span.toMs > own.toMs).map((span) => span.user)
  return { untilMs: own.toMs, then: after.length === 0 ? null : after.join(', ') }
}

/** The person's wall clock; UTC when their zone is not known. */
export function wallClock(db: ReadDb, timeZone: string, now: number): { timeZone: string; wallMs: number } {
  const zone = zonesFrom(db).get(timeZone)
  return zone === undefined ? { timeZone: 'UTC', wallMs: now } : { timeZone, wallMs: wallOf(zone, now) }
}

const ROLE_NAMES = ['primary', 'secondary', 'ic', 'lead'] as const

/** Who is on call, until when, then who; what is missing, in words. */
export function onCallView(db: ReadDb, atMs: number, team: string | null): OnCallView {
  const isApplied = isScheduleApplied(db)
  const notes: string[] = []
  const rows = db.all<{ name: string; spec: string; is_builtin: number }>(
    'SELECT * FROM sev_team WHERE ? IS NULL OR name = ? ORDER BY name',
    team,
    team,
  )
  const teams = rows.map((row) => {
    const spec = JSON.parse(row.spec) as Team
    const roles = ROLE_NAMES.flatMap((role) => {
      const holder = spec[role]
      if (holder === undefined) return []
      const people = targetsOf(db, role, row.name, atMs).map(({ person, via }) => {
        const known = personOf(db, person)
        const channels = known?.contacts.map((contact) => contact.channel) ?? []
        if (channels.length === 0) notes.push(`${person} has no contact: nothing reaches them`)
        const isSchedule = scheduleOf(db, holder) !== null
        return {
          person,
          via,
          channels,
          ...(isSchedule ? shiftEnd(db, holder, person, atMs) : { untilMs: null, then: null }),
          ...wallClock(db, known?.time_zone ?? 'UTC', atMs),
        }
      })
      if (people.length === 0) notes.push(`team ${row.name}: nobody is ${role} now (${holder} has a gap)`)
      return [{ role, holder, people }]
    })
    return { team: row.name, isBuiltin: row.is_builtin === 1, roles }
  })
  if (!isApplied) notes.push('no schedule was applied: whoever ran `muster up` is on call; write one from templates/oncall.yaml')
  if (teams.length === 0) notes.push('nobody is on call')
  return { now: atMs, isScheduleApplied: isApplied, notes: [...new Set(notes)], teams }
}

/** Shifts and gaps of one schedule. */
export function scheduleView(
  db: ReadDb,
  name: string,
  fromMs: number,
  toMs: number,
): { spans: Span[]; gaps: { fromMs: number; toMs: number }[] } | null {
  const spec = scheduleOf(db, name)
  if (spec === null) return null
  const overrides = overridesOf(db, name)
  const zones = zonesFrom(db)
  return { spans: spansBetween(spec, overrides, zones, fromMs, toMs), gaps: gapsIn(spec, overrides, zones, fromMs, toMs) }
}
