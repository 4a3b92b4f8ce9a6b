/**
 * The time of the log, ms since 1970: that of the wall clock, but never before the last entry. While the wall clock is behind that, because it
 * was set back or an earlier leader's was ahead, log time goes on from there at half the pace of a clock that is never set: what waits for a time
 * takes twice as long, and is not held up until the wall clock has caught up. That has happened after twice the time by which it was behind.
 * What was never written down holds nobody: a wall clock that was ahead for a moment only is forgotten.
 */
export class LogClock {
  readonly #wall: () => number
  readonly #monotonic: () => number
  /** a moment in log time and of the monotonic clock, from which log time goes on */
  #from = { at: -Infinity, ms: 0 }

  /** @param monotonic ms that only go forward */
  constructor(wall: () => number, monotonic: () => number = () => performance.now()) {
    this.#wall = wall
    this.#monotonic = monotonic
  }

  /** @param lastAt time of the last entry */
  now(lastAt: number): number {
    const ms = this.#monotonic()
    if (this.#at(ms) < lastAt) this.#from = { at: lastAt, ms }
    return Math.max(this.#wall(), this.#at(ms))
  }

  #at(ms: number): number {
    return this.#from.at + Math.floor((ms - this.#from.ms) / 2)
  }
}
