import { codecOf, type Codec } from '../../kernel/protobuf/codec.ts'
import type { Schema } from '../../kernel/protobuf/schema.ts'
import * as auth from './protobuf/schemas/auth.ts'
import * as cluster from './protobuf/schemas/cluster.ts'
import * as concurrency from './protobuf/schemas/concurrency.ts'
import * as kv from './protobuf/schemas/kv.ts'
import * as lease from './protobuf/schemas/lease.ts'
import * as maintenance from './protobuf/schemas/maintenance.ts'
import * as watch from './protobuf/schemas/watch.ts'
import './protobuf/hot.ts'
import type { EtcdService, Streaming, Unary } from './service.ts'

/** How one call crosses the wire. */
export interface Method<Request, Response> {
  readonly kind: 'unary' | 'streaming'
  /** `:path` of a gRPC call */
  readonly path: string
  readonly request: Codec<Request>
  readonly response: Codec<Response>
  /** paths of the JSON gateway, below `/v3` and `/v3beta` */
  readonly routes: readonly string[]
}

type MethodOf<Handler> =
  Handler extends Unary<infer Request, infer Response>
    ? Method<Request, Response> & { readonly kind: 'unary' }
    : Handler extends Streaming<infer Request, infer Response>
      ? Method<Request, Response> & { readonly kind: 'streaming' }
      : never

export type Methods = { readonly [Name in keyof EtcdService]: MethodOf<EtcdService[Name]> }

const unary = <Request, Response>(path: string, request: Schema<Request>, response: Schema<Response>, ...routes: string[]) => ({
  kind: 'unary' as const,
  path,
  request: codecOf(request),
  response: codecOf(response),
  routes,
})

const streaming = <Request, Response>(path: string, request: Schema<Request>, response: Schema<Response>, ...routes: string[]) => ({
  ...unary(path, request, response, ...routes),
  kind: 'streaming' as const,
})

/**
 * Every call of etcd 3.5's API: `rpc.proto`, `v3lock.proto` and `v3election.proto`, with their `google.api.http` options; and `RangeStream`
 * of etcd 3.7, which there has no path in the gateway.
 */
// prettier-ignore
export const METHODS: Methods = {
  'KV/Range': unary('/etcdserverpb.KV/Range', kv.RANGE_REQUEST, kv.RANGE_RESPONSE, '/kv/range'),
  'KV/RangeStream': streaming('/etcdserverpb.KV/RangeStream', kv.RANGE_REQUEST, kv.RANGE_STREAM_RESPONSE, '/kv/rangestream'),
  'KV/Put': unary('/etcdserverpb.KV/Put', kv.PUT_REQUEST, kv.PUT_RESPONSE, '/kv/put'),
  'KV/DeleteRange': unary('/etcdserverpb.KV/DeleteRange', kv.DELETE_RANGE_REQUEST, kv.DELETE_RANGE_RESPONSE, '/kv/deleterange'),
  'KV/Txn': unary('/etcdserverpb.KV/Txn', kv.TXN_REQUEST, kv.TXN_RESPONSE, '/kv/txn'),
  'KV/Compact': unary('/etcdserverpb.KV/Compact', kv.COMPACTION_REQUEST, kv.COMPACTION_RESPONSE, '/kv/compaction'),
  'Watch/Watch': streaming('/etcdserverpb.Watch/Watch', watch.WATCH_REQUEST, watch.WATCH_RESPONSE, '/watch'),
  'Lease/LeaseGrant': unary('/etcdserverpb.Lease/LeaseGrant', lease.LEASE_GRANT_REQUEST, lease.LEASE_GRANT_RESPONSE, '/lease/grant'),
  'Lease/LeaseRevoke': unary('/etcdserverpb.Lease/LeaseRevoke', lease.LEASE_REVOKE_REQUEST, lease.LEASE_REVOKE_RESPONSE, '/lease/revoke', '/kv/lease/revoke'),
  'Lease/LeaseKeepAlive': streaming('/etcdserverpb.Lease/LeaseKeepAlive', lease.LEASE_KEEP_ALIVE_REQUEST, lease.LEASE_KEEP_ALIVE_RESPONSE, '/lease/keepalive'),
  'Lease/LeaseTimeToLive': unary('/etcdserverpb.Lease/LeaseTimeToLive', lease.LEASE_TIME_TO_LIVE_REQUEST, lease.LEASE_TIME_TO_LIVE_RESPONSE, '/lease/timetolive', '/kv/lease/timetolive'),
  'Lease/LeaseLeases': unary('/etcdserverpb.Lease/LeaseLeases', lease.LEASE_LEASES_REQUEST, lease.LEASE_LEASES_RESPONSE, '/lease/leases', '/kv/lease/leases'),
  'Cluster/MemberAdd': unary('/etcdserverpb.Cluster/MemberAdd', cluster.MEMBER_ADD_REQUEST, cluster.MEMBER_ADD_RESPONSE, '/cluster/member/add'),
  'Cluster/MemberRemove': unary('/etcdserverpb.Cluster/MemberRemove', cluster.MEMBER_REMOVE_REQUEST, cluster.MEMBER_REMOVE_RESPONSE, '/cluster/member/remove'),
  'Cluster/MemberUpdate': unary('/etcdserverpb.Cluster/MemberUpdate', cluster.MEMBER_UPDATE_REQUEST, cluster.MEMBER_UPDATE_RESPONSE, '/cluster/member/update'),
  'Cluster/MemberList': unary('/etcdserverpb.Cluster/MemberList', cluster.MEMBER_LIST_REQUEST, cluster.MEMBER_LIST_RESPONSE, '/cluster/member/list'),
  'Cluster/MemberPromote': unary('/etcdserverpb.Cluster/MemberPromote', cluster.MEMBER_PROMOTE_REQUEST, cluster.MEMBER_PROMOTE_RESPONSE, '/cluster/member/promote'),
  'Maintenance/Alarm': unary('/etcdserverpb.Maintenance/Alarm', maintenance.ALARM_REQUEST, maintenance.ALARM_RESPONSE, '/maintenance/alarm'),
  'Maintenance/Status': unary('/etcdserverpb.Maintenance/Status', maintenance.STATUS_REQUEST, maintenance.STATUS_RESPONSE, '/maintenance/status'),
  'Maintenance/Defragment': unary('/etcdserverpb.Maintenance/Defragment', maintenance.DEFRAGMENT_REQUEST, maintenance.DEFRAGMENT_RESPONSE, '/maintenance/defragment'),
  'Maintenance/Hash': unary('/etcdserverpb.Maintenance/Hash', maintenance.HASH_REQUEST, maintenance.HASH_RESPONSE, '/maintenance/hash'),
  // etcd before 3.6 bound this one to `hash` too, where it could never be reached.
  'Maintenance/HashKV': unary('/etcdserverpb.Maintenance/HashKV', maintenance.HASH_KV_REQUEST, maintenance.HASH_KV_RESPONSE, '/maintenance/hashkv'),
  'Maintenance/Snapshot': streaming('/etcdserverpb.Maintenance/Snapshot', maintenance.SNAPSHOT_REQUEST, maintenance.SNAPSHOT_RESPONSE, '/maintenance/snapshot'),
  'Maintenance/MoveLeader': unary('/etcdserverpb.Maintenance/MoveLeader', maintenance.MOVE_LEADER_REQUEST, maintenance.MOVE_LEADER_RESPONSE, '/maintenance/transfer-leadership'),
  'Maintenance/Downgrade': unary('/etcdserverpb.Maintenance/Downgrade', maintenance.DOWNGRADE_REQUEST, maintenance.DOWNGRADE_RESPONSE, '/maintenance/downgrade'),
  'Auth/AuthEnable': unary('/etcdserverpb.Auth/AuthEnable', auth.AUTH_ENABLE_REQUEST, auth.AUTH_ENABLE_RESPONSE, '/auth/enable'),
  'Auth/AuthDisable': unary('/etcdserverpb.Auth/AuthDisable', auth.AUTH_DISABLE_REQUEST, auth.AUTH_DISABLE_RESPONSE, '/auth/disable'),
  'Auth/AuthStatus': unary('/etcdserverpb.Auth/AuthStatus', auth.AUTH_STATUS_REQUEST, auth.AUTH_STATUS_RESPONSE, '/auth/status'),
  'Auth/Authenticate': unary('/etcdserverpb.Auth/Authenticate', auth.AUTHENTICATE_REQUEST, auth.AUTHENTICATE_RESPONSE, '/auth/authenticate'),
  'Auth/UserAdd': unary('/etcdserverpb.Auth/UserAdd', auth.AUTH_USER_ADD_REQUEST, auth.AUTH_USER_ADD_RESPONSE, '/auth/user/add'),
  'Auth/UserGet': unary('/etcdserverpb.Auth/UserGet', auth.AUTH_USER_GET_REQUEST, auth.AUTH_USER_GET_RESPONSE, '/auth/user/get'),
  'Auth/UserList': unary('/etcdserverpb.Auth/UserList', auth.AUTH_USER_LIST_REQUEST, auth.AUTH_USER_LIST_RESPONSE, '/auth/user/list'),
  'Auth/UserDelete': unary('/etcdserverpb.Auth/UserDelete', auth.AUTH_USER_DELETE_REQUEST, auth.AUTH_USER_DELETE_RESPONSE, '/auth/user/delete'),
  'Auth/UserChangePassword': unary('/etcdserverpb.Auth/UserChangePassword', auth.AUTH_USER_CHANGE_PASSWORD_REQUEST, auth.AUTH_USER_CHANGE_PASSWORD_RESPONSE, '/auth/user/changepw'),
  'Auth/UserGrantRole': unary('/etcdserverpb.Auth/UserGrantRole', auth.AUTH_USER_GRANT_ROLE_REQUEST, auth.AUTH_USER_GRANT_ROLE_RESPONSE, '/auth/user/grant'),
  'Auth/UserRevokeRole': unary('/etcdserverpb.Auth/UserRevokeRole', auth.AUTH_USER_REVOKE_ROLE_REQUEST, auth.AUTH_USER_REVOKE_ROLE_RESPONSE, '/auth/user/revoke'),
  'Auth/RoleAdd': unary('/etcdserverpb.Auth/RoleAdd', auth.AUTH_ROLE_ADD_REQUEST, auth.AUTH_ROLE_ADD_RESPONSE, '/auth/role/add'),
  'Auth/RoleGet': unary('/etcdserverpb.Auth/RoleGet', auth.AUTH_ROLE_GET_REQUEST, auth.AUTH_ROLE_GET_RESPONSE, '/auth/role/get'),
  'Auth/RoleList': unary('/etcdserverpb.Auth/RoleList', auth.AUTH_ROLE_LIST_REQUEST, auth.AUTH_ROLE_LIST_RESPONSE, '/auth/role/list'),
  'Auth/RoleDelete': unary('/etcdserverpb.Auth/RoleDelete', auth.AUTH_ROLE_DELETE_REQUEST, auth.AUTH_ROLE_DELETE_RESPONSE, '/auth/role/delete'),
  'Auth/RoleGrantPermission': unary('/etcdserverpb.Auth/RoleGrantPermission', auth.AUTH_ROLE_GRANT_PERMISSION_REQUEST, auth.AUTH_ROLE_GRANT_PERMISSION_RESPONSE, '/auth/role/grant'),
  'Auth/RoleRevokePermission': unary('/etcdserverpb.Auth/RoleRevokePermission', auth.AUTH_ROLE_REVOKE_PERMISSION_REQUEST, auth.AUTH_ROLE_REVOKE_PERMISSION_RESPONSE, '/auth/role/revoke'),
  'Lock/Lock': unary('/v3lockpb.Lock/Lock', concurrency.LOCK_REQUEST, concurrency.LOCK_RESPONSE, '/lock/lock'),
  'Lock/Unlock': unary('/v3lockpb.Lock/Unlock', concurrency.UNLOCK_REQUEST, concurrency.UNLOCK_RESPONSE, '/lock/unlock'),
  'Election/Campaign': unary('/v3electionpb.Election/Campaign', concurrency.CAMPAIGN_REQUEST, concurrency.CAMPAIGN_RESPONSE, '/election/campaign'),
  'Election/Proclaim': unary('/v3electionpb.Election/Proclaim', concurrency.PROCLAIM_REQUEST, concurrency.PROCLAIM_RESPONSE, '/election/proclaim'),
  'Election/Leader': unary('/v3electionpb.Election/Leader', concurrency.LEADER_REQUEST, concurrency.LEADER_RESPONSE, '/election/leader'),
  'Election/Observe': streaming('/v3electionpb.Election/Observe', concurrency.LEADER_REQUEST, concurrency.LEADER_RESPONSE, '/election/observe'),
  'Election/Resign': unary('/v3electionpb.Election/Resign', concurrency.RESIGN_REQUEST, concurrency.RESIGN_RESPONSE, '/election/resign'),
}
