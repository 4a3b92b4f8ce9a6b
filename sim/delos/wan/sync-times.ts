import type { Prng } from '../../../src/core/kernel/prng.ts'

/**
 * Times of 6,000 writes of 2.3 KiB to a file written before, each with its fdatasync, on a Debian 12 VM of two cores that other
 * programs shared: the share of them that took at most so many ms.
 */
const MEASURED: readonly (readonly [share: number, ms: number])[] = [
  [0, 0.239],
  [0.01, 0.314],
  [0.05, 0.362],
  [0.1, 0.392],
  [0.25, 0.439],
  [0.5, 0.49],
  [0.75, 0.572],
  [0.9, 0.706],
  [0.95, 0.975],
  [0.99, 6.684],
  [0.995, 9.86],
  [0.999, 13.648],
  [1, 15.741],
]

/** One fdatasync, as long as they were measured to take. */
export function drawSyncMs(prng: Prng): number {
  return syncQuantileMs(prng.next())
}

export function syncQuantileMs(share: number): number {
  const after = Math.max(
    1,
    MEASURED.findIndex(([upTo]) => upTo >= share),
  )
  const [low, lowMs] = MEASURED[after - 1] as readonly [number, number]
  const [high, highMs] = MEASURED[after] as readonly [number, number]
  return lowMs + ((share - low) / (high - low)) * (highMs - lowMs)
}
