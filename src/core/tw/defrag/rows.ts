import type { ReadDb } from '../../contracts/storage.ts'

/** Defragmentation on a schedule, a setting of the fleet, and how its last round went. One row, or none. */
export interface DefragRow {
  /** recurrence rule: when a round is due */
  window: string
  /** moves that have not begun this long after are given up */
  window_ms: number
  zone: string
  /** most moves of a round, of all tasks, parts per million */
  moves_ppm: number
  /** a move gains at least so much, thousandths of a core */
  gain_min: number
  author: string
  /** log time; the rule counts from here */
  changed_at: number
  /** when the window of the last round opened and closes; null: there was none yet */
  opened_at: number | null
  closes_at: number | null
  /** moves that round proposed, and what they gain together */
  moves: number
  gain: number
}

export const DEFRAG_TABLES: readonly string[] = [
  `CREATE TABLE tw_defrag (
    id INTEGER PRIMARY KEY CHECK (id = 1), window TEXT NOT NULL, window_ms INTEGER NOT NULL, zone TEXT NOT NULL, moves_ppm INTEGER NOT NULL,
    gain_min INTEGER NOT NULL, author TEXT NOT NULL, changed_at INTEGER NOT NULL, opened_at INTEGER, closes_at INTEGER,
    moves INTEGER NOT NULL, gain INTEGER NOT NULL
  )`,
]

/** Undefined: it is run by hand alone. */
export function defragRow(db: ReadDb): DefragRow | undefined {
  return db.get<DefragRow>('SELECT * FROM tw_defrag')
}
