import type Database from 'better-sqlite3'
import { readVersions } from './row-frame.ts'

/** Rows of one statement. More make it no faster. */
const ROWS = 32
const PLAIN = '(?, 0, ?, ?, ?, NULL, 0, ?)'
const PLAIN_COLUMNS = 5

/**
 * Writes a frame of versions into `kv_rev`. Nearly all are plain: alone in their revision, without a lease, no deletion; of those five of the eight
 * columns are bound, which are most of what a row costs.
 */
export function versionRows(db: Database.Database): (frame: Uint8Array) => void {
  const many = db.prepare(`INSERT OR REPLACE INTO kv_rev VALUES ${Array.from({ length: ROWS }, () => PLAIN).join(',')}`)
  const plain = db.prepare(`INSERT OR REPLACE INTO kv_rev VALUES ${PLAIN}`)
  const any = db.prepare('INSERT OR REPLACE INTO kv_rev VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
  const params: unknown[] = []
  return (frame) => {
    // What a frame that did not fit the disk left behind comes again with it.
    params.length = 0
    for (const row of readVersions(frame)) {
      const { rev, sub, key, create, version, lease, isDeleted, value } = row
      if (sub !== 0 || lease !== null || isDeleted !== 0) {
        any.run(rev, sub, key, create, version, lease, isDeleted, value)
        continue
      }
      params.push(rev, key, create, version, value)
      if (params.length < ROWS * PLAIN_COLUMNS) continue
      many.run(params)
      params.length = 0
    }
    for (let at = 0; at < params.length; at += PLAIN_COLUMNS) plain.run(params.slice(at, at + PLAIN_COLUMNS))
    params.length = 0
  }
}
