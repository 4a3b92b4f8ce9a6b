/** Tables of deploy. Times are log time in ms, shares parts per million; JSON columns hold canonical texts. */
export const DEPLOY_TABLES: readonly string[] = [
  `CREATE TABLE deploy_release (
    id TEXT PRIMARY KEY, service TEXT NOT NULL, job TEXT NOT NULL, version INTEGER NOT NULL, n INTEGER NOT NULL, label TEXT NOT NULL,
    artifact TEXT, state TEXT NOT NULL, why TEXT NOT NULL, author TEXT NOT NULL, at INTEGER NOT NULL, position INTEGER NOT NULL
  ) WITHOUT ROWID`,
  `CREATE UNIQUE INDEX deploy_release_by_version ON deploy_release (job, version)`,
  `CREATE INDEX deploy_release_by_service ON deploy_release (service, n)`,
  `CREATE TABLE deploy_service (
    service TEXT PRIMARY KEY, job TEXT NOT NULL, grp TEXT NOT NULL, release TEXT, spread_ppm INTEGER, spread_at INTEGER
  ) WITHOUT ROWID`,
  `CREATE TABLE deploy_rollout (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, service TEXT NOT NULL, job TEXT NOT NULL, grp TEXT NOT NULL,
    release TEXT NOT NULL, version INTEGER NOT NULL, from_release TEXT NOT NULL, from_version INTEGER NOT NULL, tasks INTEGER NOT NULL,
    profile TEXT NOT NULL, sticky TEXT, state TEXT NOT NULL, step INTEGER NOT NULL, epoch INTEGER NOT NULL, canary_tasks INTEGER NOT NULL,
    since_ms INTEGER NOT NULL, deadline_ms INTEGER, gate_from_ms INTEGER NOT NULL, held_cause TEXT, held_text TEXT,
    promoted_to INTEGER NOT NULL, cause TEXT, cause_text TEXT, is_stuck INTEGER NOT NULL,
    author TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, ended_at INTEGER
  )`,
  `CREATE INDEX deploy_rollout_by_service ON deploy_rollout (service, id)`,
  `CREATE INDEX deploy_rollout_in_flight ON deploy_rollout (id) WHERE ended_at IS NULL`,
  `CREATE TABLE deploy_rollout_step (
    rollout INTEGER NOT NULL, step INTEGER NOT NULL, share_ppm INTEGER NOT NULL, entered_at INTEGER NOT NULL, ended_at INTEGER,
    verdict TEXT, PRIMARY KEY (rollout, step)
  ) WITHOUT ROWID`,
  `CREATE TABLE deploy_verdict (
    position INTEGER PRIMARY KEY, rollout INTEGER NOT NULL, step INTEGER NOT NULL, at INTEGER NOT NULL, verdict TEXT NOT NULL,
    reason TEXT NOT NULL, evidence TEXT
  )`,
  `CREATE INDEX deploy_verdict_by_rollout ON deploy_verdict (rollout, position)`,
  `CREATE TABLE deploy_event (
    position INTEGER PRIMARY KEY, rollout INTEGER NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL
  )`,
  `CREATE INDEX deploy_event_by_rollout ON deploy_event (rollout, position)`,
  `CREATE TABLE deploy_halt (scope TEXT PRIMARY KEY, reason TEXT NOT NULL, author TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID`,
]
