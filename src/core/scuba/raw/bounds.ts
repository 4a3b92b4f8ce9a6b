const HOUR_US = 3_600_000_000

/** Times of rows as they are passed: their bounds, and how many there are of each hour. */
export class TimeBounds {
  rows = 0
  minUs = Infinity
  maxUs = 0
  /** hour since the epoch → rows of it, of all but the newest stretch of one hour */
  readonly #hours = new Map<number, number>()
  #hour = -1
  #hourRows = 0

  add(us: number): void {
    this.rows += 1
    if (us < this.minUs) this.minUs = us
    if (us > this.maxUs) this.maxUs = us
    if (us >= this.#hour * HOUR_US && us < (this.#hour + 1) * HOUR_US) {
      this.#hourRows += 1
    } else {
      this.#endHour()
      this.#hour = Math.floor(us / HOUR_US)
      this.#hourRows = 1
    }
  }

  /** What was passed; nothing is to be added afterwards. */
  end(): { rows: number; minUs: number; maxUs: number; hours: Map<number, number> } {
    this.#endHour()
    this.#hourRows = 0
    return { rows: this.rows, minUs: this.minUs, maxUs: this.maxUs, hours: this.#hours }
  }

  #endHour(): void {
    if (this.#hourRows > 0) this.#hours.set(this.#hour, (this.#hours.get(this.#hour) ?? 0) + this.#hourRows)
  }
}
