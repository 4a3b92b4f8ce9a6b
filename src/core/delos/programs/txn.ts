import type { z } from 'zod'
import { isRefusal, refuse, type MusterError } from '../../kernel/errors.ts'
import type { kvTxn } from '../operations/kv.ts'
import { modifiedAt, nested, only, put, rangeRequest, read, remove, txn as request } from '../recipes/etcd/request.ts'
import { COMPARE_RESULT, COMPARE_TARGET } from '../wire/messages.ts'
import type * as m from '../wire/messages.ts'
import { ask, type PlanRow, type StoreOperation } from './program.ts'
import { deletedRow, putRow } from './rows.ts'
import { bytesIn, keyIn, kvView, leaseIn, rangeIn } from './text.ts'

type Txn = z.output<typeof kvTxn.input>
type Op = Txn['success'][number]

const RESULT = {
  '=': COMPARE_RESULT.equal,
  '!=': COMPARE_RESULT.notEqual,
  '<': COMPARE_RESULT.less,
  '>': COMPARE_RESULT.greater,
} as const

export const txn: StoreOperation<Txn, z.output<typeof kvTxn.output>> = {
  run: function* (input, guard) {
    const own = requestOf(input)
    if (isRefusal(own)) return own
    const isRead = [...input.success, ...input.failure].every((op) => op.do === 'get')
    const asked = guard.length === 0 ? own : request([...guard], [nested(own)])
    const answer = yield* ask('KV/Txn', asked, isRead ? 'read' : 'once')
    if (guard.length > 0 && !answer.succeeded) return refuse('PLAN_STALE', 'what the plan touches has changed')
    const done = guard.length === 0 ? answer : (answer.responses[0]?.response_txn ?? answer)
    return { revision: answer.header.revision, succeeded: done.succeeded, answers: done.responses.map(answerOf) }
  },
  plan: function* (input) {
    const own = requestOf(input)
    if (isRefusal(own)) return own
    const looked = yield* ask('KV/Txn', request(own.compare, []))
    const ops = looked.succeeded ? own.success : own.failure
    const changes: PlanRow[] = []
    const guard: m.Compare[] = []
    for (const op of ops) {
      if (op.request_put !== null) {
        const before = (yield* ask('KV/Range', rangeRequest(only(op.request_put.key)))).kvs[0] ?? null
        changes.push(putRow(before, op.request_put, looked.header.revision + 1))
        guard.push(modifiedAt(op.request_put.key, before?.mod_revision ?? 0))
      } else if (op.request_delete_range !== null) {
        const { key, range_end } = op.request_delete_range
        for (const kv of (yield* ask('KV/Range', rangeRequest({ key, range_end }))).kvs) {
          changes.push(deletedRow(kv))
          guard.push(modifiedAt(kv.key, kv.mod_revision))
        }
      }
    }
    const body = { succeeds: looked.succeeded, operations: ops.length }
    return {
      revision: looked.header.revision,
      entries: changes.length === 0 ? [] : [{ type: 'delos.KvTxn', body }],
      changes,
      // The store takes so many comparisons; with more rows than that the plan's id alone guards them.
      guard: guard.slice(0, GUARDS_MAX),
    }
  },
}

const GUARDS_MAX = 100

function requestOf(input: Txn): m.TxnRequest | MusterError {
  const compare = all(input.compare.map(compareOf))
  const success = all(input.success.map(opOf))
  const failure = all(input.failure.map(opOf))
  if (isRefusal(compare)) return compare
  if (isRefusal(success)) return success
  return isRefusal(failure) ? failure : request(compare, success, failure)
}

function all<T extends object>(parts: (T | MusterError)[]): T[] | MusterError {
  const refusal = parts.find((part) => isRefusal(part))
  return isRefusal(refusal) ? refusal : (parts as T[])
}

function compareOf(input: Txn['compare'][number]): m.Compare | MusterError {
  const range = rangeIn(input)
  if (isRefusal(range)) return range
  const base = { ...modifiedAt(range.key, 0), mod_revision: null, range_end: range.range_end, result: RESULT[input.is] }
  const { target, to } = input
  if (target === 'value') {
    const value = bytesIn(String(to), input.isToBase64)
    return value instanceof Uint8Array ? { ...base, target: COMPARE_TARGET.value, value } : value
  }
  if (target === 'lease') {
    if (!/^[0-9a-f]{1,16}$/.test(String(to)))
      return refuse('USAGE', `lease("${input.key}") is compared with a lease in hexadecimal, not "${to}"`)
    return { ...base, target: COMPARE_TARGET.lease, lease: leaseIn(String(to)) }
  }
  const number = Number(to)
  if (!Number.isSafeInteger(number) || number < 0)
    return refuse('USAGE', `${target}("${input.key}") is compared with a number, not "${to}"`)
  if (target === 'version') return { ...base, target: COMPARE_TARGET.version, version: number }
  if (target === 'create') return { ...base, target: COMPARE_TARGET.create, create_revision: number }
  return { ...base, target: COMPARE_TARGET.mod, mod_revision: number }
}

function opOf(op: Op): m.RequestOp | MusterError {
  if (op.do === 'put') {
    const key = keyIn(op.key, op.isKeyBase64)
    if (typeof key !== 'string') return key
    const value = bytesIn(op.value, op.isValueBase64)
    return value instanceof Uint8Array ? put(key, value, op.lease === undefined ? 0n : leaseIn(op.lease)) : value
  }
  const range = rangeIn(op)
  if (isRefusal(range)) return range
  if (op.do === 'del') return remove(range)
  return read(range, { revision: op.revision ?? 0, limit: op.limit, keys_only: op.isKeysOnly, count_only: op.isCountOnly })
}

function answerOf(response: m.ResponseOp): z.output<typeof kvTxn.output>['answers'][number] {
  const { response_range: found, response_delete_range: deletion } = response
  if (found !== null) return { did: 'get', count: found.count, more: found.more, kvs: found.kvs.map(kvView) }
  return deletion === null ? { did: 'put' } : { did: 'del', deleted: deletion.deleted }
}
