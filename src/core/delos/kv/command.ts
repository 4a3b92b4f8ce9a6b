import type * as m from '../wire/messages.ts'

/** Who asks, as the server found out from token or certificate before it logged the command. */
export interface Identity {
  /** '' for nobody */
  readonly user: string
  /** revision of users and roles at which the token was given; a change since makes it void, so that rights are never older than the log */
  readonly authRevision: number
}

export const NOBODY: Identity = { user: '', authRevision: 0 }

/** One change of users, roles or their switch. Passwords are hashed before they are logged; the store keeps the text of the hash. */
export type AuthChange =
  | { readonly kind: 'enable' }
  | { readonly kind: 'disable' }
  | { readonly kind: 'userAdd'; readonly name: string; readonly passwordHash: string; readonly noPassword: boolean }
  | { readonly kind: 'userDelete'; readonly name: string }
  | { readonly kind: 'userChangePassword'; readonly name: string; readonly passwordHash: string }
  | { readonly kind: 'userGrantRole'; readonly user: string; readonly role: string }
  | { readonly kind: 'userRevokeRole'; readonly user: string; readonly role: string }
  | { readonly kind: 'roleAdd'; readonly role: string }
  | { readonly kind: 'roleDelete'; readonly role: string }
  | { readonly kind: 'roleGrantPermission'; readonly role: string; readonly permission: m.Permission }
  | { readonly kind: 'roleRevokePermission'; readonly role: string; readonly key: m.Key; readonly rangeEnd: m.Key }

/**
 * What stands in the log of the store: etcd's request where etcd has one. All that is chance or belongs to one server (ids of leases,
 * hashes, whose clock ran out) is decided before, so that the same commands give the same store everywhere.
 */
export type KvCommand =
  | { readonly kind: 'put'; readonly request: m.PutRequest; readonly who: Identity }
  | { readonly kind: 'deleteRange'; readonly request: m.DeleteRangeRequest; readonly who: Identity }
  | { readonly kind: 'txn'; readonly request: m.TxnRequest; readonly who: Identity }
  | { readonly kind: 'compact'; readonly request: m.CompactionRequest; readonly who: Identity }
  | { readonly kind: 'leaseGrant'; readonly id: bigint; readonly ttlS: number; readonly who: Identity }
  | { readonly kind: 'leaseRevoke'; readonly id: bigint; readonly who: Identity }
  /** the leader's clock says these are over; `epoch` is the position of the `leaderClaimed` it leads by */
  | { readonly kind: 'leasesExpired'; readonly ids: readonly bigint[]; readonly epoch: number }
  | { readonly kind: 'leaseCheckpoint'; readonly checkpoints: readonly LeaseRemainder[]; readonly epoch: number }
  /** its position is the epoch from now on */
  | { readonly kind: 'leaderClaimed'; readonly serverId: string }
  /** `who` null: the server itself, which found its disk full or its data damaged (that CORRUPT stops it alone) */
  | {
      readonly kind: 'alarm'
      readonly action: 'raise' | 'clear'
      readonly memberId: bigint
      readonly type: number
      /** NOSPACE, raised because disks are nearly full, not the quota */
      readonly isOfDisk?: true
      readonly who: Identity | null
    }
  | { readonly kind: 'auth'; readonly change: AuthChange; readonly who: Identity }
  /** `frame`: a write of the native protocol as it came, without its kind */
  | { readonly kind: 'ops'; readonly frame: Uint8Array; readonly who: Identity }

export interface LeaseRemainder {
  readonly id: bigint
  readonly remainingS: number
}

export interface CommandResponses {
  put: m.PutResponse
  deleteRange: m.DeleteRangeResponse
  txn: m.TxnResponse
  compact: m.CompactionResponse
  leaseGrant: m.LeaseGrantResponse
  leaseRevoke: m.LeaseRevokeResponse
  leasesExpired: m.HeaderOnly
  leaseCheckpoint: m.HeaderOnly
  leaderClaimed: m.HeaderOnly
  alarm: m.AlarmResponse
  auth: m.HeaderOnly
  ops: OpsResponse
}

/** Answers to a frame of operations, as `wire/native/answers.ts` writes them. */
export interface OpsResponse {
  count: number
  answers: Uint8Array
}

export type ResponseOf<C extends KvCommand> = CommandResponses[C['kind']]

/** Where a command stands in the log. */
export interface AppliedAt {
  readonly position: number
  readonly timeMs: number
}
