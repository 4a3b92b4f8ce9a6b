import { existsSync, renameSync, rmSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { System } from '../../core/contracts/controller.ts'
import type { Entry } from '../../core/contracts/entry.ts'
import type { LogletEntry } from '../../core/contracts/loglet.ts'
import { assert } from '../../core/kernel/assert.ts'
import { MusterError, refuse } from '../../core/kernel/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import { batchEntries, batchHead } from './entry-batch.ts'
import type { PoisonNote } from '../delos/store/poison-note.ts'
import type { EntryRegistry } from './entry-registry.ts'
import { type OpenDb, openStateDb } from './state-db.ts'
import { FIRST_CURSOR, prepareSchema, SCHEMA_CURSOR_SQL, type StateCursor, writeCursor, writeSkipped } from './state-schema.ts'

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

export interface Derived {
  db: OpenDb
  cursor: StateCursor
}

/** Opens the derived database as it was left; begins it anew when it is missing, foreign or damaged. Throws DISK_FULL. */
export function openDerived(dbFile: string, systems: readonly System[], log: Logger): Derived {
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

/** An empty database in the place of one that is no use, which is set aside until it is known that another one can be made. */
export function beginAnew(was: OpenDb | null, dbFile: string, systems: readonly System[]): Derived {
  was?.close()
  // What stands there is the first one that was no use; those after it were made here.
  const isSetAside = existsSync(asideOf(dbFile))
  for (const suffix of FILE_SUFFIXES) {
    if (isSetAside) rmSync(dbFile + suffix, { force: true })
    else if (existsSync(dbFile + suffix)) renameSync(dbFile + suffix, asideOf(dbFile) + suffix)
  }
  const db = openStateDb(dbFile)
  return { db, cursor: prepareSchema(db, systems) ?? FIRST_CURSOR }
}

/** What was set aside is of no use any more. */
export function dropAside(dbFile: string): void {
  for (const suffix of FILE_SUFFIXES) rmSync(asideOf(dbFile) + suffix, { force: true })
}

/** No other one can be made: the program that made it may yet open it. The one in its place is closed. */
export function bringBackAside(dbFile: string): void {
  if (!existsSync(asideOf(dbFile))) return
  for (const suffix of FILE_SUFFIXES) {
    rmSync(dbFile + suffix, { force: true })
    if (existsSync(asideOf(dbFile) + suffix)) renameSync(asideOf(dbFile) + suffix, dbFile + suffix)
  }
}

const FILE_SUFFIXES = ['', '-wal', '-shm'] as const
const asideOf = (dbFile: string): string => `${dbFile}.before`

export interface ApplyRules {
  /** positions that are passed over; null: none */
  skips: ReadonlySet<number> | null
  /** notes what is applied, and says before which position to stop; null: nobody does */
  poison: PoisonNote | null
}
const APPLY_ALL: ApplyRules = { skips: null, poison: null }

export interface Applied {
  cursor: StateCursor
  entries: Entry[]
  /** of the batches, those that were passed over */
  skipped: number[]
}

/**
 * Applies batches that follow each other, in one transaction. Gives where the state then is, and the entries that counted; it stops before what
 * ended earlier processes.
 * @throws SQLite's error when it cannot be applied, STATE_NEWER, or STATE_UNREADABLE when the state is not what the log made; the database is
 * then as before
 */
export function applyBatches(
  db: OpenDb,
  registry: EntryRegistry,
  from: StateCursor,
  batches: readonly LogletEntry[],
  { skips, poison }: ApplyRules = APPLY_ALL,
): Applied {
  const cursor = { ...from }
  const applied: Entry[] = []
  const skipped: number[] = []
  db.raw.exec('BEGIN IMMEDIATE')
  try {
    for (const { position, payload } of batches) {
      assert(position === cursor.position, `the batch at ${position} is not the next one, which is at ${cursor.position}`)
      if (skips?.has(position) === true) {
        writeSkipped(db, position)
        skipped.push(position)
        Object.assign(cursor, passedOver(cursor, payload))
        poison?.passedOver(position)
        continue
      }
      if (poison?.poisoned === position) break
      const entries = batchEntries(position, payload)
      const [first] = entries
      if (first !== undefined && first.position !== cursor.number)
        throw refuse(
          'STATE_UNREADABLE',
          `the state ends before entry ${cursor.number}, and the log goes on at ${position} with entry ${first.position}: it was not made by this log`,
          { hint: 'Stop the server and remove state.db: it is built again from the log.' },
        )
      poison?.before(position)
      for (const entry of entries) applyOne(db, registry, entry, position, poison)
      poison?.after()
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
  return { cursor, entries: applied, skipped }
}

function applyOne(db: OpenDb, registry: EntryRegistry, entry: Entry, position: number, poison: PoisonNote | null): void {
  try {
    registry.apply(db, entry)
  } catch (error) {
    // What a newer version wrote and what has no room is no defect of this entry.
    if (!isFull(error) && !(error instanceof MusterError)) poison?.threw(position)
    throw error
  }
}

/** What it holds counts no more, but its numbers are not used again: what was decided after it goes on behind them. */
export function passedOver({ number, position }: StateCursor, payload: Uint8Array): StateCursor {
  let count = 0
  try {
    const head = batchHead(position, payload)
    if (!head.isVoid) count = head.count
  } catch {
    // That it cannot be read may be the very reason to skip it.
  }
  return { number: number + count, position: position + 1 }
}

/** SQLite itself rolls back on a full disk, in some statements. */
export function rollback(db: OpenDb): void {
  if (db.raw.inTransaction) db.raw.exec('ROLLBACK')
}
