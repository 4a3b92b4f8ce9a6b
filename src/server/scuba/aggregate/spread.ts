/** One that is asked, and who can answer in its place. */
export interface Target<P> {
  peer: P
  others: readonly P[]
}

export interface Spread<P, T> {
  /** `by`: who of those that could gave the answer */
  answers: { peer: P; by: P; value: T }[]
  missing: { peer: P; error: unknown }[]
}

export interface SpreadHow<P> {
  deadlineMs: number
  signal?: AbortSignal | undefined
  /** after so many ms without an answer one that can answer in its place is asked too; without: only when most others have answered */
  againMs?: ((peer: P) => number) | undefined
}

/** When so many have answered, the rest is asked again elsewhere. */
const AGAIN_SHARE = 0.9

/**
 * Asks all at once and waits until each has answered, failed or `deadlineMs` is over. One that fails, that is among the last tenth, or that takes longer
 * than it should, is asked again at those that can answer for it; the first answer of each wins, and the others are told to stop.
 */
export async function spread<P, T>(
  targets: readonly Target<P>[],
  ask: (peer: P, signal: AbortSignal) => Promise<T>,
  { deadlineMs, signal, againMs }: SpreadHow<P>,
): Promise<Spread<P, T>> {
  const result: Spread<P, T> = { answers: [], missing: [] }
  if (targets.length === 0) return result
  const over = new AbortController()
  const open = new Map<Target<P>, { stop: AbortController; waiting: P[]; running: number; error: unknown }>()
  await new Promise<void>((resolve) => {
    const finish = (): void => {
      clearTimeout(timer)
      for (const slow of slows) clearTimeout(slow)
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const settle = (): void => {
      if (open.size === 0) return finish()
      if (targets.length - open.size >= targets.length * AGAIN_SHARE) for (const target of [...open.keys()]) again(target)
    }
    /** Nobody is left to ask: it is missing. */
    const again = (target: Target<P>): void => {
      const state = open.get(target)
      const next = state?.waiting.shift()
      if (state && next !== undefined) run(target, next)
    }
    const run = (target: Target<P>, peer: P): void => {
      const state = open.get(target)
      if (!state) return
      state.running += 1
      ask(peer, AbortSignal.any([over.signal, state.stop.signal])).then(
        (value) => {
          if (!open.delete(target)) return
          state.stop.abort()
          result.answers.push({ peer: target.peer, by: peer, value })
          settle()
        },
        (error: unknown) => {
          state.running -= 1
          state.error = error
          if (!open.has(target)) return
          again(target)
          if (state.running > 0) return
          open.delete(target)
          result.missing.push({ peer: target.peer, error })
          settle()
        },
      )
    }
    const timer = setTimeout(finish, Math.max(0, deadlineMs))
    signal?.addEventListener('abort', finish, { once: true })
    for (const target of targets) open.set(target, { stop: new AbortController(), waiting: [...target.others], running: 0, error: null })
    const slows = againMs === undefined ? [] : targets.map((target) => setTimeout(() => again(target), againMs(target.peer)))
    for (const target of targets) run(target, target.peer)
  })
  over.abort()
  for (const [{ peer }, { error }] of open) result.missing.push({ peer, error: error ?? new Error('no answer in time') })
  return result
}
