/** A binary heap of what is to happen, by time and then by order of entry: the order is the same in every run. */
export interface Event {
  at: number
  order: number
  run: () => void
}

export class EventQueue {
  #heap: Event[] = []
  #order = 0
  now = 0

  get size(): number {
    return this.#heap.length
  }

  at(time: number, run: () => void): void {
    this.#order += 1
    const event = { at: Math.max(time, this.now), order: this.#order, run }
    const heap = this.#heap
    let i = heap.length
    heap.push(event)
    while (i > 0) {
      const parent = (i - 1) >> 1
      const above = heap[parent] as Event
      if (!before(event, above)) break
      heap[i] = above
      i = parent
    }
    heap[i] = event
  }

  after(ms: number, run: () => void): void {
    this.at(this.now + ms, run)
  }

  /** Runs the next event, unless it is later than `until`. */
  next(until: number): boolean {
    const heap = this.#heap
    const first = heap[0]
    if (first === undefined || first.at > until) return false
    const last = heap.pop() as Event
    if (heap.length > 0) {
      let i = 0
      for (;;) {
        let child = 2 * i + 1
        if (child >= heap.length) break
        if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child += 1
        const below = heap[child] as Event
        if (!before(below, last)) break
        heap[i] = below
        i = child
      }
      heap[i] = last
    }
    this.now = first.at
    first.run()
    return true
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
