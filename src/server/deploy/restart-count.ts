const MINUTE_MS = 60_000

/** How often tasks were restarted in the last minute, from counts that only grow. */
export class RestartCount {
  #seen: { atMs: number; total: number }[] = []

  note(total: number, nowMs: number): void {
    this.#seen = [...this.#seen.filter(({ atMs }) => atMs > nowMs - MINUTE_MS), { atMs: nowMs, total }]
  }

  lastMinute(): number {
    return this.#seen.reduce((count, { total }, i) => count + Math.max(0, total - (this.#seen[i - 1]?.total ?? total)), 0)
  }
}
