import type { Key, TxnRequest } from '../../wire/messages.ts'
import { firstAt, isAbsent, only, put, read, remove, txn } from './request.ts'
import type { Recipe } from './step.ts'

/*
 * A gate is a key: closed while it is there. etcd's Go client calls it a barrier.
 */

/** Closes a gate that others wait at: a key that is there. `succeeded` false: it was closed already. No lease: it stays until it is opened. */
export function closeGate(name: Key, value: Uint8Array = new Uint8Array()): TxnRequest {
  return txn([isAbsent(name)], [put(name, value, 0n)])
}

/** Opens it, in one revision for all who wait. */
export function openGate(name: Key): TxnRequest {
  return txn([], [remove(only(name))])
}

/** Waits until the gate is open. Held: the revision it was seen open at. It may be closed again by then. */
export function passGate(name: Key): Recipe<null, { revision: number }> {
  return {
    start: null,
    ask: () => txn([], [read(only(name))]),
    told: (state, answer) =>
      firstAt(answer, 0) === null
        ? { do: 'held', held: { revision: answer.header.revision } }
        : { do: 'wait', state, range: only(name), from: answer.header.revision + 1, until: 'deleted' },
  }
}
