import type { KvCommand } from '../kv/command.ts'
import { createLeaseClock, type LeaseClock, type LeaseClockOptions } from '../kv/lease-clock.ts'
import type { KvChanges } from '../kv/rows.ts'
import { KV_RULES, type KvRules } from '../kv/rules.ts'
import type { KvStore } from '../kv/store-contract.ts'
import type { RpcError } from '../wire/service.ts'

export interface LeaseKeeperOptions {
  readonly store: KvStore
  /** for whoever reads the log */
  readonly serverId: string
  readonly role: () => { isLeader: boolean; term: number }
  /** True: up to now no other server can have become the leader. */
  readonly holdsLease: () => boolean
  /** Logs a command; `answer` comes when it was applied here, or will perhaps never be. */
  readonly submit: (command: KvCommand, answer: (error: RpcError | null) => void) => void
  /** monotonic ms */
  readonly nowMs: () => number
  readonly clock?: Partial<LeaseClockOptions>
  readonly rules?: Pick<KvRules, 'isClaimRepeated'>
}

/**
 * Keeps the time of leases on every server, of which only the leader's counts (delos, 3.7 and 3.8): a leader claims its epoch in the log,
 * begins a clock at that place, and lets leases end by it. Without time or network of its own.
 */
export interface LeaseKeeper {
  /** Call it at every change of role and about ten times a second. */
  look(): void
  /** Call it after each applied batch. */
  applied(changes: KvChanges | null): void
  /** Renews a lease. TTL in seconds; 0: it is gone; null: it is not for this server to say, now. */
  keepAlive(id: bigint, answer: (ttlS: number | null) => void): void
  /** whole seconds left; null: gone, or no clock here */
  remainingS(id: bigint): number | null
  /** whether this server keeps the time */
  readonly isKeeping: boolean
}

export function createLeaseKeeper(options: LeaseKeeperOptions): LeaseKeeper {
  const { store, role, submit, nowMs, rules = KV_RULES } = options
  let clock: LeaseClock | null = null
  /** term in which the epoch was claimed, or is being; -1: it has to be */
  let claimed = -1

  /** A new leader says so in the log; the place of that is its epoch, and its clock begins there. */
  const claim = (): void => {
    const { isLeader, term } = role()
    // A claim that was on its way when its server lost the lead may be applied after ours: then that epoch leads nowhere, and we claim again.
    const isOvertaken = rules.isClaimRepeated && clock !== null && clock.epoch !== store.epoch
    if (!isLeader || isOvertaken || term !== claimed) {
      clock = null
      claimed = -1
    }
    if (!isLeader || claimed === term) return
    claimed = term
    submit({ kind: 'leaderClaimed', serverId: options.serverId }, (error) => {
      const now = role()
      // Only the claim that is made now: an earlier one may be answered late.
      if (claimed !== term) return
      if (error !== null) claimed = -1
      else if (now.isLeader && now.term === term) clock = createLeaseClock(store, nowMs(), options.clock)
    })
  }

  /** What fails is asked for again by the clock itself; a stale epoch is seen by the next `claim`. */
  const submitOfClock = (command: KvCommand): void => submit(command, () => undefined)

  return {
    look: () => {
      claim()
      if (clock === null) return
      const ids = clock.takeExpired(nowMs())
      if (ids.length > 0) submitOfClock({ kind: 'leasesExpired', ids, epoch: clock.epoch })
      const checkpoints = clock.takeCheckpoints(nowMs())
      if (checkpoints.length > 0) submitOfClock({ kind: 'leaseCheckpoint', checkpoints, epoch: clock.epoch })
    },
    applied: (changes) => {
      if (clock === null || changes === null) return
      for (const [id, row] of changes.leases) {
        if (row === null) clock.gone(id)
        else clock.granted(id, nowMs())
      }
    },
    keepAlive: (id, answer) => {
      const mine = clock
      if (mine === null) return answer(null)
      // First renewed, then looked at: a server that slept while another began to lead renews a lease which that one lets end.
      const renew = (): void => {
        const ttlS = mine.keepAlive(id, nowMs())
        answer(clock === mine && mine.epoch === store.epoch && options.holdsLease() ? ttlS : null)
      }
      if (!mine.mustLogFirst(id)) return renew()
      // A remainder that was logged has to go first: the next leader would take the lease for nearly over.
      submit({ kind: 'leaseCheckpoint', checkpoints: [{ id, remainingS: 0 }], epoch: mine.epoch }, (error) =>
        error === null ? renew() : answer(null),
      )
    },
    remainingS: (id) => clock?.remainingS(id, nowMs()) ?? null,
    get isKeeping() {
      return clock !== null
    },
  }
}
