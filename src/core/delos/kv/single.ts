import type { DeleteRangeRequest, DeleteRangeResponse, KeyValue, PutRequest, PutResponse } from '../wire/messages.ts'
import type { RpcError } from '../wire/service.ts'
import { KV_ERRORS } from './errors.ts'
import { spanOf } from './key-ranges.ts'
import { deleteKey, putKey } from './mutate.ts'
import { header, visibleRevision, type KvState } from './state.ts'
import type { KeyHistory } from './version.ts'

/** Why a put cannot be done in this state; null if it can. Inside a txn etcd looks at the key first, alone at the lease. */
export function refusePut(state: KvState, request: PutRequest, isInTxn = false): RpcError | null {
  const isLeaseGone = request.lease !== 0n && !state.leases.has(request.lease)
  if (isLeaseGone && !isInTxn) return KV_ERRORS.leaseNotFound
  if ((request.ignore_value || request.ignore_lease) && liveVersion(state, request.key) === null) return KV_ERRORS.keyNotFound
  return isLeaseGone ? KV_ERRORS.leaseNotFound : null
}

/** A put that `refusePut` let pass. */
export function put(state: KvState, request: PutRequest): PutResponse {
  let { value, lease } = request
  if (request.ignore_value || request.ignore_lease) {
    const before = liveVersion(state, request.key)
    if (before !== null && request.ignore_value) value = before.value
    if (before !== null && request.ignore_lease) lease = before.lease
  }
  const before = putKey(state, request.key, value, lease)
  return { header: header(state.revision + 1), prev_kv: request.prev_kv ? before : null }
}

export function deleteRange(state: KvState, request: DeleteRangeRequest): DeleteRangeResponse {
  const found: KeyHistory[] = []
  if (request.range_end === '') {
    const history = state.index.get(request.key)
    if (history !== undefined && !history.latest.isDeleted) found.push(history)
  } else {
    const { from, to } = spanOf(request.key, request.range_end)
    state.index.visit(from, to, (history) => {
      if (!history.latest.isDeleted) found.push(history)
      return true
    })
  }
  const before: KeyValue[] = request.prev_kv ? found.map((history) => history.latest) : []
  for (const history of found) deleteKey(state, history)
  return { header: header(visibleRevision(state)), deleted: found.length, prev_kvs: before }
}

function liveVersion(state: KvState, key: string): KeyValue | null {
  const latest = state.index.get(key)?.latest
  return latest === undefined || latest.isDeleted ? null : latest
}
