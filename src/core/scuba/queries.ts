import type { ReadDb } from '../contracts/storage.ts'
import type { AlertStateName } from './alert/judge.ts'
import { alertRuleSchema, type AlertRule } from './alert/rule.ts'
import { storedHolds, type StoredHold } from './registry-state.ts'

export interface AlertGroupState {
  group: string
  state: AlertStateName
  sinceMs: number
  value: number | null
  sev: number
  service: string | null
  reason: string
}

export interface StoredAlert {
  rule: AlertRule
  /** log position of its last AlertSet */
  version: number
  pausedUntilMs: number | null
  pauseReason: string | null
  setAtMs: number
  setBy: string
  /** groups that are not inactive */
  states: AlertGroupState[]
}

interface AlertRow {
  name: string
  rule: string
  version: number
  paused_until: number | null
  pause_reason: string | null
  set_at: number
  set_by: string
}

interface StateRow {
  grp: string
  state: AlertStateName
  since: number
  value: number | null
  sev: number
  service: string | null
  reason: string
}

const COLUMNS = 'name, rule, version, paused_until, pause_reason, set_at, set_by'

export function alerts(db: ReadDb): StoredAlert[] {
  return db.all<AlertRow>(`SELECT ${COLUMNS} FROM scuba_alert ORDER BY name`).map((row) => stored(db, row))
}

export function alert(db: ReadDb, name: string): StoredAlert | null {
  const row = db.get<AlertRow>(`SELECT ${COLUMNS} FROM scuba_alert WHERE name = ?`, name)
  return row ? stored(db, row) : null
}

function stored(db: ReadDb, row: AlertRow): StoredAlert {
  const states = db.all<StateRow>(
    'SELECT grp, state, since, value, sev, service, reason FROM scuba_alert_state WHERE rule = ? ORDER BY grp',
    row.name,
  )
  return {
    rule: alertRuleSchema.parse(JSON.parse(row.rule)),
    version: row.version,
    pausedUntilMs: row.paused_until,
    pauseReason: row.pause_reason,
    setAtMs: row.set_at,
    setBy: row.set_by,
    states: states.map(({ grp, since, ...state }) => ({ group: grp, sinceMs: since, ...state })),
  }
}

/** Whether the rule is looked at now. */
export function isAlertActive({ pausedUntilMs }: StoredAlert, now: number): boolean {
  return pausedUntilMs === null || pausedUntilMs <= now
}

export interface AlertMoveRow {
  position: number
  rule: string
  group: string
  atMs: number
  from: AlertStateName
  to: AlertStateName
  value: number | null
  reason: string
}

/** Moves of a rule, or of all, newest first. */
export function alertMoves(db: ReadDb, rule: string | undefined, limit: number): AlertMoveRow[] {
  return db
    .all<Omit<AlertMoveRow, 'group' | 'atMs' | 'from' | 'to'> & { grp: string; at: number; was: AlertStateName; state: AlertStateName }>(
      'SELECT position, rule, grp, at, was, state, value, reason FROM scuba_alert_move WHERE ? IS NULL OR rule = ? ORDER BY position DESC LIMIT ?',
      rule ?? null,
      rule ?? null,
      limit,
    )
    .map(({ grp, at, was, state, ...row }) => ({ ...row, group: grp, atMs: at, from: was, to: state }))
}

/** group → its moves since then. */
export function alertMoveCounts(db: ReadDb, rule: string, sinceMs: number): Map<string, number> {
  const rows = db.all<{ grp: string; n: number }>(
    'SELECT grp, COUNT(*) AS n FROM scuba_alert_move WHERE rule = ? AND at > ? GROUP BY grp',
    rule,
    sinceMs,
  )
  return new Map(rows.map(({ grp, n }) => [grp, n]))
}

export interface AlertLateRow {
  position: number
  rule: string
  group: string
  atMs: number
  fromMs: number
  toMs: number
  would: 'fire' | 'not fire'
  value: number | null
}

/** What rows that came late would have changed of a rule, or of all, newest first. */
export function alertLate(db: ReadDb, rule: string | undefined, limit: number): AlertLateRow[] {
  return db.all<AlertLateRow>(
    `SELECT position, rule, grp AS "group", at AS atMs, from_ms AS fromMs, to_ms AS toMs, would, value FROM scuba_alert_late
     WHERE ? IS NULL OR rule = ? ORDER BY position DESC LIMIT ?`,
    rule ?? null,
    rule ?? null,
    limit,
  )
}

/** What is held for an incident: retention, thinning and erasure leave it alone. */
export const holdsOf = (db: ReadDb, sev: number): StoredHold[] => storedHolds(db).filter((hold) => hold.sev === sev)
