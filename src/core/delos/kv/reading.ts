import { SORT_TARGET, type HashKVResponse, type KeyValue, type RangeRequest, type RangeResponse } from '../wire/messages.ts'
import { noteLength, pairLength } from '../wire/pair-bytes.ts'
import type { RpcError } from '../wire/service.ts'
import { chainVersion } from './digest.ts'
import { isRpcError, KV_ERRORS } from './errors.ts'
import { RangeScan, withoutValue } from './range-scan.ts'
import { refuseRevision, select } from './select.ts'
import { orderOf, sortInSteps } from './sorting.ts'
import { header, type KvState } from './state.ts'
import { firstFrom } from './version.ts'

/**
 * Something long that is read a step at a time, of the store as it stood when this was opened, whatever is written in between. What it
 * reads outlives compaction until it is done or closed: one of the two has to come soon.
 */
export interface Reading<Answer> {
  /** bytes of the answer so far, about; 0 while it is not known what will be in it */
  readonly bytes: number
  /** A step: at most about two milliseconds of work. Null: there is more to do. */
  step(): Answer | null
  /** Nobody wants the answer any more. */
  close(): void
}

/** Keys that are looked at in a step. */
const STEP_KEYS = 10_000
/** Bytes that are summed up in a step: a checksum of a mebibyte takes about two milliseconds. */
const STEP_BYTES = 512 * 1024

/** The answer of `select`, in steps. */
export function readRange(state: KvState, request: RangeRequest): Reading<RangeResponse> | RpcError {
  if (request.range_end === '') {
    const answer = select(state, request)
    return isRpcError(answer) ? answer : { bytes: 0, step: () => answer, close: () => undefined }
  }
  const refusal = refuseRevision(state, request.revision)
  if (refusal !== null) return refusal
  const scan = new RangeScan(state, request)
  const pin = request.revision > 0 ? request.revision : state.revision
  return reading(state, pin, () => scan.bytes, rangeSteps(scan, request))
}

function* rangeSteps(scan: RangeScan, request: RangeRequest): Generator<void, RangeResponse> {
  while (!scan.advance(STEP_KEYS, Infinity)) yield
  const compare = orderOf(request)
  if (compare !== null) {
    const isDue = budget(STEP_KEYS)
    scan.kvs = yield* sortInSteps(scan.kvs, compare, isDue)
    scan.cut()
    const { kvs } = scan
    for (const [at, pair] of kvs.entries()) {
      const sent = request.keys_only ? withoutValue(pair) : pair
      kvs[at] = sent
      scan.bytes += pairLength(sent)
      if (isDue(1)) yield
    }
  }
  noteLength(scan.kvs, scan.bytes)
  return scan.response()
}

/**
 * A checksum of all that can be read up to a revision (0: the present one), equal on servers that were compacted at the same revision
 * however far each is with it. Not etcd's number: that depends on its file format.
 */
export function readHashKv(state: KvState, revision: number): Reading<HashKVResponse> | RpcError {
  const refusal = refuseRevision(state, revision)
  if (refusal !== null) return refusal
  return reading(state, state.compactRevision, () => 0, hashSteps(state, revision > 0 ? revision : state.revision))
}

function* hashSteps(state: KvState, last: number): Generator<void, HashKVResponse> {
  const { compactRevision, revision } = state
  const { isKept } = state.options.rules
  let hash = 0
  let from = ''
  // Where to go on within a key that has more versions than a step takes.
  let fromRevision = 0
  for (;;) {
    const isDue = budget(STEP_BYTES)
    let isOver = true
    state.index.visit(from, null, ({ key, versions }) => {
      if (isDue(VERSION_BYTES)) {
        ;[from, isOver] = [key, false]
        return false
      }
      for (let i = firstFrom(versions, fromRevision); i < versions.length; i += 1) {
        const version = versions[i]
        if (version === undefined || version.mod_revision > last) break
        // A revision may have changed the key twice: its place is its first.
        if (versions[i - 1]?.mod_revision !== version.mod_revision && isDue(0)) {
          ;[from, fromRevision, isOver] = [key, version.mod_revision, false]
          return false
        }
        if (isKept(version, versions[i + 1], compactRevision)) hash = chainVersion(hash, version)
        isDue(VERSION_BYTES + version.value.length)
      }
      fromRevision = 0
      return true
    })
    if (isOver) return { header: header(revision), hash, compact_revision: compactRevision }
    yield
  }
}

/** A part of a range, whose pairs follow those of the part before. */
export interface RangePage {
  kvs: KeyValue[]
  /** of the last one: what there is to say of the range as a whole, with no pairs */
  whole: RangeResponse | null
}

/** A range in parts that are read when they are wanted. It holds up no compaction, so that it may take as long as its reader likes. */
export interface RangePages {
  /**
   * A step towards the next part, of about `bytesMax`. Null: there is more to do for it. Refused, as etcd does, when compaction has taken
   * the revision that it shows.
   */
  step(bytesMax: number): RangePage | RpcError | null
}

/** @param request of etcd's `RangeStream`: in the order of the keys, without filters by revision */
export function readPages(state: KvState, request: RangeRequest): RangePages | RpcError {
  const refusal = refuseRevision(state, request.revision)
  if (refusal !== null) return refusal
  const range_end = request.range_end === '' ? `${request.key}\0` : request.range_end
  // Without an order etcd streams by key whatever the target.
  const scan = new RangeScan(state, { ...request, range_end, sort_target: SORT_TARGET.key })
  const revision = request.revision > 0 ? request.revision : state.revision
  return {
    step: (bytesMax) => {
      if (revision < state.compactRevision) return KV_ERRORS.compacted
      const isOver = scan.advance(STEP_KEYS, bytesMax)
      if (!isOver && scan.bytes < bytesMax) return null
      const kvs = scan.take()
      return { kvs, whole: isOver ? scan.response() : null }
    },
  }
}

/** What a version costs beside its value, in the time of bytes. */
const VERSION_BYTES = 64

/** Says when so many were counted, and begins anew. */
function budget(max: number): (count: number) => boolean {
  let left = max
  return (count) => {
    if (left <= 0) {
      left = max
      return true
    }
    left -= count
    return false
  }
}

function reading<Answer>(state: KvState, revision: number, bytes: () => number, steps: Generator<void, Answer>): Reading<Answer> {
  const pin = { revision }
  state.pins.add(pin)
  return {
    get bytes() {
      return bytes()
    },
    step: () => {
      const { done, value } = steps.next()
      if (done !== true) return null
      state.pins.delete(pin)
      return value
    },
    close: () => {
      state.pins.delete(pin)
    },
  }
}
