import type * as m from '../../wire/messages.ts'
import { COMPARE_RESULT, COMPARE_TARGET, SORT_ORDER, SORT_TARGET, type Key } from '../../wire/messages.ts'

/*
 * Etcd's requests with what a recipe does not say left at its default.
 */

export interface KeyRange {
  key: Key
  /** empty: that key alone */
  range_end: Key
}

/** Every key below `name/`. `0` is the byte after `/`. */
export function under(name: Key): KeyRange {
  return { key: `${name}/`, range_end: `${name}0` }
}

export function only(key: Key): KeyRange {
  return { key, range_end: '' }
}

const RANGE: m.RangeRequest = {
  key: '',
  range_end: '',
  limit: 0,
  revision: 0,
  sort_order: SORT_ORDER.none,
  sort_target: SORT_TARGET.key,
  serializable: false,
  keys_only: false,
  count_only: false,
  min_mod_revision: 0,
  max_mod_revision: 0,
  min_create_revision: 0,
  max_create_revision: 0,
}

const NO_OP: m.RequestOp = { request_range: null, request_put: null, request_delete_range: null, request_txn: null }

export function rangeRequest(range: KeyRange, options: Partial<m.RangeRequest> = {}): m.RangeRequest {
  return { ...RANGE, ...range, ...options }
}

export function read(range: KeyRange, options: Partial<m.RangeRequest> = {}): m.RequestOp {
  return { ...NO_OP, request_range: rangeRequest(range, options) }
}

/** The last one created before `revision`. */
export function readBefore(range: KeyRange, revision: number): m.RequestOp {
  return read(range, { limit: 1, sort_target: SORT_TARGET.create, sort_order: SORT_ORDER.descend, max_create_revision: revision - 1 })
}

export function put(key: Key, value: Uint8Array, lease: bigint): m.RequestOp {
  return { ...NO_OP, request_put: { key, value, lease, prev_kv: false, ignore_value: false, ignore_lease: false } }
}

export function remove(range: KeyRange): m.RequestOp {
  return { ...NO_OP, request_delete_range: { ...range, prev_kv: false } }
}

export function nested(request: m.TxnRequest): m.RequestOp {
  return { ...NO_OP, request_txn: request }
}

/** Does it if `always` holds and one of the two others. */
export function doIf(always: m.Compare[], either: m.Compare, or: m.Compare, what: m.RequestOp[]): m.TxnRequest {
  return txn([...always, either], what, [nested(txn([...always, or], what))])
}

export function txn(compare: m.Compare[], success: m.RequestOp[], failure: m.RequestOp[] = []): m.TxnRequest {
  return { compare, success, failure }
}

const COMPARE: m.Compare = {
  version: null,
  create_revision: null,
  mod_revision: null,
  value: null,
  lease: null,
  result: COMPARE_RESULT.equal,
  target: COMPARE_TARGET.create,
  key: '',
  range_end: '',
}

export function createdAt(key: Key, revision: number): m.Compare {
  return { ...COMPARE, key, create_revision: revision }
}

export function isAbsent(key: Key): m.Compare {
  return createdAt(key, 0)
}

export function modifiedAt(key: Key, revision: number): m.Compare {
  return { ...COMPARE, key, target: COMPARE_TARGET.mod, mod_revision: revision }
}

/** There is none. (Etcd compares a range without keys as one with create_revision 0.) */
export function noneIn(range: KeyRange): m.Compare {
  return { ...COMPARE, ...range, create_revision: 0 }
}

/** There are some, and all have it. (Etcd never finds the value of no key equal to anything.) */
export function allHaveValue(range: KeyRange, value: Uint8Array): m.Compare {
  return { ...COMPARE, ...range, target: COMPARE_TARGET.value, value }
}

export function hasLease(key: Key, lease: bigint): m.Compare {
  return { ...COMPARE, key, target: COMPARE_TARGET.lease, lease }
}

/** What the i-th operation of a txn read; nothing if that was no read. */
export function readAt(answer: m.TxnResponse, i: number): m.RangeResponse {
  return answer.responses[i]?.response_range ?? { header: answer.header, kvs: [], more: false, count: 0 }
}

/** Of {@link readAt}, the first key. */
export function firstAt(answer: m.TxnResponse, i: number): m.KeyValue | null {
  return readAt(answer, i).kvs[0] ?? null
}

/** A lease as it stands in keys: Go's `%x`, which etcd's clients use. */
export function leaseName(lease: bigint): string {
  return lease.toString(16)
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text)
}

export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}
