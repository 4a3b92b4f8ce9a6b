import type * as m from './messages.ts'

/** A refusal in gRPC's words; `text` is etcd's own, since clients decide by it. */
export interface RpcError {
  /** gRPC status: 3 InvalidArgument, 5 NotFound, 9 FailedPrecondition, 11 OutOfRange, 14 Unavailable, 16 Unauthenticated … */
  code: number
  text: string
  /** more than etcd's clients are told, for people */
  why?: string
}

/** What is known of who calls, and how long they wait. */
export interface Call {
  /** `token` (or `authorization`) of the metadata; '' without */
  token: string
  /** common name of the client's verified certificate; '' without */
  commonName: string
  peer: string
  /** the caller wants an error rather than a wait while there is no leader (`hasleader: true`) */
  requiresLeader: boolean
  /** Runs when the caller cancels, its deadline passes or its connection ends before the answer. */
  onCancel(listener: () => void): void
}

/** Called once. Exactly one of the two is not null. */
export type Reply<Response> = (error: RpcError | null, response: Response | null) => void

/**
 * One call with one answer. Callbacks and not promises: a put crosses here a hundred thousand times a second.
 * @param raw the request as it came, in protobuf; valid during the call only
 */
export type Unary<Request, Response> = (request: Request, raw: Uint8Array, call: Call, reply: Reply<Response>) => void

/** Where a stream's answers go. */
export interface Sink<Response> {
  /** A message up to here is encoded without holding up everything else. Longer ones are sent too. */
  readonly messageBytes: number
  /** False: the reader is slow; send nothing more until `onReady`, or keep what is waiting within a bound of your own. */
  send(response: Response): boolean
  /** The same with a message that is encoded already, so that one encoding serves many streams. */
  sendEncoded(message: Uint8Array): boolean
  onReady(listener: () => void): void
  /** Without an error the stream ends with status OK. */
  end(error?: RpcError): void
}

/** What a stream does with what its caller sends. */
export interface Source<Request> {
  message(request: Request): void
  /** the caller has nothing more to say, but may go on listening */
  halfClosed(): void
  /** the caller or its connection is gone; nothing can be sent any more */
  cancelled(): void
}

export type Streaming<Request, Response> = (call: Call, sink: Sink<Response>) => Source<Request>

/** The services of one port, by `Service/Method` of etcd's packages. A method that is left out is answered 12 Unimplemented. */
export interface EtcdService {
  'KV/Range': Unary<m.RangeRequest, m.RangeResponse>
  'KV/RangeStream': Streaming<m.RangeRequest, m.RangeStreamResponse>
  'KV/Put': Unary<m.PutRequest, m.PutResponse>
  'KV/DeleteRange': Unary<m.DeleteRangeRequest, m.DeleteRangeResponse>
  'KV/Txn': Unary<m.TxnRequest, m.TxnResponse>
  'KV/Compact': Unary<m.CompactionRequest, m.CompactionResponse>
  'Watch/Watch': Streaming<m.WatchRequest, m.WatchResponse>
  'Lease/LeaseGrant': Unary<m.LeaseGrantRequest, m.LeaseGrantResponse>
  'Lease/LeaseRevoke': Unary<m.LeaseRevokeRequest, m.LeaseRevokeResponse>
  'Lease/LeaseKeepAlive': Streaming<m.LeaseKeepAliveRequest, m.LeaseKeepAliveResponse>
  'Lease/LeaseTimeToLive': Unary<m.LeaseTimeToLiveRequest, m.LeaseTimeToLiveResponse>
  'Lease/LeaseLeases': Unary<m.LeaseLeasesRequest, m.LeaseLeasesResponse>
  'Cluster/MemberAdd': Unary<m.MemberAddRequest, m.MemberAddResponse>
  'Cluster/MemberRemove': Unary<m.MemberRemoveRequest, m.MemberRemoveResponse>
  'Cluster/MemberUpdate': Unary<m.MemberUpdateRequest, m.MemberUpdateResponse>
  'Cluster/MemberList': Unary<m.MemberListRequest, m.MemberListResponse>
  'Cluster/MemberPromote': Unary<m.MemberPromoteRequest, m.MemberPromoteResponse>
  'Maintenance/Alarm': Unary<m.AlarmRequest, m.AlarmResponse>
  'Maintenance/Status': Unary<m.StatusRequest, m.StatusResponse>
  'Maintenance/Defragment': Unary<m.DefragmentRequest, m.DefragmentResponse>
  'Maintenance/Hash': Unary<m.HashRequest, m.HashResponse>
  'Maintenance/HashKV': Unary<m.HashKVRequest, m.HashKVResponse>
  'Maintenance/Snapshot': Streaming<m.SnapshotRequest, m.SnapshotResponse>
  'Maintenance/MoveLeader': Unary<m.MoveLeaderRequest, m.MoveLeaderResponse>
  'Maintenance/Downgrade': Unary<m.DowngradeRequest, m.DowngradeResponse>
  'Auth/AuthEnable': Unary<m.AuthEnableRequest, m.AuthEnableResponse>
  'Auth/AuthDisable': Unary<m.AuthDisableRequest, m.AuthDisableResponse>
  'Auth/AuthStatus': Unary<m.AuthStatusRequest, m.AuthStatusResponse>
  'Auth/Authenticate': Unary<m.AuthenticateRequest, m.AuthenticateResponse>
  'Auth/UserAdd': Unary<m.AuthUserAddRequest, m.AuthUserAddResponse>
  'Auth/UserGet': Unary<m.AuthUserGetRequest, m.AuthUserGetResponse>
  'Auth/UserList': Unary<m.AuthUserListRequest, m.AuthUserListResponse>
  'Auth/UserDelete': Unary<m.AuthUserDeleteRequest, m.AuthUserDeleteResponse>
  'Auth/UserChangePassword': Unary<m.AuthUserChangePasswordRequest, m.AuthUserChangePasswordResponse>
  'Auth/UserGrantRole': Unary<m.AuthUserGrantRoleRequest, m.AuthUserGrantRoleResponse>
  'Auth/UserRevokeRole': Unary<m.AuthUserRevokeRoleRequest, m.AuthUserRevokeRoleResponse>
  'Auth/RoleAdd': Unary<m.AuthRoleAddRequest, m.AuthRoleAddResponse>
  'Auth/RoleGet': Unary<m.AuthRoleGetRequest, m.AuthRoleGetResponse>
  'Auth/RoleList': Unary<m.AuthRoleListRequest, m.AuthRoleListResponse>
  'Auth/RoleDelete': Unary<m.AuthRoleDeleteRequest, m.AuthRoleDeleteResponse>
  'Auth/RoleGrantPermission': Unary<m.AuthRoleGrantPermissionRequest, m.AuthRoleGrantPermissionResponse>
  'Auth/RoleRevokePermission': Unary<m.AuthRoleRevokePermissionRequest, m.AuthRoleRevokePermissionResponse>
  'Lock/Lock': Unary<m.LockRequest, m.LockResponse>
  'Lock/Unlock': Unary<m.UnlockRequest, m.UnlockResponse>
  'Election/Campaign': Unary<m.CampaignRequest, m.CampaignResponse>
  'Election/Proclaim': Unary<m.ProclaimRequest, m.ProclaimResponse>
  'Election/Leader': Unary<m.LeaderRequest, m.LeaderResponse>
  'Election/Observe': Streaming<m.LeaderRequest, m.LeaderResponse>
  'Election/Resign': Unary<m.ResignRequest, m.ResignResponse>
}
