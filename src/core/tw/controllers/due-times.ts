/** So many times as many pairs as there are keys, and a few more, may be in the heap. */
const STALE_FACTOR_MAX = 4
const STALE_MIN = 64

/** Keys with the time each wants to be looked at, the earliest first. A key has one time; what it had before is forgotten. */
export class DueTimes {
  readonly #times = new Map<string, number>()
  /** pairs in the order of a binary heap; those that are no longer a key's time are passed over when they come up */
  #heap: { key: string; at: number }[] = []

  /** null: the key wants nothing any more */
  set(key: string, at: number | null): void {
    if (at === null) this.#times.delete(key)
    else if (this.#times.get(key) !== at) {
      this.#times.set(key, at)
      this.#push({ key, at })
    }
  }

  /** How many pairs are held for all of them. */
  get kept(): number {
    return this.#heap.length
  }

  of(key: string): number | null {
    return this.#times.get(key) ?? null
  }

  /** The earliest time; null: nobody wants anything. */
  first(): number | null {
    for (;;) {
      const [top] = this.#heap
      if (top === undefined) return null
      if (this.#times.get(top.key) === top.at) return top.at
      this.#pop()
    }
  }

  /** Takes out the keys whose time has come. */
  take(now: number): string[] {
    const due: string[] = []
    for (let at = this.first(); at !== null && at <= now; at = this.first()) {
      const key = this.#heap[0]?.key ?? ''
      this.#times.delete(key)
      due.push(key)
    }
    return due
  }

  #push(it: { key: string; at: number }): void {
    const heap = this.#heap
    if (heap.length > STALE_FACTOR_MAX * (this.#times.size + STALE_MIN)) return this.#renew()
    let i = heap.push(it) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      const above = heap[parent]
      if (above === undefined || above.at <= it.at) break
      heap[i] = above
      i = parent
    }
    heap[i] = it
  }

  /** Puts the times there are, and nothing else, in order. */
  #renew(): void {
    const pairs = [...this.#times].map(([key, at]) => ({ key, at }))
    // In order they are a heap.
    this.#heap = pairs.sort((a, b) => a.at - b.at)
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      const [left, right] = [heap[child], heap[child + 1]]
      if (left !== undefined && right !== undefined && right.at < left.at) child += 1
      const below = heap[child]
      if (below === undefined || below.at >= last.at) break
      heap[i] = below
      i = child
    }
    heap[i] = last
  }
}
