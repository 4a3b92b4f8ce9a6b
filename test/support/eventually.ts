/** Waits until `test` gives something true, and gives it; fails naming `what` after `ms`. What it throws counts as not yet. */
export async function eventually<T>(what: string, ms: number, test: () => Promise<T> | T): Promise<NonNullable<T>> {
  const deadline = Date.now() + ms
  let last: unknown
  for (;;) {
    try {
      const value = await test()
      if (value) return value
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${ms} ms`, { cause: last })
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
}
