import type { RpcError } from '../wire/service.ts'

const error = (code: number, text: string): RpcError => Object.freeze({ code, text })

/**
 * Every refusal of the store, with etcd's own texts and gRPC codes (etcd 3.5, `api/v3rpc/rpctypes/error.go`): clients decide by the
 * text. The one table: documentation and tests come from it.
 */
export const KV_ERRORS = {
  emptyKey: error(3, 'etcdserver: key is not provided'),
  keyNotFound: error(3, 'etcdserver: key not found'),
  valueProvided: error(3, 'etcdserver: value is provided'),
  leaseProvided: error(3, 'etcdserver: lease is provided'),
  tooManyOps: error(3, 'etcdserver: too many operations in txn request'),
  duplicateKey: error(3, 'etcdserver: duplicate key given in txn request'),
  invalidSortOption: error(3, 'etcdserver: invalid sort option'),
  requestTooLarge: error(3, 'etcdserver: request is too large'),
  compacted: error(11, 'etcdserver: mvcc: required revision has been compacted'),
  futureRevision: error(11, 'etcdserver: mvcc: required revision is a future revision'),
  noSpace: error(8, 'etcdserver: mvcc: database space exceeded'),
  corrupt: error(15, 'etcdserver: corrupt cluster'),

  leaseNotFound: error(5, 'etcdserver: requested lease not found'),
  leaseExists: error(9, 'etcdserver: lease already exists'),
  leaseTtlTooLarge: error(11, 'etcdserver: too large lease TTL'),

  rootUserMissing: error(9, 'etcdserver: root user does not exist'),
  rootRoleMissing: error(9, 'etcdserver: root user does not have root role'),
  userExists: error(9, 'etcdserver: user name already exists'),
  userEmpty: error(3, 'etcdserver: user name is empty'),
  userNotFound: error(9, 'etcdserver: user name not found'),
  roleExists: error(9, 'etcdserver: role name already exists'),
  roleNotFound: error(9, 'etcdserver: role name not found'),
  roleEmpty: error(3, 'etcdserver: role name is empty'),
  authFailed: error(3, 'etcdserver: authentication failed, invalid user ID or password'),
  permissionNotGiven: error(3, 'etcdserver: permission not given'),
  permissionDenied: error(7, 'etcdserver: permission denied'),
  roleNotGranted: error(9, 'etcdserver: role is not granted to the user'),
  permissionNotGranted: error(9, 'etcdserver: permission is not granted to the role'),
  authNotEnabled: error(9, 'etcdserver: authentication is not enabled'),
  invalidAuthToken: error(16, 'etcdserver: invalid auth token'),
  invalidAuthManagement: error(3, 'etcdserver: invalid auth management'),
  authRevisionOld: error(3, 'etcdserver: revision of auth store is old'),

  /** etcd 3.7's code for what it cannot stream; clients ask for a `Range` then. */
  streamSorted: error(12, 'etcdserver: RangeStream does not support custom sort orders'),
  streamFiltered: error(12, 'etcdserver: RangeStream does not support revision filters'),

  /** Not of etcd: a stream of keys whose store was replaced by another server's. */
  storeReplaced: error(14, 'muster: this server took over the rows of another one; ask again'),

  /** Not of etcd: of the native protocol. */
  badFrame: error(3, 'delos: a frame that is none'),
  sessionUnknown: error(5, 'delos: the session is not known'),
  sessionPast: error(9, 'delos: the session is past this frame'),
  sessionAhead: error(8, 'delos: too many frames of the session are under way'),
  answersLost: error(15, 'delos: done before, and its answers were too long to be kept'),

  /** Not of etcd: a paused leader woke up and spoke for an epoch that is over. Never shown to clients. */
  staleEpoch: error(9, 'delos: the epoch of this leader is over'),
} as const

/** Whether an answer of the store is a refusal. */
export function isRpcError(answer: object): answer is RpcError {
  return 'text' in answer
}
