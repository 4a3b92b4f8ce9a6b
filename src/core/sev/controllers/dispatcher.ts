import type { Controller, Effect } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { parseDuration } from '../../kernel/units.ts'
import { PAGE_DEAD_MS } from '../levels.ts'
import { DeliveryDead, DeliveryIntended } from '../entries/page.ts'
import { bodyOf, type PageBody } from '../page-text.ts'
import { personOf } from '../people.ts'
import type { Contact, DeliveryRow, IncidentRow, PageRow } from '../schema.ts'

/** What the adapter of a channel is handed. */
export interface DeliverBody {
  key: string
  channel: DeliveryRow['channel']
  address: string
  kind: DeliveryRow['kind']
  /** 1 for the first try; more means the same key was tried before */
  attempt: number
  /** the channel's settings of the on-call file, or null */
  settings: unknown
  page: PageBody
}

/** A channel that rings a phone waits a little, so that what is silent may do first. */
const DEFAULT_DELAY_MS: Record<Contact['channel'], number> = { terminal: 0, file: 0, webhook: 0, smtp: 0, command: 60_000 }

const delayOf = (contact: Contact): number =>
  contact.delay === undefined ? DEFAULT_DELAY_MS[contact.channel] : (parseDuration(contact.delay) ?? 0)

interface Next {
  entries: Proposal[]
  wakeAt: number | null
}

/** What one open page needs: the contacts that are due, or its end. */
function pageNext(
  db: ReadDb,
  page: PageRow,
  level: IncidentRow['level'],
  now: number,
): { wanted: Contact[]; indexes: number[]; dead: string | null; wakeAt: number | null } {
  const person = personOf(db, page.person)
  const usable = (person?.contacts ?? [])
    .map((contact, index) => ({ contact, index }))
    .filter(({ contact }) => contact.levels?.includes(level) ?? true)
  const deliveries = db.all<DeliveryRow>(`SELECT * FROM sev_delivery WHERE page = ? AND kind = 'page'`, page.id)
  if (usable.length === 0 && deliveries.length === 0) {
    return {
      wanted: [],
      indexes: [],
      dead: person ? `${page.person} has no contact for SEV${level}` : `nobody knows ${page.person}`,
      wakeAt: null,
    }
  }
  const started = new Set(deliveries.map((delivery) => delivery.contact))
  const isTrouble = deliveries.some((delivery) => delivery.state === 'failed' || delivery.state === 'dead')
  const waiting = usable.filter(({ index }) => !started.has(index))
  // The next contact starts when its time has come, or when the newest one that was tried has failed.
  const newest = deliveries.reduce<DeliveryRow | null>((last, row) => (last === null || row.contact > last.contact ? row : last), null)
  const isNewestFailed = newest !== null && (newest.state === 'failed' || newest.state === 'dead')
  const due = waiting.filter(
    ({ contact }, i) =>
      page.at + delayOf(contact) <= now || (i === 0 && (isNewestFailed || (deliveries.length === 0 && usable.length === 1))),
  )
  const wakes = waiting.filter((item) => !due.includes(item)).map(({ contact }) => page.at + delayOf(contact))
  const isReached = deliveries.some((delivery) => delivery.sent_at !== null)
  const isSpent = waiting.length === 0 && deliveries.every((delivery) => delivery.state === 'dead')
  if (!isReached && isTrouble) wakes.push(page.at + PAGE_DEAD_MS)
  const dead = isSpent
    ? 'every contact failed'
    : !isReached && isTrouble && page.at + PAGE_DEAD_MS <= now
      ? 'no contact answered in 5 minutes'
      : null
  return {
    wanted: due.map(({ contact }) => contact),
    indexes: due.map(({ index }) => index),
    dead,
    wakeAt: wakes.length === 0 ? null : Math.min(...wakes),
  }
}

function decide(db: ReadDb, now: number): Next {
  const entries: Proposal[] = []
  const deliveries: { page: string; contact: number; channel: Contact['channel']; address: string }[] = []
  const wakes: number[] = []
  const pages = db.all<PageRow & { level: IncidentRow['level'] }>(
    `SELECT p.*, i.level AS level FROM sev_page p JOIN sev_incident i ON i.number = p.incident WHERE p.state = 'open' ORDER BY p.id`,
  )
  for (const page of pages) {
    const next = pageNext(db, page, page.level, now)
    if (next.dead !== null) {
      entries.push(DeliveryDead.of({ page: page.id, why: next.dead }))
      continue
    }
    for (const [i, contact] of next.wanted.entries()) {
      deliveries.push({ page: page.id, contact: must(next.indexes[i], 'its index'), channel: contact.channel, address: contact.address })
    }
    if (next.wakeAt !== null) wakes.push(next.wakeAt)
  }
  if (deliveries.length > 0) entries.push(DeliveryIntended.of({ deliveries }))
  // Only what lies ahead: a retry that is due is under way, and its outcome is what wakes us.
  const retry =
    db.get<{ at: number | null }>(`SELECT MIN(next_at) AS at FROM sev_delivery WHERE state = 'failed' AND next_at > ?`, now)?.at ?? null
  if (retry !== null) wakes.push(retry)
  return { entries, wakeAt: wakes.length === 0 ? null : Math.max(now, Math.min(...wakes)) }
}

function effects(db: ReadDb, now: number): Effect[] {
  const due = db.all<DeliveryRow>(
    `SELECT * FROM sev_delivery WHERE state IN ('intended', 'failed') AND next_at <= ? ORDER BY position, key`,
    now,
  )
  return due.map((delivery) => {
    const settings = db.get<{ settings: string }>('SELECT settings FROM sev_channel WHERE name = ?', delivery.channel)
    const body: DeliverBody = {
      key: delivery.key,
      channel: delivery.channel,
      address: delivery.address,
      kind: delivery.kind,
      attempt: delivery.attempts + 1,
      settings: settings === undefined ? null : (JSON.parse(settings.settings) as unknown),
      page: bodyOf(db, delivery),
    }
    return { key: delivery.key, kind: 'sev.deliver', body }
  })
}

/** Gives each open page its deliveries, contact by contact, and asks the channels to carry out those that are due. */
export const dispatcher: Controller = {
  name: 'sev.dispatcher',
  wakes: ['sev.'],
  decide: (db, now) => decide(db, now),
  effects: (db, now) => effects(db, now),
}
