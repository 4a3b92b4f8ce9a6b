import type { LeaseRemainder } from './command.ts'
import type { KvStore } from './store-contract.ts'

export interface LeaseClockOptions {
  /** what every lease gets on top after a change of leader: its owner may have renewed with the old one until its promise ended */
  readonly leaseMs: number
  /** leases with a TTL above this are checkpointed, as often as this: 5 min */
  readonly checkpointEveryMs: number
  /** ids of one `leasesExpired` or `leaseCheckpoint` */
  readonly batchMax: number
}

const DEFAULTS: LeaseClockOptions = { leaseMs: 1000, checkpointEveryMs: 300_000, batchMax: 1000 }

/**
 * When leases end, by the leader's monotonic clock: soft state, of the leader alone, lost with it. What comes of it is logged:
 * `leasesExpired` and `leaseCheckpoint`, both with the epoch this clock was made for, so that a leader that slept ends nothing.
 */
export interface LeaseClock {
  readonly epoch: number
  /** A lease was granted (as seen when applied). */
  granted(id: bigint, nowMs: number): void
  /** A lease is gone, revoked or expired. */
  gone(id: bigint): void
  /**
   * Whether a shortened remainder of this lease is in the log. Then `leaseCheckpoint` of 0 (none) has to be applied before it is renewed,
   * or a new leader would end it earlier than its owner was told.
   */
  mustLogFirst(id: bigint): boolean
  /** Renews a lease. @returns its TTL in seconds; 0 if it is gone or due: etcd's answer to a keepalive that came too late */
  keepAlive(id: bigint, nowMs: number): number
  /** Whole seconds left, as `LeaseTimeToLive` shows them; null: gone */
  remainingS(id: bigint, nowMs: number): number | null
  /** Leases whose time is over and that were not asked for in the last second: propose a `leasesExpired` of them. */
  takeExpired(nowMs: number): bigint[]
  /** Long leases whose remainder is due to be logged. */
  takeCheckpoints(nowMs: number): LeaseRemainder[]
  /** when `takeExpired` may have something; null: no lease */
  nextExpiryMs(): number | null
}

interface Entry {
  deadlineMs: number
  /** time of its one item in the heap; others with this id are leftovers */
  heapMs: number
  checkpointMs: number
}

/** Proposals may be lost with a change of leader or a full queue: so they are made again after this. */
const RETRY_MS = 1000

/**
 * The clock of a leader that has just claimed: every lease has its checkpointed remainder, else its full TTL, and `leaseMs`.
 * @param store at or after the position of its own `leaderClaimed`
 * @param nowMs monotonic, as of all calls
 */
export function createLeaseClock(store: KvStore, nowMs: number, options: Partial<LeaseClockOptions> = {}): LeaseClock {
  const { leaseMs, checkpointEveryMs, batchMax } = { ...DEFAULTS, ...options }
  const { epoch } = store
  const entries = new Map<bigint, Entry>()
  const heap = new DeadlineHeap()

  const isLong = (ttlS: number): boolean => ttlS * 1000 > checkpointEveryMs
  const add = (id: bigint, deadlineMs: number, atMs: number): void => {
    entries.set(id, { deadlineMs, heapMs: deadlineMs, checkpointMs: atMs + checkpointEveryMs })
    heap.push(deadlineMs, id)
  }
  const putBack = (id: bigint, entry: Entry, atMs: number): void => {
    entry.heapMs = atMs
    heap.push(atMs, id)
  }

  for (const { id, ttlS, remainingS } of store.leases()) {
    add(id, nowMs + (remainingS > 0 ? Math.min(remainingS, ttlS) : ttlS) * 1000 + leaseMs, nowMs)
  }

  return {
    epoch,
    granted: (id, atMs) => {
      const lease = store.lease(id)
      if (lease !== null && !entries.has(id)) add(id, atMs + lease.ttlS * 1000, atMs)
    },
    gone: (id) => {
      entries.delete(id)
    },
    mustLogFirst: (id) => (store.lease(id)?.remainingS ?? 0) > 0,
    keepAlive: (id, atMs) => {
      const entry = entries.get(id)
      const lease = store.lease(id)
      if (entry === undefined || lease === null || entry.deadlineMs <= atMs) return 0
      // Its item in the heap stays; when that comes up, the lease is put back with its real time. So a renewal costs nothing.
      entry.deadlineMs = Math.max(entry.deadlineMs, atMs + lease.ttlS * 1000)
      entry.checkpointMs = atMs + checkpointEveryMs
      return lease.ttlS
    },
    remainingS: (id, atMs) => {
      const entry = entries.get(id)
      return entry === undefined ? null : Math.max(0, Math.floor((entry.deadlineMs - atMs) / 1000))
    },
    takeExpired: (atMs) => {
      const expired: bigint[] = []
      while (expired.length < batchMax) {
        const first = heap.first()
        if (first === null || first.atMs > atMs) break
        heap.pop()
        const entry = entries.get(first.id)
        if (entry === undefined || entry.heapMs !== first.atMs) continue
        if (store.lease(first.id) === null) entries.delete(first.id)
        else if (entry.deadlineMs > atMs) putBack(first.id, entry, entry.deadlineMs)
        else {
          expired.push(first.id)
          putBack(first.id, entry, atMs + RETRY_MS)
        }
      }
      return expired
    },
    takeCheckpoints: (atMs) => {
      const due: LeaseRemainder[] = []
      for (const [id, entry] of entries) {
        if (due.length >= batchMax) break
        if (entry.checkpointMs > atMs || entry.deadlineMs <= atMs) continue
        entry.checkpointMs = atMs + checkpointEveryMs
        const lease = store.lease(id)
        if (lease === null || !isLong(lease.ttlS)) continue
        due.push({ id, remainingS: Math.ceil((entry.deadlineMs - atMs) / 1000) })
      }
      return due
    },
    nextExpiryMs: () => heap.first()?.atMs ?? null,
  }
}

interface Deadline {
  readonly atMs: number
  readonly id: bigint
}

/** A binary heap, the earliest first. */
class DeadlineHeap {
  readonly #items: Deadline[] = []

  first(): Deadline | null {
    return this.#items[0] ?? null
  }

  push(atMs: number, id: bigint): void {
    const items = this.#items
    const item = { atMs, id }
    let at = items.length
    items.push(item)
    while (at > 0) {
      const up = (at - 1) >>> 1
      const parent = items[up]
      if (parent === undefined || parent.atMs <= atMs) break
      items[at] = parent
      at = up
    }
    items[at] = item
  }

  pop(): void {
    const items = this.#items
    const item = items.pop()
    if (item === undefined || items.length === 0) return
    let at = 0
    for (;;) {
      const left = items[2 * at + 1]
      const right = items[2 * at + 2]
      if (left === undefined) break
      const isRight = right !== undefined && right.atMs < left.atMs
      const child = isRight ? right : left
      if (child.atMs >= item.atMs) break
      items[at] = child
      at = 2 * at + (isRight ? 2 : 1)
    }
    items[at] = item
  }
}
