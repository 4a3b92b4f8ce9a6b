import type { EntryMeta } from '../contracts/entry.ts'
import type { Db, ReadDb } from '../contracts/storage.ts'
import { canonicalJson } from '../kernel/json.ts'
import { sha256Hex } from '../kernel/sha256.ts'
import type { TimelineRow } from './schema.ts'

const GENESIS = '0'.repeat(64)

/** Hash of a row: over the hash before it and everything the row says. */
function hashOf(row: Omit<TimelineRow, 'hash'>): string {
  const { previous_hash: previous, ...content } = row
  return sha256Hex(`${previous}\n${canonicalJson(content)}`)
}

/** Appends a row. `eventAt`: when it happened, if that is not when it was logged. Rows never change afterwards. */
export function addTimeline(db: Db, incident: number, meta: EntryMeta, kind: string, text: string, eventAt = meta.at): void {
  const last = db.get<{ n: number; hash: string }>('SELECT n, hash FROM sev_timeline WHERE incident = ? ORDER BY n DESC LIMIT 1', incident)
  const row = {
    incident,
    n: (last?.n ?? 0) + 1,
    position: meta.position,
    at: meta.at,
    event_at: eventAt,
    actor: meta.actor,
    kind,
    text,
    previous_hash: last?.hash ?? GENESIS,
  }
  db.run(
    `INSERT INTO sev_timeline (incident, n, position, at, event_at, actor, kind, text, previous_hash, hash)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.incident,
    row.n,
    row.position,
    row.at,
    row.event_at,
    row.actor,
    row.kind,
    row.text,
    row.previous_hash,
    hashOf(row),
  )
}

/** Rows in the order they happened. */
export function timelineOf(db: ReadDb, incident: number): TimelineRow[] {
  return db.all<TimelineRow>('SELECT * FROM sev_timeline WHERE incident = ? ORDER BY event_at, n', incident)
}

/** Walks the chain; gives the number of the first row that does not fit, or null. */
export function firstBrokenRow(db: ReadDb, incident: number): number | null {
  let previous = GENESIS
  let n = 1
  for (const row of db.all<TimelineRow>('SELECT * FROM sev_timeline WHERE incident = ? ORDER BY n', incident)) {
    const { hash, ...content } = row
    if (row.n !== n || row.previous_hash !== previous || hashOf(content) !== hash) return row.n
    previous = hash
    n += 1
  }
  return null
}
