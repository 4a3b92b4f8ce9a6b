import { assert } from '../../kernel/assert.ts'
import { WINDOW_DAYS_MAX } from './file.ts'

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

export const BUCKET_MS = 10_000
export const MINUTE_MS = 60_000
/** Buckets of 10 s are kept for six hours (the windows of the paging tiers) and one more; older ones as minutes. */
export const FINE_MS = 7 * 3_600_000
const FINE = FINE_MS / BUCKET_MS
/** Minutes of the longest window, and a day. */
const MINUTES = (WINDOW_DAYS_MAX + 1) * 1440

/**
 * The history of one SLI in two rings: 10 s buckets of the last hours, minutes of the whole window. About 800 KB. A bucket
 * that is put again replaces the one before, so whatever is read twice counts once; what was never put is unknown, not zero.
 */
export class SliSeries {
  readonly #fineGood = new Float64Array(FINE)
  readonly #fineTotal = new Float64Array(FINE)
  /** number of the bucket that is in a slot, or -1 */
  readonly #fineOf = new Float64Array(FINE).fill(-1)
  readonly #good = new Float64Array(MINUTES)
  readonly #total = new Float64Array(MINUTES)
  readonly #minuteOf = new Float64Array(MINUTES).fill(-1)
  #firstMs = Infinity
  #lastMs = -Infinity

  /** Start of the oldest that was put, ms; null when empty. */
  get firstMs(): number | null {
    return Number.isFinite(this.#firstMs) ? this.#firstMs : null
  }

  /** End of the newest 10 s bucket that was put, ms; null when there is none. */
  get lastMs(): number | null {
    return Number.isFinite(this.#lastMs) ? this.#lastMs : null
  }

  /** Puts the 10 s bucket that starts then; its minute follows. */
  put(startMs: number, { good, total }: Counts): void {
    assert(startMs % BUCKET_MS === 0, 'a bucket starts at whole 10 s')
    const bucket = startMs / BUCKET_MS
    const slot = bucket % FINE
    // What is older than the ring holds would drive out a newer one.
    if ((this.#fineOf[slot] ?? -1) > bucket) return
    const isKnown = this.#fineOf[slot] === bucket
    const before = isKnown ? { good: this.#fineGood[slot] ?? 0, total: this.#fineTotal[slot] ?? 0 } : { good: 0, total: 0 }
    this.#fineOf[slot] = bucket
    this.#fineGood[slot] = good
    this.#fineTotal[slot] = total
    this.#lastMs = Math.max(this.#lastMs, startMs + BUCKET_MS)
    this.#addMinute(Math.floor(startMs / MINUTE_MS), good - before.good, total - before.total)
  }

  /** Puts a whole minute: of history whose 10 s buckets are not needed any more. */
  putMinute(startMs: number, { good, total }: Counts): void {
    const minute = startMs / MINUTE_MS
    const slot = minute % MINUTES
    if ((this.#minuteOf[slot] ?? -1) > minute) return
    this.#minuteOf[slot] = minute
    this.#good[slot] = good
    this.#total[slot] = total
    this.#firstMs = Math.min(this.#firstMs, startMs)
  }

  /** Counts of the 10 s buckets that start in `[fromMs, toMs)`, without those in a span of `skip`. At most as long as the fine ring. */
  fine(fromMs: number, toMs: number, skip: readonly Span[] = []): Counts {
    let good = 0
    let total = 0
    for (let bucket = Math.ceil(fromMs / BUCKET_MS); bucket * BUCKET_MS < toMs; bucket += 1) {
      const slot = bucket % FINE
      if (this.#fineOf[slot] !== bucket || isIn(skip, bucket * BUCKET_MS)) continue
      good += this.#fineGood[slot] ?? 0
      total += this.#fineTotal[slot] ?? 0
    }
    return { good, total }
  }

  /** Counts of the minutes that start in `[fromMs, toMs)`, without those in a span of `skip`. */
  minutes(fromMs: number, toMs: number, skip: readonly Span[] = []): Counts {
    let good = 0
    let total = 0
    for (let minute = Math.ceil(fromMs / MINUTE_MS); minute * MINUTE_MS < toMs; minute += 1) {
      const slot = minute % MINUTES
      if (this.#minuteOf[slot] !== minute || isIn(skip, minute * MINUTE_MS)) continue
      good += this.#good[slot] ?? 0
      total += this.#total[slot] ?? 0
    }
    return { good, total }
  }

  /** The 10 s bucket that starts then; null when it was never put or is too old. */
  bucket(startMs: number): Counts | null {
    const bucket = startMs / BUCKET_MS
    const slot = bucket % FINE
    return this.#fineOf[slot] === bucket ? { good: this.#fineGood[slot] ?? 0, total: this.#fineTotal[slot] ?? 0 } : null
  }

  /** Whether the minute that starts then is known, in whole or in part. */
  hasMinute(startMs: number): boolean {
    const minute = startMs / MINUTE_MS
    return this.#minuteOf[minute % MINUTES] === minute
  }

  #addMinute(minute: number, good: number, total: number): void {
    const slot = minute % MINUTES
    if (this.#minuteOf[slot] !== minute) {
      if ((this.#minuteOf[slot] ?? -1) > minute) return
      this.#minuteOf[slot] = minute
      this.#good[slot] = 0
      this.#total[slot] = 0
    }
    this.#good[slot] = (this.#good[slot] ?? 0) + good
    this.#total[slot] = (this.#total[slot] ?? 0) + total
    this.#firstMs = Math.min(this.#firstMs, minute * MINUTE_MS)
  }
}

function isIn(spans: readonly Span[], atMs: number): boolean {
  return spans.some(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs)
}
