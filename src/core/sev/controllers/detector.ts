import type { Controller } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { AlertsRaised, AlertsResolved, IncidentMitigated, IncidentOpened, LevelChanged } from '../entries/incident.ts'
import { resolveEntries } from '../resolve.ts'
import type { IncidentRow, SignalRow } from '../schema.ts'

/** Signals looked at in one round; the rest follow in the next. */
const BATCH_MAX = 50

const openOf = (db: ReadDb, signal: SignalRow): IncidentRow | undefined =>
  db.get<IncidentRow>(
    `SELECT * FROM sev_incident WHERE state IN ('open', 'acked', 'mitigated') AND group_key = ? AND service IS ? ORDER BY number DESC LIMIT 1`,
    signal.group_key,
    signal.service,
  )

const alertOf = (signal: SignalRow) => ({
  source: signal.source,
  dedupKey: signal.dedup_key,
  level: signal.level,
  summary: signal.summary,
  evidence: signal.evidence,
  at: signal.at,
})

const firingOn = (db: ReadDb, signal: SignalRow): { incident: number } | undefined =>
  db.get<{ incident: number }>(
    `SELECT incident FROM sev_alert WHERE source = ? AND dedup_key = ? AND state = 'firing' ORDER BY id DESC LIMIT 1`,
    signal.source,
    signal.dedup_key,
  )

/** What an alert that fires asks for: to join the open incident of its group, or to open one. */
export function raise(db: ReadDb, signal: SignalRow): Proposal[] {
  const open = openOf(db, signal)
  if (open) {
    const joined = AlertsRaised.of({ incident: open.number, alert: alertOf(signal), signal: signal.position })
    if (signal.level >= open.level) return [joined]
    return [joined, LevelChanged.of({ incident: open.number, level: signal.level, why: signal.summary })]
  }
  const before = db.get<{ number: number }>(
    `SELECT number FROM sev_incident WHERE group_key = ? AND service IS ? AND source = ? AND resolved_at > ? ORDER BY number DESC LIMIT 1`,
    signal.group_key,
    signal.service,
    signal.source,
    signal.at - 86_400_000,
  )
  return [
    IncidentOpened.of({
      title: signal.title.slice(0, 200),
      service: signal.service,
      groupKey: signal.group_key,
      level: signal.level,
      badAt: signal.at,
      source: signal.source,
      alert: alertOf(signal),
      signal: signal.position,
      recurrenceOf: before?.number ?? null,
    }),
  ]
}

function mitigate(db: ReadDb, signal: SignalRow): Proposal[] {
  const firing = firingOn(db, signal)
  const cleared = AlertsResolved.of({ source: signal.source, dedupKey: signal.dedup_key, summary: signal.summary, signal: signal.position })
  return firing ? [cleared, IncidentMitigated.of({ incident: firing.incident, at: signal.at, why: signal.summary })] : [cleared]
}

/** What an alert that is over asks for. */
export function resolve(db: ReadDb, signal: SignalRow): Proposal[] {
  const cleared = AlertsResolved.of({ source: signal.source, dedupKey: signal.dedup_key, summary: signal.summary, signal: signal.position })
  const firing = firingOn(db, signal)
  if (!firing) return [cleared]
  const others = db.get(
    `SELECT 1 AS one FROM sev_alert WHERE incident = ? AND state = 'firing' AND NOT (source = ? AND dedup_key = ?) LIMIT 1`,
    firing.incident,
    signal.source,
    signal.dedup_key,
  )
  const incident = db.get<IncidentRow>('SELECT * FROM sev_incident WHERE number = ?', firing.incident)
  if (others !== undefined || !incident || incident.source === 'person') return [cleared]
  // Small ones close themselves; a SEV1 or SEV2 is over when a person says so.
  return incident.level >= 3
    ? [cleared, ...resolveEntries(db, incident.number, { at: signal.at, cause: 'the alert cleared', by: 'the alert' })]
    : [cleared, IncidentMitigated.of({ incident: incident.number, at: signal.at, why: signal.summary })]
}

/** Signals left by `observe` become alerts and incidents: one incident for a service and group, later alerts join it. */
export const detector: Controller = {
  name: 'sev.detector',
  wakes: [
    'deploy.',
    'tw.Node',
    'tw.TasksReported',
    'scuba.AlertMoved',
    'scuba.SloMoved',
    'scuba.LeafDisk',
    'chaos.',
    'delos.Alarm',
    'sev.',
  ],
  decide: (db) => {
    const entries: Proposal[] = []
    const touched = new Set<string>()
    const signals = db.all<SignalRow>('SELECT * FROM sev_signal ORDER BY position LIMIT ?', BATCH_MAX)
    for (const signal of signals) {
      const group = `${signal.service ?? ''}/${signal.group_key}`
      // What a signal means depends on the one before it in its group, so that one is applied first.
      if (touched.has(group)) continue
      touched.add(group)
      entries.push(
        ...(signal.action === 'raise' ? raise(db, signal) : signal.action === 'mitigate' ? mitigate(db, signal) : resolve(db, signal)),
      )
    }
    return { entries, wakeAt: null }
  },
}
