import { z } from 'zod'
import { defineEntry, type EntryMeta } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { RETRY_DELAYS_MS } from '../levels.ts'
import { CHANNELS, type DeliveryRow, type IncidentRow, type PageRow } from '../schema.ts'
import { addTimeline } from '../timeline.ts'

/**
 * A page as a machine: StepDue asks persons, DeliveryIntended starts an attempt over one of their contacts, its outcome comes
 * back as Sent, Confirmed, Failed or Dead; PageCancelled ends what is under way. Keys are `d<position>-<n>`.
 */

const pageOf = (db: Db, id: string): PageRow => must(db.get<PageRow>('SELECT * FROM sev_page WHERE id = ?', id), `page ${id}`)

export const StepDue = defineEntry({
  type: 'sev.StepDue',
  body: z.strictObject({
    incident: z.number().int(),
    generation: z.number().int(),
    step: z.number().int().min(0),
    name: z.string(),
    /** resolved when it was due, so that a replay needs no schedule */
    persons: z.array(z.strictObject({ person: z.string(), via: z.string() })),
    nextAt: z.number().int().nullable(),
  }),
  apply: (db, body, meta) => {
    db.run('UPDATE sev_incident SET step_next = ?, step_due_at = ? WHERE number = ?', body.step + 1, body.nextAt, body.incident)
    for (const [n, { person, via }] of body.persons.entries()) {
      db.run(
        `INSERT INTO sev_page (id, incident, generation, step, person, via, position, at, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'open')`,
        `p${meta.position}-${n}`,
        body.incident,
        body.generation,
        body.step,
        person,
        via,
        meta.position,
        meta.at,
      )
    }
    const who = body.persons.map(({ person }) => person).join(', ')
    const text = who === '' ? `${body.name}: nobody to ask, on to the next` : `${body.name}: paging ${who}`
    addTimeline(db, body.incident, meta, 'escalation', text)
  },
})

export const DeliveryIntended = defineEntry({
  type: 'sev.DeliveryIntended',
  body: z.strictObject({
    deliveries: z
      .array(z.strictObject({ page: z.string(), contact: z.number().int(), channel: z.enum(CHANNELS), address: z.string() }))
      .min(1),
  }),
  apply: (db, body, meta) => {
    for (const [n, wanted] of body.deliveries.entries()) {
      const page = pageOf(db, wanted.page)
      insertDelivery(db, `d${meta.position}-${n}`, page, wanted.contact, wanted.channel, wanted.address, 'page', meta)
    }
  },
})

function insertDelivery(
  db: Db,
  key: string,
  page: PageRow,
  contact: number,
  channel: string,
  address: string,
  kind: 'page' | 'notice',
  meta: EntryMeta,
): void {
  db.run(
    `INSERT INTO sev_delivery (key, page, incident, person, contact, channel, address, kind, state, attempts, next_at, at, position)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'intended', 0, ?, ?, ?)`,
    key,
    page.id,
    page.incident,
    page.person,
    contact,
    channel,
    address,
    kind,
    meta.at,
    meta.at,
    meta.position,
  )
}

const deliveryOf = (db: Db, key: string): DeliveryRow | undefined => db.get<DeliveryRow>('SELECT * FROM sev_delivery WHERE key = ?', key)

const isUnderWay = (row: DeliveryRow): boolean => row.state === 'intended' || row.state === 'failed'

export const DeliverySent = defineEntry({
  type: 'sev.DeliverySent',
  body: z.strictObject({ key: z.string(), detail: z.string() }),
  apply: (db, body, meta) => {
    const row = deliveryOf(db, body.key)
    if (!row || row.sent_at !== null) return
    db.run(
      `UPDATE sev_delivery SET state = CASE WHEN state IN ('intended', 'failed') THEN 'sent' ELSE state END,
         attempts = attempts + 1, next_at = NULL, sent_at = ?, detail = ? WHERE key = ?`,
      meta.at,
      body.detail,
      body.key,
    )
    const word = row.kind === 'page' ? 'page' : 'stand-down'
    addTimeline(
      db,
      row.incident,
      meta,
      'page',
      `${word} to ${row.person} over ${row.channel} sent${isUnderWay(row) ? '' : ' (it had just been cancelled)'}`,
    )
    if (row.kind === 'page') db.run('UPDATE sev_incident SET paged_at = COALESCE(paged_at, ?) WHERE number = ?', meta.at, row.incident)
  },
})

export const DeliveryConfirmed = defineEntry({
  type: 'sev.DeliveryConfirmed',
  body: z.strictObject({ key: z.string(), by: z.string() }),
  apply: (db, body, meta) => {
    const row = deliveryOf(db, body.key)
    if (!row || row.state === 'confirmed' || row.state === 'cancelled') return
    db.run(
      `UPDATE sev_delivery SET state = 'confirmed', next_at = NULL, sent_at = COALESCE(sent_at, ?), detail = ? WHERE key = ?`,
      meta.at,
      `confirmed by ${body.by}`,
      body.key,
    )
    if (row.kind === 'page') db.run('UPDATE sev_incident SET paged_at = COALESCE(paged_at, ?) WHERE number = ?', meta.at, row.incident)
    addTimeline(db, row.incident, meta, 'page', `page to ${row.person} over ${row.channel} confirmed by ${body.by}`)
  },
})

export const DeliveryFailed = defineEntry({
  type: 'sev.DeliveryFailed',
  body: z.strictObject({ key: z.string(), error: z.string().max(500), isPermanent: z.boolean().default(false) }),
  apply: (db, body, meta) => {
    const row = deliveryOf(db, body.key)
    if (!row || !isUnderWay(row)) return
    const delayMs = body.isPermanent ? undefined : RETRY_DELAYS_MS[row.attempts]
    db.run(
      'UPDATE sev_delivery SET state = ?, attempts = attempts + 1, next_at = ?, ended_position = ?, detail = ? WHERE key = ?',
      delayMs === undefined ? 'dead' : 'failed',
      delayMs === undefined ? null : meta.at + delayMs,
      delayMs === undefined ? meta.position : null,
      body.error,
      body.key,
    )
    const then = delayMs === undefined ? 'given up' : `again in ${delayMs / 1000} s`
    addTimeline(db, row.incident, meta, 'page', `${row.kind} to ${row.person} over ${row.channel} failed (${body.error}): ${then}`)
  },
})

export const DeliveryDead = defineEntry({
  type: 'sev.DeliveryDead',
  body: z.strictObject({ page: z.string(), why: z.string() }),
  apply: (db, body, meta) => {
    const page = pageOf(db, body.page)
    if (page.state !== 'open') return
    db.run(`UPDATE sev_page SET state = 'dead', ended_position = ?, why = ? WHERE id = ?`, meta.position, body.why, body.page)
    db.run(
      `UPDATE sev_delivery SET state = 'dead', next_at = NULL, ended_position = ? WHERE page = ? AND state IN ('intended', 'failed')`,
      meta.position,
      body.page,
    )
    addTimeline(db, page.incident, meta, 'page', `page to ${page.person} is dead: ${body.why}`)
    const incident = must(db.get<IncidentRow>('SELECT * FROM sev_incident WHERE number = ?', page.incident), 'its incident')
    const alive = db.get(
      `SELECT 1 AS one FROM sev_page WHERE incident = ? AND position = ? AND state = 'open' LIMIT 1`,
      page.incident,
      page.position,
    )
    const isNewest = incident.step_next === page.step + 1 && incident.generation === page.generation
    if (alive === undefined && isNewest && incident.state === 'open' && incident.step_due_at !== null) {
      db.run('UPDATE sev_incident SET step_due_at = MIN(step_due_at, ?) WHERE number = ?', meta.at, page.incident)
    }
    // Nobody was reached: the pager itself is in trouble, and says so, but never about itself.
    if (incident.service !== 'pager') {
      db.run(
        `INSERT OR IGNORE INTO sev_signal (position, at, action, source, dedup_key, group_key, service, level, title, summary, evidence)
         VALUES (?, ?, 'raise', 'sev', ?, 'service', 'pager', 3, ?, ?, '{}')`,
        meta.position,
        meta.at,
        `page/${page.person}`,
        `pages to ${page.person} do not arrive`,
        `page ${page.id} for #${page.incident}: ${body.why}`,
      )
    }
  },
})

/** Ends what is under way for an incident, and tells those who were reached, other than `except`, that they may stand down. */
export const PageCancelled = defineEntry({
  type: 'sev.PageCancelled',
  body: z.strictObject({ incident: z.number().int(), why: z.string(), by: z.string() }),
  apply: (db, body, meta) => {
    const pages = db.all<PageRow>(`SELECT * FROM sev_page WHERE incident = ? AND state IN ('open', 'acked') ORDER BY id`, body.incident)
    const told = new Set<string>([body.by])
    let n = 0
    for (const page of pages) {
      db.run(
        `UPDATE sev_delivery SET state = 'cancelled', next_at = NULL, ended_position = ? WHERE page = ? AND state IN ('intended', 'failed')`,
        meta.position,
        page.id,
      )
      if (page.state === 'acked') continue
      db.run(`UPDATE sev_page SET state = 'cancelled', ended_position = ?, why = ? WHERE id = ?`, meta.position, body.why, page.id)
      const reached = db.get<DeliveryRow>(
        `SELECT * FROM sev_delivery WHERE page = ? AND kind = 'page' AND sent_at IS NOT NULL ORDER BY contact LIMIT 1`,
        page.id,
      )
      if (!reached || told.has(page.person)) continue
      told.add(page.person)
      insertDelivery(db, `d${meta.position}-${n}`, page, reached.contact, reached.channel, reached.address, 'notice', meta)
      n += 1
    }
    const count = pages.filter((page) => page.state === 'open').length
    if (count > 0) addTimeline(db, body.incident, meta, 'page', `${count} page${count === 1 ? '' : 's'} ended: ${body.why}`)
  },
})

/** The person's own pages are answered: their deliveries count as confirmed. */
export function confirmPagesOf(db: Db, incident: number, person: string, meta: EntryMeta): void {
  db.run(
    `UPDATE sev_delivery SET state = 'confirmed', detail = ? WHERE incident = ? AND person = ? AND kind = 'page' AND state = 'sent'`,
    `acknowledged by ${person}`,
    incident,
    person,
  )
  db.run(
    `UPDATE sev_page SET state = 'acked', ended_position = ? WHERE incident = ? AND person = ? AND state = 'open'`,
    meta.position,
    incident,
    person,
  )
}

/** Brings back the pages an acknowledgement ended (at or after `since`), as if it had not happened. */
export function reopenPages(db: Db, incident: number, since: number, meta: EntryMeta): void {
  db.run(
    `UPDATE sev_page SET state = 'open', ended_position = NULL, why = '' WHERE incident = ? AND ended_position >= ? AND state IN ('acked', 'cancelled')`,
    incident,
    since,
  )
  db.run(
    `UPDATE sev_delivery SET state = 'intended', next_at = ?, ended_position = NULL
     WHERE incident = ? AND kind = 'page' AND state = 'cancelled' AND ended_position >= ? AND sent_at IS NULL`,
    meta.at,
    incident,
    since,
  )
}
