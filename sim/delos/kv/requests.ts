import { rangeRequest } from '../../../src/core/delos/recipes/etcd/request.ts'
import type * as m from '../../../src/core/delos/wire/messages.ts'

/** Requests with etcd's defaults. Values are numbers of 4 bytes. */

export function valueOf(bytes: Uint8Array): number {
  return bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0)
}

export function bytesOfValue(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

export const rangeOf = (key: m.Key, more: Partial<m.RangeRequest> = {}): m.RangeRequest => rangeRequest({ key, range_end: '' }, more)

export const putOf = (key: m.Key, value: number, lease = 0n): m.PutRequest => ({
  key,
  value: bytesOfValue(value),
  lease,
  prev_kv: false,
  ignore_value: false,
  ignore_lease: false,
})

const NO_OP: m.RequestOp = { request_range: null, request_put: null, request_delete_range: null, request_txn: null }

/** Puts `key` if it has `expected` (0: is not there). */
export const casOf = (key: m.Key, expected: number, value: number): m.TxnRequest => ({
  compare: [
    {
      key,
      range_end: '',
      // 0: equal; 0: version, 3: value
      result: 0,
      target: expected === 0 ? 0 : 3,
      version: expected === 0 ? 0 : null,
      create_revision: null,
      mod_revision: null,
      value: expected === 0 ? null : bytesOfValue(expected),
      lease: null,
    },
  ],
  success: [{ ...NO_OP, request_put: putOf(key, value) }],
  failure: [],
})

export const putBothOf = (a: m.Key, b: m.Key, value: number): m.TxnRequest => ({
  compare: [],
  success: [a, b].map((key) => ({ ...NO_OP, request_put: putOf(key, value) })),
  failure: [],
})
