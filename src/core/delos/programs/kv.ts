import type { z } from 'zod'
import { isRefusal, refuse, type MusterError } from '../../kernel/errors.ts'
import type { kvCompact, kvDel, kvGet, kvPut } from '../operations/kv.ts'
import { COMPARE_RESULT, COMPARE_TARGET } from '../wire/messages.ts'
import type * as m from '../wire/messages.ts'
import {
  firstAt,
  modifiedAt,
  only,
  put as putOp,
  rangeRequest,
  read,
  remove,
  txn,
  isAbsent,
  type KeyRange,
} from '../recipes/etcd/request.ts'
import { fenceOf } from './fence.ts'
import { ask, type Program, type StoreOperation } from './program.ts'
import { deletedRow, putRow } from './rows.ts'
import { bytesIn, keyIn, keyText, kvView, leaseIn, rangeIn } from './text.ts'

/** Rows that a plan shows at most; more would be no help to a reader. */
const PLAN_ROWS_MAX = 10_000

type Get = z.output<typeof kvGet.input>
type Put = z.output<typeof kvPut.input>
type Del = z.output<typeof kvDel.input>
type Compact = z.output<typeof kvCompact.input>

export const get: StoreOperation<Get, z.output<typeof kvGet.output>> = {
  plan: null,
  run: function* (input) {
    const whole = rangeIn(input)
    if (isRefusal(whole)) return whole
    const after = input.after === undefined ? null : keyIn(input.after, input.isAfterBase64)
    if (isRefusal(after)) return after
    const range = after === null ? whole : behind(after, whole)
    const first = yield* readAt(range, { ...input, limit: Math.min(input.limit, partOf(input)) })
    if (isRefusal(first)) return first
    const { revision } = first.header
    const kvs = [...first.kvs]
    let { more } = first
    let bytes = bytesOf(kvs)
    while (more && kvs.length < input.limit && bytes < ANSWER_BYTES && !input.isCountOnly) {
      const limit = Math.min(input.limit - kvs.length, partOf(input))
      const part = yield* readAt(behind(kvs.at(-1)?.key ?? range.key, range), { ...input, revision, limit })
      if (isRefusal(part)) return part
      kvs.push(...part.kvs)
      bytes += bytesOf(part.kvs)
      more = part.more
    }
    return { revision, count: first.count, more, kvs: kvs.map(kvView) }
  },
}

/** Values of one answer. No list is so long that it takes much memory to answer: what follows is another answer. */
const ANSWER_BYTES = 4 * 1_048_576
/** Keys asked for at once: with the longest values that a store takes 96 MiB, which every server gives. */
const PART_KEYS = 64

const partOf = ({ isKeysOnly, limit }: Get): number => (isKeysOnly ? limit : PART_KEYS)
const bytesOf = (kvs: readonly m.KeyValue[]): number => kvs.reduce((sum, { value }) => sum + value.length, 0)
const behind = (key: m.Key, { range_end }: KeyRange): KeyRange => ({ key: `${key}\0`, range_end })

/** A range as it stood; a revision that cannot be read is refused with the newest one that can. */
export function* readAt(
  range: KeyRange,
  input: { revision?: number | undefined; limit: number; isKeysOnly: boolean; isCountOnly: boolean; isSerializable?: boolean },
): Program<m.RangeResponse | MusterError> {
  try {
    return yield* ask(
      'KV/Range',
      rangeRequest(range, {
        revision: input.revision ?? 0,
        limit: input.limit,
        keys_only: input.isKeysOnly,
        count_only: input.isCountOnly,
        serializable: input.isSerializable === true,
      }),
    )
  } catch (error) {
    if (!isRefusal(error) || error.code !== 'DELOS_REVISION') throw error
    const newest = (yield* ask('KV/Range', rangeRequest(range, { count_only: true }))).header.revision
    const why = (input.revision ?? 0) > newest ? 'does not exist yet' : 'was compacted'
    return refuse('DELOS_REVISION', `Revision ${input.revision} cannot be read: it ${why}; the newest is ${newest}.`, {
      details: { revision: input.revision, newest },
    })
  }
}

/** What has to hold for a write, in the order it is told by. */
function* conditionsOf(key: m.Key, input: { expect?: number | undefined; fence?: string | undefined }): Program<m.Compare[] | MusterError> {
  const conditions: m.Compare[] = []
  if (input.expect !== undefined) conditions.push(input.expect === 0 ? isAbsent(key) : modifiedAt(key, input.expect))
  if (input.fence === undefined) return conditions
  const fence = yield* fenceOf(input.fence)
  return isRefusal(fence) ? fence : [...conditions, fence]
}

/** Why nothing was written. */
function* refusalOf(
  key: m.Key,
  input: { expect?: number | undefined; fence?: string | undefined },
  found: m.KeyValue | null,
): Program<MusterError> {
  const conflict = conflictOf(key, input.expect, found)
  if (conflict !== null) return conflict
  const fence = input.fence === undefined ? null : yield* fenceOf(input.fence)
  return isRefusal(fence) ? fence : refuse('PLAN_STALE', `what the plan touches has changed: ${keyText(key)} or what stands beside it`)
}

function conflictOf(key: m.Key, expect: number | undefined, kv: m.KeyValue | null): MusterError | null {
  const found = kv?.mod_revision ?? 0
  if (expect === undefined || expect === found) return null
  const state = found === 0 ? 'does not exist' : `has mod_revision ${found}`
  return refuse('DELOS_CONFLICT', `${keyText(key)} ${state}, expected ${expect === 0 ? 'that it does not exist' : expect}.`, {
    details: { key: keyText(key), expected: expect, found },
  })
}

function writeOf(input: Put): { key: m.Key; value: Uint8Array; lease: bigint } | MusterError {
  const key = keyIn(input.key, input.isKeyBase64)
  if (typeof key !== 'string') return key
  if (key === '') return refuse('USAGE', 'A key is not empty.')
  const value = bytesIn(input.value, input.isValueBase64)
  return value instanceof Uint8Array ? { key, value, lease: input.lease === undefined ? 0n : leaseIn(input.lease) } : value
}

export const put: StoreOperation<Put, z.output<typeof kvPut.output>> = {
  run: function* (input, guard) {
    const write = writeOf(input)
    if (isRefusal(write)) return write
    const { key, value, lease } = write
    const conditions = yield* conditionsOf(key, input)
    if (isRefusal(conditions)) return conditions
    const here = read(only(key))
    // The key as it was, in the same revision: the answer of a put inside a txn says it only when asked.
    const request = txn([...conditions, ...guard], [here, putOp(key, value, lease), here], [here])
    const answer = yield* ask('KV/Txn', request, 'once')
    const before = firstAt(answer, 0)
    if (!answer.succeeded) return yield* refusalOf(key, input, before)
    const now = firstAt(answer, 2)
    if (now === null) return refuse('INTERNAL', `${keyText(key)} is not there after it was put`)
    return { revision: answer.header.revision, kv: kvView(now), prev: input.wantsPrev && before !== null ? kvView(before) : null }
  },
  plan: function* (input) {
    const write = writeOf(input)
    if (isRefusal(write)) return write
    const conditions = yield* conditionsOf(write.key, input)
    if (isRefusal(conditions)) return conditions
    const { header, kvs } = yield* ask('KV/Range', rangeRequest(only(write.key)))
    const before = kvs[0] ?? null
    const conflict = conflictOf(write.key, input.expect, before)
    if (conflict !== null) return conflict
    const change = putRow(before, write, header.revision + 1)
    return {
      revision: header.revision,
      entries: [{ type: 'delos.KvTxn', body: { put: input } }],
      changes: [change],
      guard: [modifiedAt(write.key, before?.mod_revision ?? 0)],
    }
  },
}

export const del: StoreOperation<Del, z.output<typeof kvDel.output>> = {
  run: function* (input, guard) {
    const range = rangeIn(input)
    if (isRefusal(range)) return range
    const conditions = yield* conditionsOf(range.key, input)
    if (isRefusal(conditions)) return conditions
    const deletion = { ...remove(range), request_delete_range: { ...range, prev_kv: input.wantsPrev } }
    const answer = yield* ask('KV/Txn', txn([...conditions, ...guard], [deletion], [read(only(range.key))]), 'once')
    if (!answer.succeeded) return yield* refusalOf(range.key, input, firstAt(answer, 0))
    const done = answer.responses[0]?.response_delete_range
    return { revision: answer.header.revision, deleted: done?.deleted ?? 0, prevs: (done?.prev_kvs ?? []).map(kvView) }
  },
  plan: function* (input) {
    const range = rangeIn(input)
    if (isRefusal(range)) return range
    const conditions = yield* conditionsOf(range.key, input)
    if (isRefusal(conditions)) return conditions
    const { header, kvs, count } = yield* ask('KV/Range', rangeRequest(range, { limit: PLAN_ROWS_MAX }))
    const conflict = conflictOf(range.key, input.expect, kvs.find(({ key }) => key === range.key) ?? null)
    if (conflict !== null) return conflict
    const what = { [input.isPrefix ? 'prefix' : 'key']: input.key, keys: count }
    return {
      revision: header.revision,
      entries: count === 0 ? [] : [{ type: 'delos.KvTxn', body: { delete: what } }],
      changes: kvs.map(deletedRow),
      guard: [unchangedSince(range, header.revision)],
    }
  },
}

/** Nothing of the range was put after a revision. */
function unchangedSince(range: KeyRange, revision: number): m.Compare {
  return { ...modifiedAt(range.key, revision + 1), range_end: range.range_end, target: COMPARE_TARGET.mod, result: COMPARE_RESULT.less }
}

export const compact: StoreOperation<Compact, z.output<typeof kvCompact.output>> = {
  run: function* ({ revision, isPhysical }) {
    const { header } = yield* ask('KV/Compact', { revision, physical: isPhysical }, 'repeatable')
    return { revision: header.revision, compacted: revision }
  },
  plan: function* ({ revision }) {
    const newest = (yield* ask('KV/Range', rangeRequest(only('\0'), { count_only: true }))).header.revision
    if (revision > newest) return refuse('DELOS_REVISION', `Revision ${revision} does not exist yet; the newest is ${newest}.`)
    const after = { 'oldest readable revision': revision }
    return {
      revision: newest,
      entries: [{ type: 'delos.Compacted', body: { revision } }],
      changes: [{ table: 'history', op: 'update', before: {}, after }],
      guard: [],
    }
  },
}
