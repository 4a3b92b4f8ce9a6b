import type { ReadDb } from '../../contracts/storage.ts'

export const MAINTENANCE_KINDS = ['reboot', 'kernel', 'power', 'command'] as const
export type MaintenanceKind = (typeof MAINTENANCE_KINDS)[number]
export const DOMAIN_LEVELS = ['node', 'rack', 'zone', 'region'] as const
export type DomainLevel = (typeof DOMAIN_LEVELS)[number]
export const WORK_STATES = ['scheduled', 'checking', 'draining', 'ready', 'working', 'verifying', 'returned', 'aborted'] as const
export type WorkState = (typeof WORK_STATES)[number]

/** Planned work on nodes. */
export interface MaintenanceRow {
  id: number
  kind: MaintenanceKind
  target: string
  /** JSON argv of `kind: command`; null for the others, whose work somebody does by hand */
  command: string | null
  command_timeout_ms: number
  /** RRULE; null: at any time */
  window: string | null
  window_ms: number
  zone: string
  /** of what two are never worked on at once */
  level: DomainLevel
  /** nodes of one domain at once */
  max_concurrent: number
  /** how long one node may take; null: as long as it takes */
  deadline_ms: number | null
  is_hard: number
  note: string
  author: string
  state: 'scheduled' | 'finished' | 'aborted'
  created_at: number
  ended_at: number | null
}

/** The work on one node. */
export interface WorkRow {
  maintenance: number
  node: string
  /** value of its domain at the level of the maintenance */
  domain: string
  state: WorkState
  /** since when it is in this state */
  since: number
  /** when the node was first drained for it */
  started_at: number | null
  /** by then it should be back; may be extended */
  deadline_at: number | null
  is_overdue: number
  /** what it waits for, or why it ended */
  why: string
  /** of the node's machine and its kernel when the work began: another one means it was done */
  boot_id: string
  kernel: string
  /** it was cordoned before, so it stays so */
  was_cordoned: number
  exit_code: number | null
  output: string
}

export const MAINTENANCE_TABLES: readonly string[] = [
  `CREATE TABLE tw_maintenance (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, target TEXT NOT NULL, command TEXT, command_timeout_ms INTEGER NOT NULL, window TEXT,
    window_ms INTEGER NOT NULL, zone TEXT NOT NULL, level TEXT NOT NULL, max_concurrent INTEGER NOT NULL, deadline_ms INTEGER,
    is_hard INTEGER NOT NULL, note TEXT NOT NULL, author TEXT NOT NULL, state TEXT NOT NULL, created_at INTEGER NOT NULL, ended_at INTEGER
  )`,
  `CREATE TABLE tw_maintenance_work (
    maintenance INTEGER NOT NULL, node TEXT NOT NULL, domain TEXT NOT NULL, state TEXT NOT NULL, since INTEGER NOT NULL, started_at INTEGER,
    deadline_at INTEGER, is_overdue INTEGER NOT NULL, why TEXT NOT NULL, boot_id TEXT NOT NULL, kernel TEXT NOT NULL,
    was_cordoned INTEGER NOT NULL, exit_code INTEGER, output TEXT NOT NULL, PRIMARY KEY (maintenance, node)
  ) WITHOUT ROWID`,
]

export function maintenanceRow(db: ReadDb, id: number): MaintenanceRow | undefined {
  return db.get<MaintenanceRow>('SELECT * FROM tw_maintenance WHERE id = ?', id)
}

export function openMaintenance(db: ReadDb): MaintenanceRow[] {
  return db.all<MaintenanceRow>("SELECT * FROM tw_maintenance WHERE state = 'scheduled' ORDER BY id")
}

export function workRows(db: ReadDb, maintenance: number): WorkRow[] {
  return db.all<WorkRow>('SELECT * FROM tw_maintenance_work WHERE maintenance = ? ORDER BY domain, node', maintenance)
}

/** Between its drain and its return. */
export function isUnderWay(work: Pick<WorkRow, 'state'>): boolean {
  return ['draining', 'ready', 'working', 'verifying'].includes(work.state)
}

export function isOver(work: Pick<WorkRow, 'state'>): boolean {
  return work.state === 'returned' || work.state === 'aborted'
}
