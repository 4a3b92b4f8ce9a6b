import type { MeshEndpoint } from '../../core/contracts/mesh.ts'
import { createEwma, type LatencyEwma } from '../../core/tw/mesh/latency.ts'
import { createHealth, type Health } from '../../core/tw/mesh/outlier.ts'
import type { UpstreamConnection } from './upstream.ts'

/** One task's address, with what this proxy knows of it. */
export interface Endpoint {
  def: MeshEndpoint
  running: number
  weight: number
  latency: LatencyEwma
  health: Health
  /** removed from the snapshot: running requests finish, none begins */
  isDraining: boolean
  /** idle connections, the newest last */
  idle: UpstreamConnection[]
  requests: number
  /** answers 5xx of the endpoint itself */
  errors: number
  /** no connection, resets, timeouts */
  failures: number
  /** its part of a request event: `"version":…,"region":…` */
  eventPart: string
}

export function createEndpoint(def: MeshEndpoint): Endpoint {
  return {
    def,
    running: 0,
    weight: def.weight,
    latency: createEwma(),
    health: createHealth(),
    isDraining: false,
    idle: [],
    requests: 0,
    errors: 0,
    failures: 0,
    eventPart: '',
  }
}

/** Same task at the same address: what was learned of it stays true. */
export function endpointKey(def: MeshEndpoint): string {
  return `${def.id}@${def.address}:${def.port}`
}
