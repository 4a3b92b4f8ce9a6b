import type { z } from 'zod'
import { isRefusal, refuse, type MusterError } from '../../kernel/errors.ts'
import type { leaseGrant, leaseKeepalive, leaseList, leaseRevoke, leaseShow } from '../operations/lease.ts'
import { only, rangeRequest } from '../recipes/etcd/request.ts'
import type * as m from '../wire/messages.ts'
import { ask, type Program, type StoreOperation, type StorePlan } from './program.ts'
import { deletedRow } from './rows.ts'
import { keyText, leaseIn, leaseText } from './text.ts'

export const grant: StoreOperation<z.output<typeof leaseGrant.input>, z.output<typeof leaseGrant.output>> = {
  run: function* ({ ttlMs, id }) {
    // A second lease that nobody knows of ends by itself; one of this very id is refused.
    const request = { TTL: Math.ceil(ttlMs / 1000), ID: id === undefined ? 0n : leaseIn(id) }
    const granted = yield* ask('Lease/LeaseGrant', request, id === undefined ? 'repeatable' : 'once')
    return { id: leaseText(granted.ID), ttlMs: granted.TTL * 1000 }
  },
  plan: function* ({ ttlMs, id }) {
    const known = id === undefined ? null : yield* timeToLive(leaseIn(id))
    if (known !== null && known.TTL >= 0) return refuse('DELOS_CONFLICT', `Lease ${id} exists already.`)
    const { header } = yield* ask('KV/Range', rangeRequest(only('\0'), { count_only: true }))
    const after = { lease: id ?? 'a new one', ttl: `${Math.ceil(ttlMs / 1000)} s` }
    return {
      revision: header.revision,
      entries: [{ type: 'delos.LeaseGranted', body: after }],
      changes: [{ table: 'lease', op: 'insert', before: null, after }],
      guard: [],
    }
  },
}

export const keepalive: StoreOperation<z.output<typeof leaseKeepalive.input>, z.output<typeof leaseKeepalive.output>> = {
  plan: null,
  run: function* ({ id }) {
    const { TTL } = yield* ask('Lease/LeaseKeepAlive', { ID: leaseIn(id) }, 'repeatable')
    // A lease that has ended, or is ending in this moment, is told by a time of 0: it is not revived.
    return TTL <= 0 ? refuse('DELOS_LEASE_UNKNOWN', `Lease ${id} is gone or has expired.`) : { id, ttlMs: TTL * 1000 }
  },
}

export const revoke: StoreOperation<z.output<typeof leaseRevoke.input>, z.output<typeof leaseRevoke.output>> = {
  run: function* ({ id }) {
    const { keys } = yield* timeToLive(leaseIn(id))
    yield* ask('Lease/LeaseRevoke', { ID: leaseIn(id) }, 'once')
    return { id, deleted: keys.length }
  },
  plan: function* ({ id }) {
    return yield* revokePlan([leaseIn(id)])
  },
}

/** What ending leases takes with it. */
export function* revokePlan(ids: readonly bigint[]): Program<StorePlan | MusterError> {
  const plan: StorePlan = { revision: 0, entries: [], changes: [], guard: [] }
  for (const id of ids) {
    const lease = yield* timeToLive(id)
    if (lease.TTL < 0) return unknownLease(id)
    plan.entries.push({ type: 'delos.LeaseRevoked', body: { lease: leaseText(id), keys: lease.keys.length } })
    const before = { lease: leaseText(id), ttl: `${lease.grantedTTL} s` }
    plan.changes.push({ table: 'lease', op: 'delete', before, after: null })
    for (const key of lease.keys) {
      const { header, kvs } = yield* ask('KV/Range', rangeRequest(only(key)))
      plan.revision = header.revision
      plan.changes.push(...kvs.map(deletedRow))
    }
    plan.revision = Math.max(plan.revision, lease.header.revision)
  }
  return plan
}

export const show: StoreOperation<z.output<typeof leaseShow.input>, z.output<typeof leaseShow.output>> = {
  plan: null,
  run: function* ({ id }) {
    return (yield* viewOf(leaseIn(id))) ?? unknownLease(leaseIn(id))
  },
}

export const list: StoreOperation<z.output<typeof leaseList.input>, z.output<typeof leaseList.output>> = {
  plan: null,
  run: function* ({ limit }) {
    const { leases: found } = yield* ask('Lease/LeaseLeases', {})
    const leases: z.output<typeof leaseShow.output>[] = []
    for (const { ID } of found.slice(0, limit)) {
      // One may end while the list is made.
      const view = yield* viewOf(ID)
      if (view !== null) leases.push(view)
    }
    return { leases: leases.sort((a, b) => (a.id < b.id ? -1 : 1)), more: found.length > limit }
  },
}

function* timeToLive(ID: bigint): Program<m.LeaseTimeToLiveResponse> {
  try {
    return yield* ask('Lease/LeaseTimeToLive', { ID, keys: true })
  } catch (error) {
    if (!isRefusal(error) || error.code !== 'DELOS_LEASE_UNKNOWN') throw error
    return { header: { cluster_id: 0n, member_id: 0n, revision: 0, raft_term: 0 }, ID, TTL: -1, grantedTTL: 0, keys: [] }
  }
}

function* viewOf(id: bigint): Program<z.output<typeof leaseShow.output> | null> {
  const { TTL, grantedTTL, keys } = yield* timeToLive(id)
  return TTL < 0 ? null : { id: leaseText(id), ttlMs: grantedTTL * 1000, remainingMs: TTL * 1000, keys: keys.map(keyText) }
}

function unknownLease(id: bigint): MusterError {
  return refuse('DELOS_LEASE_UNKNOWN', `There is no lease ${leaseText(id)}.`)
}
