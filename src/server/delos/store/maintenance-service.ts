import { isRpcError } from '../../../core/delos/kv/errors.ts'
import { ALARM_ACTION } from '../../../core/delos/wire/messages.ts'
import type * as m from '../../../core/delos/wire/messages.ts'
import type { Call, EtcdService, Reply, RpcError, Sink } from '../../../core/delos/wire/service.ts'
import type { Identify } from './identity.ts'
import { type HeaderSource, sealHeader } from './kv-service.ts'
import type { LongReads } from './long-reads.ts'
import type { Materialiser } from './materialiser.ts'
import type { Replica } from './replica.ts'

type MaintenanceService = Pick<
  EtcdService,
  | 'Maintenance/Alarm'
  | 'Maintenance/Status'
  | 'Maintenance/Defragment'
  | 'Maintenance/Hash'
  | 'Maintenance/HashKV'
  | 'Maintenance/MoveLeader'
  | 'Maintenance/Snapshot'
  | Extract<keyof EtcdService, `Cluster/${string}`>
>

export interface MaintenanceOptions {
  replica: Replica
  materialiser: Materialiser
  identify: Identify
  headers: HeaderSource
  members: () => m.Member[]
  changes: MemberChanges
  moveLeader: (to: bigint) => RpcError | null
  /** Sends the store until `isOver`, then ends the stream. */
  snapshot: (sink: Sink<m.SnapshotResponse>, isOver: () => boolean) => Promise<void>
  longReads: LongReads
}

/** What etcd's calls ask of the members; null: done. */
export interface MemberChanges {
  add(peerUrls: readonly string[], role: 'learner' | 'pending'): Promise<RpcError | bigint>
  remove(id: bigint): Promise<RpcError | null>
  update(id: bigint, peerUrls: readonly string[]): Promise<RpcError | null>
  promote(ids: readonly bigint[]): Promise<RpcError | null>
}

/** What we say we are: three plain numbers, since clients parse them. */
export const ETCD_VERSION = '3.5.0'

export function maintenanceService({
  replica,
  materialiser,
  identify,
  headers,
  members,
  changes,
  moveLeader,
  snapshot,
  longReads,
}: MaintenanceOptions): MaintenanceService {
  const { store, log } = replica
  const header = (): m.ResponseHeader => ({ cluster_id: 0n, member_id: 0n, revision: store.revision, raft_term: 0 })

  const administer = <Response extends { header: m.ResponseHeader }>(
    call: Call,
    reply: Reply<Response>,
    answer: () => Response | RpcError,
  ): void => {
    const who = identify(call)
    const refusal = isRpcError(who) ? who : store.mayAdminister(who)
    if (refusal !== null) return reply(refusal, null)
    const given = answer()
    if (isRpcError(given)) reply(given, null)
    else reply(null, sealHeader(given, headers))
  }

  /** A change of the members, by root when users are on; it takes as long as the log needs to go on with the new ones. */
  const changing = <Response extends { header: m.ResponseHeader }>(
    call: Call,
    reply: Reply<Response>,
    change: () => Promise<RpcError | bigint | null>,
    answer: (id: bigint | null) => Response,
  ): void => {
    const who = identify(call)
    const refusal = isRpcError(who) ? who : store.mayAdminister(who)
    if (refusal !== null) return reply(refusal, null)
    change().then(
      (given) => {
        if (given !== null && typeof given !== 'bigint') reply(given, null)
        else reply(null, sealHeader(answer(given), headers))
      },
      (error: unknown) => reply({ code: 14, text: error instanceof Error ? error.message : String(error) }, null),
    )
  }
  const changed = (): { header: m.ResponseHeader; members: m.Member[] } => ({ header: header(), members: members() })

  return {
    'Maintenance/Alarm': ({ action, memberID, alarm }, _raw, call, reply) => {
      // As in etcd anybody may ask: clients take a server whose alarms they cannot read for an ill one.
      if (action === ALARM_ACTION.get) return reply(null, sealHeader({ header: header(), alarms: store.alarms(alarm) }, headers))
      const who = identify(call)
      const refusal = isRpcError(who) ? who : store.mayAdminister(who)
      if (refusal !== null) return reply(refusal, null)
      const command = {
        kind: 'alarm',
        action: action === ALARM_ACTION.activate ? 'raise' : 'clear',
        memberId: memberID,
        type: alarm,
        who: who as Exclude<typeof who, RpcError>,
      } as const
      replica.submit(command, null, (error, response) => {
        if (error !== null) reply(error, null)
        else reply(null, sealHeader(response as m.AlarmResponse, headers))
      })
    },
    // As in etcd anybody may ask a server how it is.
    'Maintenance/Status': (_request, _raw, _call, reply) => {
      const role = log.role()
      const size = materialiser.size()
      reply(
        null,
        sealHeader(
          {
            header: header(),
            version: ETCD_VERSION,
            dbSize: Math.max(size.bytes, store.sizeBytes),
            leader: role.leader ?? 0n,
            raftIndex: log.tail() - 1,
            raftTerm: role.term,
            raftAppliedIndex: replica.applied,
            errors: role.leader === null ? ['etcdserver: no leader'] : [],
            dbSizeInUse: store.sizeBytes,
            isLearner: false,
          },
          headers,
        ),
      )
    },
    // Space comes back by itself, in small steps; there is nothing to stop for.
    'Maintenance/Defragment': (_request, _raw, call, reply) => administer(call, reply, () => ({ header: header() })),
    'Maintenance/Hash': (_request, _raw, call, reply) => administer(call, reply, () => store.hash()),
    'Maintenance/HashKV': ({ revision }, _raw, call, reply) => {
      const who = identify(call)
      const reading = isRpcError(who) ? who : (store.mayAdminister(who) ?? store.openHashKv(revision))
      if (isRpcError(reading)) return reply(reading, null)
      let isWanted = true
      call.onCancel(() => {
        isWanted = false
      })
      longReads.read(reading, { isWanted: () => isWanted, room: () => null }, (answer) => {
        if (isRpcError(answer)) reply(answer, null)
        else reply(null, sealHeader(answer, headers))
      })
    },
    'Maintenance/MoveLeader': ({ targetID }, _raw, call, reply) =>
      administer(call, reply, () => moveLeader(targetID) ?? { header: header() }),
    'Maintenance/Snapshot': (call, sink) => {
      let isOver = false
      return {
        message: () => {
          const who = identify(call)
          const refusal = isRpcError(who) ? who : store.mayAdminister(who)
          if (refusal !== null) return sink.end(refusal)
          void snapshot(sink, () => isOver)
        },
        halfClosed: () => {},
        cancelled: () => {
          isOver = true
        },
      }
    },
    'Cluster/MemberAdd': ({ peerURLs, isLearner }, _raw, call, reply) =>
      changing(
        call,
        reply,
        () => changes.add(peerURLs, isLearner ? 'learner' : 'pending'),
        (id) => ({ ...changed(), member: members().find(({ ID }) => ID === id) ?? null }),
      ),
    'Cluster/MemberRemove': ({ ID }, _raw, call, reply) => changing(call, reply, () => changes.remove(ID), changed),
    'Cluster/MemberUpdate': ({ ID, peerURLs }, _raw, call, reply) => changing(call, reply, () => changes.update(ID, peerURLs), changed),
    'Cluster/MemberPromote': ({ ID }, _raw, call, reply) => changing(call, reply, () => changes.promote([ID]), changed),
    'Cluster/MemberList': (_request, _raw, _call, reply) => reply(null, sealHeader({ header: header(), members: members() }, headers)),
  }
}
