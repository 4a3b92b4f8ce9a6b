/** Between two looks, ms: at least this, and as long as the last look took, up to the second. */
const PAUSE_MS = 15
const PAUSE_MAX_MS = 250

/**
 * Waits until `test` gives something true, and gives it; fails naming `what` after `ms`. What it throws counts as not yet.
 * `ms` is patience, which costs nothing where all is well: let it be so long that a machine with other work passes too,
 * unless the time itself is what is claimed.
 */
export async function eventually<T>(what: string, ms: number, test: () => Promise<T> | T): Promise<NonNullable<T>> {
  const deadline = Date.now() + ms
  let last: unknown
  for (;;) {
    const lookedAt = performance.now()
    try {
      const value = await test()
      if (value) return value
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${ms} ms`, { cause: last })
    // A look may start a process or ask a server: it must not take the processor from what is waited for.
    const pauseMs = Math.min(Math.max(PAUSE_MS, performance.now() - lookedAt), PAUSE_MAX_MS)
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}
