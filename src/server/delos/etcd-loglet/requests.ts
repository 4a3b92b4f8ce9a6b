import { firstAt, isAbsent, modifiedAt, only, put, read, readAt, remove, txn } from '../../../core/delos/recipes/etcd/request.ts'
import { ask, type Program } from '../../../core/delos/programs/program.ts'
import { COMPARE_RESULT, SORT_ORDER, SORT_TARGET } from '../../../core/delos/wire/messages.ts'
import type * as m from '../../../core/delos/wire/messages.ts'
import type { LogletKeys } from './keys.ts'

/** The loglet's transactions (delos, 3.4), and what their answers say. */

const LAST = { limit: 1, sort_target: SORT_TARGET.key, sort_order: SORT_ORDER.descend }

/**
 * Puts batches at `position` and behind it: if nothing is there, the place before is taken (no holes), and the loglet is open. Else
 * reads what says why not, which is what {@link appendOutcome} looks at. Asked twice, it is done once.
 */
export function appendRequest(keys: LogletKeys, position: number, first: number, values: readonly Uint8Array[]): m.TxnRequest {
  const compare = [isAbsent(keys.entry(position)), isAbsent(keys.sealed)]
  if (position > first) compare.push({ ...isAbsent(keys.entry(position - 1)), result: COMPARE_RESULT.greater })
  const puts = values.map((value, i) => put(keys.entry(position + i), value, 0n))
  return txn(compare, puts, [
    read(only(keys.sealed), { keys_only: true }),
    read(only(keys.entry(position))),
    read(keys.entriesFrom(0), { ...LAST, keys_only: true }),
  ])
}

export interface TailSeen {
  isSealed: boolean
  /** position after the last batch */
  tail: number
  /** what stands where it was to be put */
  found: Uint8Array | null
}

/** Null: it was put. */
export function appendOutcome(keys: LogletKeys, first: number, answer: m.TxnResponse): TailSeen | null {
  if (answer.succeeded) return null
  return { isSealed: firstAt(answer, 0) !== null, found: firstAt(answer, 1)?.value ?? null, tail: tailOf(keys, first, firstAt(answer, 2)) }
}

function tailOf(keys: LogletKeys, first: number, last: m.KeyValue | null): number {
  return last === null ? first : (keys.positionOf(last.key) ?? 0) + 1
}

/** Where the end is, and whether it is one: linearizable, as one transaction. */
export function tailRequest(keys: LogletKeys): m.TxnRequest {
  return txn([], [read(only(keys.sealed), { keys_only: true }), read(keys.entriesFrom(0), { ...LAST, keys_only: true })])
}

export function tailAnswer(keys: LogletKeys, first: number, answer: m.TxnResponse): { isSealed: boolean; tail: number } {
  return { isSealed: firstAt(answer, 0) !== null, tail: tailOf(keys, first, firstAt(answer, 1)) }
}

/** Batches from a position on, and whether the loglet is sealed. */
export function readRequest(keys: LogletKeys, from: number, limit: number): m.TxnRequest {
  return txn([], [read(keys.entriesFrom(from), { limit }), read(only(keys.sealed), { keys_only: true })])
}

export function readAnswer(answer: m.TxnResponse): { kvs: m.KeyValue[]; more: boolean; isSealed: boolean; revision: number } {
  const { kvs, more } = readAt(answer, 0)
  return { kvs, more, isSealed: firstAt(answer, 1) !== null, revision: answer.header.revision }
}

/** Seals, if nobody did, and reads the end and the last term: nothing changes them any more. */
export function sealRequest(keys: LogletKeys, who: Uint8Array): m.TxnRequest {
  const end = [read(keys.entriesFrom(0), { ...LAST, keys_only: true }), read(only(keys.term))]
  return txn([isAbsent(keys.sealed)], [put(keys.sealed, who, 0n), ...end], [read(only(keys.sealed)), ...end])
}

export function sealAnswer(keys: LogletKeys, first: number, answer: m.TxnResponse): { position: number; term: Uint8Array | null } {
  return { position: tailOf(keys, first, firstAt(answer, 1)), term: firstAt(answer, 2)?.value ?? null }
}

/** Claims to lead, if nobody does and the term is still the one that was seen. */
export function claimRequest(keys: LogletKeys, termSeen: number, value: Uint8Array, term: Uint8Array, lease: bigint): m.TxnRequest {
  return txn(
    [isAbsent(keys.leader), isAbsent(keys.sealed), modifiedAt(keys.term, termSeen)],
    [put(keys.leader, value, lease), put(keys.term, term, 0n)],
  )
}

/** Gives up batches below a position; the last one of all stays, as the next append looks at it. */
export function trimRequest(keys: LogletKeys, below: number): m.TxnRequest {
  const { key } = keys.entriesFrom(0)
  return txn([], [remove({ key, range_end: keys.entry(below) }), remove(keys.chunksBelow(below))])
}

/** Lets the etcd forget what any key was before a revision. */
export function* compactTo(revision: number): Program<void> {
  yield* ask('KV/Compact', { revision, physical: false }, 'repeatable')
}
