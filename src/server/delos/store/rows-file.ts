import Database from 'better-sqlite3'
import type { SessionRow as ProposerRow } from '../../../core/delos/engines/applied-once.ts'
import type { AlarmRow, KvRows, LeaseRow, RoleRow, SessionRow, StateRow, UserRow } from '../../../core/delos/kv/rows.ts'
import type { Version } from '../../../core/delos/kv/version.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { parseBigintJson } from '../../../core/kernel/json.ts'
import { chunkRows } from './chunk-rows.ts'
import { FrameCursor } from './row-frame.ts'

/** Of the tables below. A file of format 1, in which each version was a row of `kv_rev`, is rewritten when it is opened; one of a newer format is refused. */
const FORMAT = 2
const ROW_PER_VERSION = 1

/**
 * `kv.db`: the store as rows, so that a start need not replay the whole log. Derived: it may lag behind the log, and may be deleted. Versions
 * stand in chunks (`row-frame.ts`), for a row each costs four times as much to write and three to read; what is small and rare is one JSON text.
 */
const TABLES = `
  CREATE TABLE IF NOT EXISTS kv_chunk (rev INTEGER NOT NULL, sub INTEGER NOT NULL, versions BLOB NOT NULL, PRIMARY KEY (rev, sub));
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
  /** positions that were passed over (`log skip`), ascending */
  skipped: number[]
}

/** Rows come in order and are many: fewer, larger pages are fewer writes. */
export const PAGE_BYTES = 32_768

export const EMPTY_CURSOR: StoreCursor = { position: 0, timeMs: 0, sessions: [], skipped: [] }

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
  if (format !== 0 && format !== ROW_PER_VERSION && format !== FORMAT) {
    db.close()
    throw new MusterError('STATE_NEWER', `${file} has format ${String(format)}, this program knows ${FORMAT}`)
  }
  if (format === FORMAT) return db
  db.transaction(() => {
    db.exec(TABLES)
    if (format === ROW_PER_VERSION) chunkRows(db)
    db.pragma(`user_version = ${FORMAT}`)
  })()
  return db
}

/** Up to where the rows go, and without which positions; 0: there are none. And their revision. */
export function standOf(db: Database.Database): Pick<StoreCursor, 'position' | 'skipped'> & { revision: number } {
  const found = db.prepare<[], { row: string }>('SELECT row FROM kv_state').get()
  if (found === undefined) return { position: 0, skipped: [], revision: 0 }
  const kept = parseBigintJson(found.row) as { cursor: StoreCursor; state: StateRow }
  const { position, skipped } = cursorOf(kept)
  return { position, skipped, revision: kept.state.revision }
}

/** Rows of an older program passed over nothing, and do not say so. */
const cursorOf = ({ cursor }: { cursor: Omit<StoreCursor, 'skipped'> & Partial<StoreCursor> }): StoreCursor => ({ skipped: [], ...cursor })

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
  const row = parseBigintJson(state.row) as { cursor: StoreCursor; state: StateRow }
  const small = <T>(table: string): T[] =>
    db
      .prepare<[], { row: string }>(`SELECT row FROM ${table} ORDER BY id`)
      .all()
      .map((each) => parseBigintJson(each.row) as T)
  return {
    cursor: cursorOf(row),
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
  for (const chunk of db.prepare<[], Buffer>('SELECT versions FROM kv_chunk ORDER BY rev, sub').pluck().iterate()) {
    // Not as a Buffer: the store's slices of it have to be copies.
    const frame = new FrameCursor(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    while (frame.next()) yield frame.version()
  }
}
