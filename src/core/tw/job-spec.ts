import type { ContainerSpec, Probe } from '../contracts/node.ts'
import type { $ZodIssue } from 'zod/v4/core'
import { z } from 'zod'
import { must } from '../kernel/assert.ts'
import { nearest } from './nearest.ts'
import { NOT_YET, jobFileSchema, type Amount, type Constraint, type GroupFile, type JobFile, type ProbeFile } from './schema.ts'

/** A job with everything resolved: what is kept of each version beside its document. */
export interface JobSpec {
  job: string
  kind: 'service' | 'batch'
  priority: number
  labels: Record<string, string>
  groups: GroupSpec[]
}

export interface GroupSpec {
  name: string
  count: number
  maxUnavailable: Amount
  maxSurge: Amount
  minHealthyMs: number
  healthyDeadlineMs: number
  constraints: Constraint[]
  spread: string[]
  services: ServiceSpec[]
  uses: string[]
  reschedule: { delayMs: number; factor: number; maxDelayMs: number }
  labels: Record<string, string>
  container: ContainerSpec
}

export interface ServiceSpec {
  name: string
  port: string
  protocol: 'http' | 'tcp'
  requestTimeoutMs: number
  retriesMax: number
}

/** One thing wrong with a document: where, what, and what was probably meant. */
export interface SpecIssue {
  path: (string | number)[]
  /** set when the key itself, not its value, is wrong */
  key?: string
  message: string
}

export type SpecResult = { ok: true; spec: JobSpec } | { ok: false; issues: SpecIssue[] }

/** Document (parsed YAML or JSON) → {@link JobSpec}, or everything that is wrong with it at once. Pure. */
export function jobSpecOf(document: unknown): SpecResult {
  const result = jobFileSchema.safeParse(document)
  if (!result.success) return { ok: false, issues: result.error.issues.flatMap((issue) => explainIssue(issue, document)) }
  const issues = crossChecks(result.data)
  return issues.length > 0 ? { ok: false, issues } : { ok: true, spec: resolve(result.data) }
}

/** `groups.api.main.env`, for messages where no file and line are known. */
export function pathText(issue: SpecIssue): string {
  return [...issue.path, ...(issue.key === undefined ? [] : [issue.key])].join('.') || 'the document'
}

function explainIssue(issue: $ZodIssue, document: unknown): SpecIssue[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol')
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key))
  if (issue.code === 'invalid_key') return [{ path, message: issue.issues[0]?.message ?? 'the key is not valid' }]
  if (issue.code === 'invalid_union') {
    const expected = issue.errors.flat().flatMap((inner) => ('expected' in inner ? [String(inner.expected)] : []))
    if (valueAt(document, path) === undefined) return [{ path, message: `\`${String(path.at(-1) ?? 'job')}\` is missing` }]
    return [
      { path, message: `expected ${[...new Set(expected)].join(' or ') || 'another form'}, found ${kindOf(valueAt(document, path))}` },
    ]
  }
  if (issue.code === 'invalid_type') {
    const found = valueAt(document, path)
    const message =
      found === undefined ? `\`${String(path.at(-1) ?? 'job')}\` is missing` : `expected ${issue.expected}, found ${kindOf(found)}`
    return [{ path, message }]
  }
  if (issue.code === 'invalid_value') {
    const found = valueAt(document, path)
    const values = issue.values.map(String)
    if (issue.message !== '' && !issue.message.startsWith('Invalid')) return [{ path, message: issue.message }]
    if (path.at(-1) === 'kind' && ['system', 'sysbatch'].includes(String(found)))
      return [{ path, message: `kind ${String(found)} is not supported yet; use service or batch` }]
    const guess = nearest(String(found), values)
    return [
      { path, message: `${JSON.stringify(found)} is not one of ${values.join(', ')}${guess === null ? '' : `; did you mean ${guess}?`}` },
    ]
  }
  return [{ path, message: issue.message }]
}

function unknownKey(path: (string | number)[], key: string): SpecIssue {
  if (NOT_YET.has(key)) return { path, key, message: `\`${key}\` is not supported yet` }
  const known = keysAt(jobFileSchema, path)
  const guess = nearest(key, known)
  const help = guess === null ? `known here: ${known.join(', ')}` : `did you mean \`${guess}\`?`
  return { path, key, message: `unknown key \`${key}\`; ${help}` }
}

/** The keys the schema knows at a path. */
function keysAt(schema: z.core.$ZodType, path: readonly (string | number)[]): string[] {
  const inner = unwrap(schema)
  const [head, ...rest] = path
  if (inner instanceof z.ZodObject) {
    const shape = inner.shape as Record<string, z.core.$ZodType>
    if (head === undefined) return Object.keys(shape)
    const next = shape[head]
    return next ? keysAt(next, rest) : []
  }
  if (inner instanceof z.ZodRecord) return head === undefined ? [] : keysAt(inner.valueType, rest)
  return []
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodPrefault) return unwrap(schema.unwrap())
  return schema
}

function valueAt(document: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (value, part) => (value !== null && typeof value === 'object' ? (value as Record<string | number, unknown>)[part] : undefined),
    document,
  )
}

function kindOf(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'a map' : `${typeof value} ${JSON.stringify(value)}`
}

/** What one key says about another. */
function crossChecks(file: JobFile): SpecIssue[] {
  const issues: SpecIssue[] = []
  const services = new Set<string>()
  for (const [groupName, group] of Object.entries(file.groups)) {
    const ports = Object.keys(group.network.ports)
    const at = (...rest: string[]): string[] => ['groups', groupName, ...rest]
    const checkPort = (path: string[], port: string | undefined): void => {
      if (port === undefined) {
        if (ports.length !== 1)
          issues.push({
            path,
            message:
              ports.length === 0
                ? 'the group has no port: add `network: {ports: {http: {}}}`'
                : `name the port: one of ${ports.join(', ')}`,
          })
      } else if (!ports.includes(port)) {
        const guess = nearest(port, ports)
        issues.push({
          path,
          message: `the group has no port \`${port}\`${guess === null ? '; add it under network.ports' : `; did you mean \`${guess}\`?`}`,
        })
      }
    }
    for (const [service, definition] of Object.entries(group.services)) {
      checkPort(at('services', service, 'port'), definition.port)
      if (services.has(service)) issues.push({ path: at('services', service), message: `the service ${service} is defined twice` })
      services.add(service)
    }
    for (const kind of ['readiness', 'liveness'] as const) {
      const check = group.main.health[kind]
      if (check && check.exec === undefined) checkPort(at('main', 'health', kind, 'port'), check.port)
    }
    for (const [name, text] of [...group.main.command.map((word, i) => [`command`, word, i] as const), ...Object.entries(group.main.env)]) {
      for (const [, port] of text.matchAll(/\{\{\s*port\.([^}\s]+)\s*\}\}/g)) {
        if (port !== undefined && !ports.includes(port))
          checkPort(at('main', ...(group.main.env[name] === text ? ['env', name] : ['command'])), port)
      }
    }
  }
  return issues
}

function resolve(file: JobFile): JobSpec {
  return {
    job: file.job,
    kind: file.kind,
    priority: file.priority,
    labels: { ...file.meta, ...file.labels },
    groups: Object.entries(file.groups).map(([name, group]) => resolveGroup(name, group, file.kind)),
  }
}

function resolveGroup(name: string, group: GroupFile, kind: JobFile['kind']): GroupSpec {
  const { main } = group
  const ports = Object.fromEntries(Object.entries(group.network.ports).map(([key, port]) => [key, port?.static ?? 0]))
  const container: ContainerSpec = {
    command: main.command,
    env: main.env,
    cpuMilli: main.resources.cpu,
    memoryBytes: main.resources.memory,
    memoryMaxBytes: main.resources.memory_max ?? main.resources.memory,
    ports,
    readiness: probeOf(main.health.readiness, ports),
    liveness: probeOf(main.health.liveness, ports),
    stop: { signal: main.stop.signal, timeoutMs: main.stop.timeout },
    restart: {
      attempts: group.restart.attempts,
      intervalMs: group.restart.interval,
      delayMs: group.restart.delay,
      mode: group.restart.mode,
      onSuccess: kind === 'batch' ? 'complete' : 'restart',
    },
    isolation: main.isolation,
    ...(main.artifact === undefined ? {} : { artifact: main.artifact }),
    ...(main.cwd === undefined ? {} : { cwd: main.cwd }),
    ...(main.user === undefined ? {} : { user: main.user }),
  }
  return {
    name,
    count: group.count,
    maxUnavailable: group.availability.max_unavailable,
    maxSurge: group.availability.max_surge,
    minHealthyMs: group.availability.min_healthy_time,
    healthyDeadlineMs: group.update.healthy_deadline,
    constraints: group.constraints,
    spread: Object.keys(group.spread),
    services: Object.entries(group.services).map(([service, it]) => ({
      name: service,
      port: it.port,
      protocol: it.protocol,
      requestTimeoutMs: it.timeout,
      retriesMax: it.retries,
    })),
    uses: group.uses,
    reschedule: { delayMs: group.reschedule.delay, factor: group.reschedule.factor, maxDelayMs: group.reschedule.max_delay },
    labels: { ...group.meta, ...group.labels },
    container,
  }
}

function probeOf(probe: ProbeFile | undefined, ports: Record<string, number>): Probe | null {
  if (!probe) return null
  const common = { intervalMs: probe.interval, timeoutMs: probe.timeout }
  if (probe.exec !== undefined) return { kind: 'exec', command: probe.exec, ...common }
  const port = probe.port ?? must(Object.keys(ports)[0], 'the port of a check')
  return probe.http !== undefined ? { kind: 'http', path: probe.http, port, ...common } : { kind: 'tcp', port, ...common }
}

/** How many tasks an amount is of `total`: shares round down for what may be missing, up for what may be added. */
export function amountOf(amount: Amount, total: number, round: 'down' | 'up'): number {
  if ('count' in amount) return amount.count
  const exact = (amount.ppm * total) / 1_000_000
  return round === 'down' ? Math.floor(exact) : Math.ceil(exact)
}
