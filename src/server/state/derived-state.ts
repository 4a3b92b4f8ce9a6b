import { existsSync, rmSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Entry } from '../../core/contracts/entry.ts'
import type { Loglet } from '../../core/contracts/loglet.ts'
import { must } from '../../core/kernel/assert.ts'
import { MusterError, refuse } from '../../core/kernel/errors.ts'
import type { ControlLogOptions } from './control-log.ts'
import { decodeEntry } from './entry-codec.ts'
import type { EntryRegistry } from './entry-registry.ts'
import { type OpenDb, openStateDb } from './state-db.ts'
import { prepareSchema, SCHEMA_CURSOR_SQL } from './state-schema.ts'

const REPLAY_CHUNK = 4096

/** SQLite says so when the disk is full, whichever statement it meets it in. */
export function isFull(error: unknown): boolean {
  return (error as { code?: string }).code === 'SQLITE_FULL'
}

/** Room the database may need to take these entries in: a logged entry that cannot be applied would stop everything. */
export function assertRoom(dbFile: string, payloads: readonly Uint8Array[]): void {
  const { bavail, bsize, blocks } = statfsSync(dirname(dbFile))
  const wantedBytes = payloads.reduce((sum, payload) => sum + 4 * payload.length + 32 * 1024, 1024 * 1024)
  // Some file systems do not say.
  if (blocks > 0 && bavail * bsize < wantedBytes) throw refuse('DISK_FULL', `no space left for ${dbFile}; nothing was changed`)
}

/** Opens the derived database and brings it to the log's tail; starts it anew when it is missing, foreign, damaged or ahead. */
export function openDerived(options: ControlLogOptions, registry: EntryRegistry): OpenDb {
  const { loglet, dbFile, systems, log } = options
  const remove = (): void => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(dbFile + suffix, { force: true })
  }
  const isNew = !existsSync(dbFile)
  let db: OpenDb
  let cursor: number | null = null
  try {
    db = openStateDb(dbFile)
    cursor = prepareSchema(db, systems)
  } catch (error) {
    if (error instanceof MusterError) throw error
    // A full disk is no reason to throw the state away.
    if (isFull(error)) throw refuse('DISK_FULL', `no space left for ${dbFile}`, { cause: error })
    log.warn('the state database cannot be read and is built again from the log', { file: dbFile, error: String(error) })
    remove()
    db = openStateDb(dbFile)
    cursor = prepareSchema(db, systems)
  }
  if (cursor === null || cursor > loglet.checkTail()) {
    if (!isNew)
      log.info('the state database is built again from the log', {
        file: dbFile,
        reason: cursor === null ? 'its form differs' : 'it is ahead of the log',
      })
    db.close()
    remove()
    db = openStateDb(dbFile)
    cursor = prepareSchema(db, systems) ?? 1
  }
  replay(db, loglet, registry, cursor)
  return db
}

/**
 * Applies the log's entries from position `from` to its tail, a chunk a transaction; tells of each chunk once it is committed.
 * @throws SQLite's error when it cannot be applied; then the database stands before that chunk.
 */
export function replay(db: OpenDb, loglet: Loglet, registry: EntryRegistry, from: number, onApplied?: (entries: Entry[]) => void): void {
  const tail = loglet.checkTail()
  let next = from
  if (next < loglet.head()) {
    throw refuse('STATE_UNREADABLE', `the log begins at ${loglet.head()}, the state ends before ${next}: entries between them are gone`, {
      hint: 'Restore a snapshot with `muster delos snapshot restore FILE`.',
    })
  }
  while (next < tail) {
    const entries = loglet.readNext(next, REPLAY_CHUNK).map(({ position, payload }) => decodeEntry(position, payload))
    const last = must(entries.at(-1), `the entry at ${next}, before the log's tail ${tail},`)
    inTransaction(db, () => {
      for (const entry of entries) registry.apply(db, entry)
      db.run(SCHEMA_CURSOR_SQL, 'cursor', last.position + 1)
      db.run(SCHEMA_CURSOR_SQL, 'at', last.at)
    })
    next = last.position + 1
    onApplied?.(entries)
  }
}

function inTransaction(db: OpenDb, work: () => void): void {
  db.raw.exec('BEGIN IMMEDIATE')
  try {
    work()
    db.raw.exec('COMMIT')
  } catch (error) {
    rollback(db)
    throw error
  }
}

/** SQLite itself rolls back on a full disk, in some statements. */
export function rollback(db: OpenDb): void {
  if (db.raw.inTransaction) db.raw.exec('ROLLBACK')
}
