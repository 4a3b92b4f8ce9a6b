import { assert } from '../../../kernel/assert.ts'
import type { Key, TxnRequest, TxnResponse } from '../../wire/messages.ts'
import type { Turn } from './queue.ts'
import {
  allHaveValue,
  bytesOf,
  createdAt,
  doIf,
  firstAt,
  isAbsent,
  leaseName,
  nested,
  noneIn,
  put,
  read,
  readAt,
  remove,
  textOf,
  txn,
  under,
} from './request.ts'
import { refused, type Next, type Recipe } from './step.ts'

/*
 * Keys of the semaphore NAME: NAME/<lease in hex>/<i> for each of the permits wanted, their value being the limit. All who are in
 * the queue agree on the limit, or do not get in: the first fixes it, for as long as anybody holds or waits.
 */

/** A txn holds 128 operations; two of them read. */
export const PERMITS_MAX = 100

export interface Permit extends Turn {
  permits: number
}

/** `mine`: create_revision of its keys */
export interface SemaphoreState {
  mine: number | null
}

/**
 * Takes permits of a semaphore, or a place in its queue.
 *
 * Guarantees: at any revision the permits held are no more than the limit; they are given in the order of asking, so one who
 * wants many is not passed by those who want few; permits of a lease that ends are free with it. All permits of one asking are
 * taken, and given back, in one revision. As with a lock, a holder that was paused may believe in a permit it no longer has.
 */
export function semaphore(name: Key, lease: bigint, limit: number, permits = 1): Recipe<SemaphoreState, Permit> {
  assert(Number.isInteger(permits) && permits >= 1 && permits <= PERMITS_MAX, 'permits are 1 to PERMITS_MAX')
  assert(Number.isInteger(limit) && limit >= 1, 'a limit is at least 1')
  const own = `${name}/${leaseName(lease)}`
  const first = `${own}/0`
  const told = (mine: number | null, answer: TxnResponse): Next<SemaphoreState, Permit> => {
    if (permits > limit) return refused('full', `${permits} permits are wanted of a semaphore with ${limit}`)
    if (mine === null) {
      // Asked again after a lost answer: what stands there is ours, as long as it is the same that was asked for.
      const [found, other] = [readAt(answer, 1), firstAt(answer, 2)]
      const here = found.kvs[0]
      if (here !== undefined && found.count === permits && textOf(here.value) === String(limit))
        return { do: 'ask', state: { mine: here.create_revision } }
      if (here !== undefined) return refused('taken', `this lease asked ${name} for ${found.count} of ${textOf(here.value)} permits before`)
      return refused('differs', `the limit of ${name} is ${other === null ? 'another' : textOf(other.value)}, not ${limit}`)
    }
    if (!answer.succeeded) return refused('lost', `the permits ${own} are gone, with their lease or by somebody's hand`)
    const before = readAt(answer, 0).kvs.length
    if (before + permits <= limit) return { do: 'held', held: { key: first, lease, token: mine, permits } }
    return { do: 'wait', state: { mine }, range: under(name), from: answer.header.revision + 1, until: 'deleted' }
  }
  return {
    start: { mine: null },
    ask: ({ mine }) => (mine === null ? join(name, own, lease, limit, permits) : look(name, first, mine, limit - permits + 1)),
    told: ({ mine }, answer) => told(mine, answer),
  }
}

function join(name: Key, own: Key, lease: bigint, limit: number, permits: number): TxnRequest {
  const value = bytesOf(String(limit))
  // With more than there are it only reads, and is refused by what it is told.
  const puts = permits > limit ? [] : Array.from({ length: permits }, (_, i) => put(`${own}/${i}`, value, lease))
  const enter = doIf([isAbsent(`${own}/0`)], noneIn(under(name)), allHaveValue(under(name), value), puts)
  return txn([], [nested(enter), read(under(own)), read(under(name), { limit: 1 })])
}

/** Reads those before it, as many as make it wait. (Etcd's `count` takes no notice of revisions.) */
function look(name: Key, first: Key, mine: number, enough: number): TxnRequest {
  return txn([createdAt(first, mine)], [read(under(name), { keys_only: true, max_create_revision: mine - 1, limit: enough })])
}

/** Gives all permits back, or leaves the queue, in one revision; nothing if that was over already. */
export function releasePermits({ key, token }: Pick<Permit, 'key' | 'token'>): TxnRequest {
  return txn([createdAt(key, token)], [remove(under(key.slice(0, key.lastIndexOf('/'))))])
}
