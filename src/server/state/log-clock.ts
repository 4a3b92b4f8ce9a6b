/**
 * The time of the log, ms since 1970: that of the wall clock, but never before the last entry. While the wall clock is behind that, because it
 * was set back or an earlier leader's was ahead, log time goes on from there at half its pace: what waits for a time is late, and not held up
 * until the wall clock has caught up.
 */
export class LogClock {
  readonly #wall: () => number
  /** a moment in both times, from which log time goes on */
  #from = { at: -Infinity, wall: 0 }

  constructor(wall: () => number) {
    this.#wall = wall
  }

  /** @param lastAt time of the last entry */
  now(lastAt: number): number {
    const wall = this.#wall()
    if (wall < this.#from.wall || this.#at(wall) < lastAt) this.#from = { at: lastAt, wall }
    return Math.max(wall, this.#at(wall))
  }

  #at(wall: number): number {
    return this.#from.at + Math.floor((wall - this.#from.wall) / 2)
  }
}
