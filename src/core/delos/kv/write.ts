import type { Db } from '../../contracts/storage.ts'
import type { TxnOp } from '../schema.ts'
import { TO_THE_END } from './range.ts'
import { currentKv, keysOfLease, revisionOf } from './read.ts'

/**
 * Applies the operations as one revision; one that changes nothing (deleting what is not there) takes none.
 * Sub-revisions count the changes inside it.
 */
export function applyTxn(db: Db, ops: readonly TxnOp[]): void {
  const { revision, compacted } = revisionOf(db)
  const rev = revision + 1
  let sub = 0
  for (const op of ops) {
    const keys = op.op === 'put' ? [op.key] : keysToDelete(db, op.key, op.end)
    for (const key of keys) {
      if (op.op === 'put') put(db, rev, sub, op)
      else remove(db, rev, sub, key)
      sub += 1
    }
  }
  if (sub > 0) setState(db, rev, compacted)
}

function put(db: Db, rev: number, sub: number, op: Extract<TxnOp, { op: 'put' }>): void {
  const before = currentKv(db, op.key)
  db.run(
    'INSERT INTO kv_rev (rev, sub, key, "create", version, lease, del, value) VALUES (?, ?, ?, ?, ?, ?, 0, ?)',
    rev,
    sub,
    op.key,
    before?.create_revision ?? rev,
    (before?.version ?? 0) + 1,
    op.lease,
    op.value,
  )
  db.run(
    'INSERT INTO kv_cur (key, rev, sub, lease) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET rev = excluded.rev, sub = excluded.sub, lease = excluded.lease',
    op.key,
    rev,
    sub,
    op.lease,
  )
}

function remove(db: Db, rev: number, sub: number, key: string): void {
  db.run('INSERT INTO kv_rev (rev, sub, key, "create", version, lease, del, value) VALUES (?, ?, ?, 0, 0, NULL, 1, \'\')', rev, sub, key)
  db.run('DELETE FROM kv_cur WHERE key = ?', key)
}

function keysToDelete(db: Db, key: string, end: string | null): string[] {
  if (end === TO_THE_END) return db.all<{ key: string }>('SELECT key FROM kv_cur WHERE key >= ? ORDER BY key', key).map((row) => row.key)
  const sql = end === null ? 'SELECT key FROM kv_cur WHERE key = ?' : 'SELECT key FROM kv_cur WHERE key >= ? AND key < ? ORDER BY key'
  return db.all<{ key: string }>(sql, ...(end === null ? [key] : [key, end])).map((row) => row.key)
}

/** Ends leases: the keys of each go in one revision. Ids that are gone already change nothing. */
export function endLeases(db: Db, ids: readonly string[]): void {
  for (const id of ids) {
    applyTxn(
      db,
      keysOfLease(db, id).map((key) => ({ op: 'delete', key, end: null })),
    )
    db.run('DELETE FROM kv_lease WHERE id = ?', id)
  }
}

/** Forgets versions below `revision`, except those that are still the newest of their key at it. */
export function compact(db: Db, revision: number): void {
  const state = revisionOf(db)
  if (revision <= state.compacted || revision > state.revision) return
  db.run(
    `DELETE FROM kv_rev WHERE rev < ? AND (del = 1 OR EXISTS (SELECT 1 FROM kv_rev newer WHERE newer.key = kv_rev.key AND newer.rev > kv_rev.rev AND newer.rev <= ?))`,
    revision,
    revision,
  )
  setState(db, state.revision, revision)
}

function setState(db: Db, rev: number, compacted: number): void {
  db.run(
    'INSERT INTO kv_state (one, rev, compact_rev) VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE SET rev = excluded.rev, compact_rev = excluded.compact_rev',
    rev,
    compacted,
  )
}
