/** Objectives, what was excluded of them, and what burns: in state.db. Their figures are rows of `muster_slo`. */
export const SLO_TABLES: readonly string[] = [
  `CREATE TABLE scuba_slo (
    service TEXT PRIMARY KEY,
    file TEXT NOT NULL,
    version INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    set_by TEXT NOT NULL
  ) WITHOUT ROWID`,
  `CREATE TABLE scuba_slo_state (
    service TEXT NOT NULL,
    objective TEXT NOT NULL,
    tier TEXT,
    sev INTEGER,
    since INTEGER,
    last_burn_at INTEGER,
    is_spent INTEGER NOT NULL,
    budget_left REAL NOT NULL,
    reason TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (service, objective)
  ) WITHOUT ROWID`,
  `CREATE TABLE scuba_slo_exclusion (
    id INTEGER PRIMARY KEY,
    service TEXT NOT NULL,
    objective TEXT,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,
    by TEXT NOT NULL
  )`,
  'CREATE INDEX scuba_slo_exclusion_service ON scuba_slo_exclusion (service, to_ms)',
]
