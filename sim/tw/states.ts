import type { System } from '../../src/core/contracts/controller.ts'
import { openStateDb, type OpenDb } from '../../src/server/state/state-db.ts'
import { prepareSchema } from '../../src/server/state/state-schema.ts'

/** Of runs that are over, emptied: to make the tables and to prepare the statements anew is a tenth of a run. */
const idle: OpenDb[] = []

const TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'muster_state'"

/** An empty state. */
export function takeState(systems: readonly System[]): OpenDb {
  const kept = idle.pop()
  if (kept !== undefined) return kept
  const db = openStateDb(':memory:')
  prepareSchema(db, systems)
  return db
}

export function giveBackState(db: OpenDb): void {
  if (db.raw.inTransaction) db.raw.exec('ROLLBACK')
  for (const { name } of db.all<{ name: string }>(TABLES)) db.run(`DELETE FROM ${name}`)
  idle.push(db)
}
