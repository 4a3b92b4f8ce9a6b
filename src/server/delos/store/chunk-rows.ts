import type Database from 'better-sqlite3'
import { tombstone, type Version } from '../../../core/delos/kv/version.ts'
import { VersionFrame } from './row-frame.ts'
import { versionChunks } from './version-chunks.ts'

/** Rows that are read at once: nothing can be written while a query is open. */
const ROWS = 4096

/** A row of format 1. */
interface RevRow {
  rev: number
  sub: number
  key: Buffer
  create: number
  version: number
  /** as text, its 64 bits survive without making every integer of the row a bigint */
  lease: string | null
  del: number
  value: Buffer
}

/** Takes the versions of a file of format 1, which have a row each, over into chunks. Within a transaction. */
export function chunkRows(db: Database.Database): void {
  const chunks = versionChunks(db)
  const frame = new VersionFrame()
  const query = db.prepare<[number, number], RevRow>(
    `SELECT rev, sub, key, "create", version, CAST(lease AS TEXT) AS lease, del, value FROM kv_rev
     WHERE (rev, sub) > (?, ?) ORDER BY rev, sub LIMIT ${ROWS}`,
  )
  for (let rows = query.all(-1, 0); rows.length > 0;) {
    for (const row of rows) frame.add(versionOf(row))
    chunks.insert(frame.take())
    const { rev, sub } = rows.at(-1) as RevRow
    rows = query.all(rev, sub)
  }
  db.exec('DROP TABLE kv_rev')
}

function versionOf({ rev, sub, key, create, version, lease, del, value }: RevRow): Version {
  const text = key.toString('latin1')
  if (del === 1) return tombstone(text, rev, sub)
  const id = lease === null ? 0n : BigInt(lease)
  return { key: text, create_revision: create, mod_revision: rev, version, value, lease: id, sub, isDeleted: false }
}
