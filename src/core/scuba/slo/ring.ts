/** Good and all events of an SLI, weighted. */
export interface Counts {
  good: number
  total: number
}

/** A span that does not count, ms, whole minutes: `[fromMs, toMs)`. */
export interface Span {
  fromMs: number
  toMs: number
}

/** Steps whose sum is kept: windows of an hour and of thirty days are then read in some hundred additions. Divides every ring's length. */
const BLOCK = 60

/**
 * Counts by steps of time, the newest `length` of them. A step that is set again replaces the one before; what was never set is
 * unknown, not zero. Sums of whole blocks are kept once they were asked for and forgotten when one of their steps is set, so that a
 * sum depends on what is in the ring and not on how it came there.
 */
export class CountsRing {
  readonly #stepMs: number
  readonly #good: Float64Array
  readonly #total: Float64Array
  /** number of the step that is in a slot, or -1 */
  readonly #stepOf: Float64Array
  readonly #blockGood: Float64Array
  readonly #blockTotal: Float64Array
  /** number of the block whose sum is kept in a slot, or -1 */
  readonly #blockOf: Float64Array

  /** @param length in steps, a multiple of 60 */
  constructor(stepMs: number, length: number) {
    this.#stepMs = stepMs
    this.#good = new Float64Array(length)
    this.#total = new Float64Array(length)
    this.#stepOf = new Float64Array(length).fill(-1)
    this.#blockGood = new Float64Array(length / BLOCK)
    this.#blockTotal = new Float64Array(length / BLOCK)
    this.#blockOf = new Float64Array(length / BLOCK).fill(-1)
  }

  /** Of the step that starts then; null when it was never set or is too old. */
  at(startMs: number): Counts | null {
    const step = Math.floor(startMs / this.#stepMs)
    const slot = step % this.#good.length
    return this.#stepOf[slot] === step ? { good: this.#good[slot] ?? 0, total: this.#total[slot] ?? 0 } : null
  }

  /** Sets the step that starts then; false when it is older than what the ring holds: it would drive out a newer one. */
  set(startMs: number, { good, total }: Counts): boolean {
    const step = Math.floor(startMs / this.#stepMs)
    const slot = step % this.#good.length
    if ((this.#stepOf[slot] ?? -1) > step) return false
    this.#stepOf[slot] = step
    this.#good[slot] = good
    this.#total[slot] = total
    this.#blockOf[Math.floor(slot / BLOCK)] = -1
    return true
  }

  /** Of the steps that start in `[fromMs, toMs)`, without those in a span of `skip`. At most as long as the ring. */
  sum(fromMs: number, toMs: number, skip: readonly Span[] = []): Counts {
    const end = Math.ceil(toMs / this.#stepMs)
    let [good, total] = [0, 0]
    for (let step = Math.ceil(fromMs / this.#stepMs); step < end;) {
      if (step % BLOCK === 0 && step + BLOCK <= end && !this.#touches(skip, step, step + BLOCK)) {
        const slot = this.#blockSlot(step / BLOCK)
        good += this.#blockGood[slot] ?? 0
        total += this.#blockTotal[slot] ?? 0
        step += BLOCK
        continue
      }
      const slot = step % this.#good.length
      if (this.#stepOf[slot] === step && !this.#touches(skip, step, step + 1)) {
        good += this.#good[slot] ?? 0
        total += this.#total[slot] ?? 0
      }
      step += 1
    }
    return { good, total }
  }

  /** Where the sum of a block is; added up when it is not known. */
  #blockSlot(block: number): number {
    const at = block % this.#blockOf.length
    if (this.#blockOf[at] === block) return at
    let [good, total] = [0, 0]
    for (let step = block * BLOCK; step < (block + 1) * BLOCK; step += 1) {
      const slot = step % this.#good.length
      if (this.#stepOf[slot] !== step) continue
      good += this.#good[slot] ?? 0
      total += this.#total[slot] ?? 0
    }
    this.#blockOf[at] = block
    this.#blockGood[at] = good
    this.#blockTotal[at] = total
    return at
  }

  /** Whether a span holds the start of one of these steps. */
  #touches(spans: readonly Span[], from: number, to: number): boolean {
    if (spans.length === 0) return false
    const [first, last] = [from * this.#stepMs, (to - 1) * this.#stepMs]
    return spans.some(({ fromMs, toMs }) => last >= fromMs && first < toMs)
  }
}
