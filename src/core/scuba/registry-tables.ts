/** What is declared and concluded of tables, in state.db. */
export const REGISTRY_TABLES: readonly string[] = [
  // A table that rows came in for has a row, declared (version ≥ 1) or not (version 0).
  `CREATE TABLE scuba_table (
    name TEXT PRIMARY KEY,
    declaration TEXT,
    version INTEGER NOT NULL DEFAULT 0,
    set_at INTEGER,
    set_by TEXT,
    observed_at INTEGER
  ) WITHOUT ROWID`,
  `CREATE TABLE scuba_column (
    tbl TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    origin TEXT NOT NULL,
    is_retyped INTEGER NOT NULL DEFAULT 0,
    position INTEGER NOT NULL,
    PRIMARY KEY (tbl, name)
  ) WITHOUT ROWID`,
  // What is to be done once to the rows of a table: to drop them (to_tbl NULL), or to call them otherwise.
  `CREATE TABLE scuba_table_job (id INTEGER PRIMARY KEY, tbl TEXT NOT NULL, to_tbl TEXT)`,
  `CREATE TABLE scuba_derived (
    tbl TEXT NOT NULL,
    name TEXT NOT NULL,
    sql TEXT NOT NULL,
    version INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    set_by TEXT NOT NULL,
    PRIMARY KEY (tbl, name)
  ) WITHOUT ROWID`,
  `CREATE TABLE scuba_retention (
    tbl TEXT PRIMARY KEY,
    policy TEXT,
    set_at INTEGER,
    set_by TEXT,
    applied_at INTEGER,
    applied_what TEXT,
    applied_rows INTEGER NOT NULL DEFAULT 0,
    applied_bytes INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID`,
  `CREATE TABLE scuba_hold (
    id INTEGER PRIMARY KEY,
    tbl TEXT,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    sev INTEGER,
    reason TEXT NOT NULL,
    set_at INTEGER NOT NULL,
    set_by TEXT NOT NULL
  )`,
  // kind: token or table.
  `CREATE TABLE scuba_quota (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    bytes_per_second REAL NOT NULL,
    burst_bytes REAL NOT NULL,
    set_at INTEGER NOT NULL,
    set_by TEXT NOT NULL,
    PRIMARY KEY (kind, name)
  ) WITHOUT ROWID`,
  // notes_through: the number of the leaf's last note that became an entry. disk, disk_since: how full its disk is.
  // node: that it runs on; null: it is a server's own. address: where others reach it; null: nowhere, as of the only server's own.
  // server: whose certificate it shows there; null: its node's, or none.
  // leaving: copying or draining, while it gives what it has to leaving_to; leaving_position: of the entry that said so.
  `CREATE TABLE scuba_leaf (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    since INTEGER NOT NULL,
    notes_through INTEGER NOT NULL DEFAULT 0,
    disk TEXT NOT NULL DEFAULT 'ok',
    disk_since INTEGER,
    node TEXT,
    address TEXT,
    server TEXT,
    leaving TEXT,
    leaving_to TEXT,
    leaving_position INTEGER
  ) WITHOUT ROWID`,
  // replicas: JSON of leaf → epoch since which it is one. since: when the shard was first there. position: of the last move.
  `CREATE TABLE scuba_shard (
    id TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    primary_leaf TEXT NOT NULL,
    replicas TEXT NOT NULL,
    since INTEGER NOT NULL,
    position INTEGER NOT NULL
  ) WITHOUT ROWID`,
  `CREATE TABLE scuba_lost_segment (
    leaf TEXT NOT NULL,
    file TEXT NOT NULL,
    tbl TEXT NOT NULL,
    rows INTEGER NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (leaf, file)
  ) WITHOUT ROWID`,
]
