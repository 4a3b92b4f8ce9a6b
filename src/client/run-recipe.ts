import { isRefusal, MusterError } from '../core/kernel/errors.ts'
import type { Next, Recipe, Refused } from '../core/delos/recipes/etcd/step.ts'
import { WATCH_FILTER } from '../core/delos/wire/messages.ts'
import { METHODS } from '../core/delos/wire/methods.ts'
import type { Channel } from './channel.ts'
import { watch } from './watch.ts'

/** A wait ends at the latest then, and looks again: a watch whose server hangs is seen so. */
const LOOK_AGAIN_MS = 10_000

export interface RunOptions {
  signal: AbortSignal
  /** longest wait for others; without it as long as the signal lets it */
  waitMs?: number
}

/**
 * Runs a recipe to its end; its lease has to be kept alive meanwhile. Rejects with DELOS_PLACE_LOST or DELOS_PLACE_REFUSED when it is
 * refused, with DELOS_STILL_WAITING when its time is over, as a call does, and with the signal's reason; then it has to be left, or its
 * lease to be revoked.
 */
export async function runRecipe<State, Held>(
  channel: Channel,
  recipe: Recipe<State, Held>,
  { signal, waitMs = Number.POSITIVE_INFINITY }: RunOptions,
): Promise<Held> {
  const deadline = performance.now() + waitMs
  let state = recipe.start
  for (;;) {
    // Servers that are away are waited for: who cannot keep the lease meanwhile aborts it.
    const patienceMs = Math.max(0, deadline - performance.now())
    const options = { effect: recipe.isOnce === true ? ('once' as const) : ('repeatable' as const), signal, patienceMs }
    const answer = await channel.call(METHODS['KV/Txn'], recipe.ask(state), options).catch((error: unknown) => {
      // The store refuses a put under a lease that is gone.
      if (isRefusal(error) && error.code === 'DELOS_LEASE_UNKNOWN') throw lost(error.message)
      throw error
    })
    const next = recipe.told(state, answer)
    if (next.do === 'held') return next.held
    if (next.do === 'refused') throw refusedError(next)
    if (next.do === 'wait') {
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) throw new MusterError('DELOS_STILL_WAITING', `the turn did not come in ${waitMs} ms`)
      await change(channel, next, signal, Math.min(LOOK_AGAIN_MS, leftMs))
    }
    state = next.state
  }
}

async function change(
  channel: Channel,
  wait: Pick<Extract<Next<unknown, unknown>, { do: 'wait' }>, 'range' | 'from' | 'until'>,
  signal: AbortSignal,
  forMs: number,
): Promise<void> {
  const filters = wait.until === 'deleted' ? [WATCH_FILTER.noPut] : []
  const any = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(forMs))])
  try {
    for await (const _ of watch(channel, wait.range, { from: wait.from, filters }, any)) return
  } catch (error) {
    // What was compacted is not told any more; looking again finds what came of it.
    if (!isRefusal(error) || error.code !== 'DELOS_REVISION') throw error
  }
  signal.throwIfAborted()
}

function refusedError({ why, text }: Refused): MusterError {
  return why === 'lost' ? lost(text) : new MusterError('DELOS_PLACE_REFUSED', text, { details: { why } })
}

function lost(text: string): MusterError {
  return new MusterError('DELOS_PLACE_LOST', text, { details: { why: 'lost' } })
}
