import { campaign, leaderRequest, NOTHING_OBSERVED, observe, proclaim, resign } from '../../../core/delos/recipes/etcd/election.ts'
import { lock } from '../../../core/delos/recipes/etcd/lock.ts'
import { leaveByKey, type QueueState, type Turn } from '../../../core/delos/recipes/etcd/queue.ts'
import { leaseName } from '../../../core/delos/recipes/etcd/request.ts'
import type { Recipe } from '../../../core/delos/recipes/etcd/step.ts'
import type * as m from '../../../core/delos/wire/messages.ts'
import type { Call, EtcdService, Reply, RpcError } from '../../../core/delos/wire/service.ts'
import { type HeaderSource, sealHeader } from './kv-service.ts'
import type { Replica } from './replica.ts'
import { CANCELLED, type Calls, RpcFailure } from './run-recipe.ts'

type ConcurrencyService = Pick<EtcdService, Extract<keyof EtcdService, `Lock/${string}` | `Election/${string}`>>

const NO_LEADER: RpcError = { code: 2, text: 'election: no leader' }
const NOT_LEADER: RpcError = { code: 2, text: 'election: not leader' }
const NO_LEADER_KEY: RpcError = { code: 3, text: '"leader" field must be provided' }
/** of a caller that brings no lease: as long as the session of etcd's own server */
const LEASE_S = 60

/** Locks and elections as etcd serves them: recipes on keys that etcd's clients use too, so all of them contend for the same. */
export function concurrencyService(
  replica: Replica,
  calls: Calls,
  headers: HeaderSource,
  grantLease: (ttlS: number) => Promise<bigint>,
): ConcurrencyService {
  const header = (): m.ResponseHeader => ({ cluster_id: 0n, member_id: 0n, revision: replica.store.revision, raft_term: 0 })

  const answer = <Response extends { header: m.ResponseHeader }>(work: Promise<Response>, reply: Reply<Response>): void => {
    work.then(
      (response) => reply(null, sealHeader(response, headers)),
      (error: unknown) => reply(error instanceof RpcFailure ? error.rpc : { code: 13, text: String(error) }, null),
    )
  }

  /** Waits for a turn; whoever cancels leaves the queue, so that nobody waits for it. */
  const waitForTurn = async (
    name: m.Key,
    given: bigint,
    call: Call,
    recipe: (lease: bigint) => Recipe<QueueState, Turn>,
  ): Promise<Turn> => {
    const lease = given === 0n ? await grantLease(LEASE_S) : given
    try {
      return await calls.run(recipe(lease), call)
    } catch (error) {
      if (error instanceof RpcFailure && error.rpc === CANCELLED)
        await calls.txn(leaveByKey(`${name}/${leaseName(lease)}`), call).catch(() => undefined)
      throw error
    }
  }

  const turnOf = (leader: m.LeaderKey | null): Turn => {
    if (leader === null) throw new RpcFailure(NO_LEADER_KEY)
    return { key: leader.key, token: leader.rev, lease: leader.lease }
  }

  return {
    'Lock/Lock': ({ name, lease }, _raw, call, reply) => {
      const turn = waitForTurn(name, lease, call, (by) => lock(name, by))
      answer(
        turn.then(({ key }) => ({ header: header(), key })),
        reply,
      )
    },
    'Lock/Unlock': ({ key }, _raw, call, reply) => {
      answer(
        calls.txn(leaveByKey(key), call).then((done) => ({ header: done.header })),
        reply,
      )
    },
    'Election/Campaign': ({ name, lease, value }, _raw, call, reply) => {
      const kept = value.slice()
      const turn = waitForTurn(name, lease, call, (by) => campaign(name, by, kept))
      answer(
        turn.then(({ key, token, lease: by }) => ({ header: header(), leader: { name, key, rev: token, lease: by } })),
        reply,
      )
    },
    'Election/Proclaim': ({ leader, value }, _raw, call, reply) => {
      const kept = value.slice()
      const work = async (): Promise<m.ProclaimResponse> => {
        const done = await calls.txn(proclaim(turnOf(leader), kept), call)
        if (!done.succeeded) throw new RpcFailure(NOT_LEADER)
        return { header: done.header }
      }
      answer(work(), reply)
    },
    'Election/Leader': ({ name }, _raw, call, reply) => {
      const work = async (): Promise<m.LeaderResponse> => {
        const found = await calls.range(leaderRequest(name), call)
        const [kv] = found.kvs
        if (kv === undefined) throw new RpcFailure(NO_LEADER)
        return { header: found.header, kv }
      }
      answer(work(), reply)
    },
    'Election/Observe': (call, sink) => {
      let name: m.Key | null = null
      let state = NOTHING_OBSERVED
      let isBusy = false
      let isDue = false
      let isOver = false
      const look = async (): Promise<void> => {
        if (name === null || isOver) return
        if (isBusy) {
          isDue = true
          return
        }
        isBusy = true
        isDue = false
        try {
          const found = await calls.range(leaderRequest(name), call)
          const seen = observe(name, state, found)
          state = seen.state
          if (seen.tell !== null && !isOver) sink.send(sealHeader({ header: found.header, kv: seen.tell }, headers))
        } catch (error) {
          isOver = true
          sink.end(error instanceof RpcFailure ? error.rpc : { code: 13, text: String(error) })
        }
        isBusy = false
        if (isDue) await look()
      }
      const stop = replica.onApplied((_position, changes) => {
        if (name !== null && changes?.versions.some(({ key }) => key.startsWith(`${name}/`))) void look()
      })
      return {
        message: (request) => {
          name ??= request.name
          void look()
        },
        halfClosed: () => {},
        cancelled: () => {
          isOver = true
          stop()
        },
      }
    },
    'Election/Resign': ({ leader }, _raw, call, reply) => {
      const work = async (): Promise<m.ResignResponse> => ({ header: (await calls.txn(resign(turnOf(leader)), call)).header })
      answer(work(), reply)
    },
  }
}
