import { randomInt } from 'node:crypto'
import type { System } from '../../core/contracts/controller.ts'
import type { Entry, Proposal } from '../../core/contracts/entry.ts'
import type { LogletEntry } from '../../core/contracts/loglet.ts'
import type { LogBase, OrderedLog } from '../../core/contracts/ordered-log.ts'
import type { ReadDb } from '../../core/contracts/storage.ts'
import { assert } from '../../core/kernel/assert.ts'
import { isFit, skipsOf } from '../../core/delos/virtual-log/chain.ts'
import { presentServers, type RegisterValue } from '../../core/delos/virtual-log/value.ts'
import { isRefusal, refuse, type MusterError } from '../../core/kernel/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import type { PoisonNote } from '../delos/store/poison-note.ts'
import { MARK_EVERY } from '../../core/delos/engines/digest-comparison.ts'
import { LogClock } from './log-clock.ts'
import { decideJob } from './decide-job.ts'
import { type Applied, applyBatches, assertRoom, type Derived, isFull, rollback } from './derived-state.ts'
import { batchHead, encodeBatch } from './entry-batch.ts'
import { createEntryRegistry, type EntryRegistry } from './entry-registry.ts'
import { EntryReader } from './entry-reader.ts'
import { forgetDistrusted, noteDistrusted } from './distrusted-state.ts'
import { putInPlace } from './kept-states.ts'
import { Leadership } from './leadership.ts'
import { MarkDigests, type StateMark } from './mark-digests.ts'
import { buildState, openState } from './open-state.ts'
import { isDoneSince, type PlanChange } from './plan-diff.ts'
import { type OpenDb, openReadDb, openStateDb } from './state-db.ts'
import { FIRST_CURSOR, prepareSchema, SCHEMA_CURSOR_SQL, schemaDigest, skippedOf, type StateCursor, writeCursor } from './state-schema.ts'

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

/**
 * A log and the state derived from it: the one place where entries are decided, made durable and applied. One server of those that have
 * the log decides, the one that leads it; all of them apply what was decided.
 */
export interface ControlLog {
  /** committed state */
  db: ReadDb
  /**
   * Decides on the newest state, appends, waits for the disk, applies. Submissions made while the disk is busy share
   * the next batch, each in its own savepoint, so that one refused does not touch the others. When another server's batch came first,
   * they are decided again. Rejects with DELOS_NOT_LEADER, having done nothing, where another server decides; with DELOS_OUTCOME_UNKNOWN
   * when nobody could say in time whether it was done; with DISK_STALLED, having done nothing, while the log takes no write.
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
  /** This server decides, and its state has all that was decided before. */
  leads: () => boolean
  /** Called when that changes. Gives what ends it. */
  onLead: (listener: (isLeading: boolean) => void) => () => void
  /** Resolves once everything that was committed anywhere before the call is in `db`. Rejects with DELOS_NO_QUORUM or DISK_FULL. */
  readBarrier: () => Promise<void>
  /** The state as others' may take its place, and how far it is. */
  copy: StateCopy
  /** Runs `work` between two batches, while the database stands still at one position, and at the leader the log does. */
  quiesce: <T>(work: (position: number) => Promise<T>) => Promise<T>
  close: () => Promise<void>
}

/** One server's copy of the state. */
export interface StateCopy {
  /** digest of the statements that make its tables */
  readonly schema: number
  /** position of the last batch in it; 0: none */
  applied: () => number
  /** positions that were passed over, ascending */
  skipped: () => readonly number[]
  /** Why nothing is decided or read of the present here, DELOS_POISON or what is missing; null: it is. */
  refusal: () => MusterError | null
  /** Why what is here is not to be read at all: others have another state of the same log; null: it may be. */
  distrust: () => MusterError | null
  /**
   * What was found out by comparing: a majority has another state than this one, whose place that of another server is to take
   * (`isWrong`), or none has one, so that nobody knows. Noted beside the file, so that the next process begins with another one.
   * @param agreed up to this position a majority, this server among it, was alike; 0: not known
   */
  setDistrusted: (reason: MusterError, about: { isWrong: boolean; agreed: number }) => void
  /** Where none had a majority: it has one now, and was right. */
  setTrusted: () => void
  /** it lacks what the log here no longer has, or holds what is to be skipped, and waits for another server's */
  isBehind: () => boolean
  setBehind: () => void
  /** whatever the others' logs have: what is here is of no use */
  isForced: () => boolean
  /** Runs when that is found out, and at once when it is so. Gives what ends it. */
  onBehind: (listener: () => void) => () => void
  /** Puts the file of another server in the place of this one's, and goes on from `base` with the log. */
  install: (file: string, base: LogBase) => Promise<void>
  /** After another file took the place of this one. Gives what ends it. */
  onAnew: (listener: () => void) => () => void
  /** After each batch that was applied here. Gives what ends it. */
  onApplied: (listener: (position: number) => void) => () => void
  /**
   * Some time after every so many positions, with the digest of the state as it was there; not of every one, and of none while the log is
   * much further. Costs time at each mark as long as somebody listens. Gives what ends it.
   */
  onMark: (listener: (mark: StateMark) => void) => () => void
}

/** The log beneath, which the control log closes. */
export interface BatchLog extends OrderedLog {
  /** the newest version of the register */
  value: () => RegisterValue
  /** After each new version. Gives what ends it. */
  onValue: (listener: (value: RegisterValue) => void) => () => void
  /** Position after the last batch on this server's disk, when nobody else has it; null: others have it, too. */
  localTail: () => number | null
  /** Position of the first batch that can be read here, with all after it. */
  localHead: () => number
}

export interface ControlLogOptions {
  /** Opens the log, to give batches from a position on: what is before has its effects in the database. */
  openLog: (from: number) => Promise<BatchLog>
  dbFile: string
  systems: readonly System[]
  /** what ended earlier processes; without it that is not noted */
  poison?: PoisonNote
  /** positions between two marks, the same on all servers; 1,000 unless a test says otherwise */
  markEvery?: number
  /** a write that takes longer than this stalls the log: 10 s unless a test says otherwise */
  stallMs?: number
  clock: () => number
  /** ms that only go forward; absent: the process's own */
  monotonic?: () => number
  log: Logger
  /** Called when the log can no longer be written, or what it says not be applied: the process must end. */
  onFatal: (error: MusterError) => void
}

export interface JobDone extends Committed<unknown> {
  plan: Plan | null
}

export interface Job {
  options: SubmitOptions
  isPlan: boolean
  decide: (db: ReadDb, context: SubmitContext) => Submission<unknown> | MusterError
  resolve: (done: JobDone) => void
  reject: (error: unknown) => void
}

/** What was decided for the next position, and waits there for its place in the log; the transaction is open as long. */
interface Attempt {
  cursor: StateCursor
  after: StateCursor
  at: number
  payload: Uint8Array
  entries: Entry[]
  settle: (outcome: Outcome) => void
}

/** `in`: in the log and in the state; `late`: in the log, not yet in the state; `void`: something else stands there now. */
type Outcome = 'in' | 'late' | 'void' | Failure

interface Failure {
  error: unknown
  /** nothing more can be appended */
  isFatal: boolean
}

/** Submissions that share one batch at most; bounds how long one transaction holds the database. */
const BATCH_JOBS_MAX = 512
/** Of a batch: what a loglet takes at once, less what it writes around it. */
const BATCH_BYTES_MAX = 8 * 1024 * 1024 - 64 * 1024
/** Batches that are applied in one transaction. */
const APPLIED_MAX = 1024
/** Bytes of batches that wait for room in the database, after which the process must end: memory is not where they are kept. */
const INBOX_BYTES_MAX = 64 * 1024 * 1024
const ROOM_RETRY_MS = 1000
/** An outcome that is not known is asked for this often. */
const TRIES_MAX = 2
const QUIET_LOOK_MS = 5
const STALL_MS = 10_000

/**
 * Brings the state up to what the log gives at once, and goes on with what comes. Rejects when the log cannot be opened, when it gave up what
 * the state lacks and there is neither a kept copy nor another server (STATE_UNREADABLE), with STATE_NEWER, or with DISK_FULL.
 */
export async function openControlLog(options: ControlLogOptions): Promise<ControlLog> {
  const { opened, derived } = await openState(options)
  try {
    const control = new ControlLogRuntime(options, opened, derived)
    control.start()
    return control.face()
  } catch (error) {
    await opened.close()
    derived.db.close()
    throw error
  }
}

class ControlLogRuntime {
  readonly #options: ControlLogOptions
  readonly #log: BatchLog
  #writer: OpenDb
  #reader: ReturnType<typeof openReadDb>
  readonly #registry: EntryRegistry
  readonly #entries: EntryReader
  readonly #leadership: Leadership
  readonly #listeners = new Set<(entries: readonly Entry[]) => void>()
  readonly #leadListeners = new Set<(isLeading: boolean) => void>()
  readonly #proposer = randomInt(1, 2 ** 47)
  #seq = 0
  #lastAt: number
  readonly #clock: LogClock
  /** what the database has taken in */
  #cursor: StateCursor
  /** batches of the log that the database has not taken in: of this turn, or for want of room */
  readonly #inbox: LogletEntry[] = []
  #inboxBytes = 0
  #isTakeInDue = false
  #roomTimer: NodeJS.Timeout | null = null
  #attempt: Attempt | null = null
  /** since when the log has not taken what is appended, of the monotonic clock; null: it takes */
  #stalledSince: number | null = null

  #skips: ReadonlySet<number> | null
  #skipped: readonly number[]
  /** what comes is not applied: it waits in the log */
  #halted: MusterError | null = null
  #isBehind = false
  /** what is in the database is not to be built on */
  #isUnfit = false
  readonly #behindListeners = new Set<() => void>()
  readonly #appliedListeners = new Set<(position: number) => void>()
  readonly #anewListeners = new Set<() => void>()
  /** what is in the database differs from what others have */
  #distrust: MusterError | null = null
  readonly #marks: MarkDigests
  readonly #deaf: (() => void)[] = []

  readonly #queue: Job[] = []
  readonly #quiet: (() => Promise<void>)[] = []
  #isQuiet = false
  #isDraining = false
  #isOpen = false
  #isClosed = false
  #isOver = false
  #failure: MusterError | null = null

  constructor(options: ControlLogOptions, log: BatchLog, { db, cursor }: Derived) {
    this.#options = options
    this.#clock = new LogClock(options.clock, options.monotonic)
    this.#log = log
    this.#writer = db
    this.#cursor = cursor
    this.#registry = createEntryRegistry(options.systems)
    this.#lastAt = lastAtOf(db)
    this.#skipped = skippedOf(db)
    this.#skips = skipsOf(log.value())
    if (cursor.position < log.head()) this.#isBehind = true
    this.#reader = openReadDb(options.dbFile)
    this.#marks = new MarkDigests({ dbFile: options.dbFile, every: options.markEvery ?? MARK_EVERY, log: options.log })
    this.#entries = new EntryReader(log)
    this.#leadership = new Leadership({
      log,
      takeIn: () => this.#takeIn(),
      mayDecide: () => this.#refusal() === null,
      onLost: () => this.#refuseQueued(),
      onChange: (isLeading) => {
        for (const listener of this.#leadListeners) listener(isLeading)
        void this.#drain()
      },
    })
  }

  start(): void {
    try {
      this.#deaf.push(this.#log.onValue((value) => this.#skip(skipsOf(value))))
      // What is on this server's disk is given at once.
      this.#log.onCommitted((position, payload) => this.#committed(position, payload))
      const isTakenIn = this.#takeIn()
      if (this.#failure !== null) throw this.#failure
      if (!isTakenIn) throw refuse('DISK_FULL', `no space left for ${this.#options.dbFile}`)
      this.#leadership.start()
      if (this.#failure !== null) throw this.#failure
      this.#isOpen = true
    } catch (error) {
      this.#isOver = true
      for (const end of this.#deaf) end()
      this.#leadership.close()
      this.#marks.drop()
      if (this.#roomTimer !== null) clearTimeout(this.#roomTimer)
      this.#reader.close()
      throw error
    }
  }

  face(): ControlLog {
    return {
      // The database beneath may be another one later.
      db: { get: (sql, ...params) => this.#reader.get(sql, ...params), all: (sql, ...params) => this.#reader.all(sql, ...params) },
      copy: this.#copy(),
      submit: async (submit, decide) => (await this.#enqueue(submit, false, decide)) as never,
      plan: async (submit, decide) => {
        const { value, plan } = await this.#enqueue(submit, true, decide)
        assert(plan, 'a plan was asked for')
        return { ...plan, value } as never
      },
      read: (from, max) => this.#entries.read(from, max),
      tail: () => this.#tail(),
      head: () => this.#entries.head() ?? this.#cursor.number,
      now: () => this.#now(),
      onEntries: (listener) => {
        this.#listeners.add(listener)
        return () => this.#listeners.delete(listener)
      },
      leads: () => this.#leadership.leads,
      onLead: (listener) => {
        this.#leadListeners.add(listener)
        return () => this.#leadListeners.delete(listener)
      },
      readBarrier: async () => {
        if (!this.#log.holdsReadLease()) await this.#log.readBarrier()
        while (this.#isQuiet) await new Promise((resolve) => setTimeout(resolve, QUIET_LOOK_MS))
        if (!this.#takeIn()) throw this.#noRoom()
        const refusal = this.#refusal()
        if (refusal !== null) throw refusal
      },
      quiesce: (work) => this.#quiesce(() => work(this.#cursor.number)),
      close: () => this.#close(),
    }
  }

  #copy(): StateCopy {
    return {
      schema: schemaDigest(this.#options.systems),
      applied: () => this.#cursor.position - 1,
      skipped: () => this.#skipped,
      refusal: () => this.#refusal(),
      distrust: () => this.#distrust,
      setDistrusted: (reason, about) => this.#setDistrusted(reason, about),
      setTrusted: () => {
        if (this.#isBehind) return
        this.#distrust = null
        forgetDistrusted(this.#options.dbFile)
      },
      isBehind: () => this.#isBehind,
      setBehind: () => {
        this.#isBehind = true
      },
      isForced: () => this.#isBehind && (this.#isUnfit || this.#cursor.position < this.#log.head()),
      onBehind: (listener) => {
        this.#behindListeners.add(listener)
        if (this.#isBehind) listener()
        return () => this.#behindListeners.delete(listener)
      },
      install: (file, base) => this.#quiesce(() => this.#install(file, base)),
      onAnew: (listener) => {
        this.#anewListeners.add(listener)
        return () => this.#anewListeners.delete(listener)
      },
      onApplied: (listener) => {
        this.#appliedListeners.add(listener)
        return () => this.#appliedListeners.delete(listener)
      },
      onMark: (listener) => this.#marks.onMark(listener),
    }
  }

  #refusal(): MusterError | null {
    if (this.#halted !== null) return this.#halted
    if (this.#isBehind && this.#distrust !== null) return this.#distrust
    return this.#isBehind
      ? refuse('UNAVAILABLE', 'this server waits for the state of another one', { hint: 'Ask again in a moment.' })
      : null
  }

  #quiesce<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#quiet.push(() => work().then(resolve, reject))
      void this.#drain()
    })
  }

  #now(): number {
    return this.#clock.now(this.#lastAt)
  }

  /** After the last entry of the log, also of one that the database has no room for. */
  #tail(): number {
    return this.#inbox.reduce((number, { position, payload }) => {
      const { isVoid, first, count } = batchHead(position, payload)
      return isVoid ? number : first + count
    }, this.#cursor.number)
  }

  // ------------------------------------------------------------------------------------------------ applying

  /** The log's: the next batch, whoever appended it. */
  #committed(position: number, payload: Uint8Array): void {
    if (this.#isOver || this.#failure !== null || this.#halted !== null || position < this.#cursor.position) return
    const attempt = this.#attempt
    if (attempt !== null && position === attempt.cursor.position) {
      this.#attempt = null
      if (bufferOf(payload).equals(attempt.payload)) return this.#land(attempt)
      // Decided on a state that is not the one before this position any more: wherever it comes in, it is void.
      rollback(this.#writer)
      attempt.settle('void')
    }
    // What takes the place of this state goes on with it from the log.
    if (!this.#isUnfit) this.#keep(position, payload)
  }

  /** Its transaction is open, and holds what the batch does. */
  #land(attempt: Attempt): void {
    try {
      this.#writer.raw.exec('COMMIT')
    } catch (error) {
      // Durable, but not taken in yet: the outcome stands in the log and takes effect as soon as there is room.
      rollback(this.#writer)
      attempt.settle(isFull(error) ? 'late' : { error, isFatal: true })
      return this.#keep(attempt.cursor.position, attempt.payload)
    }
    this.#cursor = attempt.after
    this.#lastAt = attempt.at
    attempt.settle('in')
    this.#tell(attempt.entries)
    for (const listener of this.#appliedListeners) listener(attempt.cursor.position)
    this.#mark()
  }

  /** Whoever is catching up is compared when it has: those that have already remember only so many marks. */
  #mark(): void {
    if (this.#log.tail() - this.#cursor.position < (this.#options.markEvery ?? MARK_EVERY)) this.#marks.applied(this.#cursor.position - 1)
  }

  #keep(position: number, payload: Uint8Array): void {
    this.#inbox.push({ position, payload })
    this.#inboxBytes += payload.length
    if (this.#inboxBytes > INBOX_BYTES_MAX && !this.#takeIn()) return this.#fail(this.#noRoom())
    if (this.#inbox.length >= APPLIED_MAX) this.#takeIn()
    if (this.#isTakeInDue) return
    this.#isTakeInDue = true
    // What the log gives in one turn is applied in one transaction.
    queueMicrotask(() => {
      this.#isTakeInDue = false
      if (!this.#isOver) this.#takeIn()
    })
  }

  /** Applies what the log gave. False while there is no room for it. */
  #takeIn(): boolean {
    if (this.#isQuiet || this.#attempt !== null || this.#failure !== null) return true
    while (this.#inbox.length > 0 && this.#halted === null) {
      const batches = this.#inbox.slice(0, Math.min(APPLIED_MAX, this.#marks.reach(this.#cursor.position)))
      let applied: Applied
      try {
        applied = applyBatches(this.#writer, this.#registry, this.#cursor, batches, {
          skips: this.#skips,
          poison: this.#options.poison ?? null,
        })
      } catch (error) {
        if (isFull(error)) return this.#awaitRoom()
        this.#fail(isRefusal(error) ? error : cannotApply(this.#cursor, error))
        return true
      }
      const { position: before } = this.#cursor
      this.#cursor = applied.cursor
      for (const { payload } of this.#inbox.splice(0, applied.cursor.position - before)) this.#inboxBytes -= payload.length
      this.#lastAt = applied.entries.at(-1)?.at ?? this.#lastAt
      for (const position of applied.skipped) this.#notePassedOver(position)
      if (applied.entries.length > 0) this.#tell(applied.entries)
      for (let position = before; position < applied.cursor.position; position += 1)
        for (const listener of this.#appliedListeners) listener(position)
      if (applied.cursor.position < before + batches.length) this.#leaveAlone(applied.cursor.position)
      else this.#mark()
    }
    return true
  }

  #notePassedOver(position: number): void {
    this.#skipped = [...this.#skipped, position]
    this.#options.log.warn('passed over a position of the control log: it is to be skipped', { position })
  }

  /** Goes no further than before what ended earlier processes; what is here may be looked at, and the log goes on, here too. */
  #leaveAlone(position: number): void {
    this.#halted = refuse('DELOS_POISON', `applying position ${position} of the control log ends this server`, {
      hint: `Look at it with \`muster delos log skip ${position} --log control --plan\`.`,
      details: { position, log: 'control' },
    })
    this.#options.log.error('stopped applying: DELOS_POISON', { position, log: 'control' })
    this.#clearInbox()
  }

  #clearInbox(): void {
    this.#inbox.length = 0
    this.#inboxBytes = 0
  }

  // ------------------------------------------------------------------------------------- skipping, and beginning from a copy

  /** These are passed over from now on; null: none. */
  #skip(skips: ReadonlySet<number> | null): void {
    this.#skips = skips
    if (this.#isOver || this.#failure !== null || this.#isUnfit) return
    if (!isFit(skips, { position: this.#cursor.position - 1, skipped: this.#skipped })) {
      this.#isUnfit = true
      this.#options.log.warn('the state holds what is to be skipped, and is made anew without it', { position: this.#cursor.position - 1 })
      void this.#quiesce(() => this.#makeAnew()).catch((error: unknown) => this.#fail(asRefusal(error)))
    } else if (this.#halted !== null && skips?.has(this.#cursor.position) === true) {
      this.#halted = null
      this.#goOn()
    }
  }

  /** From a kept copy or from nothing, with what the log has here; else another server gives its own. */
  async #makeAnew(): Promise<void> {
    const file = `${this.#options.dbFile}.anew`
    const isMade = await buildState(
      { ...this.#options, file, registry: this.#registry, skips: this.#skips },
      this.#log,
      this.#cursor.position,
    )
    if (this.#isOver) return
    if (isMade) {
      this.#replaceDb(file)
      return this.#goOn()
    }
    if (presentServers(this.#log.value()).length === 1)
      throw refuse('DELOS_POISON', 'the state holds what is to be skipped, and nothing is left here to make it without that', {
        hint: 'Restore a snapshot from before it with `muster delos snapshot restore FILE`.',
      })
    this.#isBehind = true
    for (const listener of this.#behindListeners) listener()
  }

  async #install(file: string, base: LogBase): Promise<void> {
    if (this.#isOver) return
    this.#replaceDb(file)
    // What is given meanwhile may begin later than this state ends: it is read again.
    this.#isUnfit = true
    await this.#log.install(base)
    this.#isUnfit = false
    this.#isBehind = false
    this.#halted = null
    this.#goOn()
  }

  #setDistrusted(reason: MusterError, { isWrong, agreed }: { isWrong: boolean; agreed: number }): void {
    if (this.#isOver) return
    const { dbFile, log } = this.#options
    this.#distrust = reason
    log.error(reason.message, { code: reason.code })
    try {
      noteDistrusted(dbFile, { reason: reason.message, agreed, isWrong })
    } catch (error) {
      log.error('that the state is not to be used could not be noted beside it', { error: String(error) })
    }
    if (!isWrong) return
    // Nothing is decided on it from now on; what is under way ends first.
    this.#isBehind = true
    void this.#quiesce(async () => {
      if (this.#isOver) return
      this.#isUnfit = true
      for (const listener of this.#behindListeners) listener()
    })
  }

  /** Everything that was made of the log is in `file` from now on. */
  #replaceDb(file: string): void {
    const { dbFile, systems } = this.#options
    this.#marks.drop()
    this.#reader.close()
    this.#writer.close()
    putInPlace({ file, isMoved: true }, dbFile)
    this.#writer = openStateDb(dbFile)
    this.#reader = openReadDb(dbFile)
    this.#cursor = prepareSchema(this.#writer, systems) ?? FIRST_CURSOR
    this.#lastAt = lastAtOf(this.#writer)
    this.#skipped = skippedOf(this.#writer)
    this.#isUnfit = false
    this.#distrust = null
    forgetDistrusted(dbFile)
    this.#clearInbox()
    for (const listener of this.#anewListeners) listener()
  }

  /** What the log gave meanwhile, and gives only once, is read again. */
  #goOn(): void {
    for (let from = this.#cursor.position + this.#inbox.length; from < this.#log.tail();) {
      const batches = this.#log.read(from, APPLIED_MAX)
      // In a loglet of other servers: a process that begins there follows it.
      if (batches.length === 0)
        return this.#fail(refuse('DELOS_POISON', `the log here cannot be read from position ${from} on; start the server again`))
      for (const { position, payload } of batches) this.#keep(position, payload)
      from += batches.length
    }
    this.#takeIn()
  }

  #awaitRoom(): false {
    this.#roomTimer ??= setTimeout(() => {
      this.#roomTimer = null
      if (!this.#isOver) this.#takeIn()
    }, ROOM_RETRY_MS).unref()
    return false
  }

  #tell(entries: readonly Entry[]): void {
    for (const listener of this.#listeners) {
      try {
        listener(entries)
      } catch (error) {
        this.#options.log.error('a listener of entries failed', { error: String(error) })
      }
    }
  }

  #fail(error: MusterError): void {
    if (this.#failure !== null) return
    this.#failure = error
    if (this.#isOpen) this.#options.onFatal(error)
  }

  // ------------------------------------------------------------------------------------------------ deciding

  #enqueue(submit: SubmitOptions, isPlan: boolean, decide: Job['decide']): Promise<JobDone> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(refuse('UNAVAILABLE', 'the server is stopping'))
      const refusal = this.#refusal()
      if (refusal !== null) return reject(refusal)
      if (!this.#leadership.isComing) return reject(this.#notLeader())
      if (this.#stalledSince !== null && isOfSomebody(submit)) return reject(this.#stalled(this.#stalledSince))
      this.#queue.push({ options: submit, isPlan, decide, resolve, reject })
      void this.#drain()
    })
  }

  #refuseQueued(): void {
    for (const job of this.#queue.splice(0))
      job.reject(this.#isClosed ? refuse('UNAVAILABLE', 'the server is stopping') : this.#notLeader())
  }

  /**
   * A write has not come to its end for long. Nobody is kept waiting: those behind it have changed nothing; of its own nobody knows whether
   * they come in. What decides by itself waits, and goes on as soon as the log does.
   */
  #refuseBehind(since: number, done: readonly { job: Job; answer: JobDone }[]): void {
    this.#stalledSince = since
    const unknown = refuse('DELOS_OUTCOME_UNKNOWN', 'the disk of the log stalls, and nobody can say whether this comes into it yet')
    for (const { job, answer } of done)
      if (isOfSomebody(job.options)) job.reject(answer.entries.length > 0 ? unknown : this.#stalled(since))
    const waiting = this.#queue.splice(0)
    this.#queue.push(...waiting.filter((job) => !isOfSomebody(job.options)))
    for (const job of waiting) if (isOfSomebody(job.options)) job.reject(this.#stalled(since))
  }

  #stalled(since: number): MusterError {
    const seconds = Math.round((performance.now() - since) / 1000)
    return refuse('DISK_STALLED', `the disk of the log has not ended a write for ${seconds} s; nothing was changed`)
  }

  #notLeader(): MusterError {
    const { leader } = this.#log.role()
    const id = leader === null ? null : leader.toString(16).padStart(16, '0')
    return refuse('DELOS_NOT_LEADER', id === null ? 'no server leads at the moment' : `server ${id} leads, and decides for all`, {
      details: { leader: id },
    })
  }

  #noRoom(cause?: unknown): MusterError {
    return refuse('DISK_FULL', `no space left for ${this.#options.dbFile}; nothing was changed`, { cause })
  }

  async #drain(): Promise<void> {
    if (this.#isDraining) return
    this.#isDraining = true
    try {
      // One turn later, so that everything submitted in this turn shares the batch.
      await Promise.resolve()
      while (this.#quiet.length > 0 || (this.#queue.length > 0 && this.#leadership.leads)) {
        const waiting = this.#quiet.shift()
        if (waiting) await this.#standStill(waiting)
        if (!this.#leadership.leads) continue
        const jobs = this.#queue.splice(0, BATCH_JOBS_MAX)
        if (jobs.length > 0) await this.#runBatch(jobs)
      }
    } finally {
      this.#isDraining = false
    }
  }

  async #standStill(work: () => Promise<void>): Promise<void> {
    this.#takeIn()
    this.#isQuiet = true
    try {
      await work()
    } finally {
      this.#isQuiet = false
      this.#takeIn()
    }
  }

  async #runBatch(jobs: Job[]): Promise<void> {
    if (jobs.length === 0) return
    const isTakenIn = this.#takeIn()
    const refusal =
      this.#failure ?? this.#refusal() ?? (isTakenIn ? null : this.#noRoom()) ?? (this.#leadership.leads ? null : this.#notLeader())
    if (refusal !== null) {
      for (const job of jobs) job.reject(refusal)
      return
    }
    const cursor = this.#cursor
    const at = this.#now()
    const { done, refused } = this.#decideAll(jobs, at)
    if (!this.#writer.raw.inTransaction) {
      for (const { job } of done) job.reject(this.#noRoom())
      for (const { job, error } of refused) job.reject(error)
      return
    }
    const entries = done.flatMap(({ answer }) => answer.entries)
    const since = performance.now()
    const watch = setTimeout(() => this.#refuseBehind(since, done), this.#options.stallMs ?? STALL_MS).unref()
    const outcome = entries.length === 0 ? await this.#answerAsIs(cursor) : await this.#append(cursor, at, entries)
    clearTimeout(watch)
    this.#stalledSince = null
    // Whatever was decided on a state that was not the newest one is decided again, refusals too.
    if (outcome === 'void') {
      if (this.#leadership.leads) this.#queue.unshift(...jobs)
      else for (const job of jobs) job.reject(this.#notLeader())
      return
    }
    if (typeof outcome === 'object') return this.#failed(jobs, done, outcome)
    for (const { job, error } of refused) job.reject(error)
    for (const { job, answer } of done) {
      if (outcome === 'in' || answer.entries.length === 0) job.resolve(answer)
      else job.reject(this.#lateFor(cursor))
    }
  }

  /** What was decided is not in the log. Whoever changed nothing may have been told of what is not: they are decided again without it. */
  async #failed(jobs: Job[], done: { job: Job; answer: JobDone }[], { error, isFatal }: Failure): Promise<void> {
    const changing = new Set(done.filter(({ answer }) => answer.entries.length > 0).map(({ job }) => job))
    if (changing.size > 1 && isRefusal(error) && error.code === 'DELOS_ENTRY_TOO_LARGE') {
      // Together they are more than the log takes at once; each alone may fit.
      const half = jobs.length >> 1
      for (const part of [jobs.slice(0, half), jobs.slice(half)]) await this.#runBatch(part)
      return
    }
    const isForAll = isFatal || changing.size === 0
    for (const job of jobs) if (isForAll || changing.has(job)) job.reject(error)
    if (isFatal) this.#fail(isRefusal(error) ? error : refuse('DELOS_DISK_FAILED', String(error), { cause: error }))
    else if (!isForAll) await this.#runBatch(jobs.filter((job) => !changing.has(job)))
  }

  #lateFor({ number }: StateCursor): MusterError {
    return refuse(
      'DISK_FULL',
      `no space left for ${this.#options.dbFile}; the change is in the log at ${number} and takes effect once there is room`,
    )
  }

  /** Opens the transaction, and decides in it what can be decided. */
  #decideAll(jobs: Job[], at: number): { done: { job: Job; answer: JobDone }[]; refused: { job: Job; error: unknown }[] } {
    const done: { job: Job; answer: JobDone }[] = []
    const refused: { job: Job; error: unknown }[] = []
    let next = this.#cursor.number
    const read = (from: number, max: number): Entry[] => this.#entries.read(from, max)
    const isDone = (plan: string, asked: readonly Entry[]): boolean =>
      isDoneSince(
        plan,
        asked,
        read,
        done.flatMap(({ answer }) => answer.entries),
      )
    this.#writer.raw.exec('BEGIN IMMEDIATE')
    for (const job of jobs) {
      // A full disk may have ended the transaction, and with it what the jobs before did.
      const result = this.#writer.raw.inTransaction
        ? decideJob(this.#writer, this.#registry, job, { at, next, isDone }, (cause) => this.#noRoom(cause))
        : { refused: this.#noRoom() }
      if ('refused' in result) refused.push({ job, error: result.refused })
      else {
        next += result.done.entries.length
        done.push({ job, answer: result.done })
      }
    }
    return { done, refused }
  }

  /** Nothing is to be appended: the answers hold if the state they were made on was the newest one. */
  async #answerAsIs(cursor: StateCursor): Promise<Outcome> {
    this.#writer.raw.exec('ROLLBACK')
    if (this.#log.holdsReadLease()) return 'in'
    try {
      await this.#log.readBarrier()
    } catch (error) {
      return { error, isFatal: false }
    }
    this.#takeIn()
    return this.#cursor.position === cursor.position && this.#inbox.length === 0 ? 'in' : 'void'
  }

  /** Appends what the open transaction holds, and ends it one way or the other. */
  async #append(cursor: StateCursor, at: number, entries: Entry[]): Promise<Outcome> {
    this.#seq += 1
    const after = { number: cursor.number + entries.length, position: cursor.position + 1 }
    let payload: Uint8Array
    try {
      writeCursor(this.#writer, after)
      this.#writer.run(SCHEMA_CURSOR_SQL, 'at', at)
      payload = encodeBatch({ position: cursor.position, first: cursor.number, proposer: this.#proposer, seq: this.#seq, entries })
      if (payload.length > BATCH_BYTES_MAX)
        throw refuse(
          'DELOS_ENTRY_TOO_LARGE',
          `${entries.length} entries of ${payload.length} bytes; at most ${BATCH_BYTES_MAX} bytes go in at once.`,
        )
      assertRoom(this.#options.dbFile, { count: entries.length, bytes: payload.length })
    } catch (error) {
      rollback(this.#writer)
      return { error: isFull(error) ? this.#noRoom(error) : error, isFatal: false }
    }
    return new Promise((settle) => {
      const attempt = { cursor, after, at, payload, entries, settle }
      this.#attempt = attempt
      void this.#propose(attempt)
    })
  }

  /**
   * Appends an attempt until it is known what became of it: it is settled when a batch comes for its position, its own or another's.
   * Until then nothing else is decided for it, and only the same bytes are appended again: they count once, however often they come.
   */
  async #propose(attempt: Attempt): Promise<void> {
    const isSettled = (): boolean => this.#attempt !== attempt
    let mayBeIn = false
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#log.append(attempt.payload)
        assert(isSettled(), `the batch of ${attempt.cursor.position} is in the log, and was not given`)
        return
      } catch (error) {
        if (isSettled()) return
        const fate = fateOf(error)
        mayBeIn ||= fate === 'unknown'
        if (fate !== 'unknown' || tries === TRIES_MAX || this.#isClosed) return this.#giveUp(attempt, error, fate, mayBeIn)
      }
      // Whatever it sees committed settles it.
      await this.#log.readBarrier().catch(() => undefined)
      if (isSettled()) return
    }
  }

  /** It is no longer waited for. Whatever comes at its position, it or another, is then applied like any other. */
  #giveUp(attempt: Attempt, error: unknown, fate: 'out' | 'fatal' | 'unknown', mayBeIn: boolean): void {
    this.#attempt = null
    rollback(this.#writer)
    if (fate === 'fatal') return attempt.settle({ error, isFatal: true })
    if (!mayBeIn) return attempt.settle({ error, isFatal: false })
    const text = `nobody could say in time whether the entries from ${attempt.cursor.number} on came into the log`
    attempt.settle({ error: refuse('DELOS_OUTCOME_UNKNOWN', text, { cause: error }), isFatal: false })
  }

  async #close(): Promise<void> {
    if (this.#isOver) return
    this.#isClosed = true
    if (!this.#leadership.leads) this.#refuseQueued()
    await this.#drain()
    while (this.#isDraining) await new Promise((resolve) => setTimeout(resolve, 5))
    this.#refuseQueued()
    this.#isOver = true
    for (const end of this.#deaf) end()
    this.#leadership.close()
    this.#marks.drop()
    if (this.#roomTimer !== null) clearTimeout(this.#roomTimer)
    this.#reader.close()
    this.#writer.close()
    this.#options.poison?.close()
    await this.#log.close()
  }
}

/** Controllers decide again and again by themselves: for them waiting and being refused is the same. */
function isOfSomebody({ actor }: SubmitOptions): boolean {
  return !actor.startsWith('controller:')
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function lastAtOf(db: OpenDb): number {
  return db.get<{ value: number }>("SELECT value FROM muster_state WHERE key = 'at'")?.value ?? 0
}

function asRefusal(error: unknown): MusterError {
  return isRefusal(error) ? error : refuse('STATE_UNREADABLE', `the state cannot be made anew: ${String(error)}`, { cause: error })
}

function cannotApply({ number }: StateCursor, cause: unknown): MusterError {
  return refuse('STATE_UNREADABLE', `entries from ${number} on cannot be applied: ${String(cause)}`, {
    cause,
    hint: 'Report it. The log itself is whole: a version that can apply them goes on from there.',
  })
}

/** What a failed append says: it is `out` for certain, it may come yet, or the log has failed. */
function fateOf(error: unknown): 'out' | 'unknown' | 'fatal' {
  if (!isRefusal(error)) return 'fatal'
  switch (error.code) {
    case 'DISK_FULL':
    case 'DELOS_ENTRY_TOO_LARGE':
    case 'DELOS_NO_QUORUM':
      return 'out'
    case 'DELOS_OUTCOME_UNKNOWN':
    case 'DELOS_SEALED':
    case 'UNAVAILABLE':
      return 'unknown'
    default:
      return 'fatal'
  }
}
