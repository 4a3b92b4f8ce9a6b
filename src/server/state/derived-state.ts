import { existsSync, rmSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { System } from '../../core/contracts/controller.ts'
import type { Entry } from '../../core/contracts/entry.ts'
import type { LogletEntry } from '../../core/contracts/loglet.ts'
import { assert } from '../../core/kernel/assert.ts'
import { MusterError, refuse } from '../../core/kernel/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import { batchEntries } from './entry-batch.ts'
import type { EntryRegistry } from './entry-registry.ts'
import { type OpenDb, openStateDb } from './state-db.ts'
import { FIRST_CURSOR, prepareSchema, SCHEMA_CURSOR_SQL, type StateCursor, writeCursor } from './state-schema.ts'

/** SQLite says so when the disk is full, whichever statement it meets it in. */
export function isFull(error: unknown): boolean {
  return (error as { code?: string }).code === 'SQLITE_FULL'
}

/** Room the database may need to take these entries in: a logged entry that cannot be applied would stop everything. */
export function assertRoom(dbFile: string, { count, bytes }: { count: number; bytes: number }): void {
  const { bavail, bsize, blocks } = statfsSync(dirname(dbFile))
  const wantedBytes = 1024 * 1024 + 4 * bytes + 32 * 1024 * count
  // Some file systems do not say.
  if (blocks > 0 && bavail * bsize < wantedBytes) throw refuse('DISK_FULL', `no space left for ${dbFile}; nothing was changed`)
}

/** Opens the derived database as it was left; begins it anew when it is missing, foreign or damaged. Throws DISK_FULL. */
export function openDerived(dbFile: string, systems: readonly System[], log: Logger): { db: OpenDb; cursor: StateCursor } {
  const isNew = !existsSync(dbFile)
  let db: OpenDb | null = null
  try {
    db = openStateDb(dbFile)
    const cursor = prepareSchema(db, systems)
    if (cursor !== null) return { db, cursor }
    if (!isNew) log.info('the state database is built again from the log', { file: dbFile, reason: 'its form differs' })
  } catch (error) {
    db?.close()
    if (error instanceof MusterError) throw error
    // A full disk is no reason to throw the state away.
    if (isFull(error)) throw refuse('DISK_FULL', `no space left for ${dbFile}`, { cause: error })
    log.warn('the state database cannot be read and is built again from the log', { file: dbFile, error: String(error) })
    return beginAnew(null, dbFile, systems)
  }
  return beginAnew(db, dbFile, systems)
}

/** An empty database in the place of one that is no use. */
export function beginAnew(was: OpenDb | null, dbFile: string, systems: readonly System[]): { db: OpenDb; cursor: StateCursor } {
  was?.close()
  for (const suffix of ['', '-wal', '-shm']) rmSync(dbFile + suffix, { force: true })
  const db = openStateDb(dbFile)
  return { db, cursor: prepareSchema(db, systems) ?? FIRST_CURSOR }
}

/**
 * Applies batches that follow each other, in one transaction. Gives where the state then is, and the entries that counted.
 * @throws SQLite's error when it cannot be applied, STATE_NEWER, or STATE_UNREADABLE when the state is not what the log made; the database is
 * then as before
 */
export function applyBatches(
  db: OpenDb,
  registry: EntryRegistry,
  from: StateCursor,
  batches: readonly LogletEntry[],
): { cursor: StateCursor; entries: Entry[] } {
  const cursor = { ...from }
  const applied: Entry[] = []
  db.raw.exec('BEGIN IMMEDIATE')
  try {
    for (const { position, payload } of batches) {
      assert(position === cursor.position, `the batch at ${position} is not the next one, which is at ${cursor.position}`)
      const entries = batchEntries(position, payload)
      const [first] = entries
      if (first !== undefined && first.position !== cursor.number)
        throw refuse(
          'STATE_UNREADABLE',
          `the state ends before entry ${cursor.number}, and the log goes on at ${position} with entry ${first.position}: it was not made by this log`,
          { hint: 'Stop the server and remove state.db: it is built again from the log.' },
        )
      for (const entry of entries) registry.apply(db, entry)
      applied.push(...entries)
      cursor.number += entries.length
      cursor.position = position + 1
    }
    writeCursor(db, cursor)
    const last = applied.at(-1)
    if (last !== undefined) db.run(SCHEMA_CURSOR_SQL, 'at', last.at)
    db.raw.exec('COMMIT')
  } catch (error) {
    rollback(db)
    throw error
  }
  return { cursor, entries: applied }
}

/** SQLite itself rolls back on a full disk, in some statements. */
export function rollback(db: OpenDb): void {
  if (db.raw.inTransaction) db.raw.exec('ROLLBACK')
}
