/** Time constant of the latency average: a sample's weight falls to 1/e in this time. */
const DECAY_MS = 10_000

/** Peak-sensitive moving average of an endpoint's time to the first response byte. */
export interface LatencyEwma {
  /** NaN until the first sample */
  valueMs: number
  atMs: number
}

export function createEwma(): LatencyEwma {
  return { valueMs: Number.NaN, atMs: 0 }
}

/** Takes a sample: a worse one at once, a better one with a weight that grows with the time since the last. */
export function observeLatency(ewma: LatencyEwma, sampleMs: number, nowMs: number): void {
  const current = readLatency(ewma, nowMs)
  if (Number.isNaN(current) || sampleMs >= current) ewma.valueMs = sampleMs
  else ewma.valueMs = sampleMs + (ewma.valueMs - sampleMs) * Math.exp((ewma.atMs - nowMs) / DECAY_MS)
  ewma.atMs = nowMs
}

/**
 * The average now. It fades while no sample comes in: else one slow answer would keep an endpoint out of every
 * comparison, and with it the samples that could clear its name.
 */
export function readLatency(ewma: LatencyEwma, nowMs: number): number {
  return ewma.valueMs * Math.exp((ewma.atMs - nowMs) / DECAY_MS)
}
