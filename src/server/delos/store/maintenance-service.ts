import { isRpcError } from '../../../core/delos/kv/errors.ts'
import { ALARM_ACTION } from '../../../core/delos/wire/messages.ts'
import type * as m from '../../../core/delos/wire/messages.ts'
import type { Call, EtcdService, Reply, RpcError } from '../../../core/delos/wire/service.ts'
import type { Identify } from './identity.ts'
import { type HeaderSource, sealHeader } from './kv-service.ts'
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
  moveLeader: (to: bigint) => RpcError | null
}

/** Said in words, as whoever asks for these is a person, who would have to guess what an unknown method means. */
const NO_MEMBER_CHANGE: RpcError = { code: 12, text: 'muster: the members of a running cluster cannot be changed' }
const NO_SNAPSHOT: RpcError = {
  code: 12,
  text: "muster: snapshots in etcd's file format are not made; `etcdctl make-mirror` copies the keys to another cluster",
}

/** What we say we are: three plain numbers, since clients parse them. */
export const ETCD_VERSION = '3.5.0'

export function maintenanceService({
  replica,
  materialiser,
  identify,
  headers,
  members,
  moveLeader,
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
    'Maintenance/HashKV': (request, _raw, call, reply) => administer(call, reply, () => store.hashKv(request.revision)),
    'Maintenance/MoveLeader': ({ targetID }, _raw, call, reply) =>
      administer(call, reply, () => moveLeader(targetID) ?? { header: header() }),
    'Maintenance/Snapshot': (_call, sink) => ({ message: () => sink.end(NO_SNAPSHOT), halfClosed: () => {}, cancelled: () => {} }),
    'Cluster/MemberAdd': (_request, _raw, _call, reply) => reply(NO_MEMBER_CHANGE, null),
    'Cluster/MemberRemove': (_request, _raw, _call, reply) => reply(NO_MEMBER_CHANGE, null),
    'Cluster/MemberUpdate': (_request, _raw, _call, reply) => reply(NO_MEMBER_CHANGE, null),
    'Cluster/MemberPromote': (_request, _raw, _call, reply) => reply(NO_MEMBER_CHANGE, null),
    'Cluster/MemberList': (_request, _raw, _call, reply) => reply(null, sealHeader({ header: header(), members: members() }, headers)),
  }
}
