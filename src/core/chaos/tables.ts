/** Tables of chaos. Times are log time in ms. `experiment`, `plan` and `summary` are JSON. */
export const CHAOS_TABLES: readonly string[] = [
  `CREATE TABLE chaos_run (
    id TEXT PRIMARY KEY, position INTEGER NOT NULL, title TEXT NOT NULL, digest TEXT NOT NULL, experiment TEXT NOT NULL, plan TEXT NOT NULL,
    state TEXT NOT NULL, service TEXT, since_ms INTEGER NOT NULL, started_at INTEGER, observing_at INTEGER, undone_at INTEGER,
    verdict TEXT, reason TEXT NOT NULL, cause TEXT, author TEXT NOT NULL, at INTEGER NOT NULL, ended_at INTEGER, summary TEXT
  ) WITHOUT ROWID`,
  `CREATE TABLE chaos_fault (
    id TEXT PRIMARY KEY, run TEXT NOT NULL, n INTEGER NOT NULL, action INTEGER NOT NULL, fault TEXT NOT NULL, backend TEXT NOT NULL,
    service TEXT, task INTEGER, task_name TEXT, incarnation INTEGER, node TEXT, arguments TEXT NOT NULL, until_ms INTEGER NOT NULL,
    lease_ms INTEGER NOT NULL, state TEXT NOT NULL, effect INTEGER NOT NULL, message TEXT NOT NULL, armed_at INTEGER, asked_at INTEGER, ended_at INTEGER
  ) WITHOUT ROWID`,
  `CREATE INDEX chaos_fault_by_run ON chaos_fault (run, n)`,
  `CREATE TABLE chaos_event (position INTEGER PRIMARY KEY, run TEXT NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, text TEXT NOT NULL)`,
  `CREATE INDEX chaos_event_by_run ON chaos_event (run, position)`,
  `CREATE TABLE chaos_halt (id INTEGER PRIMARY KEY CHECK (id = 1), reason TEXT NOT NULL, author TEXT NOT NULL, at INTEGER NOT NULL)`,
  `CREATE TABLE chaos_setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
]
