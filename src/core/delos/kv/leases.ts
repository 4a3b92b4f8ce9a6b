import type { HeaderOnly, LeaseGrantResponse, LeaseRevokeResponse } from '../wire/messages.ts'
import type { RpcError } from '../wire/service.ts'
import { LEASE_TTL_MAX_S } from './check.ts'
import type { LeaseRemainder } from './command.ts'
import { KV_ERRORS } from './errors.ts'
import { deleteKey } from './mutate.ts'
import type { LeaseRow } from './rows.ts'
import { commit, header, type KvState, type Lease } from './state.ts'

export function grantLease(state: KvState, id: bigint, ttlS: number): LeaseGrantResponse | RpcError {
  if (id === 0n) return KV_ERRORS.leaseNotFound
  if (ttlS > LEASE_TTL_MAX_S) return KV_ERRORS.leaseTtlTooLarge
  if (state.leases.has(id)) return KV_ERRORS.leaseExists
  const lease: Lease = { id, ttlS: Math.max(ttlS, state.options.leaseTtlMinS), remainingS: 0, keys: new Set() }
  state.leases.set(id, lease)
  save(state, lease)
  return { header: header(state.revision), ID: id, TTL: lease.ttlS, error: '' }
}

export function revokeLease(state: KvState, id: bigint): LeaseRevokeResponse | RpcError {
  if (!state.leases.has(id)) return KV_ERRORS.leaseNotFound
  endLease(state, id)
  return { header: header(state.revision) }
}

/** Ends what is still there of the leases, each in one revision. Only the present leader's clock counts. */
export function expireLeases(state: KvState, ids: readonly bigint[], epoch: number): HeaderOnly | RpcError {
  if (!state.options.rules.isEpochCurrent(epoch, state.epoch)) return KV_ERRORS.staleEpoch
  for (const id of ids) endLease(state, id)
  return { header: header(state.revision) }
}

/** What the leader's clock had left, for its successor's. */
export function checkpointLeases(state: KvState, checkpoints: readonly LeaseRemainder[], epoch: number): HeaderOnly | RpcError {
  if (!state.options.rules.isEpochCurrent(epoch, state.epoch)) return KV_ERRORS.staleEpoch
  for (const { id, remainingS } of checkpoints) {
    const lease = state.leases.get(id)
    if (lease === undefined) continue
    lease.remainingS = remainingS
    save(state, lease)
  }
  return { header: header(state.revision) }
}

/** All keys of a lease go in one revision, so that nobody sees half of them. */
function endLease(state: KvState, id: bigint): void {
  const lease = state.leases.get(id)
  if (lease === undefined) return
  state.leases.delete(id)
  state.changes.leases.set(id, null)
  for (const key of [...lease.keys].sort()) {
    const history = state.index.get(key)
    if (history !== undefined) deleteKey(state, history)
    if (!state.options.rules.isLeaseOneRevision) commit(state)
  }
  commit(state)
}

function save(state: KvState, lease: Lease): void {
  state.changes.leases.set(lease.id, rowOf(lease))
}

export const rowOf = ({ id, ttlS, remainingS }: Lease): LeaseRow => ({ id, ttlS, remainingS })
