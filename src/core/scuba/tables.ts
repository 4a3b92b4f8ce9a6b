import { SLO_TABLES } from './slo/tables.ts'

/** Registry side of scuba in state.db; rows themselves never pass through the log. */
export const SCUBA_TABLES: readonly string[] = [
  `CREATE TABLE scuba_alert (
    name TEXT PRIMARY KEY,
    rule TEXT NOT NULL,
    version INTEGER NOT NULL,
    paused_until INTEGER,
    pause_reason TEXT,
    set_at INTEGER NOT NULL,
    set_by TEXT NOT NULL
  ) WITHOUT ROWID`,
  `CREATE TABLE scuba_alert_state (
    rule TEXT NOT NULL,
    grp TEXT NOT NULL,
    state TEXT NOT NULL,
    since INTEGER NOT NULL,
    value REAL,
    sev INTEGER NOT NULL,
    service TEXT,
    reason TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (rule, grp)
  ) WITHOUT ROWID`,
  `CREATE TABLE scuba_alert_move (
    position INTEGER PRIMARY KEY,
    rule TEXT NOT NULL,
    grp TEXT NOT NULL,
    at INTEGER NOT NULL,
    was TEXT NOT NULL,
    state TEXT NOT NULL,
    value REAL,
    reason TEXT NOT NULL
  )`,
  `CREATE TABLE scuba_alert_late (
    position INTEGER PRIMARY KEY,
    rule TEXT NOT NULL,
    grp TEXT NOT NULL,
    at INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    would TEXT NOT NULL,
    value REAL
  )`,
  'CREATE INDEX scuba_alert_late_rule ON scuba_alert_late (rule, at)',
  'CREATE INDEX scuba_alert_move_rule ON scuba_alert_move (rule, at)',
  'CREATE INDEX scuba_alert_move_at ON scuba_alert_move (at)',
  ...SLO_TABLES,
]
