import type { ReadDb } from '../contracts/storage.ts'

/** What an operator sets for the whole fleet. One row, or none: then the defaults hold. */
export interface Settings {
  /** tasks that replace others after a mass failure and are told to start in one second: databases and registries behind them have to bear it */
  stormRate: number
}

export const DEFAULT_SETTINGS: Settings = { stormRate: 2000 }

export const SETTINGS_TABLES: readonly string[] = [
  'CREATE TABLE tw_settings (id INTEGER PRIMARY KEY CHECK (id = 1), storm_rate INTEGER NOT NULL, author TEXT NOT NULL, changed_at INTEGER NOT NULL)',
]

export function settingsOf(db: ReadDb): Settings {
  const row = db.get<{ storm_rate: number }>('SELECT storm_rate FROM tw_settings')
  return row === undefined ? DEFAULT_SETTINGS : { stormRate: row.storm_rate }
}
