import type { TxnRequest, TxnResponse } from '../../wire/messages.ts'
import type { KeyRange } from './request.ts'

/**
 * A recipe is data and two pure functions; who runs it has the connection and the clock:
 *
 *     let state = recipe.start
 *     for (;;) {
 *       const next = recipe.told(state, await commit(recipe.ask(state)))
 *       if (next.do === 'held' || next.do === 'refused') return next
 *       if (next.do === 'wait') await changeOf(next.range, next.from)
 *       state = next.state
 *     }
 *
 * - The lease is kept alive meanwhile; a recipe notices its end by its key being gone, and a store by refusing a put (`requested lease
 *   not found`), which means the same as `lost`.
 * - An `ask` whose outcome is unknown may be asked again: that changes nothing more, unless a recipe says
 *   otherwise (`isOnce`).
 * - `wait` may end early, or time out at will: asking again is always right. Who stops waiting has to leave (each recipe says how),
 *   or let the lease end.
 */
export interface Recipe<State, Held> {
  /** asking again after an unknown outcome may do it twice */
  isOnce?: true
  start: State
  ask: (state: State) => TxnRequest
  told: (state: State, answer: TxnResponse) => Next<State, Held>
}

export type Next<State, Held> =
  | { do: 'ask'; state: State }
  /** until something of the range changes (or only: is deleted) at revision `from` or later; then ask */
  | { do: 'wait'; state: State; range: KeyRange; from: number; until: 'changed' | 'deleted' }
  | { do: 'held'; held: Held }
  | Refused

export interface Refused {
  do: 'refused'
  /**
   * - `lost`: what was held or waited for is gone, with its lease or by somebody's hand
   * - `taken`: it belongs to another lease
   * - `differs`: the others agreed on another number
   * - `full`: there is no room for it, and never will be
   */
  why: 'lost' | 'taken' | 'differs' | 'full'
  text: string
}

export function refused(why: Refused['why'], text: string): Refused {
  return { do: 'refused', why, text }
}
