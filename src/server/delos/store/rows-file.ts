import Database from 'better-sqlite3'
import type { SessionRow as ProposerRow } from '../../../core/delos/engines/applied-once.ts'
import type { AlarmRow, KvRows, LeaseRow, RoleRow, SessionRow, StateRow, UserRow } from '../../../core/delos/kv/rows.ts'
import { NO_BYTES, tombstone, type Version } from '../../../core/delos/kv/version.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { parseBigintJson } from '../../../core/kernel/json.ts'

/** Of the tables below; a file of another one is made anew from the log. */
const FORMAT = 1

/**
 * `kv.db`: the store as rows, so that a start need not replay the whole log. Derived: it may lag behind the log, and may be deleted. Keys
 * and values are bytes; a lease's id is 64 bits; what is small and rare is one JSON text.
 */
const TABLES = `
  CREATE TABLE IF NOT EXISTS kv_rev (
    rev INTEGER NOT NULL, sub INTEGER NOT NULL, key BLOB NOT NULL, "create" INTEGER NOT NULL, version INTEGER NOT NULL,
    lease INTEGER, del INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (rev, sub)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS kv_lease (id TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS kv_user (id TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS kv_role (id TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS kv_alarm (id TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS kv_session (id TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS kv_state (one INTEGER PRIMARY KEY CHECK (one = 1), row TEXT NOT NULL);
`

/** What stands beside the rows in the same transaction: how far they go, and which batches they hold. */
export interface StoreCursor {
  /** position of the last batch in the rows; 0: none */
  position: number
  timeMs: number
  /** which batches were applied, so that one that was sent twice is applied once */
  sessions: ProposerRow[]
}

/** Rows come in order and are many: fewer, larger pages are fewer writes. */
export const PAGE_BYTES = 32_768

export const EMPTY_CURSOR: StoreCursor = { position: 0, timeMs: 0, sessions: [] }

export function openRowsFile(file: string): Database.Database {
  const db = new Database(file)
  db.pragma(`page_size = ${PAGE_BYTES}`)
  // Before the next line writes the first page: after that SQLite passes over it, and gives nothing back ever.
  db.pragma('auto_vacuum = INCREMENTAL')
  db.pragma('journal_mode = WAL')
  // The log is the truth: what a power cut takes from here is applied again. Checkpoints sync, and are made by hand.
  db.pragma('synchronous = NORMAL')
  db.pragma('wal_autocheckpoint = 0')
  const format = db.pragma('user_version', { simple: true })
  if (format !== 0 && format !== FORMAT) {
    db.close()
    throw new MusterError('STATE_NEWER', `${file} has format ${String(format)}, this program knows ${FORMAT}`)
  }
  db.exec(TABLES)
  db.pragma(`user_version = ${FORMAT}`)
  return db
}

/** Of the last batch in the rows; 0: none. */
export function positionOf(db: Database.Database): number {
  const state = db.prepare<[], { row: string }>('SELECT row FROM kv_state').get()
  return state === undefined ? 0 : (parseBigintJson(state.row) as { cursor: StoreCursor }).cursor.position
}

interface RevRow {
  rev: number
  sub: number
  key: Buffer
  create: number
  version: number
  lease: string | null
  del: number
  value: Buffer
}

/** All rows, or null: nothing has been written yet. */
export function loadRows(db: Database.Database): { rows: KvRows; cursor: StoreCursor } | null {
  const kept = readRows(db)
  return kept === null ? null : { cursor: kept.cursor, rows: { ...kept.rows, versions: [...kept.rows.versions] } }
}

/** The same, but versions are read one after the other as they are taken. */
export function readRows(
  db: Database.Database,
): { rows: Omit<KvRows, 'versions'> & { versions: Iterable<Version> }; cursor: StoreCursor } | null {
  const state = db.prepare<[], { row: string }>('SELECT row FROM kv_state').get()
  if (state === undefined) return null
  const { cursor, ...row } = parseBigintJson(state.row) as { cursor: StoreCursor; state: StateRow }
  const small = <T>(table: string): T[] =>
    db
      .prepare<[], { row: string }>(`SELECT row FROM ${table} ORDER BY id`)
      .all()
      .map((each) => parseBigintJson(each.row) as T)
  return {
    cursor,
    rows: {
      versions: readVersions(db),
      leases: small<LeaseRow>('kv_lease'),
      users: small<UserRow>('kv_user'),
      roles: small<RoleRow>('kv_role'),
      alarms: small<AlarmRow>('kv_alarm'),
      sessions: small<SessionRow>('kv_session'),
      state: row.state,
    },
  }
}

function* readVersions(db: Database.Database): Generator<Version> {
  // As text, a lease's 64 bits survive without making every integer of the row a bigint.
  const query = db.prepare<[], RevRow>(
    'SELECT rev, sub, key, "create", version, CAST(lease AS TEXT) AS lease, del, value FROM kv_rev ORDER BY rev, sub',
  )
  for (const each of query.iterate()) yield versionOf(each)
}

function versionOf({ rev, sub, key, create, version, lease, del, value }: RevRow): Version {
  const text = key.toString('latin1')
  if (del === 1) return tombstone(text, rev, sub)
  return {
    key: text,
    create_revision: create,
    mod_revision: rev,
    version,
    value: value.length === 0 ? NO_BYTES : new Uint8Array(value.buffer, value.byteOffset, value.length),
    lease: lease === null ? 0n : BigInt(lease),
    sub,
    isDeleted: false,
  }
}
