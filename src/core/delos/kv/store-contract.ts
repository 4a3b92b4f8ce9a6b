import type * as m from '../wire/messages.ts'
import type { RpcError } from '../wire/service.ts'
import type { AppliedAt, Identity, KvCommand, ResponseOf } from './command.ts'
import type { RangePages, Reading } from './reading.ts'
import type { KvRules } from './rules.ts'
import type { KvChanges, KvRows, LeaseRow } from './rows.ts'
import type { Version } from './version.ts'

export interface KvOptions {
  /** least TTL of a lease: 1 in a `lan`, 2 in a `wan` */
  readonly leaseTtlMinS: number
  /** operations per level of a txn; 128 as in etcd */
  readonly txnOpsMax: number
  /** 1.5 MiB as in etcd */
  readonly requestBytesMax: number
  /** the right ones, except where a simulator proves that it notices broken ones */
  readonly rules: KvRules
}

/**
 * The key-value store with etcd's rules, in memory: a machine. The same commands in the same order give the same answers, rows and
 * digest on every server. Headers of answers carry the revision; cluster, member and term (0 here) are the server's to fill in.
 * Answers share their `KeyValue` objects with the store: never change them.
 */
export interface KvStore {
  readonly revision: number
  /** -1: never compacted */
  readonly compactRevision: number
  readonly epoch: number
  readonly cursor: number
  /** bytes of all versions kept, roughly; what the quota counts */
  readonly sizeBytes: number
  /** bytes of the newest versions only */
  readonly liveBytes: number
  readonly keyCount: number
  /** nobody may read: it is not known which server's copy is right */
  readonly isCorrupt: boolean
  readonly isAuthEnabled: boolean
  readonly authRevision: number
  /** chained over every changed row; equal on all servers at the same cursor */
  readonly digest: number

  /** What can be refused before it is logged; null: log it. Does not look at the keys, so it holds whatever else is under way. */
  check(command: KvCommand, encodedBytes?: number): RpcError | null
  /** The same for a read. */
  checkRange(request: m.RangeRequest): RpcError | null
  /** Total: whatever the command, an answer or a refusal that changed nothing but the cursor. */
  apply<C extends KvCommand>(command: C, at: AppliedAt): ResponseOf<C> | RpcError
  /** Changes of rows since the last taking; null if there are none. Take them once a batch. */
  takeChanges(): KvChanges | null
  /** Throws away up to `budget` versions that compaction left behind. @returns whether more is waiting. Publish to watches first. */
  compactStep(budget: number): boolean

  range(request: m.RangeRequest, who: Identity): m.RangeResponse | RpcError
  /** The same in steps, for one that may be long. */
  openRange(request: m.RangeRequest, who: Identity): Reading<m.RangeResponse> | RpcError
  /** The same in parts, for etcd's `RangeStream`. Who loses the right to read meanwhile is refused the rest. */
  openPages(request: m.RangeRequest, who: Identity): RangePages | RpcError
  /** A txn that only reads, without the log. */
  readTxn(request: m.TxnRequest, who: Identity): m.TxnResponse | RpcError
  /** Whether a txn may be answered by `readTxn`. */
  isReadOnly(request: m.TxnRequest): boolean

  /** Changes with `from <= mod_revision`, in order, at most `countMax` but never a part of a revision. `from` is above or at compactRevision. */
  changesFrom(from: number, countMax: number): readonly Version[]
  /** The same of one key. */
  changesOfKey(key: m.Key, from: number, countMax: number): readonly Version[]
  /** What a key was just before a revision; null if not there or compacted. */
  previousOf(version: Version): m.KeyValue | null

  lease(id: bigint): LeaseRow | null
  leases(): Iterable<LeaseRow>
  /** `remainingS` is the leader's clock's: null if gone. */
  leaseTimeToLive(request: m.LeaseTimeToLiveRequest, remainingS: number | null, who: Identity): m.LeaseTimeToLiveResponse | RpcError
  leaseLeases(): m.LeaseLeasesResponse

  alarms(type: number): m.AlarmMember[]
  isRaisedForDisk(memberId: bigint): boolean
  openHashKv(revision: number): Reading<m.HashKVResponse> | RpcError
  hash(): m.HashResponse

  /** Null: permitted. For watches and all that reads outside `range`. */
  mayRead(who: Identity, key: m.Key, rangeEnd: m.Key): RpcError | null
  /** Null: permitted. For maintenance, members and reading users and roles. */
  mayAdminister(who: Identity): RpcError | null
  /** @param verify whether the password fits the hash: the server's, as it costs milliseconds on purpose */
  authenticate(name: string, verify: (passwordHash: string) => boolean): Identity | RpcError
  /** Who a verified certificate speaks for; null if there is no such user or auth is off. */
  identityOfCommonName(commonName: string): Identity | null
  authStatus(): m.AuthStatusResponse
  userGet(name: string, who: Identity): m.AuthUserGetResponse | RpcError
  userList(who: Identity): m.AuthUserListResponse | RpcError
  roleGet(role: string, who: Identity): m.AuthRoleGetResponse | RpcError
  roleList(who: Identity): m.AuthRoleListResponse | RpcError

  dump(): KvRows
  /** Forgets everything and is what these rows say. Changes that were not taken are lost. */
  restore(rows: KvRows): void
}
