import { leaseEnd, type LeaseSoft } from '../../core/delos/controller.ts'
import { leaseOf } from '../../core/delos/kv/read.ts'
import { refuse } from '../../core/kernel/errors.ts'
import type { ServerHost } from '../host.ts'

/** Renewals of leases: in memory only, for they come often and losing them only makes leases live longer. */
export function createLeaseKeeper(host: ServerHost): { soft: () => LeaseSoft; keepalive: (id: string) => { id: string; ttlMs: number } } {
  const renewed = new Map<string, number>()
  const soft: LeaseSoft = { since: host.now(), renewed }
  host.onEntries((entries) => {
    for (const { type } of entries) {
      if (type !== 'delos.LeaseRevoked' && type !== 'delos.LeasesExpired') continue
      for (const id of renewed.keys()) if (leaseOf(host.db, id) === null) renewed.delete(id)
      return
    }
  })
  return {
    soft: () => soft,
    keepalive: (id) => {
      const lease = leaseOf(host.db, id)
      const now = host.now()
      // A lease whose time is over may be ending in this moment, though no entry says so yet: it is not revived.
      if (lease === null || leaseEnd(lease, soft) <= now) throw refuse('DELOS_LEASE_UNKNOWN', `Lease ${id} is gone or has expired.`)
      renewed.set(id, now)
      return { id, ttlMs: lease.ttlMs }
    },
  }
}
