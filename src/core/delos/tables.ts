import { joinTokens } from './member/rows.ts'

/** Tables of delos on the `control` log. */
export const CONTROL_TABLES = [
  // The one lock space of rollouts, drains, remedies and chaos runs. `until`: log time in ms; a lock past it is free.
  'CREATE TABLE delos_scope_lock (scope TEXT PRIMARY KEY, holder TEXT NOT NULL, until INTEGER NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID',
  `CREATE TABLE delos_config (
    name TEXT PRIMARY KEY, service TEXT, latest INTEGER NOT NULL, active INTEGER, proposed INTEGER, canary_ppm INTEGER, canary_until INTEGER,
    canary_good_below INTEGER
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
  // What servers may join by; `hash`: SHA-256 of the secret, which nobody here knows. Times: log time in ms.
  joinTokens.sql,
  // The newest certificate of each server. `key`: SHA-256 of its public key; `token`: by which the server came in.
  `CREATE TABLE delos_cert (
    server TEXT PRIMARY KEY, name TEXT NOT NULL, key TEXT NOT NULL, serial TEXT NOT NULL, not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL, token TEXT, at INTEGER NOT NULL
  ) WITHOUT ROWID`,
  'CREATE INDEX delos_cert_key ON delos_cert (key)',
  // Which servers shall lead. One row; `region` null: any.
  'CREATE TABLE delos_preferred_leader (one INTEGER PRIMARY KEY CHECK (one = 1), region TEXT, author TEXT NOT NULL, at INTEGER NOT NULL)',
  // Bearer tokens of the API; `hash`: SHA-256 of the token. One that ended is remembered, so that no server's old file brings it back.
  `CREATE TABLE delos_api_token (
    hash TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, author TEXT NOT NULL, at INTEGER NOT NULL, ended_at INTEGER, scram TEXT
  ) WITHOUT ROWID`,
  // What is wrong with a log, its disk or its servers, until it is over.
  'CREATE TABLE delos_alarm (kind TEXT NOT NULL, target TEXT NOT NULL, text TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (kind, target)) WITHOUT ROWID',
  // Since when a log lies in a loglet, and who moved it there.
  'CREATE TABLE delos_log_move (log TEXT NOT NULL, loglet INTEGER NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, PRIMARY KEY (log, loglet)) WITHOUT ROWID',
]
