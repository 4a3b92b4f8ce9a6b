import { SORT_ORDER, SORT_TARGET, type KeyValue, type RangeRequest, type RangeResponse } from '../wire/messages.ts'
import type { RpcError } from '../wire/service.ts'
import { KV_ERRORS } from './errors.ts'
import { spanOf } from './key-ranges.ts'
import { header, visibleRevision, type KvState } from './state.ts'
import { NO_BYTES, versionAt } from './version.ts'

/** Answers a range at its revision, or at the present one, which inside a txn includes what it wrote so far. */
export function select(state: KvState, request: RangeRequest): RangeResponse | RpcError {
  const now = visibleRevision(state)
  if (request.revision > now) return KV_ERRORS.futureRevision
  if (request.revision > 0 && request.revision < state.compactRevision) return KV_ERRORS.compacted
  const revision = request.revision > 0 ? request.revision : now
  const response: RangeResponse = { header: header(now), kvs: [], more: false, count: 0 }
  const { kvs } = response

  if (request.range_end === '') {
    const history = state.index.get(request.key)
    const version = history === undefined ? null : versionAt(history, revision)
    if (version === null || version.isDeleted) return response
    response.count = 1
    if (!request.count_only && isWanted(request, version)) kvs.push(request.keys_only ? withoutValue(version) : version)
    return response
  }

  const isFiltered =
    request.min_mod_revision !== 0 ||
    request.max_mod_revision !== 0 ||
    request.min_create_revision !== 0 ||
    request.max_create_revision !== 0
  const limit = request.limit > 0 ? request.limit : Infinity
  // One more than asked for tells whether there are more. With a target but no order etcd sorts what the limit left, and so do we.
  const take = request.count_only ? 0 : isFiltered || request.sort_order !== SORT_ORDER.none ? Infinity : limit + 1
  const { from, to } = spanOf(request.key, request.range_end)
  if (revision === now) {
    response.count = state.index.countLive(from, to)
    if (response.count > 0 && take > 0) {
      state.index.visit(from, to, ({ latest }) => {
        if (!latest.isDeleted && (!isFiltered || isWanted(request, latest))) kvs.push(latest)
        return kvs.length < take
      })
    }
  } else {
    state.index.visit(from, to, (history) => {
      const version = versionAt(history, revision)
      if (version === null || version.isDeleted) return true
      response.count += 1
      if (kvs.length < take && (!isFiltered || isWanted(request, version))) kvs.push(version)
      return true
    })
  }
  sort(kvs, request)
  if (kvs.length > limit) {
    kvs.length = limit
    response.more = true
  }
  if (request.keys_only) response.kvs = kvs.map(withoutValue)
  return response
}

/** A limit of 0 is none, as of all of them in etcd. */
function isWanted(request: RangeRequest, kv: KeyValue): boolean {
  const { max_mod_revision: maxMod, max_create_revision: maxCreate } = request
  if (maxMod !== 0 && kv.mod_revision > maxMod) return false
  if (kv.mod_revision < request.min_mod_revision) return false
  if (maxCreate !== 0 && kv.create_revision > maxCreate) return false
  return kv.create_revision >= request.min_create_revision
}

const withoutValue = (kv: KeyValue): KeyValue => ({
  key: kv.key,
  create_revision: kv.create_revision,
  mod_revision: kv.mod_revision,
  version: kv.version,
  value: NO_BYTES,
  lease: kv.lease,
})

const ORDERS: Record<number, (a: KeyValue, b: KeyValue) => number> = {
  [SORT_TARGET.key]: (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
  [SORT_TARGET.version]: (a, b) => a.version - b.version,
  [SORT_TARGET.create]: (a, b) => a.create_revision - b.create_revision,
  [SORT_TARGET.mod]: (a, b) => a.mod_revision - b.mod_revision,
  [SORT_TARGET.value]: (a, b) => compareBytes(a.value, b.value),
}

/** They come sorted by key. Equal ones stay so. */
function sort(kvs: KeyValue[], request: RangeRequest): void {
  const { sort_target: target, sort_order: order } = request
  const compare = ORDERS[target]
  if (compare === undefined || (target === SORT_TARGET.key && order !== SORT_ORDER.descend)) return
  kvs.sort(order === SORT_ORDER.descend ? (a, b) => compare(b, a) : compare)
}

/** As memcmp, a prefix first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}
