import type { RangeRequest, RangeResponse } from '../wire/messages.ts'
import type { RpcError } from '../wire/service.ts'
import { KV_ERRORS } from './errors.ts'
import { isWanted, RangeScan, withoutValue } from './range-scan.ts'
import { orderOf } from './sorting.ts'
import { header, visibleRevision, type KvState } from './state.ts'
import { versionAt } from './version.ts'

/** Null: that revision, or the present one for 0, can be read. */
export function refuseRevision(state: KvState, revision: number): RpcError | null {
  if (revision > visibleRevision(state)) return KV_ERRORS.futureRevision
  return revision > 0 && revision < state.compactRevision ? KV_ERRORS.compacted : null
}

/** Answers a range at its revision, or at the present one, which inside a txn includes what it wrote so far. */
export function select(state: KvState, request: RangeRequest): RangeResponse | RpcError {
  const refusal = refuseRevision(state, request.revision)
  if (refusal !== null) return refusal
  if (request.range_end === '') return selectOne(state, request)
  const scan = new RangeScan(state, request)
  scan.advance(Infinity, Infinity)
  const compare = orderOf(request)
  if (compare !== null) {
    scan.kvs.sort(compare)
    scan.cut()
    if (request.keys_only) scan.kvs = scan.kvs.map(withoutValue)
  }
  return scan.response()
}

function selectOne(state: KvState, request: RangeRequest): RangeResponse {
  const now = visibleRevision(state)
  const response: RangeResponse = { header: header(now), kvs: [], more: false, count: 0 }
  const history = state.index.get(request.key)
  const version = history === undefined ? null : versionAt(history, request.revision > 0 ? request.revision : now)
  if (version === null || version.isDeleted) return response
  response.count = 1
  if (!request.count_only && isWanted(request, version)) response.kvs.push(request.keys_only ? withoutValue(version) : version)
  return response
}
