/** A broken promise of the program itself: always on, ends the process with exit 70. Never for bad input. */
export class BugError extends Error {
  override readonly name = 'BugError'
}

/** Throws {@link BugError} unless `condition` holds; `message` says which promise was broken. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new BugError(message)
}

/** Marks a branch the types rule out. */
export function unreachable(value: never): never {
  throw new BugError(`unreachable: ${JSON.stringify(value)}`)
}

/** The value, which must be there: for places where its absence is a bug. */
export function must<T>(value: T | null | undefined, what: string): T {
  assert(value !== null && value !== undefined, `${what} is missing`)
  return value
}
