import { Journal } from './journal.ts'
import { KeyIndex } from './key-index.ts'
import { createAuth, type Auth } from './auth.ts'
import type { ClientSession } from './sessions.ts'
import type { KvOptions } from './store-contract.ts'
import type { AlarmRow } from './rows.ts'
import { emptyChanges, type PendingChanges } from './changes.ts'
import type { AlarmMember, Key, ResponseHeader } from '../wire/messages.ts'

export interface Lease {
  readonly id: bigint
  readonly ttlS: number
  remainingS: number
  readonly keys: Set<Key>
}

/** Everything the store knows. Only the modules of this folder touch it. */
export interface KvState {
  readonly options: KvOptions
  readonly index: KeyIndex
  readonly journal: Journal
  /** place in the journal up to which the last compaction was carried out */
  compactPlace: number
  readonly leases: Map<bigint, Lease>
  readonly auth: Auth
  readonly alarms: Map<string, AlarmRow>
  /** in the order they were used */
  readonly sessions: Map<number, ClientSession>
  sessionsUsed: number
  changes: PendingChanges
  revision: number
  compactRevision: number
  /** versions written by the command that is being applied; its revision is `revision + 1` if there are any */
  written: number
  /** revisions that are being read: compaction takes nothing away while one of them is below what it keeps */
  readonly pins: Set<{ readonly revision: number }>
  epoch: number
  cursor: number
  sizeBytes: number
  liveBytes: number
  liveKeys: number
}

export function createState(options: KvOptions): KvState {
  return {
    options,
    index: new KeyIndex(),
    journal: new Journal(),
    compactPlace: 0,
    leases: new Map(),
    auth: createAuth(),
    alarms: new Map(),
    sessions: new Map(),
    sessionsUsed: 0,
    changes: emptyChanges(),
    revision: 1,
    compactRevision: -1,
    written: 0,
    pins: new Set(),
    epoch: 0,
    cursor: 0,
    sizeBytes: 0,
    liveBytes: 0,
    liveKeys: 0,
  }
}

export const header = (revision: number): ResponseHeader => ({ cluster_id: 0n, member_id: 0n, revision, raft_term: 0 })

/** Makes what was written one revision. */
export function commit(state: KvState): void {
  if (state.written === 0) return
  state.revision += 1
  state.written = 0
}

/** The revision as a reader inside the running txn sees it. */
export const visibleRevision = (state: KvState): number => (state.written === 0 ? state.revision : state.revision + 1)

export const alarmId = (alarm: AlarmMember): string => `${alarm.memberID}/${alarm.alarm}`
