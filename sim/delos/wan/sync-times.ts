import type { Prng } from '../../../src/core/kernel/prng.ts'

/** The share of writes of 2.3 KiB to a file written before, each with its fdatasync, that took at most so many ms. */
type Measured = readonly (readonly [share: number, ms: number])[]

/**
 * Both of a Debian 12 VM of two cores. `busy`: 6,000 writes while other programs used it. `quiet`: p50 and p99 in the middle of those of several
 * rounds alone (129 to 156 and 216 to 732 µs), between them the shape of the other.
 */
const MEASURED = {
  quiet: [
    [0, 0.112],
    [0.05, 0.119],
    [0.25, 0.127],
    [0.5, 0.142],
    [0.75, 0.166],
    [0.9, 0.205],
    [0.95, 0.283],
    [0.99, 0.474],
    [1, 2],
  ],
  busy: [
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
  ],
} satisfies Record<string, Measured>

export type DiskKind = keyof typeof MEASURED

/** One fdatasync, as long as they were measured to take. */
export function drawSyncMs(disk: DiskKind, prng: Prng): number {
  return syncQuantileMs(disk, prng.next())
}

export function syncQuantileMs(disk: DiskKind, share: number): number {
  const measured: Measured = MEASURED[disk]
  const after = Math.max(
    1,
    measured.findIndex(([upTo]) => upTo >= share),
  )
  const [low, lowMs] = measured[after - 1] as readonly [number, number]
  const [high, highMs] = measured[after] as readonly [number, number]
  return lowMs + ((share - low) / (high - low)) * (highMs - lowMs)
}
