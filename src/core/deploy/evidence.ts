import { z } from 'zod'
import type { CountPart } from '../kernel/stats/counts.ts'
import { latencyOwnLogE, numbersOf, type Earlier, type JudgeState } from './analysis/judge.ts'

const perMetric = z.object({ errors: z.int(), latency: z.int() })

/**
 * The numbers of a verdict as its entry keeps them: integers, so that history and later steps need no metrics store.
 * Logarithms are milli-nats (1000·ln E).
 */
export const evidenceSchema = z.object({
  sharePpm: z.int(),
  tolerancePpm: z.int(),
  unitsCanary: z.int(),
  unitsControl: z.int(),
  failingCanary: z.int(),
  failingControl: z.int(),
  harm: perMetric.extend({ total: z.int(), line: z.int() }),
  gate: perMetric.extend({
    isOpen: z.object({ errors: z.boolean(), latency: z.boolean() }),
    line: z.int(),
    ratio: z.number(),
    floorPpm: z.int(),
  }),
  srm: z.object({ value: z.int(), line: z.int() }),
  latencyMs: z.array(z.object({ quantile: z.number(), canary: z.number().nullable(), control: z.number().nullable() })),
  crossedAtMs: z.int().nullable(),
  crossedMetric: z.string().nullable(),
  windows: z.int(),
  refused: z.record(z.string(), z.int()),
  dataFromMs: z.int(),
  dataToMs: z.int(),
  /** failing users of this step by stretch, for the steps after it */
  parts: z.array(z.object({ canary: z.int(), control: z.int(), isRestart: z.boolean() })),
  /** of this step alone */
  latencyHarm: z.int(),
})

export type Evidence = z.output<typeof evidenceSchema>

export function evidenceOf(state: JudgeState): Evidence {
  return {
    ...numbersOf(state),
    dataFromMs: state.fromMs,
    parts: state.parts
      .slice(state.earlierParts)
      .map((part) => ({ canary: part.canary, control: part.control, isRestart: part.isRestart ?? false })),
    latencyHarm: Math.round(1000 * latencyOwnLogE(state)),
  }
}

/** What the steps before left as evidence of harm. */
export function earlierOf(steps: readonly Evidence[]): Earlier {
  const parts: CountPart[] = steps.flatMap((step) => step.parts.map((part) => ({ ...part, share: step.sharePpm / 1e6 })))
  return { parts, latencyLogE: steps.reduce((sum, step) => sum + step.latencyHarm / 1000, 0) }
}
