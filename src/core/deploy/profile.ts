import { z } from 'zod'
import { parseDuration, parseShare } from '../kernel/units.ts'

/** How a rollout goes: its steps and what the judge asks of each. Kept whole in the rollout, so that later edits change none in flight. */
export const profileSchema = z.object({
  name: z.string(),
  description: z.string(),
  steps: z
    .array(
      z.object({
        /** parts per million that go to the new release; the last step has all */
        sharePpm: z.int().min(1).max(1_000_000),
        /** least time at this share, ms; of the last step: the bake */
        minimumMs: z.int().min(0),
        /** ρ: the gate shows that the canary fails less than ρ times as often; null at 100 %, where there is no control */
        gateRatio: z.number().gt(1).nullable(),
      }),
    )
    .min(1)
    .max(20),
  /** false alarm rate of the whole rollout */
  alpha: z.number().gt(0).max(0.1),
  beta: z.number().gt(0).max(0.5),
  /** the gate also passes a canary shown to fail less often than this */
  floorRate: z.number().gt(0).lt(1),
  latency: z.object({ tolerance: z.number().min(0), floorMs: z.number().min(0), gateRatio: z.number().gt(1) }),
  /** how often the judge looks */
  lookMs: z.int().min(100),
  /** start of a canary task that the judge leaves out */
  warmupMs: z.int().min(0),
  /** how long tasks must have been healthy before the share grows */
  healthyMs: z.int().min(0),
  /** a step without a verdict for this many times its minimum time is inconclusive… */
  extend: z.number().min(1),
  /** …but not before this */
  inconclusiveMinMs: z.int().min(0),
  deadlines: z.object({
    queuedMs: z.int().min(1),
    preparingMs: z.int().min(1),
    shiftingMs: z.int().min(1),
    /** no evidence for this long is blind */
    blindAfterMs: z.int().min(1),
    blindMs: z.int().min(1),
    inconclusiveMs: z.int().min(1),
    pausedMs: z.int().min(1),
    rollingBackMs: z.int().min(1),
  }),
})

export type Profile = z.output<typeof profileSchema>

const S = 1000
const MIN = 60 * S
const HOUR = 60 * MIN
const ALL = 1_000_000

const COMMON = {
  alpha: 1e-3,
  beta: 0.05,
  floorRate: 1e-3,
  latency: { tolerance: 0.05, floorMs: 2, gateRatio: 1.2 },
  lookMs: 10 * S,
  warmupMs: 60 * S,
  healthyMs: 10 * S,
  extend: 3,
  inconclusiveMinMs: 0,
  deadlines: {
    queuedMs: 24 * HOUR,
    preparingMs: 15 * MIN,
    shiftingMs: MIN,
    blindAfterMs: 100 * S,
    blindMs: 15 * MIN,
    inconclusiveMs: 24 * HOUR,
    pausedMs: 168 * HOUR,
    rollingBackMs: 10 * S,
  },
} satisfies Partial<Profile>

const step = (sharePpm: number, minimumMs: number, gateRatio: number | null) => ({ sharePpm, minimumMs, gateRatio })

/** The profiles that every context has. */
export const PROFILES: Readonly<Record<string, Profile>> = {
  standard: {
    ...COMMON,
    name: 'standard',
    description: 'Five steps in four hours, for services of 100 requests a second and more.',
    steps: [
      step(1000, 20 * MIN, 5),
      step(10_000, 30 * MIN, 3),
      step(50_000, 40 * MIN, 2),
      step(250_000, 60 * MIN, 1.5),
      step(ALL, 90 * MIN, null),
    ],
  },
  small: {
    ...COMMON,
    name: 'small',
    description: 'Three steps in four hours, for services of less than 20 requests a second.',
    steps: [step(50_000, 30 * MIN, 5), step(250_000, 60 * MIN, 3), step(ALL, 150 * MIN, null)],
  },
  config: {
    ...COMMON,
    name: 'config',
    description: 'Five steps in an hour, for changes of configuration.',
    steps: [
      step(1000, 2 * MIN, 5),
      step(10_000, 5 * MIN, 3),
      step(100_000, 10 * MIN, 2),
      step(500_000, 13 * MIN, 1.5),
      step(ALL, 30 * MIN, null),
    ],
  },
  hotfix: {
    ...COMMON,
    name: 'hotfix',
    description: 'Three steps in 38 minutes; needs a reason. Shortens waits, never gates.',
    steps: [step(10_000, 3 * MIN, 10), step(250_000, 5 * MIN, 5), step(ALL, 30 * MIN, null)],
  },
  demo: {
    ...COMMON,
    name: 'demo',
    description:
      'A demonstration profile: steps of seconds from 5 %, no warm-up, a floor rate of 2.5 % fit for 25 canary requests a second. Not for production.',
    steps: [step(50_000, 8 * S, 5), step(250_000, 4 * S, 3), step(ALL, 3 * S, null)],
    floorRate: 0.025,
    // A bad release passes a step by luck once in a hundred at most: a demonstration that fails by luck shows nothing.
    beta: 0.01,
    latency: { tolerance: 1, floorMs: 50, gateRatio: 2 },
    lookMs: S,
    warmupMs: 0,
    healthyMs: S,
    extend: 3,
    inconclusiveMinMs: 45 * S,
    deadlines: {
      ...COMMON.deadlines,
      queuedMs: 10 * MIN,
      preparingMs: MIN,
      shiftingMs: 15 * S,
      blindAfterMs: 8 * S,
      blindMs: 30 * S,
      inconclusiveMs: 2 * MIN,
      pausedMs: HOUR,
    },
  },
}

/** Taking a service back to an earlier release after success: one act, no steps, no gate. */
export const ROLLBACK_PROFILE: Profile = {
  ...COMMON,
  name: 'rollback',
  description: 'Back to an earlier release at once.',
  healthyMs: 0,
  steps: [step(ALL, 0, null)],
}

function text<T>(what: string, parse: (value: string) => T | null) {
  return z.string().transform((value, ctx): T => {
    const parsed = parse(value)
    if (parsed !== null) return parsed
    ctx.addIssue({ code: 'custom', message: `"${value}" is not ${what}` })
    return z.NEVER
  })
}

const duration = text('a duration such as 10s, 5m or 1h30m', parseDuration)
const share = text('a share such as 0.1% or 25%', parseShare)
const part = share.transform((ppm) => ppm / 1e6)

/** A profile as a person writes it in YAML; what is left out is taken from `standard`. Unknown keys are errors. */
export const profileFileSchema = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,40}$/, 'a name has a-z, 0-9 and -'),
    description: z.string().prefault(''),
    steps: z
      .array(z.strictObject({ share, for: duration, gate: z.number().gt(1).optional() }))
      .min(1)
      .max(20),
    alpha: z.number().gt(0).max(0.1).prefault(COMMON.alpha),
    floor_rate: part.prefault('0.1%'),
    latency: z
      .strictObject({ tolerance: part.prefault('5%'), floor: duration.prefault('2ms'), gate: z.number().gt(1).prefault(1.2) })
      .prefault({}),
    look: duration.prefault('10s'),
    warmup: duration.prefault('60s'),
    healthy: duration.prefault('10s'),
    extend: z.number().min(1).prefault(3),
    inconclusive_after: duration.prefault('0s'),
    blind_after: duration.prefault('100s'),
    blind_home: duration.prefault('15m'),
  })
  .superRefine((file, ctx) => {
    const shares = file.steps.map((one) => one.share)
    const grows = shares.every((ppm, i) => ppm > 0 && (i === 0 || ppm > (shares[i - 1] ?? 0)))
    if (!grows) ctx.addIssue({ code: 'custom', path: ['steps'], message: 'shares must grow from step to step' })
    if (shares.at(-1) !== ALL) ctx.addIssue({ code: 'custom', path: ['steps'], message: 'the last step must have 100%' })
    if (file.look < 100) ctx.addIssue({ code: 'custom', path: ['look'], message: 'the judge looks every 100ms at most' })
  })
  .transform((file): Profile => ({
    ...COMMON,
    name: file.name,
    description: file.description,
    alpha: file.alpha,
    floorRate: file.floor_rate,
    steps: file.steps.map((one) => step(one.share, one.for, one.share === ALL ? null : (one.gate ?? 2))),
    latency: { tolerance: file.latency.tolerance, floorMs: file.latency.floor, gateRatio: file.latency.gate },
    lookMs: file.look,
    warmupMs: file.warmup,
    healthyMs: file.healthy,
    extend: file.extend,
    inconclusiveMinMs: file.inconclusive_after,
    deadlines: { ...COMMON.deadlines, blindAfterMs: file.blind_after, blindMs: file.blind_home },
  }))

const SPARE = 1.2
const CANARY_TASKS_MIN = 4
const HALF = 500_000

/**
 * Canary tasks for a share: max(4, ⌈1.2·share·tasks⌉), at most half of the job's below a share of one half, never less than one.
 * Four, because one task cannot tell a bad change from a bad machine.
 */
export function canaryTasks(sharePpm: number, jobTasks: number): number {
  if (sharePpm >= ALL) return Math.max(1, jobTasks)
  const wanted = Math.max(CANARY_TASKS_MIN, Math.ceil((SPARE * sharePpm * jobTasks) / ALL))
  const most = sharePpm < HALF ? Math.floor(jobTasks / 2) : jobTasks
  return Math.max(1, Math.min(wanted, most))
}
