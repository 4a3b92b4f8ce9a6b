import { z } from 'zod'
import { parseCron } from '../kernel/cron.ts'
import { parseCpu, parseDuration, parseShare, parseSize } from '../kernel/units.ts'
import { parseConstraint } from './constraint.ts'
import type { ConsentSpec, SpreadSpec } from './job-spec.ts'
import { nearest } from './nearest.ts'

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

const WHOLE_PPM = 1_000_000
const share = parsed('a share such as 46%', parseShare)

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

const metaKey = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a key of --meta has letters, digits and _')
const cron = z.union([z.string(), z.array(z.string()).min(1)]).transform((value, ctx): string[] => {
  const lines = typeof value === 'string' ? [value] : value
  for (const line of lines) {
    const problem = parseCron(line)
    if (typeof problem === 'string') ctx.addIssue({ code: 'custom', message: problem })
  }
  return lines
})

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

const gpu = z
  .strictObject({
    count: z.int().min(1).max(16).prefault(1),
    share: share.prefault('100%'),
    models: z.array(z.string().min(1)).prefault([]),
  })
  .refine((value) => value.share >= 1000, 'a share of a GPU is at least 0.1%')
  .refine((value) => value.count === 1 || value.share === WHOLE_PPM, 'a share is of one GPU: several are taken whole')

const resources = z
  .strictObject({
    cpu: cpu.prefault('100m'),
    memory: size.prefault('128MiB'),
    memory_max: size.optional(),
    disk: size.prefault('0B'),
    gpu: gpu.optional(),
  })
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

/** One constraint and its weight: `{"node.meta.tier = gold": 50}`. */
const affinity = z.record(z.string(), z.int().min(-100).max(100)).transform((value, ctx): { constraint: Constraint; weight: number } => {
  const [pair, ...more] = Object.entries(value)
  const problem = pair === undefined || more.length > 0 ? 'an affinity is one constraint with its weight' : parseConstraint(pair[0])
  if (typeof problem !== 'string' && pair) return { constraint: problem, weight: pair[1] }
  ctx.addIssue({ code: 'custom', message: String(problem) })
  return z.NEVER
})

/** An attribute of nodes as `distinct` and `spread` name it; a near miss of a domain's name is a slip, not a new domain. */
const attribute = z
  .string()
  .regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/, 'not an attribute such as rack or meta.power')
  .check((ctx) => {
    const guess = DOMAINS.includes(ctx.value) ? null : nearest(ctx.value, DOMAINS)
    if (guess !== null)
      ctx.issues.push({ code: 'custom', input: ctx.value, message: `unknown key \`${ctx.value}\`; did you mean \`${guess}\`?` })
  })
const DOMAINS = ['region', 'zone', 'rack', 'node']

const shares = z.record(z.string(), z.union([z.string(), z.number()]))
/**
 * `even`, or value → share of the tasks (what is left of 100 % may go anywhere), or `{targets: …, hard: true}`.
 */
const spread = z
  .union([z.literal('even'), z.strictObject({ targets: z.union([z.literal('even'), shares]).prefault('even'), hard: z.boolean() }), shares])
  .transform((value, ctx): Omit<SpreadSpec, 'attribute'> => {
    const isWhole = value !== 'even' && typeof value['hard'] === 'boolean'
    const targets = isWhole
      ? (value as { targets: 'even' | Record<string, string | number> }).targets
      : (value as 'even' | z.output<typeof shares>)
    const ppm = targets === 'even' ? null : sharesOf(targets)
    if (typeof ppm !== 'string') return { targets: ppm, isHard: isWhole && value['hard'] === true }
    ctx.addIssue({ code: 'custom', message: ppm })
    return z.NEVER
  })

/** Parts per million of each value, or what is wrong with them. */
function sharesOf(targets: Readonly<Record<string, string | number>>): Record<string, number> | string {
  const ppm: Record<string, number> = {}
  for (const [value, text] of Object.entries(targets)) {
    const share = parseShare(typeof text === 'number' ? `${text}%` : text)
    if (share === null) return `the share of ${value} is not a share such as 60%`
    ppm[value] = share
  }
  const sum = Object.values(ppm).reduce((total, it) => total + it, 0)
  if (sum === 0) return 'no value has a share'
  return sum > WHOLE_PPM ? `the shares add up to ${sum / 10_000} %, not to at most 100 %` : ppm
}

/** `none`, `pull`, `http://:PORT/path` of the task itself, a URL, or a command that runs beside the task. */
const consent = z.union([z.string(), z.strictObject({ command: z.array(scalar).min(1) })]).transform((value, ctx): ConsentSpec => {
  if (typeof value !== 'string') return { kind: 'command', command: value.command }
  if (value === 'none' || value === 'pull') return { kind: value }
  const own = /^http:\/\/:([a-z0-9-]+)(\/\S*)?$/.exec(value)
  if (own?.[1] !== undefined) return { kind: 'http', port: own[1], path: own[2] ?? '/' }
  if (/^https?:\/\/[^\s/:]+(:\d+)?(\/\S*)?$/.test(value)) return { kind: 'http', url: value }
  ctx.addIssue({ code: 'custom', message: `"${value}" is none of: none, pull, http://:PORT/path, a URL, {command: [...]}` })
  return z.NEVER
})

const group = z.strictObject({
  count: z.int().min(0).max(100_000).optional(),
  availability: z
    .strictObject({
      max_unavailable: amount.prefault('10%'),
      max_surge: amount.prefault('25%'),
      min_healthy_time: duration.prefault('10s'),
      consent: consent.prefault('none'),
      consent_timeout: duration.optional(),
      order: z.enum(['any', 'leader-last', 'index', 'reverse-index']).prefault('any'),
    })
    .refine(
      (value) => !isZero(value.max_unavailable) || !isZero(value.max_surge),
      'max_unavailable and max_surge are both 0, so no task could ever be replaced',
    )
    .prefault({}),
  constraints: z.array(constraint).prefault([]),
  affinities: z.array(affinity).prefault([]),
  spread: z.record(attribute, spread).prefault({ region: 'even', node: 'even' }),
  distinct: z.record(attribute, z.int().min(1)).prefault({}),
  pool: name.optional(),
  preempts: z.boolean().prefault(false),
  best_effort: z.boolean().prefault(false),
  disconnect: z
    .strictObject({
      lost_after: duration.prefault('0s'),
      stop_after: duration.prefault('0s'),
      keep: z.enum(['best', 'original', 'replacement']).optional(),
    })
    .prefault({}),
  after: z.record(name, z.enum(['started', 'healthy', 'completed'])).prefault({}),
  max_run_time: duration.optional(),
  all_or_nothing: z.boolean().prefault(false),
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
  update: z
    .strictObject({
      healthy_deadline: duration.prefault('5m'),
      progress_deadline: duration.prefault('10m'),
      auto_revert: z.boolean().prefault(true),
      canary: amount.prefault(0),
    })
    .prefault({}),
  restart: z
    .strictObject({
      attempts: z.int().min(0).optional(),
      interval: duration.optional(),
      delay: duration.prefault('15s'),
      mode: z.enum(['fail', 'delay']).prefault('fail'),
    })
    .prefault({}),
  reschedule: z
    .strictObject({
      delay: duration.prefault('30s'),
      factor: z.number().min(1).max(10).prefault(2),
      max_delay: duration.prefault('1h'),
      unlimited: z.boolean().optional(),
      attempts: z.int().min(0).optional(),
      interval: duration.prefault('1h'),
    })
    .refine((value) => value.unlimited !== true || value.attempts === undefined, 'unlimited and attempts contradict each other')
    .refine((value) => value.unlimited !== false || value.attempts !== undefined, 'say how many attempts: 3')
    .prefault({}),
  labels,
  meta: labels,
  main,
})

export const jobFileSchema = z.strictObject({
  job: name,
  kind: z.enum(['service', 'batch', 'system', 'sysbatch']).prefault('service'),
  priority: z.int().min(1).max(100).prefault(50),
  entitlement: name.optional(),
  periodic: z
    .strictObject({
      cron,
      zone: z
        .string()
        .regex(/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,2}$/, 'a zone is written like Europe/Berlin')
        .prefault('UTC'),
      overlap: z.enum(['skip', 'queue', 'replace']).prefault('skip'),
    })
    .optional(),
  parameters: z
    .strictObject({
      required: z.array(metaKey).prefault([]),
      optional: z.array(metaKey).prefault([]),
      payload: z.enum(['none', 'optional', 'required']).prefault('none'),
    })
    .optional(),
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
  operator: '=' | '!=' | '<' | '<=' | '>' | '>=' | '~' | 'in' | 'not-in' | 'has' | 'is-set' | 'is-not-set'
  /** what the attribute is compared with: one of `in` and `not-in`; none for `is-set` and `is-not-set` */
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
