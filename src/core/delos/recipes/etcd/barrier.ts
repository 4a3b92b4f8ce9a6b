import { assert } from '../../../kernel/assert.ts'
import { SORT_ORDER, SORT_TARGET, type Key, type RangeRequest, type TxnRequest, type TxnResponse } from '../../wire/messages.ts'
import type { Turn } from './queue.ts'
import {
  allHaveValue,
  bytesOf,
  createdAt,
  doIf,
  firstAt,
  isAbsent,
  leaseName,
  modifiedAt,
  nested,
  noneIn,
  only,
  put,
  rangeRequest,
  read,
  readAt,
  remove,
  textOf,
  txn,
  under,
} from './request.ts'
import { refused, type Next, type Recipe } from './step.ts'

/*
 * A barrier for COUNT participants, and as a double one also the way out. Keys of the barrier NAME:
 *
 *     NAME/in/<lease in hex>   is here; its value is the count it expects
 *     NAME/open                the barrier is open for those who came up to the create_revision in its value: one round
 *
 * A round ends when all who were let in have left or lost their leases; then `open` goes, and who came later begins the next one.
 */

/** Opening compares the key of each participant, and a txn has 128 compares. */
export const BARRIER_COUNT_MAX = 100

export type BarrierState =
  | { at: 'entering' }
  /** the participants that are enough, with the create_revision of each */
  | { at: 'opening'; participants: { key: Key; created: number }[] }
  /** a round whose participants are all gone */
  | { at: 'clearing'; opened: number }

/** Being in: `token` is the create_revision of its own key, `round` that up to which participants were let in. */
export interface Inside extends Turn {
  name: Key
  round: number
}

/**
 * Comes to a barrier and waits until `count` are here.
 *
 * Guarantees: it opens at a revision at which `count` participants were here, and in one revision for all of them; it stays open
 * until each of them has left or lost its lease, so nobody who was let in finds it closed, however late it looks; who comes on top of
 * them waits for the next round. Who dies before it opens is not counted. All participants of a time expect the same count; who
 * expects another one is refused.
 */
export function barrier(name: Key, lease: bigint, count: number): Recipe<BarrierState, Inside> {
  assert(Number.isInteger(count) && count >= 1 && count <= BARRIER_COUNT_MAX, 'a barrier is for 1 to BARRIER_COUNT_MAX')
  const own = keyOf(name, lease)
  const open = `${name}/open`
  const here = under(`${name}/in`)
  const value = bytesOf(String(count))

  const enter = (): TxnRequest => {
    const looks = [
      read(only(open)),
      read(only(own)),
      read(here, { limit: count, sort_target: SORT_TARGET.create, sort_order: SORT_ORDER.ascend }),
    ]
    const come = doIf([isAbsent(open), isAbsent(own)], noneIn(here), allHaveValue(here, value), [put(own, value, lease)])
    return txn([], [nested(come), ...looks])
  }

  const entered = (answer: TxnResponse): Next<BarrierState, Inside> => {
    const [gate, mine, all] = [firstAt(answer, 1), firstAt(answer, 2), readAt(answer, 3)]
    const wait: Next<BarrierState, Inside> = {
      do: 'wait',
      state: { at: 'entering' },
      range: under(name),
      from: answer.header.revision + 1,
      until: 'changed',
    }
    if (gate !== null) {
      const upTo = Number(textOf(gate.value))
      if (mine !== null && mine.create_revision <= upTo)
        return { do: 'held', held: { name, key: own, lease, token: mine.create_revision, round: upTo } }
      const isOver = !all.kvs.some((kv) => kv.create_revision <= upTo)
      // Whoever was last may have died before it could clear up.
      return isOver ? { do: 'ask', state: { at: 'clearing', opened: gate.mod_revision } } : wait
    }
    const other = all.kvs.find((kv) => textOf(kv.value) !== String(count))
    if (other !== undefined || mine === null)
      return refused('differs', `the barrier ${name} is for ${other === undefined ? 'another number' : textOf(other.value)}, not ${count}`)
    if (all.kvs.length < count) return wait
    return {
      do: 'ask',
      state: { at: 'opening', participants: all.kvs.map((kv) => ({ key: kv.key, created: kv.create_revision })) },
    }
  }

  return {
    start: { at: 'entering' },
    ask: (state) => {
      if (state.at === 'entering') return enter()
      if (state.at === 'clearing') return clear(name, state.opened)
      const upTo = state.participants.reduce((max, { created }) => Math.max(max, created), 0)
      const areHere = state.participants.map(({ key, created }) => createdAt(key, created))
      return txn([isAbsent(open), ...areHere], [put(open, bytesOf(String(upTo)), 0n)])
    },
    // Opened or cleared by us, by another, or not at all: what is so now is seen by entering again.
    told: (state, answer) => (state.at === 'entering' ? entered(answer) : { do: 'ask', state: { at: 'entering' } }),
  }
}

/** Removes `open` of a round that was seen empty: whoever comes has a higher create_revision, so it stays empty. */
function clear(name: Key, opened: number): TxnRequest {
  const open = `${name}/open`
  return txn([modifiedAt(open, opened)], [remove(only(open))])
}

function keyOf(name: Key, lease: bigint): Key {
  return `${name}/in/${leaseName(lease)}`
}

/** Stops waiting, or leaves without waiting for the others: enough for a barrier that is used once. */
export function quitBarrier(name: Key, lease: bigint): TxnRequest {
  return txn([], [remove(only(keyOf(name, lease)))])
}

/** Reads who is here, whether let in or waiting. */
export function waitingRequest(name: Key): RangeRequest {
  return rangeRequest(under(`${name}/in`), { count_only: true })
}

/**
 * Opens a barrier for those who came up to a revision, however few they are; who comes later waits for the next round. `succeeded`
 * false: it was open already.
 */
export function letIn(name: Key, upTo: number): TxnRequest {
  const open = `${name}/open`
  return txn([isAbsent(open)], [put(open, bytesOf(String(upTo)), 0n)])
}

/** What {@link insideOf} reads. */
export function insideRequest(name: Key, lease: bigint): TxnRequest {
  return txn([], [read(only(`${name}/open`)), read(only(keyOf(name, lease)))])
}

/** The place of one who entered under a lease and was let in; null when it is not here, or not let in yet. */
export function insideOf(name: Key, lease: bigint, answer: TxnResponse): Inside | null {
  const [gate, own] = [firstAt(answer, 0), firstAt(answer, 1)]
  if (gate === null || own === null) return null
  const round = Number(textOf(gate.value))
  return own.create_revision <= round ? { name, key: own.key, lease, token: own.create_revision, round } : null
}

export type LeaveState = { at: 'leaving' } | { at: 'clearing'; opened: number }

/**
 * Leaves a barrier and waits until all who were let in have left: the second half of a double barrier. Held: the round is over,
 * and the barrier can be entered again. Who dies inside counts as having left.
 */
export function leaveBarrier({ name, key, token, round }: Inside): Recipe<LeaveState, { name: Key }> {
  const open = `${name}/open`
  const here = under(`${name}/in`)
  const over: Next<LeaveState, { name: Key }> = { do: 'held', held: { name } }
  return {
    start: { at: 'leaving' },
    ask: (state) => {
      if (state.at === 'clearing') return clear(name, state.opened)
      return txn(
        [],
        [nested(txn([createdAt(key, token)], [remove(only(key))])), read(only(open)), read(here, { limit: 1, max_create_revision: round })],
      )
    },
    told: (state, answer) => {
      // Cleared by us, by another, or not at all: what is so now is seen by looking again.
      if (state.at === 'clearing') return { do: 'ask', state: { at: 'leaving' } }
      const [gate, other] = [firstAt(answer, 1), firstAt(answer, 2)]
      if (gate === null || Number(textOf(gate.value)) !== round) return over
      if (other === null) return { do: 'ask', state: { at: 'clearing', opened: gate.mod_revision } }
      return { do: 'wait', state: { at: 'leaving' }, range: under(name), from: answer.header.revision + 1, until: 'deleted' }
    },
  }
}
