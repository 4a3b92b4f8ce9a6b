import { COMPARE_RESULT, COMPARE_TARGET, type Compare, type KeyValue, type RequestOp, type ResponseOp } from '../wire/messages.ts'
import type { TxnRequest, TxnResponse } from '../wire/messages.ts'
import type { RpcError } from '../wire/service.ts'
import { KV_ERRORS, isRpcError } from './errors.ts'
import { spanOf } from './key-ranges.ts'
import { select } from './select.ts'
import { compareBytes } from './sorting.ts'
import { deleteRange, put, refusePut } from './single.ts'
import { header, visibleRevision, type KvState } from './state.ts'
import { NO_BYTES } from './version.ts'

/** A txn whose comparisons are decided, those of the txns inside it too: etcd decides all of them before it writes anything. */
interface Plan {
  succeeded: boolean
  ops: readonly RequestOp[]
  /** of the ops that are txns, in their order */
  inner: Plan[]
}

/** Refused as a whole before its first write, or done as a whole. */
export function txn(state: KvState, request: TxnRequest): TxnResponse | RpcError {
  const plan = planOf(state, request)
  const refusal = refuse(plan, (op) => refuseOpPut(state, op)) ?? refuse(plan, (op) => refuseOpRange(state, op))
  if (refusal !== null) return refusal
  const response = run(state, plan)
  response.header.revision = visibleRevision(state)
  return response
}

/** Whether nothing in it can write, whichever way its comparisons fall. */
export function isReadOnly(request: TxnRequest): boolean {
  const isRead = (op: RequestOp): boolean => op.request_range !== null || (op.request_txn !== null && isReadOnly(op.request_txn))
  return request.success.every(isRead) && request.failure.every(isRead)
}

function planOf(state: KvState, request: TxnRequest): Plan {
  const succeeded = request.compare.every((compare) => holds(state, compare))
  const ops = succeeded ? request.success : request.failure
  const inner: Plan[] = []
  for (const op of ops) if (op.request_txn !== null) inner.push(planOf(state, op.request_txn))
  return { succeeded, ops, inner }
}

function refuse(plan: Plan, why: (op: RequestOp) => RpcError | null): RpcError | null {
  let inner = 0
  for (const op of plan.ops) {
    let refusal: RpcError | null
    if (op.request_txn === null) refusal = why(op)
    else {
      const nested = plan.inner[inner]
      inner += 1
      refusal = nested === undefined ? null : refuse(nested, why)
    }
    if (refusal !== null) return refusal
  }
  return null
}

function refuseOpPut(state: KvState, { request_put: request }: RequestOp): RpcError | null {
  return request === null ? null : refusePut(state, request, true)
}

function refuseOpRange(state: KvState, { request_range: request }: RequestOp): RpcError | null {
  if (request === null || request.revision === 0) return null
  if (request.revision > state.revision) return KV_ERRORS.futureRevision
  return request.revision < state.compactRevision ? KV_ERRORS.compacted : null
}

function run(state: KvState, plan: Plan): TxnResponse {
  let inner = 0
  const responses = plan.ops.map((op): ResponseOp => {
    const response: ResponseOp = { response_range: null, response_put: null, response_delete_range: null, response_txn: null }
    if (op.request_put !== null) response.response_put = put(state, op.request_put)
    else if (op.request_delete_range !== null) response.response_delete_range = deleteRange(state, op.request_delete_range)
    else if (op.request_range !== null) {
      const range = select(state, op.request_range)
      if (!isRpcError(range)) response.response_range = range
    } else if (op.request_txn !== null) {
      const nested = plan.inner[inner]
      inner += 1
      if (nested !== undefined) response.response_txn = run(state, nested)
    }
    return response
  })
  return { header: header(0), succeeded: plan.succeeded, responses }
}

const ABSENT: KeyValue = { key: '', create_revision: 0, mod_revision: 0, version: 0, value: NO_BYTES, lease: 0n }

/** Of a range it must hold for every key; of no key at all, for zeros, but a value is never equal to nothing. */
function holds(state: KvState, compare: Compare): boolean {
  if (compare.range_end === '') {
    const latest = state.index.get(compare.key)?.latest
    if (latest !== undefined && !latest.isDeleted) return holdsFor(compare, latest)
    return compare.target !== COMPARE_TARGET.value && holdsFor(compare, ABSENT)
  }
  const { from, to } = spanOf(compare.key, compare.range_end)
  let isEmpty = true
  let isHolding = true
  state.index.visit(from, to, (history) => {
    if (history.latest.isDeleted) return true
    isEmpty = false
    isHolding = holdsFor(compare, history.latest)
    return isHolding
  })
  if (isEmpty) return compare.target !== COMPARE_TARGET.value && holdsFor(compare, ABSENT)
  return isHolding
}

function holdsFor(compare: Compare, kv: KeyValue): boolean {
  const order = orderOf(compare, kv)
  switch (compare.result) {
    case COMPARE_RESULT.equal:
      return order === 0
    case COMPARE_RESULT.notEqual:
      return order !== 0
    case COMPARE_RESULT.greater:
      return order > 0
    case COMPARE_RESULT.less:
      return order < 0
    default:
      return true
  }
}

function orderOf(compare: Compare, kv: KeyValue): number {
  switch (compare.target) {
    case COMPARE_TARGET.version:
      return kv.version - (compare.version ?? 0)
    case COMPARE_TARGET.create:
      return kv.create_revision - (compare.create_revision ?? 0)
    case COMPARE_TARGET.mod:
      return kv.mod_revision - (compare.mod_revision ?? 0)
    case COMPARE_TARGET.value:
      return compareBytes(kv.value, compare.value ?? NO_BYTES)
    case COMPARE_TARGET.lease: {
      const lease = compare.lease ?? 0n
      return kv.lease < lease ? -1 : kv.lease > lease ? 1 : 0
    }
    default:
      return 0
  }
}
