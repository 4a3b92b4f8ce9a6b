/** A seeded random source: the same seed gives the same numbers on every machine (mulberry32). */
export interface Prng {
  /** uniform in [0, 1) */
  next(): number
  /** uniform integer in [0, n) */
  below(n: number): number
}

export function createPrng(seed: number): Prng {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  return { next, below: (n) => Math.floor(next() * n) }
}
