/** Where the time of retention stands; kept on disk, so that it goes on there after a restart. */
export interface RetentionTime {
  /** ms */
  atMs: number
}

/** How much faster than a steady clock it may run, to catch up after the leaf was down. */
const CATCH_UP = 2

/**
 * The time that ages are counted from. It follows the machine's clock and never runs ahead of it, but goes forward at most
 * twice as fast as the steady clock: a machine whose clock leaps a year ahead, and is put right within the day, has lost
 * at most a day's rows, not a year's. After a leaf was down for a week, retention is a week late and catches up in another.
 * @param elapsedMs by the steady clock, since `before` was computed; 0 at the start of the process
 */
export function retentionTime(before: RetentionTime | null, clockMs: number, elapsedMs: number): RetentionTime {
  if (before === null) return { atMs: clockMs }
  return { atMs: Math.min(clockMs, before.atMs + elapsedMs * CATCH_UP) }
}
