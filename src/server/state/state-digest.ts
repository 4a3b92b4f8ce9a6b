import type Database from 'better-sqlite3'
import { hash } from 'node:crypto'
import type { OpenDb } from './state-db.ts'

/** Says how far this server is and what it passed over, by its own account; servers that are alike say it in their own words. */
const OWN_TABLE = 'muster_state'
/** Rows between two places where whoever computes it may stop for a while. */
const ROWS_BETWEEN = 64
const BYTES = 6
const MODULUS = 2 ** (8 * BYTES)

export interface StateDigest {
  /** below 2^48 */
  digest: number
  rows: number
}

/**
 * The digest of every row of every table that the systems have: the sum of the rows' hashes, so equal for equal states, whatever way and in
 * whatever order they came about. Yields now and again; what it reads is of one moment if `db` is in a transaction. End it with `return`
 * before the database is closed.
 */
export function* digestInSlices(db: Database.Database): Generator<undefined, StateDigest> {
  const tables = db
    .prepare<[], { name: string }>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )
    .all()
  let digest = 0
  let rows = 0
  for (const { name } of tables) {
    if (name === OWN_TABLE) continue
    for (const row of db.prepare<[], unknown[]>(`SELECT * FROM "${name}"`).raw().iterate()) {
      digest = (digest + hash('sha256', `${name}\n${JSON.stringify(row)}`, 'buffer').readUIntBE(0, BYTES)) % MODULUS
      rows += 1
      if (rows % ROWS_BETWEEN === 0) yield undefined
    }
  }
  return { digest, rows }
}

/** The same at once, in hexadecimal. */
export function stateDigest({ raw }: OpenDb): string {
  const slices = digestInSlices(raw)
  for (;;) {
    const { done, value } = slices.next()
    if (done === true) return value.digest.toString(16).padStart(2 * BYTES, '0')
  }
}
