import { randomBytes } from 'node:crypto'
import { NOBODY } from '../../../core/delos/kv/command.ts'
import { isRpcError, KV_ERRORS } from '../../../core/delos/kv/errors.ts'
import { createLeaseClock, type LeaseClock } from '../../../core/delos/kv/lease-clock.ts'
import type * as m from '../../../core/delos/wire/messages.ts'
import type { Call, EtcdService, Reply, RpcError } from '../../../core/delos/wire/service.ts'
import type { Identify } from './identity.ts'
import { type HeaderSource, sealHeader } from './kv-service.ts'
import type { Replica } from './replica.ts'

type LeaseService = Pick<EtcdService, Extract<keyof EtcdService, `Lease/${string}`>>

export interface Leases {
  service: LeaseService
  /** A new lease of the server's own choosing, for callers of locks that bring none. */
  grant: (ttlS: number) => Promise<bigint>
  count: () => number
  stop: () => void
}

/** How to ask the leader, who alone knows when leases end. Bodies are JSON; ids of leases in decimal. */
export interface LeaderLink {
  ask<T>(what: string, body: unknown): Promise<T>
  answer(what: string, reply: (body: never) => unknown): void
}

const LOOK_MS = 100
const KEEP_ALIVE = 'lease.keepAlive'
const REMAINING = 'lease.remaining'
const UNAVAILABLE: RpcError = { code: 14, text: 'etcdserver: no leader' }
const monotonic = (): number => performance.now()

export function leaseService(replica: Replica, identify: Identify, headers: HeaderSource, leader: LeaderLink): Leases {
  const { store, log } = replica
  let clock: LeaseClock | null = null
  const header = (): m.ResponseHeader => ({ cluster_id: 0n, member_id: 0n, revision: store.revision, raft_term: 0 })

  // ------------------------------------------------------------------------------------------- the leader's clock

  let claimed = -1
  /** A new leader says so in the log; the place of that is its epoch, and its clock begins there. */
  const claim = (): void => {
    const { isLeader, term } = log.role()
    if (!isLeader) {
      clock = null
      claimed = -1
      return
    }
    if (claimed === term) return
    claimed = term
    replica.submit({ kind: 'leaderClaimed', serverId: headers.memberId.toString(16) }, null, (error) => {
      if (error !== null) claimed = -1
      else if (log.role().isLeader && log.role().term === term) clock = createLeaseClock(store, monotonic())
    })
  }
  const stopRole = replica.onRole(claim)
  claim()
  const timer = setInterval(() => {
    claim()
    if (clock === null) return
    const expired = clock.takeExpired(monotonic())
    if (expired.length > 0) submitOfClock({ kind: 'leasesExpired', ids: expired, epoch: clock.epoch })
    const checkpoints = clock.takeCheckpoints(monotonic())
    if (checkpoints.length > 0) submitOfClock({ kind: 'leaseCheckpoint', checkpoints, epoch: clock.epoch })
  }, LOOK_MS)
  timer.unref()

  /** What fails is asked for again by the clock itself. */
  const submitOfClock = (command: Parameters<Replica['submit']>[0]): void =>
    replica.submit(command, null, (error) => {
      if (error === KV_ERRORS.staleEpoch) clock = null
    })

  /** TTL in seconds, 0: gone; null: this server keeps no time. */
  const keepAliveHere = async (id: bigint): Promise<number | null> => {
    const mine = clock
    if (mine === null) return null
    // A remainder that was logged has to go first: the next leader would take the lease for nearly over.
    if (mine.mustLogFirst(id)) {
      const command = { kind: 'leaseCheckpoint', checkpoints: [{ id, remainingS: 0 }], epoch: mine.epoch } as const
      const error = await new Promise<RpcError | null>((resolve) => replica.submit(command, null, resolve))
      if (error !== null) return null
    }
    return mine.keepAlive(id, monotonic())
  }
  leader.answer(KEEP_ALIVE, async ({ id }: { id: string }) => ({ ttlS: await keepAliveHere(BigInt(id)) }))
  leader.answer(REMAINING, ({ id }: { id: string }) => ({
    remainingS: clock?.remainingS(BigInt(id), monotonic()) ?? null,
    isKnown: clock !== null,
  }))

  /** TTL in seconds, 0: gone. Rejects while nobody keeps the time. */
  const keepAlive = async (id: bigint): Promise<number> => {
    const here = await keepAliveHere(id)
    if (here !== null) return here
    const { ttlS } = await leader.ask<{ ttlS: number | null }>(KEEP_ALIVE, { id: id.toString() })
    if (ttlS === null) throw new Error('the leader has just begun')
    return ttlS
  }

  // ----------------------------------------------------------------------------------------------------- calls

  const grant = (call: Call | null, request: m.LeaseGrantRequest, reply: Reply<m.LeaseGrantResponse>): void => {
    const who = call === null ? NOBODY : identify(call)
    if (isRpcError(who)) return reply(who, null)
    // Positive, as some clients read it as a signed number.
    const id = request.ID === 0n ? randomBytes(8).readBigUInt64BE() >> 1n || 1n : request.ID
    const command = { kind: 'leaseGrant', id, ttlS: request.TTL, who } as const
    const refusal = store.check(command)
    if (refusal !== null) return reply(refusal, null)
    replica.submit(command, null, (error, response) => {
      if (error !== null) return reply(error, null)
      reply(null, sealHeader(response as m.LeaseGrantResponse, headers))
    })
  }

  // Also leases that another server granted: this one may be the leader.
  const stopApplied = replica.onApplied((_position, changes) => {
    if (clock === null || changes === null) return
    for (const [id, row] of changes.leases) {
      if (row === null) clock.gone(id)
      else clock.granted(id, monotonic())
    }
  })

  return {
    grant: (ttlS) =>
      new Promise((resolve, reject) =>
        grant(null, { TTL: ttlS, ID: 0n }, (error, response) => {
          if (error !== null) reject(new Error(error.text))
          else resolve((response as m.LeaseGrantResponse).ID)
        }),
      ),
    count: () => [...store.leases()].length,
    stop: () => {
      clearInterval(timer)
      stopRole()
      stopApplied()
    },
    service: {
      'Lease/LeaseGrant': (request, _raw, call, reply) => grant(call, request, reply),
      'Lease/LeaseRevoke': ({ ID }, _raw, call, reply) => {
        const who = identify(call)
        if (isRpcError(who)) return reply(who, null)
        replica.submit({ kind: 'leaseRevoke', id: ID, who }, null, (error, response) => {
          if (error !== null) reply(error, null)
          else reply(null, sealHeader(response as m.LeaseRevokeResponse, headers))
        })
      },
      'Lease/LeaseKeepAlive': (_call, sink) => {
        let pending = 0
        let isOver = false
        let isLast = false
        const end = (error?: RpcError): void => {
          if (!isOver) sink.end(error)
          isOver = true
        }
        return {
          message: ({ ID }) => {
            pending += 1
            keepAlive(ID).then(
              (TTL) => {
                pending -= 1
                if (!isOver) sink.send(sealHeader({ header: header(), ID, TTL }, headers))
                if (isLast && pending === 0) end()
              },
              () => end(UNAVAILABLE),
            )
          },
          halfClosed: () => {
            isLast = true
            if (pending === 0) end()
          },
          cancelled: () => {
            isOver = true
          },
        }
      },
      'Lease/LeaseTimeToLive': (request, _raw, call, reply) => {
        const who = identify(call)
        if (isRpcError(who)) return reply(who, null)
        const answer = (remainingS: number | null): void => {
          const given = store.leaseTimeToLive(request, remainingS, who)
          if (isRpcError(given)) reply(given, null)
          else reply(null, sealHeader(given, headers))
        }
        if (clock !== null) return answer(clock.remainingS(request.ID, monotonic()))
        leader.ask<{ remainingS: number | null }>(REMAINING, { id: request.ID.toString() }).then(
          ({ remainingS }) => answer(remainingS),
          () => reply(UNAVAILABLE, null),
        )
      },
      'Lease/LeaseLeases': (_request, _raw, call, reply) => {
        const who = identify(call)
        if (isRpcError(who)) return reply(who, null)
        reply(null, sealHeader(store.leaseLeases(), headers))
      },
    },
  }
}
