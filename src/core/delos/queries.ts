import type { ReadDb } from '../contracts/storage.ts'
import type { ScopeLock } from './schema.ts'

export { CANARY, type CanarySoft, type Opinion } from './config/canary.ts'
export { ConfigReaders, type ConfigReader } from './config/readers.ts'
export { canaries, configRow, configRows, unknownConfig, type ConfigRow } from './config/rows.ts'
export { goodTokens } from './access/rows.ts'
export type { ScopeLock } from './schema.ts'

/** Who holds a scope now, or null. `now` is log time: a lock past its time is free without an entry. */
export function scopeHolder(db: ReadDb, scope: string, now: number): ScopeLock | null {
  return db.get<ScopeLock>('SELECT scope, holder, until FROM delos_scope_lock WHERE scope = ? AND until > ?', scope, now) ?? null
}

/** Every scope that is held now. */
export function heldScopes(db: ReadDb, now: number): (ScopeLock & { since: number })[] {
  return db.all<ScopeLock & { since: number }>(
    'SELECT scope, holder, until, since FROM delos_scope_lock WHERE until > ? ORDER BY scope',
    now,
  )
}

/** When a log went on in a loglet, and who asked for it. */
export interface LogMove {
  loglet: number
  /** log time in ms when it was noted */
  at: number
  actor: string
}

export function logMoves(db: ReadDb, log: 'control' | 'kv'): LogMove[] {
  return db.all<LogMove>('SELECT loglet, at, actor FROM delos_log_move WHERE log = ? ORDER BY at', log)
}
