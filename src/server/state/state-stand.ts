import type Database from 'better-sqlite3'

/** How far a `state.db` has taken the log in, as it says itself. */
export interface StateStand {
  /** position of the last batch in it; 0: none */
  position: number
  /** of the entry that comes next */
  number: number
  /** positions that were passed over, ascending */
  skipped: number[]
  /** digest of the statements that made its tables */
  schema: number
}

/** Before each position that was passed over, in `muster_state`. */
const SKIPPED = 'skipped:'

export const skippedKey = (position: number): string => `${SKIPPED}${position}`

/** Throws when it is no state database. */
export function stateStandOf(db: Database.Database): StateStand {
  const rows = db.prepare<[], { key: string; value: number }>('SELECT key, value FROM muster_state').all()
  const values = new Map(rows.map(({ key, value }) => [key, value]))
  const schema = values.get('schema')
  if (schema === undefined) throw new Error('it does not say what made its tables')
  const number = values.get('cursor') ?? 1
  // Before there were batches, an entry's number was its position.
  return { position: (values.get('batch') ?? number) - 1, number, skipped: skippedIn([...values.keys()]), schema }
}

/** @param keys of `muster_state` */
export function skippedIn(keys: readonly string[]): number[] {
  return keys.flatMap((key) => (key.startsWith(SKIPPED) ? [Number(key.slice(SKIPPED.length))] : [])).toSorted((a, b) => a - b)
}
