import type { ReadDb } from '../contracts/storage.ts'
import { personOf, scheduleOf, targetsOf } from './people.ts'
import { alertsOf, changesBefore, changeView, incidentView, openIncidents, timelineView } from './queries.ts'
import { shiftEnd, wallClock } from './on-call.ts'
import type { ChangeRow, DeliveryRow, IncidentRow, Team } from './schema.ts'
import type { ConsoleView } from './views.ts'

/** The view model of the console: one query, drawn by the TUI and by its plain twin. */

const INCIDENTS_MAX = 50
const HOUR_MS = 3_600_000

function shiftOf(db: ReadDb, person: string, now: number): { isOnCall: boolean; untilMs: number | null; then: string | null } {
  for (const row of db.all<{ name: string; spec: string }>('SELECT name, spec FROM sev_team ORDER BY name')) {
    const holder = (JSON.parse(row.spec) as Team).primary
    if (holder === undefined || !targetsOf(db, 'primary', row.name, now).some((target) => target.person === person)) continue
    return { isOnCall: true, ...(scheduleOf(db, holder) === null ? { untilMs: null, then: null } : shiftEnd(db, holder, person, now)) }
  }
  return { isOnCall: false, untilMs: null, then: null }
}

function pagerOf(db: ReadDb, now: number): ConsoleView['pager'] {
  const newest = new Map<string, { channel: string; isOk: boolean; at: number }>()
  const rows = db.all<DeliveryRow>(
    `SELECT * FROM sev_delivery WHERE at >= ? AND state <> 'cancelled' ORDER BY position, key`,
    now - 24 * HOUR_MS,
  )
  for (const row of rows)
    newest.set(row.channel, { channel: row.channel, isOk: row.state !== 'failed' && row.state !== 'dead', at: row.sent_at ?? row.at })
  const sent = db.get<{ at: number | null }>('SELECT MAX(sent_at) AS at FROM sev_delivery')?.at ?? null
  const overdue = db.get(`SELECT 1 AS one FROM sev_delivery WHERE state IN ('intended', 'failed') AND at < ? LIMIT 1`, now - 30_000)
  const channels = [...newest.values()]
  return { isOk: overdue === undefined && channels.every((channel) => channel.isOk), lastSentAt: sent, channels }
}

const UNDO = /RolledBack|RollBack|Halted|DrainStarted|FaultReverted|Returned/

function detailsOf(db: ReadDb, row: IncidentRow): ConsoleView['details'][number] {
  const changed = changesBefore(db, row.service, row.detected_at, HOUR_MS, 6)
  const since = db
    .all<ChangeRow>(
      'SELECT * FROM sev_change WHERE at >= ? AND (service IS NULL OR ? IS NULL OR service = ?) ORDER BY position',
      row.bad_at,
      row.service,
      row.service,
    )
    .filter((change) => UNDO.test(change.type))
    .map(changeView)
  const chaos = db.all<{ run: string }>(
    'SELECT run FROM sev_chaos WHERE ended_at IS NULL AND (service IS NULL OR ? IS NULL OR service = ?)',
    row.service,
    row.service,
  )
  const doNext: { text: string; command: string }[] = []
  const deployed = changed.find((change) => change.system === 'deploy' && change.service === row.service)
  const isUndone = row.mitigated_at !== null
  if (deployed && row.service !== null && !isUndone) {
    doNext.push({ text: `roll back ${row.service}`, command: `muster deploy rollback ${row.service} --plan` })
  }
  if (chaos.length > 0) doNext.push({ text: 'halt chaos', command: 'muster chaos halt --plan' })
  if (row.mitigated_at === null) doNext.push({ text: 'mark mitigated', command: `muster sev mitigate ${row.number} --plan` })
  else doNext.push({ text: 'resolve', command: `muster sev resolve ${row.number} --cause unknown --plan` })
  doNext.push({ text: 'ask the next step', command: `muster sev escalate ${row.number} --plan` })
  return {
    number: row.number,
    alerts: alertsOf(db, row.number),
    changed,
    chaos: chaos.map(({ run }) => run),
    tried: since.map((change) => change.text).slice(-3),
    doNext: doNext.slice(0, 4),
    timeline: timelineView(db, row.number).slice(-200),
  }
}

/** Everything the console shows to one person at an instant. */
export function consoleView(db: ReadDb, person: string, now: number): ConsoleView {
  const rows = openIncidents(db).slice(0, INCIDENTS_MAX)
  const shift = shiftOf(db, person, now)
  return {
    now,
    person,
    isOnCall: shift.isOnCall,
    shiftUntilMs: shift.untilMs,
    shiftThen: shift.then,
    ...wallClock(db, personOf(db, person)?.time_zone ?? 'UTC', now),
    pager: pagerOf(db, now),
    incidents: rows.map((row) => incidentView(db, row)),
    details: rows.map((row) => detailsOf(db, row)),
  }
}
