import { createPrng } from '../../../../src/core/kernel/prng.ts'
import { latencyBucket } from '../../../../src/core/kernel/stats/latency.ts'

/** Seeded variates for the simulations. */
export function variates(seed: number) {
  const rng = createPrng(seed)
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - rng.next())) * Math.cos(2 * Math.PI * rng.next())
  const poisson = (mean: number): number => {
    if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal()))
    const limit = Math.exp(-mean)
    let count = -1
    for (let product = 1; product > limit; count += 1) product *= rng.next()
    return Math.max(0, count)
  }
  /** lognormal latencies: median 50 ms, σ 0.6 */
  const latencies = (n: number, slower = 1): Map<number, number> => {
    const hist = new Map<number, number>()
    for (let i = 0; i < n; i += 1) {
      const bucket = latencyBucket(50 * slower * Math.exp(0.6 * normal()))
      hist.set(bucket, (hist.get(bucket) ?? 0) + 1)
    }
    return hist
  }
  return { rng, normal, poisson, latencies }
}

export function quantile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? Number.NaN
}
