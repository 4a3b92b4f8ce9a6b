import type { ReadDb, SqlValue } from '../../contracts/storage.ts'
import type { Kv } from '../schema.ts'
import type { KeyRange } from './range.ts'

interface RevRow {
  rev: number
  sub: number
  key: string
  create: number
  version: number
  lease: string | null
  del: number
  value: string
}

const COLUMNS = 'r.rev, r.sub, r.key, r."create", r.version, r.lease, r.del, r.value'
/** A bound above every text: SQLite sorts blobs after text. */
const ABOVE_ALL = new Uint8Array(0)

const toKv = (row: RevRow): Kv => ({
  key: row.key,
  value: row.value,
  create_revision: row.create,
  mod_revision: row.rev,
  version: row.version,
  lease: row.lease,
})
const bounds = (range: KeyRange): [SqlValue, SqlValue] => [range.start, range.end ?? ABOVE_ALL]

/** The store's revision, starting at 1 as etcd's does, and the oldest revision that can still be read. */
export function revisionOf(db: ReadDb): { revision: number; compacted: number } {
  const row = db.get<{ rev: number; compact_rev: number }>('SELECT rev, compact_rev FROM kv_state WHERE one = 1')
  return { revision: row?.rev ?? 1, compacted: row?.compact_rev ?? 1 }
}

/** The key as it stands now. */
export function currentKv(db: ReadDb, key: string): Kv | null {
  const row = db.get<RevRow>(`SELECT ${COLUMNS} FROM kv_cur c JOIN kv_rev r ON r.rev = c.rev AND r.sub = c.sub WHERE c.key = ?`, key)
  return row === undefined ? null : toKv(row)
}

/** The key before `revision`, for watchers that ask what was there; null if it did not exist or that was compacted. */
export function kvBefore(db: ReadDb, key: string, revision: number): Kv | null {
  const row = db.get<RevRow>(`SELECT ${COLUMNS} FROM kv_rev r WHERE r.key = ? AND r.rev < ? ORDER BY r.rev DESC LIMIT 1`, key, revision)
  return row === undefined || row.del === 1 ? null : toKv(row)
}

/** Living keys of a range in key order, as of now, at most `limit`. */
export function currentRange(db: ReadDb, range: KeyRange, limit: number): Kv[] {
  return db
    .all<RevRow>(
      `SELECT ${COLUMNS} FROM kv_cur c JOIN kv_rev r ON r.rev = c.rev AND r.sub = c.sub WHERE c.key >= ? AND c.key < ? ORDER BY c.key LIMIT ?`,
      ...bounds(range),
      limit,
    )
    .map(toKv)
}

export function countRange(db: ReadDb, range: KeyRange): number {
  return db.get<{ n: number }>('SELECT count(*) AS n FROM kv_cur WHERE key >= ? AND key < ?', ...bounds(range))?.n ?? 0
}

/** Keys of a range as they stood at `revision`, which must not be compacted. */
export function rangeAt(db: ReadDb, range: KeyRange, revision: number, limit: number): Kv[] {
  return db
    .all<RevRow>(
      `SELECT ${COLUMNS} FROM kv_rev r WHERE r.key >= ? AND r.key < ? AND r.del = 0 AND r.rev = (SELECT max(x.rev) FROM kv_rev x WHERE x.key = r.key AND x.rev <= ?)
       ORDER BY r.key LIMIT ?`,
      ...bounds(range),
      revision,
      limit,
    )
    .map(toKv)
}

export interface KvEvent {
  type: 'put' | 'delete'
  /** for a deletion: the key, its revision, and nothing else */
  kv: Kv
}

/** Changes of a range from `revision` on, in order: whole revisions, at most about `limit` events. */
export function eventsFrom(db: ReadDb, range: KeyRange, revision: number, limit: number): KvEvent[] {
  const matching = 'rev >= ? AND key >= ? AND key < ?'
  const from = [revision, ...bounds(range)]
  // The revision of the event after the limit is told whole; without one, all are.
  const last = db.get<{ rev: number }>(`SELECT rev FROM kv_rev WHERE ${matching} ORDER BY rev, sub LIMIT 1 OFFSET ?`, ...from, limit)
  const rows = db.all<RevRow>(
    `SELECT ${COLUMNS} FROM kv_rev r WHERE ${matching} AND rev <= ? ORDER BY rev, sub`,
    ...from,
    last?.rev ?? Number.MAX_SAFE_INTEGER,
  )
  return rows.map((row) => ({ type: row.del === 1 ? 'delete' : 'put', kv: toKv(row) }))
}

export interface Lease {
  id: string
  ttlMs: number
  grantedAt: number
  owner: string
}

export function leaseOf(db: ReadDb, id: string): Lease | null {
  const row = db.get<{ id: string; ttl_ms: number; granted_at: number; owner: string }>('SELECT * FROM kv_lease WHERE id = ?', id)
  return row === undefined ? null : { id: row.id, ttlMs: row.ttl_ms, grantedAt: row.granted_at, owner: row.owner }
}

export function allLeases(db: ReadDb): Lease[] {
  return db
    .all<{ id: string; ttl_ms: number; granted_at: number; owner: string }>('SELECT * FROM kv_lease ORDER BY id')
    .map((row) => ({ id: row.id, ttlMs: row.ttl_ms, grantedAt: row.granted_at, owner: row.owner }))
}

export function keysOfLease(db: ReadDb, id: string): string[] {
  return db.all<{ key: string }>('SELECT key FROM kv_cur WHERE lease = ? ORDER BY key', id).map(({ key }) => key)
}
