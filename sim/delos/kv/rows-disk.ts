import type { Prng } from '../../../src/core/kernel/prng.ts'
import type { SessionRow } from '../../../src/core/delos/engines/applied-once.ts'
import type { KvChanges, KvRows, LeaseRow, RoleRow, StateRow, UserRow } from '../../../src/core/delos/kv/rows.ts'
import type { Version } from '../../../src/core/delos/kv/version.ts'
import type { AlarmMember } from '../../../src/core/delos/wire/messages.ts'

/** What stands beside the rows in the same transaction. */
export interface Cursor {
  position: number
  timeMs: number
  sessions: SessionRow[]
}

interface Transaction {
  changes: KvChanges[]
  cursor: Cursor | null
}

/** One server's `kv.db`: transactions that a crash may take again, the newest first, until the next sync. */
export class RowsDisk {
  #versions = new Map<string, Version>()
  #leases = new Map<bigint, LeaseRow>()
  #users = new Map<string, UserRow>()
  #roles = new Map<string, RoleRow>()
  #alarms = new Map<string, AlarmMember>()
  #state: StateRow | null = null
  #cursor: Cursor = { position: 0, timeMs: 0, sessions: [] }
  #unsynced: Transaction[] = []
  /** found to be other than the others': made anew at the next start */
  isUnfit = false

  /** @param isTorn the mutant: rows and cursor in two transactions */
  write(changes: KvChanges[], cursor: Cursor, isTorn: boolean): void {
    if (!isTorn) this.#unsynced.push({ changes, cursor })
    else this.#unsynced.push({ changes, cursor: null }, { changes: [], cursor })
  }

  sync(): void {
    for (const transaction of this.#unsynced) this.#take(transaction)
    this.#unsynced = []
  }

  /** Position up to which it is on the disk for good. */
  get durable(): number {
    return this.#cursor.position
  }

  /** The process ends: what it wrote is there. The power goes: of what was not synced, the oldest part. */
  crash(prng: Prng): void {
    const kept = prng.next() < 0.5 ? this.#unsynced.length : prng.below(this.#unsynced.length + 1)
    this.#unsynced.length = kept
    this.sync()
  }

  clear(): void {
    this.#versions = new Map()
    this.#leases = new Map()
    this.#users = new Map()
    this.#roles = new Map()
    this.#alarms = new Map()
    this.#state = null
    this.#cursor = { position: 0, timeMs: 0, sessions: [] }
    this.#unsynced = []
    this.isUnfit = false
  }

  /** Takes over what another server has on its disk for good. */
  copy(from: RowsDisk): void {
    this.#versions = new Map(from.#versions)
    this.#leases = new Map(from.#leases)
    this.#users = new Map(from.#users)
    this.#roles = new Map(from.#roles)
    this.#alarms = new Map(from.#alarms)
    this.#state = from.#state
    this.#cursor = from.#cursor
  }

  /** Changes a row that is there behind everybody's back. @returns whether there was one */
  damage(prng: Prng): boolean {
    const rows = [...this.#versions].filter(([, { isDeleted, key }]) => !isDeleted && key.startsWith('k'))
    const newest = rows.filter(([, { key, mod_revision }]) =>
      rows.every(([, other]) => other.key !== key || other.mod_revision <= mod_revision),
    )
    const found = newest[prng.below(newest.length)]
    if (found === undefined) return false
    this.#versions.set(found[0], { ...found[1], version: found[1].version + 7 })
    return true
  }

  read(): { rows: KvRows; cursor: Cursor } | null {
    if (this.#state === null) return null
    return {
      cursor: this.#cursor,
      rows: {
        versions: [...this.#versions.values()].sort((a, b) => a.mod_revision - b.mod_revision || a.sub - b.sub),
        leases: [...this.#leases.values()],
        users: [...this.#users.values()],
        roles: [...this.#roles.values()],
        alarms: [...this.#alarms.values()],
        state: this.#state,
      },
    }
  }

  #take({ changes, cursor }: Transaction): void {
    for (const each of changes) {
      for (const version of each.versions) this.#versions.set(`${version.mod_revision}/${version.sub}`, version)
      for (const version of each.removed) this.#versions.delete(`${version.mod_revision}/${version.sub}`)
      setAll(this.#leases, each.leases)
      setAll(this.#users, each.users)
      setAll(this.#roles, each.roles)
      for (const [id, { alarm, isRaised }] of each.alarms) {
        if (isRaised) this.#alarms.set(id, alarm)
        else this.#alarms.delete(id)
      }
      this.#state = each.state
    }
    if (cursor !== null) this.#cursor = cursor
  }
}

function setAll<Id, Row>(rows: Map<Id, Row>, changed: ReadonlyMap<Id, Row | null>): void {
  for (const [id, row] of changed) {
    if (row === null) rows.delete(id)
    else rows.set(id, row)
  }
}
