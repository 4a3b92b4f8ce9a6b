/** Tables of delos on the `control` log. */
export const CONTROL_TABLES = [
  // The one lock space of rollouts, drains, remedies and chaos runs. `until`: log time in ms; a lock past it is free.
  'CREATE TABLE delos_scope_lock (scope TEXT PRIMARY KEY, holder TEXT NOT NULL, until INTEGER NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID',
  `CREATE TABLE delos_config (
    name TEXT PRIMARY KEY, service TEXT, latest INTEGER NOT NULL, active INTEGER, proposed INTEGER, canary_ppm INTEGER, canary_until INTEGER
  ) WITHOUT ROWID`,
  // Bodies are large: a table with rowids keeps them out of the way of its key. `replaced`: the version it took the place of.
  `CREATE TABLE delos_config_version (
    name TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL, replaced INTEGER, author TEXT NOT NULL, at INTEGER NOT NULL,
    decided_at INTEGER, verdict TEXT, reason TEXT, schema TEXT, bytes INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (name, version)
  )`,
  `CREATE TABLE delos_meta (
    kind TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, labels TEXT NOT NULL, author TEXT NOT NULL, at INTEGER NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (kind, name)
  )`,
  `CREATE TABLE delos_meta_label (
    label TEXT NOT NULL, value TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (label, value, kind, name)
  ) WITHOUT ROWID`,
  'CREATE INDEX delos_meta_label_of ON delos_meta_label (kind, name)',
]

/** Tables of the key-value store, in `kv.db`. Keys and values are UTF-8 text, which SQLite orders by its bytes, as etcd does. */
export const KV_TABLES = [
  // Every version of every key since the compacted revision. A deletion is a row with del = 1.
  `CREATE TABLE kv_rev (
    rev INTEGER NOT NULL, sub INTEGER NOT NULL, key TEXT NOT NULL, "create" INTEGER NOT NULL, version INTEGER NOT NULL,
    lease TEXT, del INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (rev, sub)
  ) WITHOUT ROWID`,
  'CREATE INDEX kv_rev_key ON kv_rev (key, rev)',
  // Where the newest version of each living key is.
  'CREATE TABLE kv_cur (key TEXT PRIMARY KEY, rev INTEGER NOT NULL, sub INTEGER NOT NULL, lease TEXT) WITHOUT ROWID',
  'CREATE INDEX kv_cur_lease ON kv_cur (lease) WHERE lease IS NOT NULL',
  'CREATE TABLE kv_lease (id TEXT PRIMARY KEY, ttl_ms INTEGER NOT NULL, granted_at INTEGER NOT NULL, owner TEXT NOT NULL) WITHOUT ROWID',
  'CREATE TABLE kv_state (one INTEGER PRIMARY KEY CHECK (one = 1), rev INTEGER NOT NULL, compact_rev INTEGER NOT NULL)',
]
