import { existsSync, rmSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { System } from '../core/contracts/controller.ts'
import type { Entry, Proposal } from '../core/contracts/entry.ts'
import type { Loglet } from '../core/contracts/loglet.ts'
import type { Db, ReadDb } from '../core/contracts/storage.ts'
import { assert } from '../core/kernel/assert.ts'
import { isRefusal, MusterError, refuse } from '../core/kernel/errors.ts'
import { decodeEntry, encodeEntry } from './entry-codec.ts'
import { createEntryRegistry } from './entry-registry.ts'
import type { Logger } from './logger.ts'
import { type PlanChange, planId, watchChanges } from './plan-diff.ts'
import { type OpenDb, openReadDb, openStateDb } from './state-db.ts'
import { prepareSchema, SCHEMA_CURSOR_SQL } from './state-schema.ts'

export interface SubmitContext {
  /** log time of the entries to come */
  now: number
  /** position the first of them will have */
  position: number
}

/** What a submitted function gives: entries to append together, and the value to answer with once they are applied. */
export interface Submission<T> {
  entries: Proposal[]
  value: (db: ReadDb) => T
}

export interface Committed<T> {
  value: T
  /** position after the last applied entry */
  position: number
  entries: Entry[]
}

export interface Plan {
  id: string
  position: number
  entries: { type: string; body: unknown }[]
  changes: PlanChange[]
}

export interface SubmitOptions {
  actor: string
  trace?: string | undefined
  /** refuse with PLAN_STALE unless what is about to happen is this plan */
  applyPlan?: string | undefined
}

/** A log and the state derived from it: the one place where entries are decided, made durable and applied. */
export interface ControlLog {
  /** committed state */
  db: ReadDb
  /**
   * Decides on the newest state, appends, waits for the disk, applies. Submissions made while the disk is busy share
   * the next batch, each in its own savepoint, so that one refused does not touch the others.
   */
  submit: <T>(options: SubmitOptions, decide: (db: ReadDb, context: SubmitContext) => Submission<T> | MusterError) => Promise<Committed<T>>
  /** The same without appending: what would change. */
  plan: <T>(
    options: SubmitOptions,
    decide: (db: ReadDb, context: SubmitContext) => Submission<T> | MusterError,
  ) => Promise<Plan & { value: T }>
  /** Entries from `from` on, at most `max`. */
  read: (from: number, max: number) => Entry[]
  /** Position after the last durable entry. */
  tail: () => number
  /** First position that can still be read. */
  head: () => number
  now: () => number
  onEntries: (listener: (entries: readonly Entry[]) => void) => () => void
  /** Runs `work` between two batches, when the log and the database stand still at one position. */
  quiesce: <T>(work: (position: number) => Promise<T>) => Promise<T>
  close: () => Promise<void>
}

export interface ControlLogOptions {
  loglet: Loglet
  dbFile: string
  systems: readonly System[]
  clock: () => number
  log: Logger
  /** Called when the log can no longer be written: the process must end. */
  onFatal: (error: MusterError) => void
}

interface Job {
  options: SubmitOptions
  isPlan: boolean
  decide: (db: ReadDb, context: SubmitContext) => Submission<unknown> | MusterError
  resolve: (committed: Committed<unknown> & { plan: Plan | null }) => void
  reject: (error: unknown) => void
}

/** Submissions that share one batch at most; bounds how long one transaction holds the database. */
const BATCH_JOBS_MAX = 512
const REPLAY_CHUNK = 4096

export function openControlLog(options: ControlLogOptions): ControlLog {
  const { loglet, systems, log } = options
  const registry = createEntryRegistry(systems)
  const writer = openDerived(options, registry)
  const reader = openReadDb(options.dbFile)
  const listeners = new Set<(entries: readonly Entry[]) => void>()
  const queue: Job[] = []
  const quiet: (() => Promise<void>)[] = []
  let lastAt = writer.get<{ value: number }>("SELECT value FROM muster_state WHERE key = 'at'")?.value ?? 0
  let position = loglet.checkTail()
  let isDraining = false
  let isClosed = false
  let failure: MusterError | null = null

  const now = (): number => Math.max(lastAt, options.clock())

  const step = (job: Job, at: number, next: number): { committed: Committed<unknown> & { plan: Plan | null } } | { refused: unknown } => {
    writer.raw.exec('SAVEPOINT job')
    try {
      const changesOf = job.isPlan || job.options.applyPlan ? watchChanges(writer) : null
      const decided = job.decide(writer, { now: at, position: next })
      if (isRefusal(decided)) throw decided
      const entries: Entry[] = []
      for (const proposal of decided.entries) {
        const entry = registry.seal(writer, proposal, {
          position: next + entries.length,
          at,
          actor: job.options.actor,
          trace: job.options.trace,
        })
        registry.apply(writer, entry)
        entries.push(entry)
      }
      const value = decided.value(writer)
      let plan: Plan | null = null
      if (changesOf) {
        const changes = changesOf()
        plan = { id: planId(next, entries, changes), position: next, entries: entries.map(({ type, body }) => ({ type, body })), changes }
        const wanted = job.options.applyPlan
        if (wanted !== undefined && wanted.split('-')[1] !== plan.id.split('-')[1]) {
          throw refuse('PLAN_STALE', `what plan ${wanted} touches has changed; it would now be ${plan.id}`)
        }
        // The triggers exist only inside this savepoint: drop them, keep the change.
        if (!job.isPlan) dropWatch(writer)
      }
      if (job.isPlan) {
        writer.raw.exec('ROLLBACK TO job; RELEASE job')
        return { committed: { value, position: next, entries: [], plan } }
      }
      writer.raw.exec('RELEASE job')
      return { committed: { value, position: next + entries.length, entries, plan } }
    } catch (error) {
      writer.raw.exec('ROLLBACK TO job; RELEASE job')
      return { refused: error }
    }
  }

  const runBatch = async (jobs: Job[]): Promise<void> => {
    const at = now()
    const entries: Entry[] = []
    const done: { job: Job; committed: Committed<unknown> & { plan: Plan | null } }[] = []
    const first = position
    writer.raw.exec('BEGIN IMMEDIATE')
    for (const job of jobs) {
      const result = step(job, at, first + entries.length)
      if ('refused' in result) {
        job.reject(result.refused)
        continue
      }
      entries.push(...result.committed.entries)
      done.push({ job, committed: result.committed })
    }
    if (entries.length === 0) {
      writer.raw.exec('ROLLBACK')
      for (const { job, committed } of done) job.resolve(committed)
      return
    }
    try {
      writer.run(SCHEMA_CURSOR_SQL, 'cursor', first + entries.length)
      writer.run(SCHEMA_CURSOR_SQL, 'at', at)
      const payloads = entries.map(encodeEntry)
      assertRoom(options.dbFile, payloads)
      const stoodAt = await loglet.append(payloads)
      assert(stoodAt === first, `entries were expected at ${first} and stand at ${stoodAt}`)
    } catch (error) {
      writer.raw.exec('ROLLBACK')
      const isTooLarge = isRefusal(error) && error.code === 'DELOS_ENTRY_TOO_LARGE'
      if (isTooLarge && done.length > 1) {
        // Together they are more than the log takes at once; each alone may fit.
        const half = done.length >> 1
        for (const part of [done.slice(0, half), done.slice(half)]) await runBatch(part.map(({ job }) => job))
        return
      }
      for (const { job, committed } of done) {
        if (committed.entries.length === 0) job.resolve(committed)
        else job.reject(error)
      }
      if (!(isTooLarge || (isRefusal(error) && error.code === 'DISK_FULL'))) {
        failure = isRefusal(error) ? error : refuse('DELOS_DISK_FAILED', String(error), { cause: error })
        options.onFatal(failure)
      }
      return
    }
    writer.raw.exec('COMMIT')
    position = first + entries.length
    lastAt = at
    for (const { job, committed } of done) job.resolve(committed)
    for (const listener of listeners) {
      try {
        listener(entries)
      } catch (error) {
        log.error('a listener of entries failed', { error: String(error) })
      }
    }
  }

  const drain = async (): Promise<void> => {
    if (isDraining) return
    isDraining = true
    try {
      // One turn later, so that everything submitted in this turn shares the batch.
      await Promise.resolve()
      while (queue.length > 0 || quiet.length > 0) {
        const waiting = quiet.shift()
        if (waiting) await waiting()
        const jobs = queue.splice(0, BATCH_JOBS_MAX)
        if (failure) for (const job of jobs) job.reject(failure)
        else if (jobs.length > 0) await runBatch(jobs)
      }
    } finally {
      isDraining = false
    }
  }

  const enqueue = (submit: SubmitOptions, isPlan: boolean, decide: Job['decide']): Promise<Committed<unknown> & { plan: Plan | null }> =>
    new Promise((resolve, reject) => {
      if (isClosed) return reject(refuse('UNAVAILABLE', 'the server is stopping'))
      queue.push({ options: submit, isPlan, decide, resolve, reject })
      void drain()
    })

  return {
    db: reader,
    submit: async (submit, decide) => (await enqueue(submit, false, decide)) as never,
    plan: async (submit, decide) => {
      const { value, plan } = await enqueue(submit, true, decide)
      assert(plan, 'a plan was asked for')
      return { ...plan, value } as never
    },
    read: (from, max) => loglet.readNext(from, max).map(({ position: at, payload }) => decodeEntry(at, payload)),
    tail: () => position,
    head: () => loglet.head(),
    now,
    onEntries: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    quiesce: (work) =>
      new Promise((resolve, reject) => {
        quiet.push(() => work(position).then(resolve, reject))
        void drain()
      }),
    close: async () => {
      isClosed = true
      await drain()
      while (isDraining) await new Promise((resolve) => setTimeout(resolve, 5))
      reader.close()
      writer.close()
      await loglet.close()
    },
  }
}

/** Room the database may need to take these entries in: a logged entry that cannot be applied would stop everything. */
function assertRoom(dbFile: string, payloads: readonly Uint8Array[]): void {
  const { bavail, bsize, blocks } = statfsSync(dirname(dbFile))
  const wantedBytes = payloads.reduce((sum, payload) => sum + 4 * payload.length + 32 * 1024, 1024 * 1024)
  // Some file systems do not say.
  if (blocks > 0 && bavail * bsize < wantedBytes) throw refuse('DISK_FULL', `no space left for ${dbFile}; nothing was changed`)
}

function dropWatch(db: OpenDb): void {
  const triggers = db.raw
    .prepare<[], { name: string }>("SELECT name FROM sqlite_temp_schema WHERE type = 'trigger' AND name LIKE 'plan\\__\\_%' ESCAPE '\\'")
    .all()
  for (const { name } of triggers) db.raw.exec(`DROP TRIGGER temp."${name}"`)
  db.raw.exec('DROP TABLE temp.plan_change')
}

/** Opens the derived database and brings it to the log's tail; starts it anew when it is missing, foreign, damaged or ahead. */
function openDerived(options: ControlLogOptions, registry: ReturnType<typeof createEntryRegistry>): OpenDb {
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

function replay(db: Db & OpenDb, loglet: Loglet, registry: ReturnType<typeof createEntryRegistry>, from: number): void {
  const tail = loglet.checkTail()
  let next = from
  if (next < loglet.head()) {
    throw refuse(
      'STATE_UNREADABLE',
      `the log begins at position ${loglet.head()}, the state ends before ${next}: entries between them are gone`,
      {
        hint: 'Restore a snapshot with `muster delos snapshot restore FILE`.',
      },
    )
  }
  while (next < tail) {
    const chunk = loglet.readNext(next, REPLAY_CHUNK)
    assert(chunk.length > 0, `the log ends at ${next}, before its tail ${tail}`)
    db.raw.exec('BEGIN IMMEDIATE')
    let at = 0
    for (const { position, payload } of chunk) {
      const entry = decodeEntry(position, payload)
      registry.apply(db, entry)
      at = entry.at
    }
    next += chunk.length
    db.run(SCHEMA_CURSOR_SQL, 'cursor', next)
    db.run(SCHEMA_CURSOR_SQL, 'at', at)
    db.raw.exec('COMMIT')
  }
}
