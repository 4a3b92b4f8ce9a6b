import { z } from 'zod'
import { parseCpu, parseDuration, parseShare, parseSize } from '../kernel/units.ts'
import { parseConstraint } from './constraint.ts'

/**
 * The job file. One schema gives the checks, the
 * resolved values and `schemas/job.json`. Every scalar with a unit is parsed here, so what comes out is integers:
 * milliseconds, bytes, thousandths of a core, parts per million.
 */

function parsed<T>(what: string, parse: (text: string) => T | null) {
  return z.string().transform((text, ctx): T => {
    const value = parse(text)
    if (value !== null) return value
    ctx.addIssue({ code: 'custom', message: `"${text}" is not ${what}` })
    return z.NEVER
  })
}

const duration = parsed('a duration such as 500ms, 10s or 1h30m', parseDuration)
const size = parsed('a size such as 256MiB or 2GB', parseSize)
const cpu = z.union([z.string(), z.number()]).transform((value, ctx): number => {
  const milli = parseCpu(value)
  if (milli !== null && milli > 0) return milli
  ctx.addIssue({ code: 'custom', message: `"${value}" is not an amount of cpu such as 500m or 2` })
  return z.NEVER
})

/** Of a group's tasks: a number, or a share that is rounded where it is used. */
const amount = z.union([z.string(), z.number()]).transform((value, ctx): Amount => {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return { count: value }
  const ppm = typeof value === 'string' ? parseShare(value) : null
  if (ppm !== null) return { ppm }
  ctx.addIssue({ code: 'custom', message: `"${value}" is neither a number of tasks nor a share such as 25%` })
  return z.NEVER
})

const name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'a name has a-z, 0-9 and -, at most 63, and starts and ends with a letter or digit')
const envKey = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'not a name of an environment variable')
const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String)
const labels = z.record(z.string().min(1), scalar).prefault({})
const port = z.int().min(1).max(65_535)

const command = z
  .union([z.string().min(1), z.array(scalar).min(1)])
  .transform((value) => (typeof value === 'string' ? ['/bin/sh', '-c', value] : value))

const probe = z
  .strictObject({
    http: z.string().startsWith('/', 'a path starts with /').optional(),
    tcp: z.literal(true).optional(),
    exec: z.array(scalar).min(1).optional(),
    port: z.string().optional(),
    interval: duration.prefault('5s'),
    timeout: duration.prefault('2s'),
  })
  .refine(
    (value) => [value.http, value.tcp, value.exec].filter((kind) => kind !== undefined).length === 1,
    'a check has exactly one of http, tcp and exec',
  )

const resources = z
  .strictObject({ cpu: cpu.prefault('100m'), memory: size.prefault('128MiB'), memory_max: size.optional() })
  .refine((value) => value.memory_max === undefined || value.memory_max >= value.memory, 'memory_max is less than memory')

const main = z.strictObject({
  driver: z.literal('exec', 'the driver is exec; docker is not supported yet').prefault('exec'),
  command,
  artifact: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, 'an artifact is sha256: and 64 hex digits')
    .optional(),
  env: z.record(envKey, scalar).prefault({}),
  cwd: z.string().min(1).optional(),
  user: z.string().min(1).optional(),
  resources: resources.prefault({}),
  health: z.strictObject({ readiness: probe.optional(), liveness: probe.optional() }).prefault({}),
  stop: z
    .strictObject({
      signal: z
        .string()
        .regex(/^SIG[A-Z0-9]+$/, 'a signal is written like SIGTERM')
        .prefault('SIGTERM'),
      timeout: duration.prefault('30s'),
    })
    .prefault({}),
  isolation: z.enum(['auto', 'plain', 'namespaces']).prefault('auto'),
})

const constraint = z.string().transform((text, ctx): Constraint => {
  const value = parseConstraint(text)
  if (typeof value !== 'string') return value
  ctx.addIssue({ code: 'custom', message: value })
  return z.NEVER
})

const group = z.strictObject({
  count: z.int().min(0).max(100_000).prefault(1),
  availability: z
    .strictObject({
      max_unavailable: amount.prefault('10%'),
      max_surge: amount.prefault('25%'),
      min_healthy_time: duration.prefault('10s'),
    })
    .refine(
      (value) => !isZero(value.max_unavailable) || !isZero(value.max_surge),
      'max_unavailable and max_surge are both 0, so no task could ever be replaced',
    )
    .prefault({}),
  constraints: z.array(constraint).prefault([]),
  spread: z
    .partialRecord(z.enum(['region', 'zone', 'rack', 'node']), z.literal('even', 'only `even` is supported yet'))
    .prefault({ region: 'even', node: 'even' }),
  network: z
    .strictObject({
      mode: z.literal('host', 'only `host` is supported yet').prefault('host'),
      ports: z.record(name, z.strictObject({ static: port.optional() }).nullable()).prefault({}),
    })
    .prefault({}),
  services: z
    .record(
      name,
      z.strictObject({
        port: z.string(),
        protocol: z.enum(['http', 'tcp']).prefault('http'),
        timeout: duration.prefault('15s'),
        retries: z.int().min(0).max(10).prefault(2),
      }),
    )
    .prefault({}),
  uses: z.array(name).prefault([]),
  update: z.strictObject({ healthy_deadline: duration.prefault('5m') }).prefault({}),
  restart: z
    .strictObject({
      attempts: z.int().min(0).prefault(2),
      interval: duration.prefault('30m'),
      delay: duration.prefault('15s'),
      mode: z.enum(['fail', 'delay']).prefault('fail'),
    })
    .prefault({}),
  reschedule: z
    .strictObject({ delay: duration.prefault('30s'), factor: z.number().min(1).max(10).prefault(2), max_delay: duration.prefault('1h') })
    .prefault({}),
  labels,
  meta: labels,
  main,
})

export const jobFileSchema = z.strictObject({
  job: name,
  kind: z.enum(['service', 'batch']).prefault('service'),
  priority: z.int().min(1).max(100).prefault(50),
  labels,
  meta: labels,
  groups: z.record(name, group).refine((value) => Object.keys(value).length > 0, 'a job needs at least one group'),
})

/** What a person writes, after YAML or JSON was parsed. */
export type JobDocument = z.input<typeof jobFileSchema>
export type JobFile = z.output<typeof jobFileSchema>
export type GroupFile = z.output<typeof group>
export type ProbeFile = z.output<typeof probe>

export type Amount = { count: number } | { ppm: number }

export interface Constraint {
  /** `node.region`, `node.meta.tier`, `node.arch` */
  attribute: string
  operator: '=' | '!=' | 'in'
  values: string[]
  /** as it was written, for `tw explain` */
  text: string
}

function isZero(value: Amount): boolean {
  return 'count' in value ? value.count === 0 : value.ppm === 0
}

/** JSON Schema of the job file, for `schemas/job.json` and editors. */
export function jobJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(jobFileSchema, { io: 'input', unrepresentable: 'any' })
}

/**
 * Keys that are meant to come but are not carried out yet, by the last part of their path: naming them
 * is better than calling them unknown, and accepting them would be a lie.
 */
export const NOT_YET: ReadonlySet<string> = new Set([
  'namespace',
  'entitlement',
  'distinct',
  'affinities',
  'volumes',
  'autoscale',
  'best_effort',
  'preempts',
  'disconnect',
  'consent',
  'image',
  'sidecars',
  'startup',
  'gpu',
  'after',
  'templates',
  'secrets',
  'periodic',
  'parameters',
  'max_run_time',
  'progress_deadline',
  'auto_revert',
  'unlimited',
  'all_or_nothing',
])
