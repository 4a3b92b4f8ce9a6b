import type { Key, TxnRequest, TxnResponse } from '../../wire/messages.ts'
import { allHaveValue, createdAt, firstAt, isAbsent, nested, only, put, read, readBefore, remove, txn, type KeyRange } from './request.ts'
import { refused, type Next, type Recipe } from './step.ts'

/** A place in a queue: a key under a lease. Who has the lowest create_revision of those that it waits for has its turn. */
export interface Place {
  key: Key
  value: Uint8Array
  lease: bigint
  /** whom it waits for, if they came before it */
  rivals: KeyRange
  /** a key that comes and waits with it, of the same create_revision, and that may be left under a longer lease */
  shadow?: Key
}

/** What a turn is proven by. */
export interface Turn {
  key: Key
  lease: bigint
  /** create_revision of the key: the fencing token, higher for every later turn */
  token: number
}

/** `mine`: create_revision of its key; null while it is not known to stand in the queue. */
export interface QueueState {
  mine: number | null
}

/**
 * Joins a queue and waits for the turn.
 *
 * Guarantees, for all who keep to it with the same rivals: at most one has its turn; turns come in the order of joining; tokens
 * grow; whoever loses its lease leaves the queue with it, waiting or not, and the next follows. The turn is told only in an answer
 * that saw its key, and so its lease, alive (etcd-io/etcd#11456). Each waits for the one before it alone, so an end wakes one.
 *
 * Does not guarantee that a holder knows that its turn is over: one that was paused longer than its lease still believes in it.
 * What it must not write then has to be guarded by the token: a compare of the key's create_revision before the write.
 */
export function queue(place: Place): Recipe<QueueState, Turn> {
  return {
    start: { mine: null },
    ask: ({ mine }) => (mine === null ? join(place) : look(place, mine)),
    told: ({ mine }, answer) => told(place, mine, answer),
  }
}

/** Asking again with the same lease keeps the place, with the value of now. */
function join({ key, value, lease, shadow }: Place): TxnRequest {
  const write = put(key, value, lease)
  const follow = shadow === undefined ? [] : [put(shadow, value, lease)]
  return txn(
    [isAbsent(key)],
    [write, read(only(key)), ...follow],
    [nested(txn([allHaveValue(only(key), value)], [], [write])), read(only(key))],
  )
}

function look({ key, rivals }: Place, mine: number): TxnRequest {
  return txn([createdAt(key, mine)], [readBefore(rivals, mine)])
}

function told(place: Place, mine: number | null, answer: TxnResponse): Next<QueueState, Turn> {
  if (mine === null) {
    const own = firstAt(answer, 1)
    return own === null ? lost(place.key) : { do: 'ask', state: { mine: own.create_revision } }
  }
  if (!answer.succeeded) return lost(place.key)
  const before = firstAt(answer, 0)
  if (before === null) return { do: 'held', held: { key: place.key, lease: place.lease, token: mine } }
  return { do: 'wait', state: { mine }, range: only(before.key), from: answer.header.revision + 1, until: 'deleted' }
}

function lost(key: Key): Next<QueueState, Turn> {
  return refused('lost', `the place ${key} is gone, with its lease or by somebody's hand`)
}

/** Leaves the queue, waiting or held; does nothing if that turn is over already, and never to another's key. */
export function leaveQueue({ key, token }: Pick<Turn, 'key' | 'token'>): TxnRequest {
  return txn([createdAt(key, token)], [remove(only(key))])
}

/** The condition to put before a write that only the holder may do: fails once the turn is over, whatever the holder believes. */
export function whileHeld({ key, token }: Pick<Turn, 'key' | 'token'>): ReturnType<typeof createdAt> {
  return createdAt(key, token)
}

/** Leaves without knowing the token: only for a key that nobody else makes, as it is named after the lease. */
export function leaveByKey(key: Key): TxnRequest {
  return txn([], [remove(only(key))])
}
