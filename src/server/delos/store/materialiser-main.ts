import { parentPort, workerData } from 'node:worker_threads'
import type Database from 'better-sqlite3'
import { bigintJson } from '../../../core/kernel/json.ts'
import { readVersions } from './row-frame.ts'
import { openRowsFile, type StoreCursor } from './rows-file.ts'

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
  | { kind: 'close' }

export type SmallTable = 'kv_lease' | 'kv_user' | 'kv_role' | 'kv_alarm'

export type FromMaterialiser =
  /** the last `write` is in the file, though perhaps not yet on the disk; `buffer` held its versions */
  | { kind: 'written'; position: number; bytes: number; inUse: number; buffer: ArrayBuffer }
  /** everything up to `position` is on the disk */
  | { kind: 'synced'; position: number }
  | { kind: 'failed'; code: string; message: string }
  | { kind: 'closed' }

const ROWS_PER_INSERT = 32
/** The write-ahead log of the file is taken into it after so many bytes of rows; a deleted row counts for a part of its page. */
const UNSYNCED_BYTES_MAX = 64 * 1024 * 1024
const REMOVED_BYTES = 64
const VACUUM_PAGES = 512
const RETRY_MS = 500

/** Runs in a thread of its own: what it costs the disk and the processor, no answer waits for. */
function run(file: string): void {
  const port = parentPort
  if (port === null) throw new Error('this is a worker thread')
  const db = openRowsFile(file)
  const writer = createWriter(db)
  const tell = (message: FromMaterialiser, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer)
  let position = 0
  let unsyncedBytes = 0
  const sync = (): void => {
    db.pragma('wal_checkpoint(TRUNCATE)')
    unsyncedBytes = 0
    tell({ kind: 'synced', position })
  }
  const write = (message: Extract<ToMaterialiser, { kind: 'write' }>): void => {
    writer(message)
    position = message.cursor.position
    const pages = db.pragma('page_count', { simple: true }) as number
    const free = db.pragma('freelist_count', { simple: true }) as number
    const size = db.pragma('page_size', { simple: true }) as number
    // Checkpoints sync, which the log's own syncs would have to wait for: seldom, then.
    unsyncedBytes += message.versions.length + message.removed.length * REMOVED_BYTES
    const { buffer } = message.versions
    tell({ kind: 'written', position, bytes: pages * size, inUse: (pages - free) * size, buffer }, [buffer])
    if (message.removed.length > 0 && free > VACUUM_PAGES) db.pragma(`incremental_vacuum(${VACUUM_PAGES})`)
    if (unsyncedBytes > UNSYNCED_BYTES_MAX) sync()
  }
  const attempt = (work: () => void, again: boolean): void => {
    try {
      work()
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK')
      tell({ kind: 'failed', code: (error as { code?: string }).code ?? '', message: (error as Error).message })
      // A disk that is full may have room later; nothing newer is written before this.
      if (again) setTimeout(() => attempt(work, true), RETRY_MS)
    }
  }
  port.on('message', (message: ToMaterialiser) => {
    if (message.kind === 'write') attempt(() => write(message), true)
    else if (message.kind === 'sync') attempt(sync, false)
    else {
      attempt(sync, false)
      db.close()
      tell({ kind: 'closed' })
      port.close()
    }
  })
}

function createWriter(db: Database.Database): (message: Extract<ToMaterialiser, { kind: 'write' }>) => void {
  const columns = 8
  const insert = (rows: number): Database.Statement<unknown[]> =>
    db.prepare(`INSERT OR REPLACE INTO kv_rev VALUES ${Array.from({ length: rows }, () => `(${'?,'.repeat(columns - 1)}?)`).join(',')}`)
  const one = insert(1)
  const many = insert(ROWS_PER_INSERT)
  const remove = db.prepare('DELETE FROM kv_rev WHERE rev = ? AND sub = ?')
  const state = db.prepare('INSERT OR REPLACE INTO kv_state VALUES (1, ?)')
  const put = new Map<SmallTable, Database.Statement>()
  const drop = new Map<SmallTable, Database.Statement>()
  for (const table of ['kv_lease', 'kv_user', 'kv_role', 'kv_alarm'] as const) {
    put.set(table, db.prepare(`INSERT OR REPLACE INTO ${table} VALUES (?, ?)`))
    drop.set(table, db.prepare(`DELETE FROM ${table} WHERE id = ?`))
  }
  return (message) => {
    db.exec('BEGIN IMMEDIATE')
    let params: unknown[] = []
    for (const { rev, sub, key, create, version, lease, isDeleted, value } of readVersions(message.versions)) {
      params.push(rev, sub, key, create, version, lease, isDeleted, value)
      if (params.length < ROWS_PER_INSERT * columns) continue
      many.run(params)
      params = []
    }
    for (let at = 0; at < params.length; at += columns) one.run(params.slice(at, at + columns))
    for (let i = 0; i < message.removed.length; i += 2) remove.run(message.removed[i], message.removed[i + 1])
    for (const [table, id, row] of message.small) {
      if (row === null) drop.get(table)?.run(id)
      else put.get(table)?.run(id, row)
    }
    state.run(bigintJson({ cursor: message.cursor, state: JSON.parse(message.state) as unknown }))
    db.exec('COMMIT')
  }
}

run((workerData as { file: string }).file)
