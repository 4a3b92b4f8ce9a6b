import { randomBytes } from 'node:crypto'
import { createLeaseKeeper } from '../../../core/delos/engines/lease-keeper.ts'
import { NOBODY } from '../../../core/delos/kv/command.ts'
import { isRpcError } from '../../../core/delos/kv/errors.ts'
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

/** @param isLazy claim only once there is a lease to keep the time of, so that a store that nobody uses writes nothing */
export function leaseService(replica: Replica, identify: Identify, headers: HeaderSource, leader: LeaderLink, isLazy = false): Leases {
  const { store, log } = replica
  const header = (): m.ResponseHeader => ({ cluster_id: 0n, member_id: 0n, revision: store.revision, raft_term: 0 })

  // ------------------------------------------------------------------------------------------- the leader's clock

  const keeper = createLeaseKeeper({
    store,
    serverId: headers.memberId.toString(16),
    role: () => log.role(),
    holdsLease: () => log.holdsReadLease(),
    submit: (command, answer) => replica.submit(command, null, answer),
    nowMs: () => performance.now(),
  })
  const look = (): void => {
    if (!isLazy || keeper.isKeeping || store.leases()[Symbol.iterator]().next().done !== true) keeper.look()
  }
  const stopRole = replica.onRole(look)
  look()
  const timer = setInterval(look, LOOK_MS)
  timer.unref()
  // Also leases that another server granted: this one may be the leader.
  const stopApplied = replica.onApplied((_position, changes) => keeper.applied(changes))

  /** TTL in seconds, 0: gone; null: this server keeps no time. */
  const keepAliveHere = (id: bigint): Promise<number | null> => new Promise((resolve) => keeper.keepAlive(id, resolve))
  leader.answer(KEEP_ALIVE, async ({ id }: { id: string }) => ({ ttlS: await keepAliveHere(BigInt(id)) }))
  leader.answer(REMAINING, ({ id }: { id: string }) => ({
    remainingS: keeper.remainingS(BigInt(id)),
    isKnown: keeper.isKeeping,
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
    // In one batch with the first lease: who has it can renew it at once.
    keeper.look()
    replica.submit(command, null, (error, response) => {
      if (error !== null) return reply(error, null)
      reply(null, sealHeader(response as m.LeaseGrantResponse, headers))
    })
  }

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
        if (keeper.isKeeping) return answer(keeper.remainingS(request.ID))
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
