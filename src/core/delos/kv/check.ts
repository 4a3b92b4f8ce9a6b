import { SORT_ORDER, SORT_TARGET, type PutRequest, type RangeRequest, type RequestOp, type TxnRequest } from '../wire/messages.ts'
import type { RpcError } from '../wire/service.ts'
import type { KvCommand } from './command.ts'
import { KV_ERRORS } from './errors.ts'
import { KeyRanges, spanOf } from './key-ranges.ts'
import type { KvOptions } from './store-contract.ts'

/** About 285 years: as etcd's `MaxLeaseTTL`, so that nanoseconds fit an int64. */
export const LEASE_TTL_MAX_S = 9_000_000_000

/** What is wrong with a command whatever the store holds; null if nothing is. In etcd's order (`v3rpc/key.go`, `lessor.go`). */
export function check(command: KvCommand, options: KvOptions, encodedBytes: number): RpcError | null {
  return checkContent(command, options) ?? (encodedBytes > options.requestBytesMax ? KV_ERRORS.requestTooLarge : null)
}

function checkContent(command: KvCommand, options: KvOptions): RpcError | null {
  switch (command.kind) {
    case 'put':
      return checkPut(command.request)
    case 'deleteRange':
      return command.request.key === '' ? KV_ERRORS.emptyKey : null
    case 'txn':
      return checkTxn(command.request, options.txnOpsMax) ?? checkOverlaps(command.request)
    case 'leaseGrant':
      if (command.id === 0n) return KV_ERRORS.leaseNotFound
      return command.ttlS > LEASE_TTL_MAX_S ? KV_ERRORS.leaseTtlTooLarge : null
    default:
      return null
  }
}

export function checkRange(request: RangeRequest): RpcError | null {
  if (request.key === '') return KV_ERRORS.emptyKey
  const isKnown = request.sort_order >= 0 && request.sort_order <= 2 && request.sort_target >= 0 && request.sort_target <= 4
  return isKnown ? null : KV_ERRORS.invalidSortOption
}

/** The same for etcd's `RangeStream` (3.7, `checkRangeStreamRequest`): what has to be known as a whole before its beginning is no stream. */
export function checkPages(request: RangeRequest): RpcError | null {
  const refusal = checkRange(request)
  if (refusal !== null) return refusal
  const { sort_order: order, sort_target: target } = request
  const isByKey = order === SORT_ORDER.none || (order === SORT_ORDER.ascend && target === SORT_TARGET.key)
  if (!isByKey) return KV_ERRORS.streamSorted
  const { min_mod_revision, max_mod_revision, min_create_revision, max_create_revision } = request
  const isFiltered = [min_mod_revision, max_mod_revision, min_create_revision, max_create_revision].some((bound) => bound !== 0)
  return isFiltered ? KV_ERRORS.streamFiltered : null
}

function checkPut(request: PutRequest): RpcError | null {
  if (request.key === '') return KV_ERRORS.emptyKey
  if (request.ignore_value && request.value.length > 0) return KV_ERRORS.valueProvided
  if (request.ignore_lease && request.lease !== 0n) return KV_ERRORS.leaseProvided
  return null
}

/** Also for a txn that only reads. `opsMax` shrinks with each level, which bounds the depth. */
export function checkTxn(request: TxnRequest, opsMax: number): RpcError | null {
  const count = Math.max(request.compare.length, request.success.length, request.failure.length)
  if (count > opsMax) return KV_ERRORS.tooManyOps
  for (const compare of request.compare) if (compare.key === '') return KV_ERRORS.emptyKey
  for (const ops of [request.success, request.failure]) {
    for (const op of ops) {
      const refusal = checkOp(op, opsMax - count)
      if (refusal !== null) return refusal
    }
  }
  return null
}

function checkOp(op: RequestOp, opsMax: number): RpcError | null {
  if (op.request_range !== null) return checkRange(op.request_range)
  if (op.request_put !== null) return checkPut(op.request_put)
  if (op.request_delete_range !== null) return op.request_delete_range.key === '' ? KV_ERRORS.emptyKey : null
  return op.request_txn === null ? KV_ERRORS.keyNotFound : checkTxn(op.request_txn, opsMax)
}

/** A txn puts no key twice, whichever way its comparisons fall, and puts none inside a range that it deletes. */
function checkOverlaps(request: TxnRequest): RpcError | null {
  const isFine = writesOf(request.success) !== null && writesOf(request.failure) !== null
  return isFine ? null : KV_ERRORS.duplicateKey
}

interface Writes {
  puts: Set<string>
  deleted: KeyRanges
}

/** Null: they overlap. */
function writesOf(ops: readonly RequestOp[]): Writes | null {
  const puts = new Set<string>()
  const deleted = new KeyRanges()
  for (const { request_delete_range: request } of ops) {
    // As in etcd a deletion without end ('\0') does not count: "delete all, then put" in one txn is something its clients do.
    if (request !== null && request.range_end !== '\0') deleted.add(spanOf(request.key, request.range_end))
  }

  for (const { request_txn: request } of ops) {
    if (request === null) continue
    const then = writesOf(request.success)
    const otherwise = writesOf(request.failure)
    if (then === null || otherwise === null) return null
    // The two branches exclude each other, so they may write the same keys.
    for (const key of new Set([...then.puts, ...otherwise.puts])) {
      if (puts.has(key) || deleted.hasKey(key)) return null
      puts.add(key)
    }
    deleted.addAll(then.deleted)
    deleted.addAll(otherwise.deleted)
  }

  for (const { request_put: request } of ops) {
    if (request === null) continue
    if (puts.has(request.key) || deleted.hasKey(request.key)) return null
    puts.add(request.key)
  }
  return { puts, deleted }
}
