import type { TxnRequest, TxnResponse } from '../../wire/messages.ts'
import type { RpcError } from '../../wire/service.ts'
import type { KeyRange } from './request.ts'
import { refused, type Next, type Recipe, type Refused } from './step.ts'

/** What a recipe is run with: a store, near or far. */
export interface Ports {
  /** Calls `reply` once, at once or later; exactly one of the two is not null. */
  commit: (request: TxnRequest, reply: (error: RpcError | null, answer: TxnResponse | null) => void) => void
  /** Calls `changed` once, later, when something of the range changes at revision `from` or after it; sooner and in vain is allowed. Gives what stops it. */
  wait: (range: KeyRange, from: number, until: 'changed' | 'deleted', changed: () => void) => () => void
}

export type Outcome<Held> = { do: 'held'; held: Held } | Refused | { do: 'failed'; error: RpcError }

/** gRPC's NotFound: of the requests of recipes, only a put under a lease that is gone is answered so. */
const NOT_FOUND = 5

/**
 * Runs a recipe to its end.
 * @param done called once: what is held, why it is refused, or how the store failed (then what was asked may have been done)
 * @returns stops it: `done` is not called any more. The place in a queue stays until it is left or its lease ends.
 */
export function runRecipe<State, Held>(recipe: Recipe<State, Held>, ports: Ports, done: (outcome: Outcome<Held>) => void): () => void {
  let isStopped = false
  let stopWaiting = (): void => undefined

  const ask = (state: State): void => {
    let isAnswered = false
    ports.commit(recipe.ask(state), (error, answer) => {
      if (isStopped || isAnswered) return
      isAnswered = true
      if (answer !== null) follow(recipe.told(state, answer))
      else if (error?.code === NOT_FOUND) end(refused('lost', error.text))
      else if (error !== null) end({ do: 'failed', error })
    })
  }
  const follow = (next: Next<State, Held>): void => {
    if (next.do === 'ask') ask(next.state)
    else if (next.do === 'wait') {
      let isOver = false
      stopWaiting = ports.wait(next.range, next.from, next.until, () => {
        if (isStopped || isOver) return
        isOver = true
        stopWaiting()
        ask(next.state)
      })
    } else end(next)
  }
  const end = (outcome: Outcome<Held>): void => {
    isStopped = true
    done(outcome)
  }

  ask(recipe.start)
  return () => {
    isStopped = true
    stopWaiting()
  }
}
