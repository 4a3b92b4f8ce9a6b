import { z } from 'zod'
import { defineEntry, type EntryMeta, type Notable } from '../../contracts/entry.ts'
import type { Db, ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { LOOK_BACK_MS } from '../levels.ts'
import { ladderOf, rungAt } from '../people.ts'
import { LevelSchema, type ChangeRow, type IncidentRow } from '../schema.ts'
import { addTimeline } from '../timeline.ts'
import { confirmPagesOf, reopenPages } from './page.ts'

/** `user:anna` → `anna`: how an actor is known in the on-call file. */
export function nameOf(actor: string): string {
  return actor.slice(actor.indexOf(':') + 1)
}

export function incidentOf(db: ReadDb, number: number): IncidentRow {
  return must(db.get<IncidentRow>('SELECT * FROM sev_incident WHERE number = ?', number), `incident ${number}`)
}

const isHuman = (actor: string): boolean => actor.startsWith('user:')

/** Notes what a person did: it keeps an acknowledgement fresh. */
function touch(db: Db, number: number, meta: EntryMeta): void {
  db.run(
    'UPDATE sev_incident SET version = ?, human_at = CASE WHEN ? THEN ? ELSE human_at END WHERE number = ?',
    meta.position,
    isHuman(meta.actor) ? 1 : 0,
    meta.at,
    number,
  )
}

/** A new generation starts the ladder again: timers of the old one die with it. */
function startLadder(db: Db, number: number, meta: EntryMeta): void {
  const { service, level } = incidentOf(db, number)
  const first = rungAt(ladderOf(db, service, level), 0)
  db.run(
    `UPDATE sev_incident SET generation = generation + 1, state = 'open', ladder_at = ?, step_next = 0, step_due_at = ? WHERE number = ?`,
    meta.at,
    first === null ? null : meta.at + first.waitMs,
    number,
  )
}

function notableOf(db: ReadDb, number: number, text: string): Notable | null {
  const row = db.get<IncidentRow>('SELECT * FROM sev_incident WHERE number = ?', number)
  return row
    ? { system: 'sev', kind: 'incident', target: `#${number}`, service: row.service, text: `SEV${row.level} #${number} ${text}` }
    : null
}

const AlertSchema = z.strictObject({
  source: z.string(),
  dedupKey: z.string(),
  level: LevelSchema,
  summary: z.string(),
  evidence: z.string(),
  at: z.number().int(),
})

type Alert = z.output<typeof AlertSchema>

function raiseAlert(db: Db, incident: number, service: string | null, alert: Alert): void {
  const changed = db.run(
    `UPDATE sev_alert SET count = count + 1, last_at = ?, summary = ?, evidence = ?, level = ?
     WHERE source = ? AND dedup_key = ? AND state = 'firing' AND incident = ?`,
    alert.at,
    alert.summary,
    alert.evidence,
    alert.level,
    alert.source,
    alert.dedupKey,
    incident,
  )
  if (changed > 0) return
  db.run(
    `INSERT INTO sev_alert (source, dedup_key, service, level, state, summary, evidence, incident, count, first_at, last_at)
     VALUES (?, ?, ?, ?, 'firing', ?, ?, ?, 1, ?, ?)`,
    alert.source,
    alert.dedupKey,
    service,
    alert.level,
    alert.summary,
    alert.evidence,
    incident,
    alert.at,
    alert.at,
  )
}

function consume(db: Db, signal: number | undefined): void {
  if (signal !== undefined) db.run('DELETE FROM sev_signal WHERE position = ?', signal)
}

/** What happened before it was opened belongs to the story: changes of the service, and of the whole fleet. */
function copyContext(db: Db, number: number, service: string | null, meta: EntryMeta): void {
  const rows = db.all<ChangeRow>(
    `SELECT * FROM sev_change WHERE at >= ? AND position < ? AND (service IS ? OR (service IS NULL AND at >= ?)) ORDER BY position`,
    meta.at - LOOK_BACK_MS.service,
    meta.position,
    service,
    meta.at - LOOK_BACK_MS.fleet,
  )
  for (const row of rows) addTimeline(db, number, { position: row.position, at: meta.at, actor: row.actor }, row.kind, row.text, row.at)
}

export const IncidentOpened = defineEntry({
  type: 'sev.IncidentOpened',
  body: z.strictObject({
    title: z.string().min(1).max(200),
    service: z.string().nullable(),
    /** what makes alerts one incident; empty: nothing, it stands alone */
    groupKey: z.string(),
    level: LevelSchema,
    /** null: when it is declared; a time of its own would make each plan another one */
    badAt: z.number().int().nullable(),
    /** what detected it: `person`, `deploy`, `scuba`, … */
    source: z.string(),
    isDrill: z.boolean().default(false),
    alert: AlertSchema.optional(),
    recurrenceOf: z.number().int().nullable().default(null),
    signal: z.number().int().optional(),
  }),
  notable: (body) => ({
    system: 'sev',
    kind: 'incident',
    target: body.service ?? 'fleet',
    service: body.service,
    text: `SEV${body.level} opened: ${body.title}`,
  }),
  apply: (db, body, meta) => {
    const number = meta.position
    const run = db.get<{ run: string }>(
      'SELECT run FROM sev_chaos WHERE ended_at IS NULL AND (service IS NULL OR service IS ?) ORDER BY started_at DESC LIMIT 1',
      body.service,
    )?.run
    db.run(
      `INSERT INTO sev_incident (number, title, service, group_key, level, state, generation, is_drill, source, opened_by, during_run,
         recurrence_of, bad_at, detected_at, human_at, ladder_at, step_next, step_due_at, version)
       VALUES (?, ?, ?, ?, ?, 'open', 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, ?)`,
      number,
      body.title,
      body.service,
      body.groupKey || `declared/${meta.position}`,
      body.level,
      body.isDrill ? 1 : 0,
      body.source,
      meta.actor,
      run ?? null,
      body.recurrenceOf,
      Math.min(body.badAt ?? meta.at, meta.at),
      meta.at,
      isHuman(meta.actor) ? meta.at : null,
      meta.at,
      meta.position,
    )
    copyContext(db, number, body.service, meta)
    addTimeline(db, number, meta, 'opened', `SEV${body.level} opened: ${body.title}`)
    if (run !== undefined) addTimeline(db, number, meta, 'chaos', `during chaos run ${run}`)
    if (body.alert) raiseAlert(db, number, body.service, body.alert)
    consume(db, body.signal)
    startLadder(db, number, meta)
  },
})

export const AlertsRaised = defineEntry({
  type: 'sev.AlertsRaised',
  body: z.strictObject({ incident: z.number().int(), alert: AlertSchema, signal: z.number().int().optional() }),
  apply: (db, body, meta) => {
    const row = incidentOf(db, body.incident)
    raiseAlert(db, body.incident, row.service, body.alert)
    addTimeline(db, body.incident, meta, 'alert', `alert joined: ${body.alert.summary}`)
    consume(db, body.signal)
    // Users are hurt again: what was mitigated is open once more, and somebody is asked.
    if (row.state === 'mitigated') {
      db.run('UPDATE sev_incident SET mitigated_at = NULL WHERE number = ?', body.incident)
      startLadder(db, body.incident, meta)
      addTimeline(db, body.incident, meta, 'unacked', 'open again: a new alert fired after it was mitigated')
    } else if (row.mitigated_at !== null) {
      db.run('UPDATE sev_incident SET mitigated_at = NULL WHERE number = ?', body.incident)
    }
    touch(db, body.incident, meta)
  },
})

export const AlertsResolved = defineEntry({
  type: 'sev.AlertsResolved',
  body: z.strictObject({ source: z.string(), dedupKey: z.string(), summary: z.string(), signal: z.number().int().optional() }),
  apply: (db, body, meta) => {
    const firing = db.all<{ id: number; incident: number }>(
      `SELECT id, incident FROM sev_alert WHERE source = ? AND dedup_key = ? AND state = 'firing'`,
      body.source,
      body.dedupKey,
    )
    for (const alert of firing) {
      db.run(`UPDATE sev_alert SET state = 'resolved', last_at = ? WHERE id = ?`, meta.at, alert.id)
      addTimeline(db, alert.incident, meta, 'alert', `alert cleared: ${body.summary}`)
    }
    consume(db, body.signal)
  },
})

export const LevelChanged = defineEntry({
  type: 'sev.LevelChanged',
  body: z.strictObject({ incident: z.number().int(), level: LevelSchema, why: z.string() }),
  notable: (body, db) => notableOf(db, body.incident, `now SEV${body.level}`),
  apply: (db, body, meta) => {
    const before = incidentOf(db, body.incident).level
    db.run('UPDATE sev_incident SET level = ? WHERE number = ?', body.level, body.incident)
    const why = body.why === '' ? '' : `: ${body.why}`
    addTimeline(db, body.incident, meta, 'level', `SEV${before} → SEV${body.level}${why}`)
    // Raising asks again from the first step; lowering never stops a page that is under way.
    if (body.level < before) startLadder(db, body.incident, meta)
    touch(db, body.incident, meta)
  },
})

export const IncidentAcknowledged = defineEntry({
  type: 'sev.IncidentAcknowledged',
  body: z.strictObject({ incident: z.number().int() }),
  notable: (body, db) => notableOf(db, body.incident, 'acknowledged'),
  apply: (db, body, meta) => {
    db.run(
      `UPDATE sev_incident SET state = CASE WHEN mitigated_at IS NULL THEN 'acked' ELSE 'mitigated' END,
         acked_at = COALESCE(acked_at, ?), acked_by = ?, acked_position = ? WHERE number = ?`,
      meta.at,
      nameOf(meta.actor),
      meta.position,
      body.incident,
    )
    confirmPagesOf(db, body.incident, nameOf(meta.actor), meta)
    addTimeline(db, body.incident, meta, 'acked', `acknowledged by ${nameOf(meta.actor)}`)
    touch(db, body.incident, meta)
  },
})

export const IncidentUnacknowledged = defineEntry({
  type: 'sev.IncidentUnacknowledged',
  body: z.strictObject({
    incident: z.number().int(),
    why: z.enum(['undo', 'person', 'stale', 'escalated']),
    step: z.number().int().min(0).optional(),
  }),
  notable: (body, db) => notableOf(db, body.incident, 'open again'),
  apply: (db, body, meta) => {
    const row = incidentOf(db, body.incident)
    if (body.why === 'undo') {
      // As if the key had not been pressed: the same generation, the same timers, the same pages.
      db.run(
        `UPDATE sev_incident SET state = 'open', acked_at = NULL, acked_by = NULL, acked_position = NULL WHERE number = ?`,
        body.incident,
      )
      reopenPages(db, body.incident, row.acked_position ?? meta.position, meta)
      addTimeline(db, body.incident, meta, 'unacked', `acknowledgement taken back by ${nameOf(meta.actor)}`)
    } else {
      startLadder(db, body.incident, meta)
      if (body.step !== undefined)
        db.run('UPDATE sev_incident SET step_next = ?, step_due_at = ? WHERE number = ?', body.step, meta.at, body.incident)
      const reason = {
        person: `by ${nameOf(meta.actor)}`,
        stale: 'nobody did anything since it was acknowledged',
        escalated: `escalated by ${nameOf(meta.actor)}`,
      }
      addTimeline(db, body.incident, meta, 'unacked', `open again: ${reason[body.why]}`)
    }
    touch(db, body.incident, meta)
  },
})

export const IncidentMitigated = defineEntry({
  type: 'sev.IncidentMitigated',
  body: z.strictObject({ incident: z.number().int(), at: z.number().int(), why: z.string() }),
  notable: (body, db) => notableOf(db, body.incident, 'mitigated'),
  apply: (db, body, meta) => {
    db.run(
      `UPDATE sev_incident SET mitigated_at = ?, state = CASE WHEN state = 'acked' THEN 'mitigated' ELSE state END WHERE number = ?`,
      body.at,
      body.incident,
    )
    addTimeline(db, body.incident, meta, 'mitigated', `mitigated${body.why === '' ? '' : `: ${body.why}`}`, body.at)
    touch(db, body.incident, meta)
  },
})

export const IncidentResolved = defineEntry({
  type: 'sev.IncidentResolved',
  body: z.strictObject({ incident: z.number().int(), at: z.number().int(), cause: z.string() }),
  notable: (body, db) => notableOf(db, body.incident, 'resolved'),
  apply: (db, body, meta) => {
    db.run(
      `UPDATE sev_incident SET state = 'resolved', resolved_at = ?, resolved_by = ?, mitigated_at = COALESCE(mitigated_at, ?),
         cause = ?, step_due_at = NULL WHERE number = ?`,
      body.at,
      nameOf(meta.actor),
      body.at,
      body.cause,
      body.incident,
    )
    db.run(`UPDATE sev_alert SET state = 'resolved', last_at = ? WHERE incident = ? AND state = 'firing'`, meta.at, body.incident)
    addTimeline(db, body.incident, meta, 'resolved', `resolved${body.cause === '' ? '' : `: ${body.cause}`}`, body.at)
    touch(db, body.incident, meta)
  },
})

export const NoteAdded = defineEntry({
  type: 'sev.NoteAdded',
  body: z.strictObject({ incident: z.number().int(), text: z.string().min(1).max(4000), isDecision: z.boolean().default(false) }),
  apply: (db, body, meta) => {
    addTimeline(db, body.incident, meta, body.isDecision ? 'decision' : 'note', body.text)
    touch(db, body.incident, meta)
  },
})
