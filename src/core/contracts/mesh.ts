/** What a node's proxy works from. Whole at each change; it keeps the last one in a file. */
export interface MeshSnapshot {
  /** log position it was derived at; acknowledged by the proxy */
  position: number
  services: MeshService[]
}

export interface MeshService {
  /** full name without `.mesh`, e.g. `web` */
  name: string
  protocol: 'http' | 'tcp'
  policy: MeshPolicy
  endpoints: MeshEndpoint[]
  split: MeshSplit | null
  faults: MeshFault[]
}

export interface MeshPolicy {
  requestTimeoutMs: number
  tryTimeoutMs: number
  connectTimeoutMs: number
  retriesMax: number
  /** parts per million of requests of the last 10 s that may be retries (at least 10/s) */
  retryBudget: number
  runningMax: number
  /** parts per million of endpoints that may be ejected, after this ejection, rounded down, never the last */
  ejectedMax: number
}

export interface MeshEndpoint {
  /** task name, `web/api[3]` */
  task: string
  /** row id */
  id: number
  address: string
  port: number
  /** subset label, `v7` (job version) */
  subset: string
  release: string
  node: string
  region: string
  weight: number
}

export interface MeshSplit {
  /** subset → parts per million; they add up to 1,000,000 */
  shares: Record<string, number>
  /** subset → arm, `primary` or `canary`: goes into the request events */
  arms: Record<string, string>
  salt: string
  /** what identifies a user: a header (`header:x-user`), a cookie (`cookie:id`); without one, the trace id */
  sticky: string | null
  /** a proxy refuses a split with a lower epoch */
  epoch: number
}

/** A chaos rule on a service's edge; ends at `untilMs` (wall clock of the node) in the proxy itself. */
export interface MeshFault {
  id: string
  run: string
  kind: 'delay' | 'status' | 'reset'
  /** parts per million of users (bucket by salt) */
  share: number
  salt: string
  delayMs: number
  jitterMs: number
  status: number
  match: { method?: string; pathPrefix?: string; subset?: string }
  untilMs: number
  /** most distinct users it may touch */
  usersMax: number
}

/** One row of the scuba table `requests`, written by the proxy for every request it finished. */
export interface RequestEvent {
  /** ms since the epoch, when the response ended */
  time: number
  /** null: the one that was asked for has had no task since it appeared; then `awaited` names it */
  service: string | null
  awaited?: string
  route: string
  version: string
  release: string
  arm: string
  task: string
  node: string
  region: string
  method: string
  path: string
  status: number
  latency_ms: number
  tries: number
  /** x-muster-reason, or '' */
  reason: string
  user: string
  /** id of the fault that hit it, or '' */
  fault: string
  trace: string
}
