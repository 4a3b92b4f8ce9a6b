/**
 * The messages of etcd's v3 API as the store sees them: every field of etcd 3.5's `rpc.proto`, `kv.proto`, `auth.proto`, `v3lock.proto` and
 * `v3election.proto` under its own name. A field that the sender left out has proto3's default ('' or 0n or null for a message).
 *
 * - Keys are *byte strings*: one char (U+0000 to U+00FF) a byte, so `<` orders them as etcd does and they can be keys of a Map.
 * - Values are bytes and are never changed in place.
 * - Revisions, versions, counts, TTLs (in seconds) are numbers below 2^53; ids of leases, members and clusters use all 64
 *   bits and are bigint, signed where the proto says int64.
 * - Enums are their numbers. Of a oneof at most one field is not null.
 */

/** Bytes, one char each. */
export type Key = string

export interface Empty {
  readonly _?: never
}

export interface HeaderOnly {
  header: ResponseHeader
}

export const SORT_ORDER = { none: 0, ascend: 1, descend: 2 } as const
export const SORT_TARGET = { key: 0, version: 1, create: 2, mod: 3, value: 4 } as const
export const COMPARE_RESULT = { equal: 0, greater: 1, less: 2, notEqual: 3 } as const
export const COMPARE_TARGET = { version: 0, create: 1, mod: 2, value: 3, lease: 4 } as const
export const EVENT_TYPE = { put: 0, delete: 1 } as const
export const WATCH_FILTER = { noPut: 0, noDelete: 1 } as const
export const ALARM_ACTION = { get: 0, activate: 1, deactivate: 2 } as const
export const ALARM_TYPE = { none: 0, nospace: 1, corrupt: 2 } as const
export const PERMISSION = { read: 0, write: 1, readwrite: 2 } as const

export interface KeyValue {
  key: Key
  create_revision: number
  mod_revision: number
  version: number
  value: Uint8Array
  lease: bigint
}

export interface Event {
  type: number
  kv: KeyValue
  prev_kv: KeyValue | null
}

export interface UserAddOptions {
  no_password: boolean
}

export interface Permission {
  permType: number
  key: Key
  range_end: Key
}

export interface ResponseHeader {
  cluster_id: bigint
  member_id: bigint
  revision: number
  raft_term: number
}

export interface RangeRequest {
  key: Key
  range_end: Key
  limit: number
  revision: number
  sort_order: number
  sort_target: number
  serializable: boolean
  keys_only: boolean
  count_only: boolean
  min_mod_revision: number
  max_mod_revision: number
  min_create_revision: number
  max_create_revision: number
}

export interface RangeResponse {
  header: ResponseHeader
  kvs: KeyValue[]
  more: boolean
  count: number
}

/** A part of a `RangeResponse`: merged in their order, as protobuf merges, all parts are the whole. All but `kvs` is in the last one only. */
export interface RangeChunk {
  header: ResponseHeader | null
  kvs: KeyValue[]
  more: boolean
  count: number
}

/** Of etcd 3.7. */
export interface RangeStreamResponse {
  range_response: RangeChunk
}

export interface PutRequest {
  key: Key
  value: Uint8Array
  lease: bigint
  prev_kv: boolean
  ignore_value: boolean
  ignore_lease: boolean
}

export interface PutResponse {
  header: ResponseHeader
  prev_kv: KeyValue | null
}

export interface DeleteRangeRequest {
  key: Key
  range_end: Key
  prev_kv: boolean
}

export interface DeleteRangeResponse {
  header: ResponseHeader
  deleted: number
  prev_kvs: KeyValue[]
}

export interface RequestOp {
  request_range: RangeRequest | null
  request_put: PutRequest | null
  request_delete_range: DeleteRangeRequest | null
  request_txn: TxnRequest | null
}

export interface ResponseOp {
  response_range: RangeResponse | null
  response_put: PutResponse | null
  response_delete_range: DeleteRangeResponse | null
  response_txn: TxnResponse | null
}

export interface Compare {
  version: number | null
  create_revision: number | null
  mod_revision: number | null
  value: Uint8Array | null
  lease: bigint | null
  result: number
  target: number
  key: Key
  range_end: Key
}

export interface TxnRequest {
  compare: Compare[]
  success: RequestOp[]
  failure: RequestOp[]
}

export interface TxnResponse {
  header: ResponseHeader
  succeeded: boolean
  responses: ResponseOp[]
}

export interface CompactionRequest {
  revision: number
  physical: boolean
}

export type CompactionResponse = HeaderOnly

export type HashRequest = Empty

export interface HashKVRequest {
  revision: number
}

export interface HashKVResponse {
  header: ResponseHeader
  hash: number
  compact_revision: number
}

export interface HashResponse {
  header: ResponseHeader
  hash: number
}

export type SnapshotRequest = Empty

export interface SnapshotResponse {
  header: ResponseHeader
  remaining_bytes: number
  blob: Uint8Array
}

export interface WatchRequest {
  create_request: WatchCreateRequest | null
  cancel_request: WatchCancelRequest | null
  progress_request: WatchProgressRequest | null
}

export interface WatchCreateRequest {
  key: Key
  range_end: Key
  start_revision: number
  progress_notify: boolean
  filters: number[]
  prev_kv: boolean
  watch_id: number
  fragment: boolean
}

export interface WatchCancelRequest {
  watch_id: number
}

export type WatchProgressRequest = Empty

export interface WatchResponse {
  header: ResponseHeader
  watch_id: number
  created: boolean
  canceled: boolean
  compact_revision: number
  cancel_reason: string
  fragment: boolean
  events: Event[]
}

export interface LeaseGrantRequest {
  TTL: number
  ID: bigint
}

export interface LeaseGrantResponse {
  header: ResponseHeader
  ID: bigint
  TTL: number
  error: string
}

export interface LeaseRevokeRequest {
  ID: bigint
}

export type LeaseRevokeResponse = HeaderOnly

export interface LeaseCheckpoint {
  ID: bigint
  remaining_TTL: number
}

export interface LeaseCheckpointRequest {
  checkpoints: LeaseCheckpoint[]
}

export type LeaseCheckpointResponse = HeaderOnly

export interface LeaseKeepAliveRequest {
  ID: bigint
}

export interface LeaseKeepAliveResponse {
  header: ResponseHeader
  ID: bigint
  TTL: number
}

export interface LeaseTimeToLiveRequest {
  ID: bigint
  keys: boolean
}

export interface LeaseTimeToLiveResponse {
  header: ResponseHeader
  ID: bigint
  TTL: number
  grantedTTL: number
  keys: Key[]
}

export type LeaseLeasesRequest = Empty

export interface LeaseStatus {
  ID: bigint
}

export interface LeaseLeasesResponse {
  header: ResponseHeader
  leases: LeaseStatus[]
}

export interface Member {
  ID: bigint
  name: string
  peerURLs: string[]
  clientURLs: string[]
  isLearner: boolean
}

export interface MemberAddRequest {
  peerURLs: string[]
  isLearner: boolean
}

export interface MemberAddResponse {
  header: ResponseHeader
  member: Member | null
  members: Member[]
}

export interface MemberRemoveRequest {
  ID: bigint
}

export interface MemberRemoveResponse {
  header: ResponseHeader
  members: Member[]
}

export interface MemberUpdateRequest {
  ID: bigint
  peerURLs: string[]
}

export interface MemberUpdateResponse {
  header: ResponseHeader
  members: Member[]
}

export interface MemberListRequest {
  linearizable: boolean
}

export interface MemberListResponse {
  header: ResponseHeader
  members: Member[]
}

export interface MemberPromoteRequest {
  ID: bigint
}

export interface MemberPromoteResponse {
  header: ResponseHeader
  members: Member[]
}

export type DefragmentRequest = Empty

export type DefragmentResponse = HeaderOnly

export interface MoveLeaderRequest {
  targetID: bigint
}

export type MoveLeaderResponse = HeaderOnly

export interface AlarmRequest {
  action: number
  memberID: bigint
  alarm: number
}

export interface AlarmMember {
  memberID: bigint
  alarm: number
}

export interface AlarmResponse {
  header: ResponseHeader
  alarms: AlarmMember[]
}

export interface DowngradeRequest {
  action: number
  version: string
}

export interface DowngradeResponse {
  header: ResponseHeader
  version: string
}

export type StatusRequest = Empty

export interface StatusResponse {
  header: ResponseHeader
  version: string
  dbSize: number
  leader: bigint
  raftIndex: number
  raftTerm: number
  raftAppliedIndex: number
  errors: string[]
  dbSizeInUse: number
  isLearner: boolean
}

export type AuthEnableRequest = Empty

export type AuthDisableRequest = Empty

export type AuthStatusRequest = Empty

export interface AuthenticateRequest {
  name: string
  password: string
}

export interface AuthUserAddRequest {
  name: string
  password: string
  options: UserAddOptions | null
}

export interface AuthUserGetRequest {
  name: string
}

export interface AuthUserDeleteRequest {
  name: string
}

export interface AuthUserChangePasswordRequest {
  name: string
  password: string
}

export interface AuthUserGrantRoleRequest {
  user: string
  role: string
}

export interface AuthUserRevokeRoleRequest {
  name: string
  role: string
}

export interface AuthRoleAddRequest {
  name: string
}

export interface AuthRoleGetRequest {
  role: string
}

export type AuthUserListRequest = Empty

export type AuthRoleListRequest = Empty

export interface AuthRoleDeleteRequest {
  role: string
}

export interface AuthRoleGrantPermissionRequest {
  name: string
  perm: Permission | null
}

export interface AuthRoleRevokePermissionRequest {
  role: string
  key: Key
  range_end: Key
}

export type AuthEnableResponse = HeaderOnly

export type AuthDisableResponse = HeaderOnly

export interface AuthStatusResponse {
  header: ResponseHeader
  enabled: boolean
  authRevision: number
}

export interface AuthenticateResponse {
  header: ResponseHeader
  token: string
}

export type AuthUserAddResponse = HeaderOnly

export interface AuthUserGetResponse {
  header: ResponseHeader
  roles: string[]
}

export type AuthUserDeleteResponse = HeaderOnly

export type AuthUserChangePasswordResponse = HeaderOnly

export type AuthUserGrantRoleResponse = HeaderOnly

export type AuthUserRevokeRoleResponse = HeaderOnly

export type AuthRoleAddResponse = HeaderOnly

export interface AuthRoleGetResponse {
  header: ResponseHeader
  perm: Permission[]
}

export interface AuthRoleListResponse {
  header: ResponseHeader
  roles: string[]
}

export interface AuthUserListResponse {
  header: ResponseHeader
  users: string[]
}

export type AuthRoleDeleteResponse = HeaderOnly

export type AuthRoleGrantPermissionResponse = HeaderOnly

export type AuthRoleRevokePermissionResponse = HeaderOnly

// ------------------------------------------------------------------------------------------- v3lock, v3election

export interface LockRequest {
  name: Key
  lease: bigint
}

export interface LockResponse {
  header: ResponseHeader
  key: Key
}

export interface UnlockRequest {
  key: Key
}

export type UnlockResponse = HeaderOnly

export interface LeaderKey {
  name: Key
  key: Key
  rev: number
  lease: bigint
}

export interface CampaignRequest {
  name: Key
  lease: bigint
  value: Uint8Array
}

export interface CampaignResponse {
  header: ResponseHeader
  leader: LeaderKey | null
}

export interface LeaderRequest {
  name: Key
}

export interface LeaderResponse {
  header: ResponseHeader
  kv: KeyValue | null
}

export interface ResignRequest {
  leader: LeaderKey | null
}

export type ResignResponse = HeaderOnly

export interface ProclaimRequest {
  leader: LeaderKey | null
  value: Uint8Array
}

export type ProclaimResponse = HeaderOnly
