import { defineEntry } from '../contracts/entry.ts'
import { ACCESS_ENTRIES } from './entries/access.ts'
import { ALARM_ENTRIES } from './entries/alarm.ts'
import { CONFIG_ENTRIES } from './entries/config.ts'
import { LOG_ENTRIES } from './entries/log.ts'
import { MEMBER_ENTRIES } from './entries/member.ts'
import { META_ENTRIES } from './entries/meta.ts'
import { scopeLockSchema } from './schema.ts'

export const scopeLocked = defineEntry({
  type: 'delos.ScopeLocked',
  body: scopeLockSchema,
  apply: (db, lock, meta) => {
    const before = db.get<{ holder: string; since: number }>('SELECT holder, since FROM delos_scope_lock WHERE scope = ?', lock.scope)
    const since = before?.holder === lock.holder ? before.since : meta.at
    db.run(
      'INSERT OR REPLACE INTO delos_scope_lock (scope, holder, until, since) VALUES (?, ?, ?, ?)',
      lock.scope,
      lock.holder,
      lock.until,
      since,
    )
  },
})

export const scopeReleased = defineEntry({
  type: 'delos.ScopeReleased',
  body: scopeLockSchema.pick({ scope: true, holder: true }),
  apply: (db, lock) => {
    // Only the holder's own lock: whoever lost it by time must not free its successor's.
    db.run('DELETE FROM delos_scope_lock WHERE scope = ? AND holder = ?', lock.scope, lock.holder)
  },
})

export const controlEntries = [
  scopeLocked,
  scopeReleased,
  ...CONFIG_ENTRIES,
  ...META_ENTRIES,
  ...ALARM_ENTRIES,
  ...MEMBER_ENTRIES,
  ...LOG_ENTRIES,
  ...ACCESS_ENTRIES,
]
