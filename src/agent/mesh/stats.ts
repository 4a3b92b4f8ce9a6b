import { isEjected } from '../../core/tw/mesh/outlier.ts'
import { readLatency } from '../../core/tw/mesh/latency.ts'
import { type ProxyContext, monotonicMs } from './context.ts'
import type { Endpoint } from './endpoint.ts'
import type { EventsStats } from './events.ts'
import { percentile } from './histogram.ts'
import type { Service } from './service.ts'

export interface EndpointStats {
  task: string
  id: number
  address: string
  subset: string
  state: 'in-use' | 'ejected' | 'draining'
  /** ms until the ejection ends; 0 when not ejected */
  ejectedForMs: number
  running: number
  requests: number
  errors: number
  failures: number
  latencyMs: number | null
}

export interface ServiceStats {
  name: string
  port: number | null
  running: number
  requests: number
  retries: number
  /** answers the proxy made itself, by reason */
  reasons: Record<string, number>
  p50Ms: number | null
  p99Ms: number | null
  epoch: number
  endpoints: EndpointStats[]
  faults: { id: string; hits: number; users: number; untilMs: number }[]
}

/** What `{stats}` on the control socket answers. */
export interface MeshStats {
  node: string
  pid: number
  /** position of the applied snapshot; 0: none yet */
  position: number
  gateway: string | null
  servicePorts: Record<string, number>
  connections: number
  running: number
  events: EventsStats
  refusals: Record<string, number>
  services: ServiceStats[]
}

export function serviceStats(service: Service, port: number | null): ServiceStats {
  const nowMs = monotonicMs()
  return {
    name: service.name,
    port,
    running: service.running,
    requests: service.requests,
    retries: service.retries,
    reasons: Object.fromEntries(service.reasons),
    p50Ms: percentile(service.latencies, 0.5, nowMs),
    p99Ms: percentile(service.latencies, 0.99, nowMs),
    epoch: service.epoch,
    endpoints: [...service.endpoints, ...service.draining].map((endpoint) => endpointStats(endpoint, nowMs)),
    faults: service.faults.map(({ fault, hits, users }) => ({ id: fault.id, hits, users: users.size, untilMs: fault.untilMs })),
  }
}

function endpointStats(endpoint: Endpoint, nowMs: number): EndpointStats {
  const latencyMs = readLatency(endpoint.latency, nowMs)
  const ejected = isEjected(endpoint.health, nowMs)
  return {
    task: endpoint.def.task,
    id: endpoint.def.id,
    address: `${endpoint.def.address}:${endpoint.def.port}`,
    subset: endpoint.def.subset,
    state: endpoint.isDraining ? 'draining' : ejected ? 'ejected' : 'in-use',
    ejectedForMs: ejected ? Math.round(endpoint.health.ejectedUntilMs - nowMs) : 0,
    running: endpoint.running,
    requests: endpoint.requests,
    errors: endpoint.errors,
    failures: endpoint.failures,
    latencyMs: Number.isNaN(latencyMs) ? null : Number(latencyMs.toFixed(2)),
  }
}

export function refusalStats(context: ProxyContext): Record<string, number> {
  return Object.fromEntries(context.refusals)
}
