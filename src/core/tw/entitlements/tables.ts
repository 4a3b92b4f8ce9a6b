import type { Db, ReadDb } from '../../contracts/storage.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { type GroupSpec, type JobSpec } from '../job-spec.ts'
import { fromJson } from '../rows.ts'
import { ANY_MODEL, NOTHING, plus, type Amounts, type Limits } from './amounts.ts'

/**
 * `tw_entitlement` is what owners were given. `tw_group_charge` says what one task of a group's version takes and from whom, `tw_charge` sums it
 * over the live ones; the owner '' is everybody without an entitlement, and `is_idle` is what best-effort tasks take.
 */
export const ENTITLEMENT_TABLES: readonly string[] = [
  `CREATE TABLE tw_entitlement (
    name TEXT PRIMARY KEY, guaranteed TEXT NOT NULL, buffer TEXT NOT NULL, quota TEXT, author TEXT NOT NULL, changed_at INTEGER NOT NULL
  ) WITHOUT ROWID`,
  `CREATE TABLE tw_group_charge (
    job TEXT NOT NULL, version INTEGER NOT NULL, grp TEXT NOT NULL, owner TEXT NOT NULL, is_idle INTEGER NOT NULL,
    each TEXT NOT NULL, PRIMARY KEY (job, version, grp)
  ) WITHOUT ROWID`,
  `CREATE TABLE tw_charge (
    owner TEXT NOT NULL, is_idle INTEGER NOT NULL, tasks INTEGER NOT NULL, used TEXT NOT NULL, PRIMARY KEY (owner, is_idle)
  ) WITHOUT ROWID`,
]

export const BUFFERS = ['none', 'node', 'rack', 'zone'] as const
/** The failure that guaranteed tasks survive: of the largest one of these. */
export type Buffer = (typeof BUFFERS)[number]

export interface Entitlement {
  name: string
  guaranteed: Amounts
  buffer: Buffer
  /** most that its tasks may take, guaranteed or not; null: no limit */
  quota: Limits | null
  author: string
  changedAtMs: number
}

interface EntitlementRow {
  name: string
  guaranteed: string
  buffer: Buffer
  quota: string | null
  author: string
  changed_at: number
}

/** All by name. */
export function entitlements(db: ReadDb): Entitlement[] {
  return db.all<EntitlementRow>('SELECT * FROM tw_entitlement ORDER BY name').map((row) => ({
    name: row.name,
    guaranteed: fromJson<Amounts>(row.guaranteed),
    buffer: row.buffer,
    quota: row.quota === null ? null : fromJson<Limits>(row.quota),
    author: row.author,
    changedAtMs: row.changed_at,
  }))
}

export interface Charge {
  owner: string
  isIdle: boolean
  tasks: number
  used: Amounts
}

export function charges(db: ReadDb): Charge[] {
  return db
    .all<{ owner: string; is_idle: number; tasks: number; used: string }>('SELECT * FROM tw_charge ORDER BY owner, is_idle')
    .map((row) => ({ owner: row.owner, isIdle: row.is_idle === 1, tasks: row.tasks, used: fromJson<Amounts>(row.used) }))
}

/** What one task of a group takes, and from whom. */
export interface TaskCharge {
  /** '': nobody's entitlement */
  owner: string
  /** uses what is idle: it is neither guaranteed nor held by a quota */
  isIdle: boolean
  each: Amounts
}

/** A group that takes several models is counted by the one it names first. */
export function chargeOf(entitlement: string | null, group: GroupSpec): TaskCharge {
  const { cpuMilli, memoryBytes, gpu } = group.container
  const gpus = gpu === null ? {} : { [gpu.models[0] ?? ANY_MODEL]: gpu.count * gpu.shareMilli }
  return { owner: entitlement ?? '', isIdle: group.isBestEffort, each: { cpuMilli, memoryBytes, gpus } }
}

/** Written with the version, whose tasks are counted by it. */
export function insertGroupCharges(db: Db, version: number, spec: JobSpec): void {
  for (const group of spec.groups) {
    const { owner, isIdle, each } = chargeOf(spec.entitlement, group)
    db.run(
      'INSERT OR REPLACE INTO tw_group_charge (job, version, grp, owner, is_idle, each) VALUES (?, ?, ?, ?, ?, ?)',
      spec.job,
      version,
      group.name,
      owner,
      isIdle ? 1 : 0,
      canonicalJson(each),
    )
  }
}

/** So many more (or fewer) live tasks of a group's version. */
export function charge(db: Db, key: { job: string; grp: string; version: number }, tasks: number): void {
  const row = db.get<{ owner: string; is_idle: number; each: string }>(
    'SELECT owner, is_idle, each FROM tw_group_charge WHERE job = ? AND version = ? AND grp = ?',
    key.job,
    key.version,
    key.grp,
  )
  if (tasks === 0 || !row) return
  const before = db.get<{ tasks: number; used: string }>(
    'SELECT tasks, used FROM tw_charge WHERE owner = ? AND is_idle = ?',
    row.owner,
    row.is_idle,
  )
  db.run(
    'INSERT OR REPLACE INTO tw_charge (owner, is_idle, tasks, used) VALUES (?, ?, ?, ?)',
    row.owner,
    row.is_idle,
    (before?.tasks ?? 0) + tasks,
    canonicalJson(plus(before ? fromJson<Amounts>(before.used) : NOTHING, fromJson<Amounts>(row.each), tasks)),
  )
}
