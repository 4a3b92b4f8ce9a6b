import type { System } from '../../core/contracts/controller.ts'
import type { Entry, Proposal } from '../../core/contracts/entry.ts'
import type { Loglet } from '../../core/contracts/loglet.ts'
import type { ReadDb } from '../../core/contracts/storage.ts'
import { assert } from '../../core/kernel/assert.ts'
import { isRefusal, refuse, type MusterError } from '../../core/kernel/errors.ts'
import { decodeEntry, encodeEntry } from './entry-codec.ts'
import { assertRoom, isFull, openDerived, replay, rollback } from './derived-state.ts'
import { createEntryRegistry } from './entry-registry.ts'
import type { Logger } from '../../platform/logger.ts'
import { dropWatch, type PlanChange, planId, watchChanges } from './plan-diff.ts'
import { openReadDb } from './state-db.ts'
import { SCHEMA_CURSOR_SQL } from './state-schema.ts'

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

export function openControlLog(options: ControlLogOptions): ControlLog {
  const { loglet, systems, log } = options
  const registry = createEntryRegistry(systems)
  const writer = openDerived(options, registry)
  const reader = openReadDb(options.dbFile)
  const listeners = new Set<(entries: readonly Entry[]) => void>()
  const queue: Job[] = []
  const quiet: (() => Promise<void>)[] = []
  let lastAt = writer.get<{ value: number }>("SELECT value FROM muster_state WHERE key = 'at'")?.value ?? 0
  /** after the last entry of the log, and after the last one the database has taken in: apart only while the disk is full */
  let position = loglet.checkTail()
  let applied = position
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
      if (writer.raw.inTransaction) writer.raw.exec('ROLLBACK TO job; RELEASE job')
      return { refused: isFull(error) ? noRoom(error) : error }
    }
  }

  const noRoom = (cause?: unknown): MusterError =>
    refuse('DISK_FULL', `no space left for ${options.dbFile}; nothing was changed`, { cause })

  const tell = (entries: readonly Entry[]): void => {
    for (const listener of listeners) {
      try {
        listener(entries)
      } catch (error) {
        log.error('a listener of entries failed', { error: String(error) })
      }
    }
  }

  /** Takes in what was logged while the database had no room. False while it still has none. */
  const catchUp = (): boolean => {
    try {
      replay(writer, loglet, registry, applied, (entries) => {
        applied += entries.length
        tell(entries)
      })
      return true
    } catch (error) {
      if (!isFull(error)) throw error
      return false
    }
  }

  const runBatch = async (jobs: Job[]): Promise<void> => {
    const at = now()
    const entries: Entry[] = []
    const done: { job: Job; committed: Committed<unknown> & { plan: Plan | null } }[] = []
    const first = position
    if (applied < position && !catchUp()) {
      for (const job of jobs) job.reject(noRoom())
      return
    }
    writer.raw.exec('BEGIN IMMEDIATE')
    for (const job of jobs) {
      // A full disk may have ended the transaction, and with it what the jobs before did.
      const result = writer.raw.inTransaction ? step(job, at, first + entries.length) : { refused: noRoom() }
      if ('refused' in result) {
        job.reject(result.refused)
        continue
      }
      entries.push(...result.committed.entries)
      done.push({ job, committed: result.committed })
    }
    if (!writer.raw.inTransaction) {
      for (const { job } of done) job.reject(noRoom())
      return
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
      rollback(writer)
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
    position = first + entries.length
    lastAt = at
    try {
      writer.raw.exec('COMMIT')
    } catch (error) {
      // Durable, but not taken in yet: the outcome stands in the log and takes effect as soon as there is room.
      rollback(writer)
      if (!isFull(error)) throw error
      const late = refuse(
        'DISK_FULL',
        `no space left for ${options.dbFile}; the change is in the log at ${first} and takes effect once there is room`,
      )
      for (const { job } of done) job.reject(late)
      return
    }
    applied = position
    for (const { job, committed } of done) job.resolve(committed)
    tell(entries)
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
