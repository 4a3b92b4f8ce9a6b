import { type LatencyEwma, readLatency } from './latency.ts'

/** What balancing needs to know of an endpoint. */
export interface Candidate {
  /** requests of this proxy that run on it now */
  running: number
  /** 0..10,000; 0 gets nothing while another has more */
  weight: number
  latency: LatencyEwma
}

/** Cost of one more request: (running + 1) × latency / weight. Without samples the latency is the median's. */
export function costOf(candidate: Candidate, nowMs: number, medianMs: number): number {
  const measuredMs = readLatency(candidate.latency, nowMs)
  const latencyMs = Math.max(Number.isNaN(measuredMs) ? medianMs : measuredMs, 0.01)
  return candidate.weight <= 0 ? Number.POSITIVE_INFINITY : ((candidate.running + 1) * latencyMs) / candidate.weight
}

/**
 * The cheaper of two different random candidates (Mitzenmacher, "The power of two choices", 2001).
 * @param random uniform in [0, 1)
 */
export function pickOfTwo<C extends Candidate>(candidates: readonly C[], nowMs: number, medianMs: number, random: () => number): C | null {
  const count = candidates.length
  if (count <= 1) return candidates[0] ?? null
  const first = Math.floor(random() * count)
  const other = Math.floor(random() * (count - 1))
  const a = candidates[first] as C
  const b = candidates[other >= first ? other + 1 : other] as C
  const costA = costOf(a, nowMs, medianMs)
  const costB = costOf(b, nowMs, medianMs)
  if (costA === costB && costA === Number.POSITIVE_INFINITY) return heaviest(candidates)
  return costA <= costB ? a : b
}

function heaviest<C extends Candidate>(candidates: readonly C[]): C {
  return candidates.reduce((best, candidate) => (candidate.weight > best.weight ? candidate : best))
}

/** Median of the measured latencies, 1 ms when nobody has been measured. */
export function medianLatency(candidates: readonly Candidate[], nowMs: number): number {
  const measured = candidates.map((candidate) => readLatency(candidate.latency, nowMs)).filter((ms) => !Number.isNaN(ms))
  measured.sort((a, b) => a - b)
  return measured[measured.length >> 1] ?? 1
}
