import Database from 'better-sqlite3'
import type { System } from '../../core/contracts/controller.ts'
import { isFit, skipsOf } from '../../core/delos/virtual-log/chain.ts'
import { presentServers } from '../../core/delos/virtual-log/value.ts'
import { refuse } from '../../core/kernel/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import type { BatchLog } from './control-log.ts'
import { applyBatches, beginAnew, bringBackAside, dropAside, openDerived, type Derived } from './derived-state.ts'
import { distrusted, forgetDistrusted } from './distrusted-state.ts'
import { batchHead } from './entry-batch.ts'
import type { EntryRegistry } from './entry-registry.ts'
import { keptDirOf, keptStates, putInPlace, type KeptState } from './kept-states.ts'
import { openStateDb } from './state-db.ts'
import { FIRST_CURSOR, prepareSchema, schemaDigest, skippedOf, type StateCursor } from './state-schema.ts'
import { stateStandOf } from './state-stand.ts'

export interface OpenStateOptions {
  openLog: (from: number) => Promise<BatchLog>
  /** beside it are copies, one of which what the log no longer makes is made of */
  dbFile: string
  systems: readonly System[]
  log: Logger
}

export interface OpenedState {
  opened: BatchLog
  derived: Derived
}

/**
 * Opens a log and the state that is made of it: what is there, a kept copy, or none. Where the log no longer has what the state lacks and other
 * servers may give theirs, the state is behind the log's head. Rejects with STATE_UNREADABLE when a server alone can make none.
 */
export async function openState(options: OpenStateOptions): Promise<OpenedState> {
  const { openLog, dbFile, systems, log } = options
  const wrong = distrusted(dbFile)
  let derived = openDerived(dbFile, systems, log)
  let opened: BatchLog | null = null
  try {
    opened = await openLog(derived.cursor.position)
    const reason =
      (wrong && `is not to be used: ${wrong.reason}`) ??
      misfit(opened, { ...derived.cursor, skipped: skippedOf(derived.db) }) ??
      lack(opened, derived)
    if (reason !== null) {
      log.info('the state database is made anew', { file: dbFile, reason })
      derived = beginAnew(derived.db, dbFile, systems)
      derived = fromKept(options, opened, derived)
      const problem = lack(opened, derived)
      // It may be the right one, and the others' may be no better.
      if (problem !== null && wrong?.isWrong === false)
        throw refuse('STATE_UNREADABLE', `${dbFile} ${wrong.reason}, and the log here begins at ${opened.head()}: it cannot be made anew`, {
          hint: `On the server whose state you believe, remove ${dbFile}.unfit, and start it. On the others remove ${dbFile} too: they get its state. Or restore a snapshot with \`muster delos snapshot restore FILE\`.`,
        })
      // Of several servers another one gives its own.
      if (problem !== null && presentServers(opened.value()).length === 1)
        throw refuse('STATE_UNREADABLE', `${dbFile} ${reason}, and the log here begins at ${opened.head()}: it cannot be made anew`, {
          hint: 'Start the version of muster that made it, or restore a snapshot with `muster delos snapshot restore FILE`.',
        })
      await opened.close()
      opened = await openLog(derived.cursor.position)
    }
    dropAside(dbFile)
    forgetDistrusted(dbFile)
    return { opened, derived }
  } catch (error) {
    await opened?.close()
    derived.db.close()
    bringBackAside(dbFile)
    throw error
  }
}

/** What it ends before is no longer in the log. */
function lack(log: BatchLog, { cursor }: Derived): string | null {
  return cursor.position < log.head() ? `ends before position ${cursor.position}` : null
}

/** Why a state is not one of this log; null: it may be. */
export function misfit(log: BatchLog, { number, position, skipped }: StateCursor & { skipped: readonly number[] }): string | null {
  const localTail = log.localTail()
  if (localTail !== null && position > localTail) return 'is ahead of the log'
  if (!isFit(skipsOf(log.value()), { position: position - 1, skipped })) return 'holds what is to be skipped'
  for (let at = position - 1; at >= log.localHead(); at -= 1) {
    if (skipped.includes(at)) continue
    const [batch] = log.read(at, 1)
    if (batch === undefined) return null
    const { isVoid, first, count } = batchHead(at, batch.payload)
    if (isVoid) continue
    // Those that were passed over after it took their numbers with them.
    const isCounted = skipped.some((each) => each > at) ? first + count <= number : first + count === number
    return isCounted ? null : 'counts other entries than the log'
  }
  return null
}

/** The newest kept copy that goes on in the log; what was begun when there is none, or the log makes all of it. */
function fromKept({ dbFile, systems, log }: OpenStateOptions, opened: BatchLog, begun: Derived): Derived {
  if (opened.head() <= FIRST_CURSOR.position) return begun
  const kept = usableKept(dbFile, opened, systems, log)
  if (kept === null) return begun
  begun.db.close()
  putInPlace({ file: kept.file, isMoved: false }, dbFile)
  log.info('the state database goes on from a kept copy', { file: kept.file, position: kept.position })
  const db = openStateDb(dbFile)
  return { db, cursor: prepareSchema(db, systems) ?? FIRST_CURSOR }
}

/** The newest kept copy that goes on in this log; null: there is none. */
export function usableKept(dbFile: string, opened: BatchLog, systems: readonly System[], log: Logger): KeptState | null {
  const agreed = distrusted(dbFile)?.agreed ?? Number.POSITIVE_INFINITY
  for (const kept of keptStates(keptDirOf(dbFile))) {
    const problem = kept.position > agreed ? 'it may be as wrong as the state' : keptProblem(kept, opened, systems)
    if (problem === null) return kept
    log.warn('a kept copy of the state is of no use', { file: kept.file, reason: problem })
  }
  return null
}

function keptProblem({ file, position }: KeptState, opened: BatchLog, systems: readonly System[]): string | null {
  if (position + 1 < opened.head()) return `it ends at ${position}`
  let db: Database.Database | null = null
  try {
    db = new Database(file, { readonly: true })
    const { schema, number, skipped, position: last } = stateStandOf(db)
    return schema === schemaDigest(systems) ? misfit(opened, { number, position: last + 1, skipped }) : 'its form differs'
  } catch (error) {
    return String(error)
  } finally {
    db?.close()
  }
}

export interface BuildOptions extends Pick<OpenStateOptions, 'dbFile' | 'systems' | 'log'> {
  /** where it is made; what stands there goes */
  file: string
  registry: EntryRegistry
  skips: ReadonlySet<number> | null
}

const BUILD_MAX = 256

/**
 * Makes a state up to before `end`, without what is to be skipped, from a kept copy or from nothing and from what this server has of the log;
 * in slices, so that it holds nobody up. False: this server has too little for that.
 */
export async function buildState(options: BuildOptions, opened: BatchLog, end: number): Promise<boolean> {
  const { dbFile, systems, log, file, registry, skips } = options
  putInPlace(null, file)
  if (opened.head() > FIRST_CURSOR.position) {
    const kept = usableKept(dbFile, opened, systems, log)
    if (kept === null) return false
    putInPlace({ file: kept.file, isMoved: false }, file)
  }
  const db = openStateDb(file)
  try {
    let cursor = prepareSchema(db, systems) ?? FIRST_CURSOR
    while (cursor.position < end) {
      const batches = opened.read(cursor.position, Math.min(BUILD_MAX, end - cursor.position))
      if (batches.length === 0) return false
      cursor = applyBatches(db, registry, cursor, batches, { skips, poison: null }).cursor
      await new Promise((resolve) => setImmediate(resolve))
    }
    return true
  } finally {
    db.close()
  }
}
