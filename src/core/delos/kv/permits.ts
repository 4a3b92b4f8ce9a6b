import type { PutRequest, RequestOp, TxnRequest } from '../wire/messages.ts'
import type { RpcError } from '../wire/service.ts'
import { refuseAccess, refuseAdmin, refuseStranger } from './auth.ts'
import type { Identity, KvCommand } from './command.ts'
import type { KvState, Lease } from './state.ts'

/** Why this caller may not do this; null if they may. Asked when the command is applied, so that every server answers alike. */
export function refuseCommand(state: KvState, command: KvCommand): RpcError | null {
  const { auth } = state
  if (!auth.isEnabled) return null
  switch (command.kind) {
    case 'put':
      return refusePutBy(state, command.who, command.request)
    case 'deleteRange':
      return refuseDelete(state, command.who, command.request)
    case 'txn':
      return refuseTxn(state, command.who, command.request)
    case 'leaseRevoke': {
      const stranger = refuseStranger(auth, command.who)
      return stranger ?? refuseLeaseKeys(state, command.who, 'write', state.leases.get(command.id))
    }
    case 'compact':
    case 'leaseGrant':
      return refuseStranger(auth, command.who)
    case 'alarm':
      return command.who === null ? null : refuseAdmin(auth, command.who)
    case 'auth':
      return refuseAdmin(auth, command.who)
    case 'leasesExpired':
    case 'leaseCheckpoint':
    case 'leaderClaimed':
    // Each of its operations asks for itself.
    case 'ops':
      return null
  }
}

/** Every part of a txn, of either branch, at every depth: otherwise a nested one would be a way around the rights. */
export function refuseTxn(state: KvState, who: Identity, request: TxnRequest): RpcError | null {
  for (const compare of request.compare) {
    const refusal = refuseAccess(state.auth, who, 'read', compare.key, compare.range_end)
    if (refusal !== null) return refusal
  }
  for (const ops of [request.success, request.failure]) {
    for (const op of ops) {
      const refusal = refuseOp(state, who, op)
      if (refusal !== null) return refusal
    }
  }
  // A txn that asks for nothing is still asked by somebody.
  return refuseStranger(state.auth, who)
}

/** Null: the caller has the right on every key of the lease. */
export function refuseLeaseKeys(state: KvState, who: Identity, right: 'read' | 'write', lease: Lease | undefined): RpcError | null {
  // Root may all, and need not be asked for each of a hundred thousand keys.
  if (lease === undefined || refuseAdmin(state.auth, who) === null) return null
  for (const key of lease.keys) {
    const refusal = refuseAccess(state.auth, who, right, key, '')
    if (refusal !== null) return refusal
  }
  return null
}

function refuseOp(state: KvState, who: Identity, op: RequestOp): RpcError | null {
  if (op.request_range !== null) return refuseAccess(state.auth, who, 'read', op.request_range.key, op.request_range.range_end)
  if (op.request_put !== null) return refusePutBy(state, who, op.request_put)
  if (op.request_delete_range !== null) return refuseDelete(state, who, op.request_delete_range)
  return op.request_txn === null ? null : refuseTxn(state, who, op.request_txn)
}

function refusePutBy(state: KvState, who: Identity, request: PutRequest): RpcError | null {
  return (
    refuseAccess(state.auth, who, 'write', request.key, '') ??
    // Who may not write all keys of a lease may not revoke it, so they may not put more under it either.
    (request.lease === 0n ? null : refuseLeaseKeys(state, who, 'write', state.leases.get(request.lease))) ??
    (request.prev_kv ? refuseAccess(state.auth, who, 'read', request.key, '') : null)
  )
}

function refuseDelete(state: KvState, who: Identity, request: { key: string; range_end: string; prev_kv: boolean }): RpcError | null {
  return (
    refuseAccess(state.auth, who, 'write', request.key, request.range_end) ??
    (request.prev_kv ? refuseAccess(state.auth, who, 'read', request.key, request.range_end) : null)
  )
}
