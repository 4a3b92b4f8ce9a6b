import Database from 'better-sqlite3'
import { statSync } from 'node:fs'
import type { Logger } from '../../platform/logger.ts'
import { digestInSlices, type StateDigest } from './state-digest.ts'

/** The state as it was after a position of the log, which every server with that position has. */
export interface StateMark extends StateDigest {
  position: number
}

export interface MarkDigestsOptions {
  dbFile: string
  /** positions between two marks */
  every: number
  log: Logger
}

/** A slice holds up everybody else in this process; what follows a slice leaves three quarters of the time to them. */
const SLICE_MS = 5
const PAUSE_MS = 15
/**
 * A digest reads the database as it was at the mark, and as long as it does nothing of the write-ahead log can be used again. The file is
 * cut to half of this when it is begun anew, so who finds it larger is the reason.
 */
const WAL_BYTES_MAX = 128 * 1024 * 1024
/** The digest of what is damaged so that it cannot be read: no state that can has it. */
export const UNREADABLE = -1

/** Computes digests of a state database at marks, while it is written to, in slices. One at a time: a mark that comes meanwhile has none. */
export class MarkDigests {
  readonly #options: MarkDigestsOptions
  readonly #listeners = new Set<(mark: StateMark) => void>()
  #running: { db: Database.Database; slices: ReturnType<typeof digestInSlices>; position: number } | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(options: MarkDigestsOptions) {
    this.#options = options
  }

  /** How many positions from `position` on, with it, there are up to the next mark. */
  reach(position: number): number {
    const { every } = this.#options
    return every - ((position - 1) % every)
  }

  /** To be called when `position` was committed to the database and nothing after it was. */
  applied(position: number): void {
    const { every, dbFile } = this.#options
    if (position % every !== 0 || this.#running !== null || this.#listeners.size === 0) return
    const db = new Database(dbFile, { readonly: true, fileMustExist: true })
    this.#running = { db, slices: digestInSlices(db), position }
    try {
      // The first thing that is read holds this moment.
      db.exec('BEGIN; SELECT count(*) FROM sqlite_schema')
    } catch (error) {
      return this.#failed(error)
    }
    this.#later()
  }

  onMark(listener: (mark: StateMark) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** What is being computed is given up: another database takes the place of this one, or none does. */
  drop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const running = this.#running
    this.#running = null
    // A database that is being read cannot be closed.
    running?.slices.return({ digest: 0, rows: 0 })
    running?.db.close()
  }

  #slice(): void {
    const running = this.#running
    if (running === null) return
    let found: StateDigest | null
    try {
      found = goOn(running.slices)
    } catch (error) {
      return this.#failed(error)
    }
    if (found === null) return this.#later()
    this.#found(found)
  }

  #found(digest: StateDigest): void {
    const position = this.#running?.position
    this.drop()
    if (position !== undefined) for (const listener of this.#listeners) listener({ ...digest, position })
  }

  #later(): void {
    const walBytes = statSync(`${this.#options.dbFile}-wal`, { throwIfNoEntry: false })?.size ?? 0
    if (walBytes > WAL_BYTES_MAX) return this.#failed(new Error(`its write-ahead log grew to ${walBytes} bytes meanwhile`))
    this.#timer = setTimeout(() => this.#slice(), PAUSE_MS).unref()
  }

  #failed(error: unknown): void {
    const { log } = this.#options
    log.warn('the state could not be read at a mark of the log', { position: this.#running?.position, error: String(error) })
    if ((error as { code?: string }).code?.startsWith('SQLITE_CORRUPT') === true) this.#found({ digest: UNREADABLE, rows: 0 })
    else this.drop()
  }
}

/** One slice; null: it is not all yet. */
function goOn(slices: ReturnType<typeof digestInSlices>): StateDigest | null {
  const untilMs = performance.now() + SLICE_MS
  do {
    const { done, value } = slices.next()
    if (done === true) return value
  } while (performance.now() < untilMs)
  return null
}
