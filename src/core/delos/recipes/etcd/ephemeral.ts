import type { Key } from '../../wire/messages.ts'
import type { Turn } from './queue.ts'
import { firstAt, hasLease, isAbsent, nested, only, put, read, txn } from './request.ts'
import { refused, type Recipe } from './step.ts'

/**
 * Makes a key that is there as long as its lease. Guarantees: one maker at a time; the key goes in the revision in which the
 * lease ends. Asking again under the same lease finds it made. One that another lease, or nobody's, holds is refused.
 */
export function ephemeralKey(key: Key, value: Uint8Array, lease: bigint): Recipe<null, Turn> {
  const own = read(only(key))
  return {
    start: null,
    ask: () => txn([isAbsent(key)], [put(key, value, lease), own], [nested(txn([hasLease(key, lease)], [put(key, value, lease)])), own]),
    told: (_state, answer) => {
      const found = firstAt(answer, 1)
      if (found === null) return refused('lost', `the key ${key} is gone, with its lease or by somebody's hand`)
      if (found.lease !== lease)
        return refused('taken', `the key ${key} is there under ${found.lease === 0n ? 'no lease' : 'another lease'}`)
      return { do: 'held', held: { key, lease, token: found.create_revision } }
    },
  }
}
