import type { Key } from '../../wire/messages.ts'
import { bytesOf, firstAt, isAbsent, modifiedAt, only, put, read, textOf, txn } from './request.ts'
import { refused, type Recipe } from './step.ts'

/** Of a child's number; also the most children a parent can have had. */
const DIGITS = 10
const NUMBER_MAX = 10 ** DIGITS - 1

/** The counter of a parent, apart from its children, so that it outlives them all. Holds the number taken last. */
export function counterKey(parent: Key): Key {
  return `/muster/sequence/${parent}`
}

/** `tried`: the number to try; `counter`: mod_revision of the counter that it follows from, 0 without one. Null: not read yet. */
export type SequenceState = { tried: number; counter: number } | null

/**
 * Makes a child `PARENT/PREFIX<10 digits>`, its number being higher than that of any child made so before, under that parent.
 *
 * Guarantees: a number is never given twice, also not when all children are gone, and numbers are in the order of the children's
 * create_revisions. Numbers may be left out. Of one whose outcome is unknown, asking again can make a second child: look first
 * for one with the own lease or value.
 */
export function sequentialKey(
  parent: Key,
  prefix: Key,
  value: Uint8Array,
  lease: bigint,
): Recipe<SequenceState, { key: Key; number: number; token: number }> {
  const counter = counterKey(parent)
  const childKey = (number: number): Key => `${parent}/${prefix}${String(number).padStart(DIGITS, '0')}`
  return {
    isOnce: true,
    start: null,
    ask: (state) => {
      if (state === null) return txn([], [read(only(counter))])
      const child = childKey(state.tried)
      return txn(
        [modifiedAt(counter, state.counter), isAbsent(child)],
        [put(counter, bytesOf(String(state.tried)), 0n), put(child, value, lease)],
        [read(only(counter)), read(only(child))],
      )
    },
    told: (state, answer) => {
      if (state !== null && answer.succeeded)
        return { do: 'held', held: { key: childKey(state.tried), number: state.tried, token: answer.header.revision } }
      const found = firstAt(answer, 0)
      const last = found === null ? -1 : Number(textOf(found.value))
      // A child that somebody made by hand is passed over.
      const isMade = state !== null && found?.mod_revision === (state.counter === 0 ? undefined : state.counter)
      const tried = isMade ? state.tried + 1 : last + 1
      if (tried > NUMBER_MAX) return refused('full', `all numbers below ${parent} were used`)
      return { do: 'ask', state: { tried, counter: found?.mod_revision ?? 0 } }
    },
  }
}
