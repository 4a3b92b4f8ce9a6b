import { assert } from '../../kernel/assert.ts'
import { WINDOW_DAYS_MAX } from './file.ts'
import { CountsRing, type Counts, type Span } from './ring.ts'

export const BUCKET_MS = 10_000
export const MINUTE_MS = 60_000
/** Buckets of 10 s are kept for six hours (the windows of the paging tiers) and one more; older ones as minutes. */
export const FINE_MS = 7 * 3_600_000
/** Minutes of the longest window, and a day. */
const MINUTES = (WINDOW_DAYS_MAX + 1) * 1440

/**
 * The history of one SLI in two rings: 10 s buckets of the last hours, minutes of the whole window. About 800 KB. A bucket
 * that is put again replaces the one before, so whatever is read twice counts once; what was never put is unknown, not zero.
 */
export class SliSeries {
  readonly #fine = new CountsRing(BUCKET_MS, FINE_MS / BUCKET_MS)
  readonly #minutes = new CountsRing(MINUTE_MS, MINUTES)
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
  put(startMs: number, counts: Counts): void {
    assert(startMs % BUCKET_MS === 0, 'a bucket starts at whole 10 s')
    const before = this.#fine.at(startMs) ?? { good: 0, total: 0 }
    if (!this.#fine.set(startMs, counts)) return
    this.#lastMs = Math.max(this.#lastMs, startMs + BUCKET_MS)
    const minuteMs = startMs - (startMs % MINUTE_MS)
    const minute = this.#minutes.at(minuteMs) ?? { good: 0, total: 0 }
    this.putMinute(minuteMs, { good: minute.good + counts.good - before.good, total: minute.total + counts.total - before.total })
  }

  /** Puts a whole minute: of history whose 10 s buckets are not needed any more. */
  putMinute(startMs: number, counts: Counts): void {
    if (this.#minutes.set(startMs, counts)) this.#firstMs = Math.min(this.#firstMs, startMs)
  }

  /** Counts of the 10 s buckets that start in `[fromMs, toMs)`, without those in a span of `skip`. At most as long as the fine ring. */
  fine(fromMs: number, toMs: number, skip: readonly Span[] = []): Counts {
    return this.#fine.sum(fromMs, toMs, skip)
  }

  /** Counts of the minutes that start in `[fromMs, toMs)`, without those in a span of `skip`. */
  minutes(fromMs: number, toMs: number, skip: readonly Span[] = []): Counts {
    return this.#minutes.sum(fromMs, toMs, skip)
  }

  /** The 10 s bucket that starts then; null when it was never put or is too old. */
  bucket(startMs: number): Counts | null {
    return this.#fine.at(startMs)
  }

  /** Whether the minute that starts then is known, in whole or in part. */
  hasMinute(startMs: number): boolean {
    return this.#minutes.at(startMs) !== null
  }
}
