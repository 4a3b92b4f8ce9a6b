import type { JudgePolicy, Window } from '../../../../src/core/deploy/analysis/policy.ts'
import { latencyBucket, type LatencyHist } from '../../../../src/core/kernel/stats/latency.ts'
import { variates } from '../../kernel/stats/random.ts'

export const POLICY: JudgePolicy = {
  alpha: 1e-3,
  beta: 0.05,
  share: 0.05,
  split: 'assigned',
  tolerance: 0.297,
  gateRatio: 5,
  floorRate: 0.03,
  latency: { tolerance: 0.1, floorMs: 1, gateRatio: 1.2 },
}

export interface Traffic {
  /** requests a second of the whole service */
  rate: number
  controlFails: number
  canaryFails: number
  canarySlower?: number
  canaryServes?: boolean
  coverage?: number
}

/** Seeded one-second windows of a service. */
export function windowMaker(seed: number, share: number) {
  const { poisson, normal } = variates(seed)
  const hist = (units: number, slower: number): LatencyHist => {
    const counts = new Map<number, number>()
    for (let i = 0; i < units; i += 1) {
      const bucket = latencyBucket(20 * slower * Math.exp(0.6 * normal()))
      counts.set(bucket, (counts.get(bucket) ?? 0) + 1)
    }
    return counts
  }
  return (second: number, traffic: Traffic): Window => {
    const serves = traffic.canaryServes ?? true
    const canary = serves ? poisson(traffic.rate * share) : 0
    const control = poisson(traffic.rate * (1 - share))
    return {
      fromMs: second * 1000,
      durationMs: 1000,
      canary: {
        units: canary,
        failing: Math.min(canary, poisson(canary * traffic.canaryFails)),
        hist: hist(canary, traffic.canarySlower ?? 1),
      },
      control: { units: control, failing: Math.min(control, poisson(control * traffic.controlFails)), hist: hist(control, 1) },
      coverage: traffic.coverage ?? 1,
    }
  }
}
