import { DEFRAG_TABLES } from './defrag/rows.ts'
import { MAINTENANCE_TABLES } from './maintenance/rows.ts'
import { DOMAIN_TABLES } from './entitlements/domains.ts'
import { ENTITLEMENT_TABLES } from './entitlements/tables.ts'
import { NODE_TABLES } from './nodes/tables.ts'
import { OP_TABLES } from './ops/op-row.ts'
import { SETTINGS_TABLES } from './settings.ts'
import { TASK_TABLES } from './tasks/tables.ts'
import { TALLY_TABLES } from './tasks/tally.ts'

/**
 * Tables of tw. Times are log time in ms. JSON columns hold canonical texts. A task's `state` is what tw holds to be
 * true, `reported` is the last word of its agent, `want` is what was asked of the agent.
 */
export const TW_TABLES: readonly string[] = [
  `CREATE TABLE tw_counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE tw_job (
    name TEXT PRIMARY KEY, kind TEXT NOT NULL, priority INTEGER NOT NULL, state TEXT NOT NULL,
    current_version INTEGER NOT NULL, last_version INTEGER NOT NULL, owner TEXT, changed_at INTEGER NOT NULL
  ) WITHOUT ROWID`,
  `CREATE TABLE tw_job_version (
    job TEXT NOT NULL, version INTEGER NOT NULL, document TEXT NOT NULL, spec TEXT NOT NULL, release TEXT,
    reason TEXT NOT NULL, author TEXT NOT NULL, at INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (job, version)
  ) WITHOUT ROWID`,
  `CREATE TABLE tw_group (
    job TEXT NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL, rejected_at INTEGER, retried_at INTEGER, PRIMARY KEY (job, name)
  ) WITHOUT ROWID`,
  `CREATE TABLE tw_arm (
    job TEXT NOT NULL, grp TEXT NOT NULL, arm TEXT NOT NULL, version INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (job, grp, arm)
  ) WITHOUT ROWID`,
  ...TASK_TABLES,
  `CREATE TABLE tw_node (
    name TEXT PRIMARY KEY, boot_id TEXT NOT NULL, pid INTEGER NOT NULL, region TEXT NOT NULL, zone TEXT NOT NULL,
    rack TEXT NOT NULL, address TEXT NOT NULL, cpu_milli INTEGER NOT NULL, memory_bytes INTEGER NOT NULL,
    attributes TEXT NOT NULL, labels TEXT NOT NULL, state TEXT NOT NULL, is_cordoned INTEGER NOT NULL,
    joined_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, conditions TEXT NOT NULL DEFAULT '{}', disk_bytes INTEGER NOT NULL DEFAULT 0, gpus TEXT NOT NULL DEFAULT '[]'
  ) WITHOUT ROWID`,
  `CREATE INDEX tw_node_lost ON tw_node (name, changed_at) WHERE state = 'lost'`,
  ...NODE_TABLES,
  `CREATE TABLE tw_drain (
    node TEXT PRIMARY KEY, deadline_at INTEGER, is_hard INTEGER NOT NULL, ignores_system INTEGER NOT NULL, maintenance INTEGER,
    profile TEXT, reason TEXT NOT NULL, author TEXT NOT NULL, is_forced INTEGER NOT NULL, started_at INTEGER NOT NULL, is_late INTEGER NOT NULL,
    finished_at INTEGER
  ) WITHOUT ROWID`,
  `CREATE INDEX tw_drain_open ON tw_drain (node) WHERE finished_at IS NULL`,
  `CREATE TABLE tw_rejected (
    position INTEGER NOT NULL, job TEXT NOT NULL, grp TEXT NOT NULL, version INTEGER NOT NULL, idx INTEGER NOT NULL,
    node TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (position, idx)
  ) WITHOUT ROWID`,
  `CREATE TABLE tw_update (
    job TEXT NOT NULL, grp TEXT NOT NULL, from_version INTEGER NOT NULL, to_version INTEGER NOT NULL, total INTEGER NOT NULL,
    state TEXT NOT NULL, started_at INTEGER NOT NULL, healthy INTEGER NOT NULL, progress_at INTEGER NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (job, grp)
  ) WITHOUT ROWID`,
  `CREATE INDEX tw_update_open ON tw_update (state) WHERE state IN ('running', 'canary')`,
  `CREATE TABLE tw_recurring (
    job TEXT PRIMARY KEY, is_periodic INTEGER NOT NULL, is_paused INTEGER NOT NULL, after_at INTEGER NOT NULL, due TEXT NOT NULL,
    next_at INTEGER, queued_at INTEGER, note TEXT
  ) WITHOUT ROWID`,
  `CREATE INDEX tw_recurring_by_next ON tw_recurring (next_at) WHERE is_periodic = 1`,
  `CREATE TABLE tw_run (
    job TEXT NOT NULL, n INTEGER NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, cause TEXT NOT NULL, due_at INTEGER, token TEXT,
    meta TEXT NOT NULL, author TEXT NOT NULL, position INTEGER NOT NULL, started_at INTEGER NOT NULL, finished_at INTEGER, outcome TEXT,
    reason TEXT NOT NULL, is_dirty INTEGER NOT NULL, PRIMARY KEY (job, n)
  ) WITHOUT ROWID`,
  `CREATE UNIQUE INDEX tw_run_by_name ON tw_run (name)`,
  `CREATE INDEX tw_run_active ON tw_run (is_dirty, job, n) WHERE finished_at IS NULL`,
  `CREATE TABLE tw_mesh_service (
    name TEXT PRIMARY KEY, job TEXT NOT NULL, grp TEXT NOT NULL, port TEXT NOT NULL, protocol TEXT NOT NULL,
    request_timeout_ms INTEGER NOT NULL, retries_max INTEGER NOT NULL
  ) WITHOUT ROWID`,
  `CREATE TABLE tw_mesh_split (
    service TEXT PRIMARY KEY, shares TEXT NOT NULL, arms TEXT NOT NULL, salt TEXT NOT NULL, sticky TEXT, epoch INTEGER NOT NULL,
    reason TEXT NOT NULL, position INTEGER NOT NULL, applied_at INTEGER
  ) WITHOUT ROWID`,
  `CREATE TABLE tw_mesh_fault (
    id TEXT PRIMARY KEY, service TEXT NOT NULL, body TEXT NOT NULL, until_ms INTEGER NOT NULL
  ) WITHOUT ROWID`,
  ...OP_TABLES,
  ...MAINTENANCE_TABLES,
  ...DEFRAG_TABLES,
  ...SETTINGS_TABLES,
  ...ENTITLEMENT_TABLES,
  ...DOMAIN_TABLES,
  ...TALLY_TABLES,
]
