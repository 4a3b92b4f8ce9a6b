/**
 * The live aggregate of the table `requests`: counts and latency histogram (weighted by `sample_rate`) and failing users of each second, per
 * service, arm and version, kept up to date row by row, so that a rollout can look each second without a query.
 */

/** What a row contributes. `timeMs` is its event time. */
export interface LiveEvent {
  timeMs: number
  service: string
  arm: string
  version: string
  status: number
  latencyMs: number
  /** the task that answered, `web/api[3]`; empty: none did */
  task: string
  /** the user, or, when the row names none, its trace */
  user: string
  /** how many requests the row stands for (`sample_rate`), at least 1 */
  weight: number
}

export interface LiveBucket {
  /** seconds since the epoch */
  second: number
  arm: string
  version: string
  requests: number
  /** status ≥ 500 */
  failing: number
  /** latency: bucket i is (1.02^(i−1), 1.02^i] ms; see {@link histBucket} */
  hist: Record<string, number>
}

export interface LiveAnswer {
  buckets: LiveBucket[]
  /** distinct users per arm that were seen in the range */
  users: Record<string, number>
  /** false when `toMs` is in the past, where users who came both before and after the range count too; or when two leaves know users of an arm */
  isUsersExact: boolean
  failingUsers: { user: string; arm: string; firstMs: number }[]
  /** the list was cut at its limit */
  isFailingUsersCut: boolean
  /** share of the asked range that is known in full, 0 to 1 */
  coverage: number
  /** newest event time of the service, ms; 0 when there was none */
  hotToMs: number
  /** the leaf's clock when it answered, ms */
  nowMs: number
  /** leaves that did not answer, in words */
  missing?: string[]
}

export const LIVE_FAILING_USERS_MAX = 100_000
export const LIVE_KEPT_MS = 2 * 3_600_000
const KEPT_SECONDS = LIVE_KEPT_MS / 1000
/** (second, arm, version) cells of all services together */
const CELLS_MAX = 200_000
const USERS_MAX = 2_000_000
const RATIO = Math.log(1.02)

/** The 2 % bucket of a latency: (1.02^(i−1), 1.02^i] ms; 0 and below fall into −400. */
export function histBucket(latencyMs: number): number {
  if (!(latencyMs > 0)) return -400
  // The small step back keeps exact powers of 1.02 in their own bucket in spite of rounding.
  return Math.max(-400, Math.ceil(Math.log(latencyMs) / RATIO - 1e-9)) + 0
}

/** Largest latency of a bucket, ms. */
export function histEdge(bucket: number): number {
  return Math.exp(bucket * RATIO)
}

interface Cell {
  arm: string
  version: string
  requests: number
  failing: number
  hist: Map<number, number>
}

interface ArmUsers {
  /** user → first and last time seen, ms */
  seen: Map<string, { firstMs: number; lastMs: number }>
  /** user → ms of its failures, one a second, ascending but for late rows */
  failing: Map<string, number[]>
}

interface ServiceLive {
  /** second → `arm\0version` → cell */
  seconds: Map<number, Map<string, Cell>>
  arms: Map<string, ArmUsers>
  hotToMs: number
}

export class LiveAggregate {
  readonly #services = new Map<string, ServiceLive>()
  /** every row with an event time from here on is in; raised when old cells are dropped or could not be read back */
  #completeFromMs = 0
  /** rows of earlier seconds are not taken any more */
  #keptFromSecond = 0
  #cells = 0
  #users = 0
  #newestSecond = 0

  get completeFromMs(): number {
    return this.#completeFromMs
  }

  /** Says that rows before this time may be missing. */
  markIncompleteBefore(ms: number): void {
    this.#completeFromMs = Math.max(this.#completeFromMs, ms)
  }

  /** Says that everything from this time on is in (again): what was missing has been read back. */
  markCompleteFrom(ms: number): void {
    this.#completeFromMs = Math.max(ms, this.#keptFromSecond * 1000)
  }

  /** Forgets everything until now; what comes later counts again. */
  forget(nowMs: number): void {
    this.#services.clear()
    this.#cells = 0
    this.#users = 0
    this.markIncompleteBefore(nowMs)
  }

  add(event: LiveEvent): void {
    const second = Math.floor(event.timeMs / 1000)
    if (second < this.#keptFromSecond) return
    const isFailing = event.status >= 500
    const { service, arm, version, weight } = event
    this.addCounts(service, second, arm, version, weight, isFailing ? weight : 0, histBucket(event.latencyMs))
    this.addUser(event.service, event.arm, event.user, event.timeMs, event.timeMs)
    if (isFailing) this.addFailure(event.service, event.arm, event.user, event.timeMs)
  }

  /** Adds requests of one latency bucket: the unit in which segments are read back after a restart. */
  addCounts(service: string, second: number, arm: string, version: string, requests: number, failing: number, bucket: number): void {
    const live = this.#service(service)
    let cells = live.seconds.get(second)
    if (!cells) live.seconds.set(second, (cells = new Map()))
    const key = `${arm}\0${version}`
    let cell = cells.get(key)
    if (!cell) {
      cells.set(key, (cell = { arm, version, requests: 0, failing: 0, hist: new Map() }))
      this.#cells += 1
    }
    cell.requests += requests
    cell.failing += failing
    cell.hist.set(bucket, (cell.hist.get(bucket) ?? 0) + requests)
    live.hotToMs = Math.max(live.hotToMs, second * 1000)
    this.#newestSecond = Math.max(this.#newestSecond, second)
    if (this.#cells > CELLS_MAX) this.trim(this.#newestSecond * 1000)
  }

  addUser(service: string, arm: string, user: string, firstMs: number, lastMs: number): void {
    const live = this.#service(service)
    live.hotToMs = Math.max(live.hotToMs, lastMs)
    const { seen } = this.#arm(live, arm)
    const known = seen.get(user)
    if (known) {
      if (firstMs < known.firstMs) known.firstMs = firstMs
      if (lastMs > known.lastMs) known.lastMs = lastMs
    } else {
      seen.set(user, { firstMs, lastMs })
      this.#users += 1
    }
  }

  addFailure(service: string, arm: string, user: string, ms: number): void {
    const { failing } = this.#arm(this.#service(service), arm)
    const times = failing.get(user)
    const second = Math.floor(ms / 1000)
    if (!times) failing.set(user, [ms])
    else if (Math.floor((times.at(-1) ?? 0) / 1000) !== second) insertSorted(times, ms)
    else if (ms < (times.at(-1) ?? 0)) times[times.length - 1] = ms
  }

  /** Buckets of `[fromMs, toMs)`, whole seconds, oldest first. */
  read(service: string, fromMs: number, toMs: number | null, nowMs: number): LiveAnswer {
    const end = toMs ?? Infinity
    const live = this.#services.get(service)
    const known = Math.max(0, Math.min(end, nowMs) - Math.max(fromMs, this.#completeFromMs))
    const asked = Math.min(end, nowMs) - fromMs
    const coverage = fromMs >= this.#completeFromMs || asked <= 0 ? 1 : known / asked
    const answer: LiveAnswer = {
      buckets: [],
      users: {},
      isUsersExact: true,
      failingUsers: [],
      isFailingUsersCut: false,
      coverage,
      hotToMs: live?.hotToMs ?? 0,
      nowMs,
    }
    if (!live) return answer
    const firstSecond = Math.floor(fromMs / 1000)
    const seconds = [...live.seconds.keys()].filter((second) => second >= firstSecond && second * 1000 < end).sort((a, b) => a - b)
    for (const second of seconds) {
      for (const cell of live.seconds.get(second)?.values() ?? []) {
        answer.buckets.push({
          second,
          arm: cell.arm,
          version: cell.version,
          requests: cell.requests,
          failing: cell.failing,
          hist: Object.fromEntries(cell.hist),
        })
      }
    }
    answer.isUsersExact = end > live.hotToMs
    for (const [arm, { seen, failing }] of live.arms) {
      let users = 0
      for (const { firstMs, lastMs } of seen.values()) if (lastMs >= fromMs && firstMs < end) users += 1
      answer.users[arm] = users
      for (const [user, times] of failing) {
        const firstFailure = times.find((ms) => ms >= fromMs)
        if (firstFailure === undefined || firstFailure >= end) continue
        if (answer.failingUsers.length >= LIVE_FAILING_USERS_MAX) answer.isFailingUsersCut = true
        else answer.failingUsers.push({ user, arm, firstMs: firstFailure })
      }
    }
    answer.failingUsers.sort((a, b) => a.firstMs - b.firstMs)
    return answer
  }

  /** Forgets what is older than two hours, or the older half when there is too much of it. */
  trim(nowMs: number): void {
    const newest = Math.floor(nowMs / 1000)
    let keepFrom = newest - KEPT_SECONDS
    if (this.#cells > CELLS_MAX) {
      const seconds = [...this.#services.values()].flatMap((live) => [...live.seconds.keys()]).sort((a, b) => a - b)
      keepFrom = Math.max(keepFrom, seconds[Math.floor(seconds.length / 2)] ?? keepFrom)
    }
    let isDropped = false
    for (const live of this.#services.values()) {
      for (const [second, cells] of live.seconds) {
        if (second >= keepFrom) continue
        this.#cells -= cells.size
        live.seconds.delete(second)
        isDropped = true
      }
    }
    if (isDropped) {
      this.#keptFromSecond = Math.max(this.#keptFromSecond, keepFrom)
      this.markIncompleteBefore(keepFrom * 1000)
    }
    this.#trimUsers(keepFrom * 1000)
  }

  #trimUsers(keepFromMs: number): void {
    for (const live of this.#services.values()) {
      for (const { seen, failing } of live.arms.values()) {
        for (const [user, { lastMs }] of seen) if (lastMs < keepFromMs && seen.delete(user)) this.#users -= 1
        for (const [user, times] of failing) if ((times.at(-1) ?? 0) < keepFromMs) failing.delete(user)
      }
    }
    if (this.#users <= USERS_MAX) return
    // Too many people to remember: what is known in full begins now.
    for (const live of this.#services.values()) live.arms.clear()
    this.#users = 0
    this.markIncompleteBefore(this.#newestSecond * 1000)
  }

  #service(name: string): ServiceLive {
    let live = this.#services.get(name)
    if (!live) this.#services.set(name, (live = { seconds: new Map(), arms: new Map(), hotToMs: 0 }))
    return live
  }

  #arm(live: ServiceLive, arm: string): ArmUsers {
    let users = live.arms.get(arm)
    if (!users) live.arms.set(arm, (users = { seen: new Map(), failing: new Map() }))
    return users
  }
}

/** Late rows come out of order; nearly all belong at the end. */
function insertSorted(times: number[], ms: number): void {
  let at = times.length
  while (at > 0 && (times[at - 1] ?? 0) > ms) at -= 1
  times.splice(at, 0, ms)
}

/** The event of a `requests` row (see RequestEvent), or null when it lacks what makes it one. */
export function liveEvent(row: Readonly<Record<string, unknown>>, timeMs: number): LiveEvent | null {
  const { service, arm, version, status, latency_ms: latencyMs, task, user, trace, sample_rate: rate } = row
  if (typeof service !== 'string' || typeof status !== 'number') return null
  const person = typeof user === 'string' && user !== '' ? user : typeof trace === 'string' ? trace : ''
  return {
    timeMs,
    service,
    arm: typeof arm === 'string' && arm !== '' ? arm : 'primary',
    version: typeof version === 'string' ? version : '',
    status,
    latencyMs: typeof latencyMs === 'number' ? latencyMs : 0,
    task: typeof task === 'string' ? task : '',
    user: person,
    weight: typeof rate === 'number' && rate >= 1 ? rate : 1,
  }
}
