import type { AlarmMember, Permission } from '../wire/messages.ts'
import type { ClientSession } from './sessions.ts'
import type { Version } from './version.ts'

/** A row of `kv_lease`. */
export interface LeaseRow {
  readonly id: bigint
  readonly ttlS: number
  /** of the last checkpoint; 0: none, its full TTL counts */
  readonly remainingS: number
}

/** A row of `kv_user`. */
export interface UserRow {
  readonly name: string
  readonly passwordHash: string
  readonly noPassword: boolean
  /** sorted */
  readonly roles: readonly string[]
}

/** A row of `kv_role`. */
export interface RoleRow {
  readonly name: string
  /** sorted by key */
  readonly permissions: readonly Permission[]
}

/** A row of `kv_alarm`. */
export interface AlarmRow extends AlarmMember {
  /** CORRUPT, said by the member of itself: it does not serve, and the others, which a majority found alike, go on */
  readonly isContained?: true
  /** NOSPACE because disks are nearly full: taken back by the member itself when there is room */
  readonly isOfDisk?: true
}

/** A row of `kv_session`. */
export interface SessionRow {
  readonly id: number
  readonly floor: number
  readonly used: number
  /** by seq, in base64; null: not kept */
  readonly answers: readonly (readonly [seq: number, answers: string | null])[]
}

/** The one row of `kv_state`. */
export interface StateRow {
  /** position of the last command applied */
  readonly cursor: number
  readonly revision: number
  /** -1: never compacted */
  readonly compactRevision: number
  /** position by which the present leader leads; 0: none yet */
  readonly epoch: number
  readonly authRevision: number
  readonly isAuthEnabled: boolean
  readonly digest: number
}

/** The whole store as rows. */
export interface KvRows {
  /** by mod_revision and sub */
  readonly versions: readonly Version[]
  readonly leases: readonly LeaseRow[]
  readonly users: readonly UserRow[]
  readonly roles: readonly RoleRow[]
  readonly alarms: readonly AlarmRow[]
  /** left out by files from before there were any */
  readonly sessions?: readonly SessionRow[]
  readonly state: StateRow
}

/**
 * What happened to the rows since the last taking, to be written in one transaction, in this order: `versions` are inserted into
 * `kv_chunk` (and are the newest of their key), `removed` are deleted from it, a null deletes the row.
 */
export interface KvChanges {
  readonly versions: Version[]
  readonly removed: Version[]
  readonly leases: Map<bigint, LeaseRow | null>
  readonly users: Map<string, UserRow | null>
  readonly roles: Map<string, RoleRow | null>
  /** by `alarmId` */
  readonly alarms: Map<string, { alarm: AlarmRow; isRaised: boolean }>
  /** as they are when they are written, which may be newer than these changes */
  readonly sessions: Map<number, ClientSession | null>
  readonly state: StateRow
}
