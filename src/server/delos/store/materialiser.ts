import { Worker } from 'node:worker_threads'
import { existsSync, renameSync, rmSync, statSync } from 'node:fs'
import type { KvChanges, KvRows } from '../../../core/delos/kv/rows.ts'
import { sessionRow } from '../../../core/delos/kv/sessions.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { entryPoint } from '../../../platform/spawn.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { FromMaterialiser, SmallTable, ToMaterialiser } from './materialiser-main.ts'
import { bigintJson } from '../../../core/kernel/json.ts'
import { Seldom } from '../quorum/seldom.ts'
import { VersionFrame } from './row-frame.ts'
import { EMPTY_CURSOR, loadRows, openRowsFile, type StoreCursor } from './rows-file.ts'

export interface Materialiser {
  /** Before anything is pushed: where the rows stand, asked for when they are written. */
  start(cursor: () => StoreCursor): void
  /** Rows of a batch, which follow on those before. Never waits; how much is behind, `backlogBytes` says. */
  push(changes: KvChanges): void
  /** bytes that wait to be written */
  backlogBytes(): number
  /** position up to which the file is on the disk: the log is needed from there on */
  durablePosition(): number
  size(): { bytes: number; inUse: number }
  sync(): Promise<void>
  /** Resolves once everything pushed before is in the file, though perhaps not on the disk. */
  settled(): Promise<void>
  /**
   * Puts another file of rows, which is on the disk, in the place of this one. What was pushed and is not written is dropped. Rejects when
   * that failed: nobody knows then what is there.
   */
  replace(from: string): Promise<void>
  close(): Promise<void>
}

/** What is in `kv.db`; null: nothing, or it was of no use and is made anew from the log. */
export function readRowsFile(file: string, log: Logger): { rows: KvRows; cursor: StoreCursor } | null {
  if (!existsSync(file)) return null
  try {
    const db = openRowsFile(file)
    try {
      return loadRows(db)
    } finally {
      db.close()
    }
  } catch (error) {
    if (error instanceof MusterError) throw error
    log.warn('kv.db is damaged; it is kept as kv.db.damaged and made anew', { file, error: String(error) })
    renameSync(file, `${file}.damaged`)
    for (const name of [`${file}-wal`, `${file}-shm`]) rmSync(name, { force: true })
    return null
  }
}

const SYNC_EVERY_MS = 10_000
const SETTLE_MS = 2
const CLOSE_MAX_MS = 5000
const GATHER_MS = 100
const GATHER_BYTES = 512 * 1024

/** What keeps `kv.db` up with the store, in a thread of its own from the first row on. While it writes, what comes gathers for its next transaction. */
export function startMaterialiser(file: string, log: Logger, options: { syncEveryMs?: number } = {}): Materialiser {
  let worker: Worker | null = null
  const frame = new VersionFrame()
  let removed: number[] = []
  let small = new Map<string, [SmallTable, string, string | null]>()
  let state: KvChanges['state'] | null = null
  let timerOfFlush: NodeJS.Timeout | null = null
  let cursor = (): StoreCursor => EMPTY_CURSOR
  let isBusy = false
  let busyBytes = 0
  /** transactions that are in the file */
  let written = 0
  let durable = 0
  // Until the first rows are written it is as large as it was found.
  const sizeBytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  let sizes = { bytes: sizeBytes, inUse: sizeBytes }
  const seldom = new Seldom()
  const waitingForSync: (() => void)[] = []
  const waitingForClose: (() => void)[] = []
  const waitingForReplace: ((error: string | null) => void)[] = []
  const send = (message: ToMaterialiser, transfer: ArrayBuffer[] = []): void => {
    // Not before there is something to write: a store that nobody uses costs no thread.
    worker ??= startWorker()
    worker.postMessage(message, transfer)
  }

  const flush = (): void => {
    if (isBusy || state === null) return
    isBusy = true
    busyBytes = frame.length
    const bytes = frame.take()
    const gone = Float64Array.from(removed)
    send({ kind: 'write', versions: bytes, removed: gone, small: [...small.values()], state: JSON.stringify(state), cursor: cursor() }, [
      bytes.buffer,
      gone.buffer,
    ])
    removed = []
    small = new Map()
    state = null
  }

  /** A transaction costs as much as a hundred rows, and nobody waits for it: what comes within a while shares one. */
  const flushSoon = (): void => {
    if (isBusy || state === null) return
    if (frame.length > GATHER_BYTES) flush()
    else
      timerOfFlush ??= setTimeout(() => {
        timerOfFlush = null
        flush()
      }, GATHER_MS)
  }

  const set = (table: SmallTable, id: string, row: object | null): void => {
    small.set(`${table}/${id}`, [table, id, row === null ? null : bigintJson(row)])
  }

  const onMessage = (message: FromMaterialiser): void => {
    if (message.kind === 'written') {
      isBusy = false
      written += 1
      busyBytes = 0
      frame.giveBack(message.buffer)
      sizes = { bytes: message.bytes, inUse: message.inUse }
      flushSoon()
    } else if (message.kind === 'shrunk') {
      sizes = { bytes: message.bytes, inUse: message.inUse }
    } else if (message.kind === 'synced') {
      durable = message.position || durable
      for (const resolve of waitingForSync.splice(0)) resolve()
    } else if (message.kind === 'replaced') {
      isBusy = false
      busyBytes = 0
      waitingForReplace.shift()?.(message.error)
    } else if (message.kind === 'failed') {
      // The log has it all. The file stays at an older position and is brought up at the next start.
      if (seldom.isDue(message.code))
        log.error('kv.db cannot be written; the log keeps everything meanwhile', { file, code: message.code, error: message.message })
    } else for (const resolve of waitingForClose.splice(0)) resolve()
  }

  const startWorker = (): Worker => {
    const started = new Worker(entryPoint('server/delos/store/materialiser-main')[1], { workerData: { file } })
    started.on('message', onMessage)
    started.on('error', (error) => log.error('the thread that writes kv.db ended', { error: String(error) }))
    return started
  }
  const timer = setInterval(() => {
    if (worker !== null) send({ kind: 'sync' })
  }, options.syncEveryMs ?? SYNC_EVERY_MS)
  timer.unref()

  return {
    start: (of) => {
      cursor = of
    },
    push: (changes) => {
      for (const version of changes.versions) frame.add(version)
      for (const { mod_revision, sub } of changes.removed) removed.push(mod_revision, sub)
      for (const [id, row] of changes.leases) set('kv_lease', id.toString(), row)
      for (const [id, row] of changes.users) set('kv_user', id, row)
      for (const [id, row] of changes.roles) set('kv_role', id, row)
      for (const [id, { alarm, isRaised }] of changes.alarms) set('kv_alarm', id, isRaised ? alarm : null)
      for (const [id, row] of changes.sessions) set('kv_session', String(id), row === null ? null : sessionRow(row))
      state = changes.state
      flushSoon()
    },
    backlogBytes: () => frame.length + busyBytes,
    durablePosition: () => durable,
    size: () => sizes,
    sync: () =>
      new Promise((resolve) => {
        flush()
        waitingForSync.push(resolve)
        send({ kind: 'sync' })
      }),
    settled: async () => {
      // What comes meanwhile may keep it busy for ever; what was there before is gone after two writes.
      const target = written + (isBusy ? 1 : 0) + (state === null ? 0 : 1)
      flush()
      while (written < target) await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    },
    replace: (from) => {
      frame.take()
      removed = []
      small = new Map()
      state = null
      return new Promise((resolve, reject) => {
        waitingForReplace.push((error) => {
          if (error === null) resolve()
          else reject(new MusterError('DELOS_DISK_FAILED', `${file} could not be replaced by a snapshot: ${error}`))
        })
        send({ kind: 'replace', from })
      })
    },
    close: async () => {
      clearInterval(timer)
      flush()
      if (worker === null) return
      // What a full disk keeps from it is in the log.
      const giveUpAt = performance.now() + CLOSE_MAX_MS
      while ((isBusy || state !== null) && performance.now() < giveUpAt) await new Promise((resolve) => setTimeout(resolve, 2))
      await new Promise<void>((resolve) => {
        waitingForClose.push(resolve)
        send({ kind: 'close' })
        setTimeout(resolve, CLOSE_MAX_MS).unref()
      })
      await worker.terminate()
    },
  }
}
