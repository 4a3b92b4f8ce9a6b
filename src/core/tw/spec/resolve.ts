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
    groups: Object.entries(file.groups).map(([name, group]) => resolveGroup(name, group, file.kind)),
  }
}

function resolveGroup(name: string, group: GroupFile, kind: JobFile['kind']): GroupSpec {
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
      attempts: group.restart.attempts,
      intervalMs: group.restart.interval,
      delayMs: group.restart.delay,
      mode: group.restart.mode,
      onSuccess: kind === 'batch' ? 'complete' : 'restart',
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
    maxSurge: group.availability.max_surge,
    minHealthyMs: group.availability.min_healthy_time,
    healthyDeadlineMs: group.update.healthy_deadline,
    progressDeadlineMs: group.update.progress_deadline,
    autoRevert: group.update.auto_revert,
    canary: group.update.canary,
    constraints: group.constraints,
    affinities: group.affinities,
    spread: Object.entries(group.spread).map(([attribute, it]) => ({ attribute, ...it })),
    distinct: Object.entries(group.distinct).map(([attribute, max]) => ({ attribute, max })),
    pool: group.pool ?? null,
    preempts: group.preempts,
    isBestEffort: group.best_effort,
    disconnect: {
      lostAfterMs: group.disconnect.lost_after,
      stopAfterMs: group.disconnect.stop_after === 0 ? null : group.disconnect.stop_after,
      keep: group.disconnect.keep,
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
