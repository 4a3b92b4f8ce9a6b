import { z } from 'zod'
import { defineEntry } from '../contracts/entry.ts'
import { CONFIG_ENTRIES } from './entries/config.ts'
import { META_ENTRIES } from './entries/meta.ts'
import { applyTxn, compact, endLeases } from './kv/write.ts'
import { LEASE_TTL_MAX_MS, LEASE_TTL_MIN_MS, leaseIdSchema, revisionSchema, scopeLockSchema, txnOpSchema } from './schema.ts'

// On `control`.

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

export const controlEntries = [scopeLocked, scopeReleased, ...CONFIG_ENTRIES, ...META_ENTRIES]

// On `kv`.

export const kvTxn = defineEntry({
  type: 'delos.KvTxn',
  body: z.object({ ops: z.array(txnOpSchema).min(1) }),
  apply: (db, { ops }) => applyTxn(db, ops),
})

export const leaseGranted = defineEntry({
  type: 'delos.LeaseGranted',
  body: z.object({ id: leaseIdSchema, ttlMs: z.number().int().min(LEASE_TTL_MIN_MS).max(LEASE_TTL_MAX_MS) }),
  apply: (db, { id, ttlMs }, meta) => {
    db.run('INSERT INTO kv_lease (id, ttl_ms, granted_at, owner) VALUES (?, ?, ?, ?)', id, ttlMs, meta.at, meta.actor)
  },
})

export const leaseRevoked = defineEntry({
  type: 'delos.LeaseRevoked',
  body: z.object({ id: leaseIdSchema }),
  apply: (db, { id }) => endLeases(db, [id]),
})

export const leasesExpired = defineEntry({
  type: 'delos.LeasesExpired',
  body: z.object({ ids: z.array(leaseIdSchema).min(1) }),
  apply: (db, { ids }) => endLeases(db, ids),
})

export const compacted = defineEntry({
  type: 'delos.Compacted',
  body: z.object({ revision: revisionSchema }),
  apply: (db, { revision }) => compact(db, revision),
})

export const kvEntries = [kvTxn, leaseGranted, leaseRevoked, leasesExpired, compacted]
