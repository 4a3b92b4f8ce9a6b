import type { MeshPolicy, MeshService } from '../../core/contracts/mesh.ts'
import type { FaultState } from '../../core/tw/mesh/fault.ts'
import { isEjected, isPanic, observeOutcome, type Outcome } from '../../core/tw/mesh/outlier.ts'
import { medianLatency, pickOfTwo } from '../../core/tw/mesh/pick.ts'
import { createBudget } from '../../core/tw/mesh/retry.ts'
import { type CompiledSplit, compileSplit, subsetOf } from '../../core/tw/mesh/split.ts'
import { createEndpoint, type Endpoint, endpointKey } from './endpoint.ts'
import { createHistogram } from './histogram.ts'

export interface Picked {
  endpoint: Endpoint
  /** `panic`, `split-empty` or '' */
  reason: string
}

/** What names a user in a request. */
export type UserKey = { kind: 'header'; name: string } | { kind: 'cookie'; name: string } | { kind: 'trace' }

const MEDIAN_EVERY_MS = 1000

/** Runtime of one service in this proxy. What it learned outlives every snapshot that still holds the endpoint. */
export class Service {
  readonly name: string
  protocol: MeshService['protocol']
  policy: MeshPolicy
  split: CompiledSplit | null = null
  /** highest epoch seen, also while no split is set */
  epoch: number
  userKey: UserKey = { kind: 'header', name: 'x-user' }
  faults: FaultState[] = []
  endpoints: Endpoint[] = []
  /** removed, with requests still running */
  draining = new Set<Endpoint>()
  running = 0
  requests = 0
  retries = 0
  readonly budget = createBudget()
  readonly latencies = createHistogram()
  /** answers made by the proxy, by reason */
  readonly reasons = new Map<string, number>()
  #usable: Endpoint[] = []
  #usableBySubset = new Map<string, Endpoint[]>()
  #isPanic = false
  /** when the next ejection ends */
  #usableUntilMs = 0
  #medianMs = 1
  #medianAtMs = 0

  /** it has had no endpoint since it appeared here: nobody is served yet, so nobody can be served badly */
  isBeforeFirst: boolean

  /** @param isNew it appeared while this proxy was there; one it finds may have been ready before */
  constructor(def: MeshService, epoch: number, isNew: boolean) {
    this.isBeforeFirst = isNew
    this.name = def.name
    this.protocol = def.protocol
    this.policy = def.policy
    this.epoch = epoch
    this.update(def)
  }

  /** Takes a new definition; gives the endpoints that left, to be drained. A split of a lower epoch is refused. */
  update(def: MeshService): { removed: Endpoint[]; splitRefused: boolean } {
    this.protocol = def.protocol
    this.policy = def.policy
    const splitRefused = def.split !== null && def.split.epoch < this.epoch
    if (!splitRefused) {
      this.split = def.split === null ? null : compileSplit(def.split)
      this.epoch = Math.max(this.epoch, def.split?.epoch ?? -1)
      this.userKey = userKeyOf(def)
    }
    const oldFaults = new Map(this.faults.map((state) => [state.fault.id, state]))
    this.faults = def.faults.map((fault) => ({ users: new Set<string>(), hits: 0, ...oldFaults.get(fault.id), fault }))
    const old = new Map(this.endpoints.map((endpoint) => [endpointKey(endpoint.def), endpoint]))
    this.endpoints = def.endpoints.map((next) => {
      const key = endpointKey(next)
      const endpoint = old.get(key) ?? createEndpoint(next)
      old.delete(key)
      endpoint.def = next
      endpoint.weight = next.weight
      endpoint.eventPart = this.#eventPart(endpoint)
      return endpoint
    })
    if (this.endpoints.length > 0) this.isBeforeFirst = false
    const removed = [...old.values()]
    for (const endpoint of removed) {
      endpoint.isDraining = true
      if (endpoint.running > 0) this.draining.add(endpoint)
    }
    this.#usableUntilMs = 0
    return { removed, splitRefused }
  }

  /**
   * An endpoint for a request.
   * @param bucket of its user, or -1 while no split asks for one
   * @param tried the endpoints on which it failed already: none of them again while another is there, and a retry leaves
   *   its subset only when all of that was tried
   */
  pick(bucket: number, nowMs: number, tried: readonly Endpoint[]): Picked | null {
    if (nowMs >= this.#usableUntilMs) this.#refreshUsable(nowMs)
    if (nowMs - this.#medianAtMs >= MEDIAN_EVERY_MS) {
      this.#medianMs = medianLatency(this.endpoints, nowMs)
      this.#medianAtMs = nowMs
    }
    const subset = this.split === null || bucket < 0 ? null : subsetOf(this.split, bucket)
    const own = subset === null ? this.#usable : this.#usableBySubset.get(subset)
    const from = untried(own, tried) ?? untried(this.#usable, tried) ?? own ?? this.#usable
    const endpoint = pickOfTwo(from, nowMs, this.#medianMs, Math.random)
    if (endpoint === null) return null
    const isElsewhere = subset !== null && endpoint.def.subset !== subset
    return { endpoint, reason: isElsewhere ? 'split-empty' : this.#isPanic ? 'panic' : '' }
  }

  /** Learns from a finished try; true when it ejects the endpoint. */
  observe(endpoint: Endpoint, outcome: Outcome, nowMs: number): boolean {
    const { health } = endpoint
    if (outcome === 'ok' && health.streak === 0 && health.ejections === 0) {
      health.lastSuccessMs = nowMs
      return false
    }
    if (endpoint.isDraining) return false
    const isNewlyEjected = observeOutcome(
      this.endpoints.map((each) => each.health),
      health,
      outcome,
      nowMs,
      this.policy.ejectedMax,
    )
    if (isNewlyEjected) this.#usableUntilMs = 0
    return isNewlyEjected
  }

  countReason(reason: string): void {
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1)
  }

  #refreshUsable(nowMs: number): void {
    const usable = this.endpoints.filter((endpoint) => !isEjected(endpoint.health, nowMs))
    this.#isPanic = isPanic(usable.length, this.endpoints.length)
    this.#usable = this.#isPanic ? this.endpoints : usable
    this.#usableBySubset = Map.groupBy(this.#usable, (endpoint) => endpoint.def.subset)
    this.#usableUntilMs = Math.min(
      Number.POSITIVE_INFINITY,
      ...this.endpoints.map((endpoint) => endpoint.health.ejectedUntilMs).filter((untilMs) => untilMs > nowMs),
    )
  }

  #eventPart({ def }: Endpoint): string {
    const arm = this.split?.split.arms[def.subset] ?? ''
    const { subset: version, release, task, node, region } = def
    return JSON.stringify({ service: this.name, route: '', version, release, arm, task, node, region }).slice(1, -1)
  }
}

/** Those that were not tried yet; null when there are none. */
function untried(endpoints: Endpoint[] | undefined, tried: readonly Endpoint[]): Endpoint[] | null {
  if (endpoints === undefined) return null
  const rest = tried.length === 0 ? endpoints : endpoints.filter((endpoint) => !tried.includes(endpoint))
  return rest.length === 0 ? null : rest
}

/** With a split: what it says, else the trace. Without: the header x-user, so that faults and events know users too. */
function userKeyOf(def: MeshService): UserKey {
  if (def.split === null) return { kind: 'header', name: 'x-user' }
  const sticky = /^(header|cookie):(.+)$/.exec(def.split.sticky ?? '')
  if (sticky === null) return { kind: 'trace' }
  const name = sticky[2] ?? ''
  return sticky[1] === 'header' ? { kind: 'header', name: name.toLowerCase() } : { kind: 'cookie', name }
}
