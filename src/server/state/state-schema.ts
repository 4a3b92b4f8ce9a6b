import { createHash } from 'node:crypto'
import type { System } from '../../core/contracts/controller.ts'
import type { OpenDb } from './state-db.ts'
import { skippedIn, skippedKey } from './state-stand.ts'

/**
 * Sets one of the numbers the derived database keeps of itself: `cursor` (number of the next entry to apply), `batch` (position of the next
 * batch), `at` (log time), `skipped:POSITION` (it was passed over).
 */
export const SCHEMA_CURSOR_SQL = 'INSERT INTO muster_state(key, value) VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value'

/** How far the database has taken the log in. */
export interface StateCursor {
  /** of the next entry */
  number: number
  /** of the next batch */
  position: number
}

export const FIRST_CURSOR: StateCursor = { number: 1, position: 1 }

/**
 * Makes the tables of the systems in a new database. Gives how far it is, or null when the tables were made by other statements than
 * today's, so that the database has to be built again from the log.
 */
export function prepareSchema(db: OpenDb, systems: readonly System[]): StateCursor | null {
  const statements = systems.flatMap((system) => system.tables)
  const digest = schemaDigest(systems)
  db.raw.exec('CREATE TABLE IF NOT EXISTS muster_state (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID')
  const value = (key: string): number | undefined => db.get<{ value: number }>('SELECT value FROM muster_state WHERE key = ?', key)?.value
  const known = value('schema')
  if (known !== undefined) {
    if (known !== digest) return null
    const number = value('cursor') ?? FIRST_CURSOR.number
    // Before there were batches, an entry's number was its position.
    return { number, position: value('batch') ?? number }
  }
  db.raw.exec('BEGIN')
  for (const statement of statements) db.raw.exec(statement)
  db.run(SCHEMA_CURSOR_SQL, 'schema', digest)
  writeCursor(db, FIRST_CURSOR)
  db.raw.exec('COMMIT')
  return FIRST_CURSOR
}

/** Of the statements that make the tables: what another program's made is not to be used. */
export function schemaDigest(systems: readonly System[]): number {
  const statements = systems.flatMap((system) => system.tables)
  return createHash('sha256').update(statements.join('\n')).digest().readUInt32BE(0)
}

/** Positions that were passed over, ascending. */
export function skippedOf(db: OpenDb): number[] {
  return skippedIn(db.all<{ key: string }>('SELECT key FROM muster_state').map(({ key }) => key))
}

/** To be called in the transaction that passes over it. */
export function writeSkipped(db: OpenDb, position: number): void {
  db.run(SCHEMA_CURSOR_SQL, skippedKey(position), 1)
}

/** To be called in the transaction of what it says. */
export function writeCursor(db: OpenDb, { number, position }: StateCursor): void {
  db.run(SCHEMA_CURSOR_SQL, 'cursor', number)
  db.run(SCHEMA_CURSOR_SQL, 'batch', position)
}
