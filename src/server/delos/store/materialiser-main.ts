import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import type Database from 'better-sqlite3'
import { bigintJson } from '../../../core/kernel/json.ts'
import { openRowsFile, standOf, PAGE_BYTES, type StoreCursor } from './rows-file.ts'
import { versionChunks } from './version-chunks.ts'

/** What the server sends: rows to be written in one transaction, or a request to sync. */
export type ToMaterialiser =
  | {
      kind: 'write'
      versions: Uint8Array<ArrayBuffer>
      /** rev, sub, rev, sub, … of versions that compaction threw away */
      removed: Float64Array<ArrayBuffer>
      /** rows as JSON by table and id; null: deleted */
      small: [table: SmallTable, id: string, row: string | null][]
      state: string
      cursor: StoreCursor
    }
  | { kind: 'sync' }
  /** the file at `from` takes the place of the database */
  | { kind: 'replace'; from: string }
  | { kind: 'close' }

export type SmallTable = 'kv_lease' | 'kv_user' | 'kv_role' | 'kv_alarm' | 'kv_session'

export type FromMaterialiser =
  /** the last `write` is in the file, though perhaps not yet on the disk; `buffer` held its versions */
  | { kind: 'written'; position: number; bytes: number; inUse: number; buffer: ArrayBuffer }
  /** it gave back to the disk what it did not need */
  | { kind: 'shrunk'; bytes: number; inUse: number }
  /** everything up to `position` is on the disk */
  | { kind: 'synced'; position: number }
  | { kind: 'replaced'; error: string | null }
  | { kind: 'failed'; code: string; message: string }
  | { kind: 'closed' }

/** The write-ahead log of the file is taken into it after so many bytes of rows: of a small file sooner, for it would be many times as large. */
const UNSYNCED_BYTES_MAX = 64 * 1024 * 1024
const UNSYNCED_BYTES_MIN = 16 * 1024 * 1024
const unsyncedMax = (inUse: number): number => Math.min(UNSYNCED_BYTES_MAX, Math.max(UNSYNCED_BYTES_MIN, 2 * inUse))
/** Free pages are kept for the rows to come, and given back to the disk above it, so many at a time. */
const VACUUM_PAGES = 64
/** What a step writes at most: pages of `rows-file.ts` that move. */
const VACUUM_BYTES = VACUUM_PAGES * PAGE_BYTES
/** Between two of them, for rows that wait. */
const VACUUM_PAUSE_MS = 20
const RETRY_MS = 500

/** Runs in a thread of its own: what it costs the disk and the processor, no answer waits for. */
function run(file: string): void {
  const port = parentPort
  if (port === null) throw new Error('this is a worker thread')
  let db = openRowsFile(file)
  let writer = createWriter(db)
  let measure = measureOf(db)
  const tell = (message: FromMaterialiser, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer)
  let position = standOf(db).position
  let unsyncedBytes = 0
  const sync = (): void => {
    // Who reads the file meanwhile, to copy it, keeps a part of it from being synced; nobody waits for that.
    db.pragma('busy_timeout = 0')
    const [result] = db.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[]
    unsyncedBytes = 0
    if (result?.busy === 0) tell({ kind: 'synced', position })
    else tell({ kind: 'synced', position: 0 })
  }
  const replace = (from: string): void => {
    // The last one to close takes its write-ahead log into the file and removes it: it must not meet the new one.
    db.close()
    for (const name of [`${file}-wal`, `${file}-shm`]) rmSync(name, { force: true })
    renameSync(from, file)
    syncDirectoryNow(dirname(file))
    db = openRowsFile(file)
    writer = createWriter(db)
    measure = measureOf(db)
    position = standOf(db).position
  }
  let isVacuumDue = false
  const vacuum = (): void => {
    isVacuumDue = false
    if (!db.open) return
    const before = measure().free
    db.pragma(`incremental_vacuum(${VACUUM_PAGES})`)
    const { bytes, inUse, free } = measure()
    tell({ kind: 'shrunk', bytes, inUse })
    unsyncedBytes += VACUUM_BYTES
    if (unsyncedBytes > unsyncedMax(inUse)) sync()
    // Compaction throws away far more in one transaction than is given back in one step.
    // A file of before it could be asked to keeps what it has, and uses it again.
    if (free > VACUUM_PAGES && free < before) vacuumSoon()
  }
  const vacuumSoon = (): void => {
    if (isVacuumDue) return
    isVacuumDue = true
    setTimeout(() => attempt(vacuum, false), VACUUM_PAUSE_MS)
  }
  // What was found may be in the page cache only.
  sync()
  if (measure().free > VACUUM_PAGES) vacuumSoon()
  const write = (message: Extract<ToMaterialiser, { kind: 'write' }>): void => {
    const rewrittenBytes = writer(message)
    position = message.cursor.position
    const { bytes, inUse, free } = measure()
    // Checkpoints sync, which the log's own syncs would have to wait for: seldom, then.
    unsyncedBytes += message.versions.length + rewrittenBytes
    const { buffer } = message.versions
    tell({ kind: 'written', position, bytes, inUse, buffer }, [buffer])
    // What fails from here on is no reason to write the rows again, whose bytes are given back.
    if (message.removed.length > 0 && free > VACUUM_PAGES) vacuumSoon()
    if (unsyncedBytes > unsyncedMax(inUse)) attempt(sync, false)
  }
  const attempt = (work: () => void, again: boolean): void => {
    try {
      work()
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK')
      tell({ kind: 'failed', code: (error as { code?: string }).code ?? '', message: (error as Error).message })
      // A disk that is full may have room later; nothing newer is written before this.
      const ofThis = db
      if (again) setTimeout(() => (ofThis === db ? attempt(work, true) : undefined), RETRY_MS)
    }
  }
  port.on('message', (message: ToMaterialiser) => {
    if (message.kind === 'write') attempt(() => write(message), true)
    else if (message.kind === 'sync') attempt(sync, false)
    else if (message.kind === 'replace') {
      try {
        replace(message.from)
        sync()
        tell({ kind: 'replaced', error: null })
      } catch (error) {
        tell({ kind: 'replaced', error: String(error) })
      }
    } else {
      attempt(sync, false)
      db.close()
      tell({ kind: 'closed' })
      port.close()
    }
  })
}

/** How large the file is. Asked after each transaction: prepared once, it costs next to nothing. */
function measureOf(db: Database.Database): () => { bytes: number; inUse: number; free: number } {
  const pageCount = db.prepare('PRAGMA page_count').pluck()
  const freeCount = db.prepare('PRAGMA freelist_count').pluck()
  const size = db.pragma('page_size', { simple: true }) as number
  return () => {
    const [pages, free] = [pageCount.get() as number, freeCount.get() as number]
    return { bytes: pages * size, inUse: (pages - free) * size, free }
  }
}

function syncDirectoryNow(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** What it makes gives how many bytes of earlier chunks were written anew. */
function createWriter(db: Database.Database): (message: Extract<ToMaterialiser, { kind: 'write' }>) => number {
  const chunks = versionChunks(db)
  const state = db.prepare('INSERT OR REPLACE INTO kv_state VALUES (1, ?)')
  const put = new Map<SmallTable, Database.Statement>()
  const drop = new Map<SmallTable, Database.Statement>()
  for (const table of ['kv_lease', 'kv_user', 'kv_role', 'kv_alarm', 'kv_session'] as const) {
    put.set(table, db.prepare(`INSERT OR REPLACE INTO ${table} VALUES (?, ?)`))
    drop.set(table, db.prepare(`DELETE FROM ${table} WHERE id = ?`))
  }
  return (message) => {
    db.exec('BEGIN IMMEDIATE')
    chunks.insert(message.versions)
    const rewrittenBytes = chunks.remove(message.removed)
    for (const [table, id, row] of message.small) {
      if (row === null) drop.get(table)?.run(id)
      else put.get(table)?.run(id, row)
    }
    state.run(bigintJson({ cursor: message.cursor, state: JSON.parse(message.state) as unknown }))
    db.exec('COMMIT')
    return rewrittenBytes
  }
}

/** A disk that is full when the file is made may have room later; what is to be written waits at the port. */
function start(file: string): void {
  try {
    run(file)
  } catch (error) {
    const { code = '', message } = error as Error & { code?: string }
    parentPort?.postMessage({ kind: 'failed', code, message } satisfies FromMaterialiser)
    setTimeout(() => start(file), RETRY_MS)
  }
}

start((workerData as { file: string }).file)
