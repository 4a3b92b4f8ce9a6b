import type * as m from '../../../../src/core/delos/wire/messages.ts'
import { NOBODY, type KvCommand, type ResponseOf } from '../../../../src/core/delos/kv/command.ts'
import { isRpcError } from '../../../../src/core/delos/kv/errors.ts'
import type { KvStore } from '../../../../src/core/delos/kv/store-contract.ts'
import { rangeOf } from '../../../../sim/delos/kv/requests.ts'
import type { RpcError } from '../../../../src/core/delos/wire/service.ts'

/** Requests with etcd's defaults, and the shortest way to apply them. */

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
export const text = (value: Uint8Array): string => String.fromCharCode(...value)

export { rangeOf }

export const putOf = (key: m.Key, value = '', more: Partial<m.PutRequest> = {}): m.PutRequest => ({
  key,
  value: bytes(value),
  lease: 0n,
  prev_kv: false,
  ignore_value: false,
  ignore_lease: false,
  ...more,
})

export const deleteOf = (key: m.Key, rangeEnd = '', prevKv = false): m.DeleteRangeRequest => ({ key, range_end: rangeEnd, prev_kv: prevKv })

const op = (part: Partial<m.RequestOp>): m.RequestOp => ({
  request_range: null,
  request_put: null,
  request_delete_range: null,
  request_txn: null,
  ...part,
})
export const rangeOp = (key: m.Key, more: Partial<m.RangeRequest> = {}): m.RequestOp => op({ request_range: rangeOf(key, more) })
export const putOp = (key: m.Key, value = '', more: Partial<m.PutRequest> = {}): m.RequestOp => op({ request_put: putOf(key, value, more) })
export const deleteOp = (key: m.Key, rangeEnd = '', prevKv = false): m.RequestOp =>
  op({ request_delete_range: deleteOf(key, rangeEnd, prevKv) })
export const txnOp = (request: m.TxnRequest): m.RequestOp => op({ request_txn: request })

export const compareOf = (key: m.Key, target: number, result: number, more: Partial<m.Compare> = {}): m.Compare => ({
  key,
  range_end: '',
  target,
  result,
  version: null,
  create_revision: null,
  mod_revision: null,
  value: null,
  lease: null,
  ...more,
})

export const txnOf = (success: m.RequestOp[], failure: m.RequestOp[] = [], compare: m.Compare[] = []): m.TxnRequest => ({
  compare,
  success,
  failure,
})

export const putCommand = (key: m.Key, value = '', more: Partial<m.PutRequest> = {}): KvCommand & { kind: 'put' } => ({
  kind: 'put',
  request: putOf(key, value, more),
  who: NOBODY,
})
export const deleteCommand = (key: m.Key, rangeEnd = '', prevKv = false): KvCommand & { kind: 'deleteRange' } => ({
  kind: 'deleteRange',
  request: deleteOf(key, rangeEnd, prevKv),
  who: NOBODY,
})
export const txnCommand = (request: m.TxnRequest): KvCommand & { kind: 'txn' } => ({ kind: 'txn', request, who: NOBODY })
export const compactCommand = (revision: number): KvCommand & { kind: 'compact' } => ({
  kind: 'compact',
  request: { revision, physical: false },
  who: NOBODY,
})
export const grantCommand = (id: bigint, ttlS: number): KvCommand & { kind: 'leaseGrant' } => ({
  kind: 'leaseGrant',
  id,
  ttlS,
  who: NOBODY,
})
export const revokeCommand = (id: bigint): KvCommand & { kind: 'leaseRevoke' } => ({ kind: 'leaseRevoke', id, who: NOBODY })

/** Checks and applies a command as the next one of the log. */
export function submit<C extends KvCommand>(store: KvStore, command: C): ResponseOf<C> | RpcError {
  return store.check(command) ?? store.apply(command, { position: store.cursor + 1, timeMs: 0 })
}

/** The same where a refusal is a failure of the test. */
export function run<C extends KvCommand>(store: KvStore, command: C): ResponseOf<C> {
  const answer = submit(store, command)
  if (isRpcError(answer)) throw new Error(`${answer.code} ${answer.text}`)
  return answer
}

export function read(store: KvStore, key: m.Key, more: Partial<m.RangeRequest> = {}): m.RangeResponse {
  const answer = store.range(rangeOf(key, more), NOBODY)
  if (isRpcError(answer)) throw new Error(`${answer.code} ${answer.text}`)
  return answer
}

export const keysOf = (response: { kvs: readonly m.KeyValue[] }): string[] => response.kvs.map((kv) => kv.key)
