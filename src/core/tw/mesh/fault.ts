import type { MeshFault } from '../../contracts/mesh.ts'
import { userBucket } from '../../kernel/hash.ts'

/** What a fault's match looks at. */
export interface FaultRequest {
  method: string
  path: string
  /** subset of the endpoint that was picked */
  subset: string
  /** the user key, or the trace id where the request names no user */
  key: string
}

/** A fault, and whom it has touched in this proxy. */
export interface FaultState {
  fault: MeshFault
  users: Set<string>
  hits: number
}

/** The first fault that hits this request; counts the hit. A user beyond `usersMax` is not touched, one within stays in. */
export function faultFor(faults: readonly FaultState[], request: FaultRequest, nowMs: number): MeshFault | null {
  for (const state of faults) {
    const { fault } = state
    if (nowMs >= fault.untilMs || !matches(fault, request)) continue
    if (userBucket(request.key, fault.salt) >= fault.share) continue
    if (!state.users.has(request.key)) {
      if (state.users.size >= fault.usersMax) continue
      state.users.add(request.key)
    }
    state.hits += 1
    return fault
  }
  return null
}

function matches(fault: MeshFault, request: FaultRequest): boolean {
  const { method, pathPrefix, subset } = fault.match
  if (method !== undefined && method !== request.method) return false
  if (pathPrefix !== undefined && !request.path.startsWith(pathPrefix)) return false
  return subset === undefined || subset === request.subset
}

/** How long a delay fault holds a request: delay ± jitter, never negative. */
export function faultDelayMs(fault: MeshFault, random: () => number): number {
  return Math.max(0, fault.delayMs + (random() * 2 - 1) * fault.jitterMs)
}
