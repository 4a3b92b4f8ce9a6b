/** Prometheus' exponential buckets of etcd's histograms of the disk: 1 ms doubled 13 times, seconds. */
export const DISK_BOUNDS_S: readonly number[] = Array.from({ length: 14 }, (_, i) => 0.001 * 2 ** i)
/** The same of round trips between servers: 0.1 ms doubled 15 times, seconds. */
export const ROUND_TRIP_BOUNDS_S: readonly number[] = Array.from({ length: 16 }, (_, i) => 0.0001 * 2 ** i)

/** Finest value told apart, and the number of steps: 1 µs to about 70 s, each step 1/8 of an octave (9 %). */
const FLOOR_S = 1e-6
const STEPS_PER_OCTAVE = 8
const STEPS = 26 * STEPS_PER_OCTAVE + 1

/**
 * Counts of durations in steps of 9 %, in a typed array: a note costs a logarithm and an addition, and takes no memory. `recent` is
 * what was noted since the last but one `turn`, so that quantiles are of now and not of all time.
 */
export class Histogram {
  readonly #total = new Float64Array(STEPS)
  #now = new Float64Array(STEPS)
  #before = new Float64Array(STEPS)
  count = 0
  sumS = 0

  /** @param seconds below 1 µs counts as 1 µs */
  note(seconds: number): void {
    const step = stepOf(seconds)
    this.#total[step] = (this.#total[step] ?? 0) + 1
    this.#now[step] = (this.#now[step] ?? 0) + 1
    this.count += 1
    this.sumS += seconds
  }

  /** Forgets, for `recentQuantile`, what is older than one turn; call it every few seconds. */
  turn(): void {
    const oldest = this.#before
    this.#before = this.#now
    this.#now = oldest.fill(0)
  }

  /** How many durations the recent quantiles are of. */
  recentCount(): number {
    let count = 0
    for (let i = 0; i < STEPS; i += 1) count += (this.#now[i] ?? 0) + (this.#before[i] ?? 0)
    return count
  }

  /** Seconds that a share of the recent durations did not exceed, at most 9 % too much; null without any. */
  recentQuantile(share: number): number | null {
    const count = this.recentCount()
    if (count === 0) return null
    let left = Math.max(1, Math.ceil(count * share))
    for (let i = 0; i < STEPS; i += 1) {
      left -= (this.#now[i] ?? 0) + (this.#before[i] ?? 0)
      if (left <= 0) return upperOf(i)
    }
    return upperOf(STEPS - 1)
  }

  /** How many of all durations were at most `seconds`, for each of the ascending bounds; a step counts where its middle lies. */
  cumulative(boundsS: readonly number[]): number[] {
    let step = 0
    let sum = 0
    return boundsS.map((bound) => {
      for (; step < STEPS && middleOf(step) <= bound; step += 1) sum += this.#total[step] ?? 0
      return sum
    })
  }
}

function stepOf(seconds: number): number {
  if (!(seconds > FLOOR_S)) return 0
  return Math.min(STEPS - 1, Math.ceil(Math.log2(seconds / FLOOR_S) * STEPS_PER_OCTAVE))
}

const upperOf = (step: number): number => FLOOR_S * 2 ** (step / STEPS_PER_OCTAVE)
const middleOf = (step: number): number => FLOOR_S * 2 ** ((step - 0.5) / STEPS_PER_OCTAVE)
