import type { Controller } from '../contracts/controller.ts'
import { allLeases, revisionOf, type Lease } from './kv/read.ts'
import { compacted, leasesExpired } from './machine.ts'

/** What the server remembers of leases and does not log. */
export interface LeaseSoft {
  /** log time the server started at: what was renewed before is not known, so every lease has its full time from there */
  since: number
  /** lease → log time it was last renewed at */
  renewed: ReadonlyMap<string, number>
}

/** Log time in ms at which a lease ends unless it is renewed. Never earlier than its owner believes. */
export function leaseEnd(lease: Lease, soft: LeaseSoft): number {
  return Math.max(lease.grantedAt, soft.since, soft.renewed.get(lease.id) ?? 0) + lease.ttlMs
}

export const LEASES = 'delos.leases'

/** Ends leases whose time is over. */
export const leaseController: Controller<LeaseSoft> = {
  name: LEASES,
  wakes: ['delos.Lease'],
  decide: (db, now, soft) => {
    const ids: string[] = []
    let wakeAt: number | null = null
    for (const lease of allLeases(db)) {
      const end = leaseEnd(lease, soft)
      if (end <= now) ids.push(lease.id)
      else wakeAt = Math.min(wakeAt ?? end, end)
    }
    return { entries: ids.length === 0 ? [] : [leasesExpired.of({ ids })], wakeAt }
  },
}

/** History kept, and how much more is let pile up before it is cut: one step bounds how long applying it takes. */
export const HISTORY_REVISIONS = 100_000
export const COMPACT_STEP_REVISIONS = 2000

/** Keeps the history of the store bounded. */
export const compactionController: Controller = {
  name: 'delos.compaction',
  wakes: ['delos.KvTxn', 'delos.Leases', 'delos.Compacted'],
  decide: (db) => {
    const { revision, compacted: oldest } = revisionOf(db)
    const target = Math.min(revision - HISTORY_REVISIONS, oldest + COMPACT_STEP_REVISIONS)
    const isDue = revision - oldest >= HISTORY_REVISIONS + COMPACT_STEP_REVISIONS
    return { entries: isDue ? [compacted.of({ revision: target })] : [], wakeAt: null }
  },
}
