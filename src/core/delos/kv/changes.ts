import type { AlarmRow, LeaseRow, RoleRow, UserRow } from './rows.ts'
import type { ClientSession } from './sessions.ts'
import type { Version } from './version.ts'

/** `KvChanges` while they are collected. */
export interface PendingChanges {
  versions: Version[]
  removed: Version[]
  leases: Map<bigint, LeaseRow | null>
  users: Map<string, UserRow | null>
  roles: Map<string, RoleRow | null>
  alarms: Map<string, { alarm: AlarmRow; isRaised: boolean }>
  sessions: Map<number, ClientSession | null>
}

export const emptyChanges = (): PendingChanges => ({
  versions: [],
  removed: [],
  leases: new Map(),
  users: new Map(),
  roles: new Map(),
  alarms: new Map(),
  sessions: new Map(),
})

/** Adds later changes to earlier ones; of one row the last counts. */
export function mergeSmallRows(into: PendingChanges, later: PendingChanges): void {
  for (const [id, row] of later.leases) into.leases.set(id, row)
  for (const [name, row] of later.users) into.users.set(name, row)
  for (const [name, row] of later.roles) into.roles.set(name, row)
  for (const [id, row] of later.alarms) into.alarms.set(id, row)
  for (const [id, row] of later.sessions) into.sessions.set(id, row)
}

export const isEmpty = (changes: PendingChanges): boolean =>
  changes.versions.length +
    changes.removed.length +
    changes.leases.size +
    changes.users.size +
    changes.roles.size +
    changes.alarms.size +
    changes.sessions.size ===
  0
