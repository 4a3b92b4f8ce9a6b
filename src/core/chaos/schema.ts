import { z } from 'zod'
import { parseDuration, parseShare } from '../kernel/units.ts'

/**
 * The experiment file: the shape of Chaos Toolkit, with muster's faults and probes as providers of type `muster` and our
 * extras under `muster:`. Unknown keys are errors.
 */

const duration = z.string().transform((text, ctx) => {
  const ms = parseDuration(text)
  if (ms !== null) return ms
  ctx.addIssue({ code: 'custom', message: `"${text}" is no duration; write 500ms, 30s or 5m` })
  return z.NEVER
})

const share = z.string().transform((text, ctx) => {
  const ppm = parseShare(text)
  if (ppm !== null) return ppm
  ctx.addIssue({ code: 'custom', message: `"${text}" is no share; write 0.5% or 20%` })
  return z.NEVER
})

const name = z.string().min(1).max(100)

export const targetSchema = z
  .strictObject({
    job: name.optional(),
    group: name.optional(),
    service: name.optional(),
    node: name.optional(),
    region: name.optional(),
    version: z.int().min(1).optional(),
    labels: z.record(z.string(), z.string()).optional(),
    count: z.int().min(1).max(10_000).optional(),
    share: share.optional(),
    all: z.literal(true).optional(),
  })
  .refine(
    (target) => [target.count, target.share, target.all].filter((how) => how !== undefined).length <= 1,
    'count, share and all exclude each other',
  )
  .refine(
    (target) => [target.job, target.service, target.node, target.region, target.labels].some((what) => what !== undefined),
    'name a job, service, node, region or labels',
  )

const nodeArguments = { duration: duration.optional() }
const meshArguments = {
  share: share.default(1_000_000),
  method: z
    .string()
    .regex(/^[A-Z]+$/)
    .optional(),
  path: z.string().startsWith('/').optional(),
  duration: duration.optional(),
}

const provider = <F extends string, A extends z.ZodRawShape>(fault: F, args: A) =>
  z.strictObject({
    type: z.literal('muster'),
    fault: z.literal(fault),
    target: targetSchema,
    arguments: z.strictObject(args).prefault({} as never),
  })

const faultProvider = z.discriminatedUnion('fault', [
  provider('legion.kill', {
    signal: z
      .string()
      .regex(/^(SIG)?[A-Z0-9]+$/)
      .default('SIGKILL'),
  }),
  provider('legion.pause', nodeArguments),
  provider('legion.slow', { delay: duration, jitter: duration.default(0), ...meshArguments }),
  provider('legion.error', { status: z.int().min(400).max(599).default(503), ...meshArguments }),
  provider('legion.drop', meshArguments),
])

const pauses = z.strictObject({ before: z.number().min(0).max(3600).default(0), after: z.number().min(0).max(3600).default(0) })

const action = z.strictObject({ type: z.literal('action'), name, provider: faultProvider, pauses: pauses.optional() })

const MEASURES = ['error_ratio', 'p50_ms', 'p99_ms', 'requests_per_second'] as const

const measured = z.strictObject({
  type: z.literal('muster').optional(),
  measure: z.enum(MEASURES),
  service: name,
  window: duration.prefault('10s'),
})
const queried = z.strictObject({ type: z.literal('muster').optional(), sql: z.string().min(1).max(10_000) })
const source = z.union([measured, queried])

const range = z.tuple([z.number(), z.number()]).refine(([low, high]) => low <= high, 'the lower end comes first')
const tolerance = z.union([range, z.strictObject({ type: z.literal('range'), range }).transform((value) => value.range)])

const probe = z.strictObject({ type: z.literal('probe'), name, tolerance, provider: source })

const guard = z
  .strictObject({
    name,
    measure: z.enum(MEASURES).optional(),
    service: name.optional(),
    window: duration.prefault('10s'),
    sql: z.string().min(1).max(10_000).optional(),
    min: z.number().optional(),
    max: z.number().optional(),
  })
  .refine((it) => (it.sql === undefined) !== (it.measure === undefined), 'a guard has either sql or measure')
  .refine((it) => it.measure === undefined || it.service !== undefined, 'a measure needs its service')
  .refine((it) => it.min !== undefined || it.max !== undefined, 'a guard needs min or max')

const extras = z
  .strictObject({
    environment: name,
    users: share.optional(),
    /** cap on tasks: a number of them, or a share of the service's */
    tasks: z
      .union([
        z
          .int()
          .min(1)
          .transform((count) => ({ count })),
        share.transform((ppm) => ({ ppm })),
      ])
      .optional(),
    leave_healthy: z.int().min(0).default(1),
    duration: duration.prefault('5m'),
    lease: duration.prefault('10s'),
    baseline: duration.prefault('60s'),
    observe_min: duration.prefault('60s'),
    recovery_within: duration.prefault('2m'),
    effect_min: z.int().min(1).optional(),
    guards: z.array(guard).max(20).default([]),
  })
  .refine((it) => it.duration <= 3_600_000, { message: 'at most 1h', path: ['duration'] })
  .refine((it) => it.lease >= 2000 && it.lease <= 120_000, { message: 'from 2s to 2m', path: ['lease'] })

export const experimentSchema = z.strictObject({
  title: z.string().min(1).max(200),
  description: z.string().max(5000).default(''),
  tags: z.array(z.string()).default([]),
  contributions: z.record(z.string(), z.string()).optional(),
  'steady-state-hypothesis': z.strictObject({ title: z.string().min(1), probes: z.array(probe).min(1).max(20) }),
  method: z.array(action).min(1).max(20),
  rollbacks: z.array(z.never({ error: 'muster undoes its own faults; actions in rollbacks are not run by this version' })).default([]),
  muster: extras,
})

export type Experiment = z.output<typeof experimentSchema>
export type ExperimentInput = z.input<typeof experimentSchema>
export type Action = Experiment['method'][number]
export type Target = Action['provider']['target']
export type Measure = (typeof MEASURES)[number]

/** JSON Schema of the experiment file, for `schemas/experiment.json` and editors. */
export function experimentJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(experimentSchema, { io: 'input', unrepresentable: 'any' })
}
