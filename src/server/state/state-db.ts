import Database from 'better-sqlite3'
import type { Db, ReadDb, Row, SqlValue } from '../../core/contracts/storage.ts'

/** The state database as core sees it, with its statements cached by text, and the handle beneath it. */
export interface OpenDb extends Db {
  raw: Database.Database
  close: () => void
}

function wrap(raw: Database.Database): OpenDb {
  const statements = new Map<string, Database.Statement<SqlValue[]>>()
  const prepare = (sql: string): Database.Statement<SqlValue[]> => {
    let statement = statements.get(sql)
    if (!statement) {
      statement = raw.prepare<SqlValue[]>(keepingPlan(sql))
      statements.set(sql, statement)
    }
    return statement
  }
  return {
    raw,
    get: <R = Row>(sql: string, ...params: SqlValue[]) => prepare(sql).get(...params) as R | undefined,
    all: <R = Row>(sql: string, ...params: SqlValue[]) => prepare(sql).all(...params) as R[],
    run: (sql, ...params) => prepare(sql).run(...params).changes,
    close: () => raw.close(),
  }
}

/**
 * This SQLite has STAT4, with which a statement is prepared again at each execution whose plan might depend on what is bound to its WHERE:
 * 100 µs for a join of six tables, for one row that takes 2. What is bound to a subquery no plan depends on.
 */
function keepingPlan(sql: string): string {
  const where = sql.search(/\bWHERE\b/)
  if (where < 0) return sql
  return sql.slice(0, where) + sql.slice(where).replace(/'(?:[^']|'')*'|\?(?!\d)/g, (it) => (it === '?' ? '(SELECT ?)' : it))
}

/** Most memory for pages; a small state takes no more than it is long. */
const CACHE_KIB = 131_072
/** So many pages, 16 MB, are copied from the WAL at once: tens of milliseconds. */
const CHECKPOINT_PAGES = 4000

/**
 * Opens (and creates) a database that is derived from a log. NORMAL is enough: what a power cut takes from it is
 * applied again from the log, whose position stands in the same transaction as the change.
 */
export function openStateDb(file: string): OpenDb {
  const raw = new Database(file)
  raw.pragma('journal_mode = WAL')
  raw.pragma('synchronous = NORMAL')
  raw.pragma('journal_size_limit = 67108864')
  raw.pragma('busy_timeout = 2000')
  raw.pragma('temp_store = MEMORY')
  // One decision about a large fleet touches thousands of pages: they neither spill before its commit nor are written twice for each.
  raw.pragma(`cache_size = -${CACHE_KIB}`)
  raw.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
  return wrap(raw)
}

/** A reader of committed state, in the server beside the writer or in the CLI. Throws when the file does not exist. */
export function openReadDb(file: string): ReadDb & { close: () => void } {
  const raw = new Database(file, { readonly: true, fileMustExist: true })
  raw.pragma('busy_timeout = 2000')
  return wrap(raw)
}
