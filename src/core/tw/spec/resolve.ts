import { isBatch, isSystem } from '../job-kind.ts'
import type { ContainerSpec, Probe } from '../../contracts/node.ts'
import { must } from '../../kernel/assert.ts'
import type { GroupSpec, JobSpec } from '../job-spec.ts'
import type { GroupFile, JobFile, ProbeFile } from '../schema.ts'

/** A document that was checked → its spec. */
export function resolveJob(file: JobFile): JobSpec {
  return {
    job: file.job,
    kind: file.kind,
    priority: file.priority,
    entitlement: file.entitlement ?? null,
    periodic: file.periodic ?? null,
    parameters: file.parameters ?? null,
    labels: { ...file.meta, ...file.labels },
    groups: Object.entries(file.groups).map(([name, group]) => resolveGroup(name, group, file.kind, isToEnd(file, name))),
  }
}

const HALF_HOUR_MS = 1_800_000
const DAY_MS = 86_400_000

/** Batch work comes to an end, and so does a group of any job that another waits for to be completed. */
function isToEnd(file: JobFile, name: string): boolean {
  if (isBatch(file.kind)) return true
  return Object.values(file.groups).some((group) => group.after[name] === 'completed')
}

/** One group. `toEnd`: its tasks are over once they exit with 0. */
function resolveGroup(name: string, group: GroupFile, kind: JobFile['kind'], toEnd: boolean): GroupSpec {
  const isPerNode = isSystem(kind)
  const { main } = group
  const { gpu } = main.resources
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
      attempts: group.restart.attempts ?? (toEnd ? 3 : 2),
      intervalMs: group.restart.interval ?? (toEnd ? DAY_MS : HALF_HOUR_MS),
      delayMs: group.restart.delay,
      mode: group.restart.mode,
      onSuccess: toEnd ? 'complete' : 'restart',
    },
    isolation: main.isolation,
    diskBytes: main.resources.disk,
    gpu: gpu === undefined ? null : { count: gpu.count, shareMilli: Math.floor(gpu.share / 1000), models: gpu.models },
    ...(main.artifact === undefined ? {} : { artifact: main.artifact }),
    ...(main.cwd === undefined ? {} : { cwd: main.cwd }),
    ...(main.user === undefined ? {} : { user: main.user }),
  }
  return {
    name,
    count: group.count ?? 1,
    maxUnavailable: group.availability.max_unavailable,
    // One task a node: the old one leaves before the new one comes.
    maxSurge: isPerNode ? { count: 0 } : group.availability.max_surge,
    minHealthyMs: group.availability.min_healthy_time,
    healthyDeadlineMs: group.update.healthy_deadline,
    progressDeadlineMs: group.update.progress_deadline,
    autoRevert: group.update.auto_revert,
    canary: group.update.canary,
    constraints: group.constraints,
    affinities: group.affinities,
    spread: isPerNode ? [] : Object.entries(group.spread).map(([attribute, it]) => ({ attribute, ...it })),
    distinct: [
      ...Object.entries(group.distinct).map(([attribute, max]) => ({ attribute, max })),
      ...(isPerNode ? [{ attribute: 'node', max: 1 }] : []),
    ],
    pool: group.pool ?? null,
    preempts: group.preempts,
    isBestEffort: group.best_effort,
    disconnect: {
      lostAfterMs: group.disconnect.lost_after,
      stopAfterMs: group.disconnect.stop_after === 0 ? null : group.disconnect.stop_after,
      keep: group.disconnect.keep ?? 'best',
    },
    consent: group.availability.consent,
    opsTimeoutMs: group.availability.consent_timeout ?? null,
    order: group.availability.order,
    after: Object.entries(group.after).map(([other, until]) => ({ group: other, until })),
    maxRunTimeMs: group.max_run_time ?? null,
    isAllOrNothing: group.all_or_nothing,
    services: Object.entries(group.services).map(([service, it]) => ({
      name: service,
      port: it.port,
      protocol: it.protocol,
      requestTimeoutMs: it.timeout,
      retriesMax: it.retries,
    })),
    uses: group.uses,
    reschedule: {
      delayMs: group.reschedule.delay,
      factor: group.reschedule.factor,
      maxDelayMs: group.reschedule.max_delay,
      attempts: group.reschedule.attempts ?? null,
      intervalMs: group.reschedule.interval,
    },
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
