import { randomInt } from 'node:crypto'
import type { LogBase, LogRole, OrderedLog } from '../../../core/contracts/ordered-log.ts'
import { AppliedOnce } from '../../../core/delos/engines/applied-once.ts'
import { proposerOf, PROPOSER_DRAWN } from '../../../core/delos/engines/proposer.ts'
import { isFit } from '../../../core/delos/virtual-log/chain.ts'
import { BATCH_ENTRIES_MAX, BatchWriter, readBatch } from '../../../core/delos/engines/batch.ts'
import type { AppliedAt, KvCommand, ResponseOf } from '../../../core/delos/kv/command.ts'
import { COMMAND_KIND, kindName } from '../../../core/delos/kv/command-kind.ts'
import { decodeCommand, encodeBody } from '../../../core/delos/kv/command-codec.ts'
import { isRpcError, KV_ERRORS } from '../../../core/delos/kv/errors.ts'
import type { KvChanges, KvRows } from '../../../core/delos/kv/rows.ts'
import type { KvStore } from '../../../core/delos/kv/store-contract.ts'
import type { RpcError } from '../../../core/delos/wire/service.ts'
import { isRefusal, MusterError } from '../../../core/kernel/errors.ts'
import { IdMap } from '../../../core/kernel/id-map.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { Materialiser } from './materialiser.ts'
import type { PoisonNote } from './poison-note.ts'
import type { StoreCursor } from './rows-file.ts'

type Answer<C extends KvCommand> = (error: RpcError | null, response: ResponseOf<C> | null) => void

export interface ReplicaOptions {
  log: OrderedLog
  store: KvStore
  cursor: StoreCursor
  materialiser: Materialiser
  logger: Logger
  now: () => number
  /** what killed an earlier process; without it nothing is noted */
  poison?: PoisonNote
  /** number of this server in its cluster, by which others see who proposed a batch; without it 0 */
  server?: number
  /** positions that are passed over; null, and without it: none */
  skips?: ReadonlySet<number> | null
  /**
   * This store goes no further: it has to be opened anew, because of a skip. `isFit`: what it has may stay; else it holds what is to be
   * skipped, and has to be made without it.
   */
  onAnew?: (isFit: boolean) => void
  /** The log says something that this program cannot apply: it stops serving. */
  onFatal: (error: MusterError) => void
  /** told how long each batch that was asked for here took until it was applied; null: it was not */
  onAppended?: (ms: number | null) => void
}

export interface Replica {
  readonly store: KvStore
  readonly log: OrderedLog
  /**
   * Logs a command and answers what came of it, once it is durable and applied here.
   * @param raw its request in protobuf, when it came so: then it is logged as it is
   */
  submit<C extends KvCommand>(command: C, raw: Uint8Array | null, answer: Answer<C>): void
  /** Runs `read` when it will see everything that was acknowledged anywhere before this call. `fail` is for no leader. */
  linearizable<T>(read: () => T, done: (error: RpcError | null, value: T | null) => void): void
  /** Runs once nothing is left of what compaction gave up. */
  whenCompacted(done: () => void): void
  /** After each batch, before its answers. Gives what ends it. */
  onApplied(listener: AppliedListener): () => void
  onRole(listener: (role: LogRole) => void): () => void
  /** Runs when the store was replaced by another server's. Gives what ends it. */
  onRestored(listener: () => void): () => void
  /** Runs when the log no longer has what comes next: a snapshot is wanted. Gives what ends it. */
  onGap(listener: () => void): () => void
  /** From now on nothing is answered here, until `restore`: what this server has is from the past. */
  setBehind(): void
  readonly isBehind: boolean
  /** Why no change and no read of the present is answered here any more, DELOS_POISON; null: they are. */
  readonly refusal: RpcError | null
  /**
   * Puts another server's store in the place of this one, and goes on from there with the log.
   * @param swap puts the rows on the disk, while nothing is written there, and gives them
   */
  restore(swap: () => Promise<{ rows: KvRows; cursor: StoreCursor }>, base: LogBase): Promise<void>
  readonly applied: number
  /** servers, in each of their lives, whose last batches are told apart */
  readonly proposers: number
  /** positions that were passed over, ascending */
  readonly skipped: readonly number[]
  /** These are passed over from now on; null: none. */
  skip(positions: ReadonlySet<number> | null): void
  /** reads that no lease covered, so that the log was asked */
  readonly readsConfirmed: number
  /** commands that wait for the log */
  readonly waiting: number
  close(): Promise<void>
}

/** `changes` null: the batch changed no row */
type AppliedListener = (position: number, changes: KvChanges | null) => void

interface Waiting {
  command: KvCommand
  answer: Answer<never>
}

/**
 * While so many batches are on their way through the log, what is asked gathers for the next one: a batch costs every server about as much as
 * fifty entries, and more of them under way make nothing durable sooner. Not for longer than `GATHER_MS`, for a log whose servers are far apart.
 */
const UNDER_WAY = 3
const GATHER_MS = 2
/** Bytes of one batch, after which the next begins. */
const BATCH_BYTES_MAX = 1024 * 1024
/** Commands that wait for the log, after which new ones are refused: a client that is told can wait, memory cannot. */
const WAITING_MAX = 200_000
/** Bytes that wait for `kv.db`, after which the same. */
const BACKLOG_BYTES_MAX = 256 * 1024 * 1024

/** Versions thrown away at a time: about a millisecond. */
const COMPACT_STEP = 2000

const TOO_MANY: RpcError = { code: 8, text: 'etcdserver: too many requests' }
const NO_LEADER: RpcError = { code: 14, text: 'etcdserver: no leader' }
const TIMED_OUT: RpcError = { code: 14, text: 'etcdserver: request timed out' }
const NO_SPACE: RpcError = { code: 8, text: 'etcdserver: mvcc: database space exceeded' }
const BEHIND: RpcError = { code: 14, text: 'muster: this server waits for a snapshot of another one' }
const ANEW: RpcError = { code: 14, text: 'muster: this server makes its store anew, without a position that is to be skipped' }
const SKIPPED: RpcError = { code: 10, text: 'muster: an operator had this skipped; it was not done' }
const STOPPED: RpcError = { code: 14, text: 'etcdserver: server stopped' }

const encoder = new TextEncoder()
const NOBODY_BYTES = new Uint8Array(0)

/** One server's copy of the store: what is asked goes into the log, what the log says goes into the store. */
export function openReplica(options: ReplicaOptions): Replica {
  return new StoreReplica(options)
}

class StoreReplica implements Replica {
  readonly store: KvStore
  readonly log: OrderedLog
  readonly #options: ReplicaOptions
  readonly #proposer: number
  #once: AppliedOnce
  #seq = 0
  #timeMs: number
  applied: number
  skipped: readonly number[]
  /** null nearly always: the applying of a batch asks nothing then */
  #skips: ReadonlySet<number> | null

  readonly #writer = new BatchWriter(64 * 1024)
  #open: Waiting[] = []
  #isFlushDue = false
  /** runs while the open batch gathers */
  #gathering: NodeJS.Timeout | null = null
  readonly #inFlight = new IdMap<Waiting[]>()
  #waiting = 0
  #reads: { read: () => unknown; done: (error: RpcError | null, value: unknown) => void }[] = []
  #isCompacting = false
  readonly #compactWaiters: (() => void)[] = []
  readonly #listeners = new Set<AppliedListener>()
  readonly #restoredListeners = new Set<() => void>()
  readonly #gapListeners = new Set<() => void>()
  #isClosed = false
  isBehind = false
  refusal: RpcError | null = null
  /** nothing after this position may be applied */
  #isHalted = false
  readsConfirmed = 0

  constructor(options: ReplicaOptions) {
    this.#options = options
    this.store = options.store
    this.log = options.log
    this.applied = options.cursor.position
    this.#timeMs = options.cursor.timeMs
    this.#once = new AppliedOnce(options.cursor.sessions)
    this.#proposer = proposerOf(options.server ?? 0, randomInt(PROPOSER_DRAWN))
    this.skipped = options.cursor.skipped
    this.#skips = options.skips ?? null
    options.materialiser.start(() => ({
      position: this.applied,
      timeMs: this.#timeMs,
      sessions: this.#once.rows(),
      skipped: [...this.skipped],
    }))
    if (!this.#isFit()) this.#beginAnew(false)
    else if (this.applied + 1 < options.log.head()) this.isBehind = true
    else this.#replay()
    options.log.onCommitted((position, batch) => this.#commit(position, batch))
  }

  get proposers(): number {
    return this.#once.size
  }

  get waiting(): number {
    return this.#waiting
  }

  onApplied(listener: AppliedListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  onRole(listener: (role: LogRole) => void): () => void {
    return this.log.onRole(listener)
  }

  onRestored(listener: () => void): () => void {
    this.#restoredListeners.add(listener)
    return () => this.#restoredListeners.delete(listener)
  }

  onGap(listener: () => void): () => void {
    this.#gapListeners.add(listener)
    if (this.isBehind) listener()
    return () => this.#gapListeners.delete(listener)
  }

  setBehind(): void {
    this.isBehind = true
  }

  async restore(swap: () => Promise<{ rows: KvRows; cursor: StoreCursor }>, base: LogBase): Promise<void> {
    this.isBehind = true
    const { rows, cursor } = await swap()
    if (this.#isClosed) return
    this.store.restore(rows)
    this.applied = cursor.position
    this.#timeMs = cursor.timeMs
    this.#once = new AppliedOnce(cursor.sessions)
    this.skipped = cursor.skipped
    this.#isHalted = false
    this.refusal = null
    if (!this.#isFit()) return this.#beginAnew(false)
    await this.log.install(base)
    // What was asked here and is in the snapshot was applied by others: what came of it nobody here knows.
    for (const seq of this.#inFlight.ids()) if (!this.#once.isNew(this.#proposer, seq)) this.#fail(seq, TIMED_OUT)
    if (this.applied + 1 < this.log.head()) return this.#gap()
    this.isBehind = false
    for (const listener of this.#restoredListeners) listener()
    this.#replay()
  }

  #gap(): void {
    this.isBehind = true
    for (const listener of this.#gapListeners) listener()
  }

  // ----------------------------------------------------------------------------------------------- asking

  submit<C extends KvCommand>(command: C, raw: Uint8Array | null, answer: Answer<C>): void {
    if (this.#isClosed) return answer(STOPPED, null)
    if (this.isBehind) return answer(BEHIND, null)
    if (this.refusal !== null) return answer(this.refusal, null)
    if (this.#waiting >= WAITING_MAX || this.#options.materialiser.backlogBytes() > BACKLOG_BYTES_MAX) return answer(TOO_MANY, null)
    if (this.#writer.length >= BATCH_BYTES_MAX || this.#writer.count === BATCH_ENTRIES_MAX) this.#flush()
    const who = 'who' in command ? command.who : null
    // A name that UTF-8 cannot hold would be another one for whoever reads it from the log.
    if (who !== null && !who.user.isWellFormed()) return answer(KV_ERRORS.invalidAuthToken, null)
    const user = who === null || who.user === '' ? NOBODY_BYTES : encoder.encode(who.user)
    this.#writer.add(COMMAND_KIND[command.kind], raw ?? encodeBody(command), user, who?.authRevision ?? 0)
    this.#open.push({ command, answer: answer as Answer<never> })
    this.#waiting += 1
    this.#flushSoon()
  }

  /** At the end of the turn: all that was asked in it becomes one batch. */
  #flushSoon(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    setImmediate(() => {
      this.#isFlushDue = false
      if (this.#inFlight.size < UNDER_WAY) this.#flush()
      else this.#gathering ??= setTimeout(() => this.#flush(), GATHER_MS)
    })
  }

  #flush(): void {
    if (this.#gathering !== null) clearTimeout(this.#gathering)
    this.#gathering = null
    if (this.#open.length === 0) return
    this.#seq += 1
    const seq = this.#seq
    const batch = this.#writer.finish({ timeMs: this.#options.now(), proposer: this.#proposer, seq })
    this.#writer.reset()
    this.#inFlight.set(seq, this.#open)
    this.#open = []
    const startedAt = performance.now()
    const { onAppended } = this.#options
    this.#options.log.append(batch).then(
      () => onAppended?.(performance.now() - startedAt),
      (error: unknown) => {
        onAppended?.(null)
        this.#fail(seq, error)
      },
    )
  }

  #fail(seq: number, error: unknown): void {
    const waiting = this.#inFlight.get(seq)
    if (waiting === undefined) return
    this.#landed(seq, waiting)
    const refusal = refusalOf(error)
    for (const { answer } of waiting) answer(refusal, null)
  }

  /** A batch of ours is no longer under way. */
  #landed(seq: number, waiting: readonly Waiting[]): void {
    this.#inFlight.delete(seq)
    this.#waiting -= waiting.length
    if (this.#gathering !== null) this.#flushSoon()
  }

  linearizable<T>(read: () => T, done: (error: RpcError | null, value: T | null) => void): void {
    if (this.#isClosed) return done(STOPPED, null)
    if (this.isBehind) return done(BEHIND, null)
    if (this.refusal !== null) return done(this.refusal, null)
    // First the state is read, then the lease is looked at: a lease that ends between the two must not cover the read.
    if (this.applied + 1 === this.log.tail()) {
      const value = read()
      if (this.log.holdsReadLease()) return done(null, value)
    }
    this.readsConfirmed += 1
    this.#reads.push({ read, done: done as (error: RpcError | null, value: unknown) => void })
    if (this.#reads.length > 1) return
    setImmediate(() => {
      const reads = this.#reads
      this.#reads = []
      this.log.readBarrier().then(
        () => {
          const refusal = this.isBehind ? BEHIND : this.refusal
          for (const each of reads)
            if (refusal !== null) each.done(refusal, null)
            else each.done(null, each.read())
        },
        (error: unknown) => {
          for (const each of reads) each.done(refusalOf(error), null)
        },
      )
    })
  }

  // ---------------------------------------------------------------------------------------------- applying

  #replay(): void {
    const { log } = this
    for (let from = Math.max(this.applied + 1, log.head()); from < log.tail();) {
      const entries = log.read(from, 4096)
      for (const { position, payload } of entries) this.#commit(position, payload)
      from += entries.length
    }
  }

  #commit(position: number, bytes: Uint8Array): void {
    if (position <= this.applied || this.#isHalted || this.isBehind) return
    if (position > this.applied + 1) return this.#gap()
    const { poison } = this.#options
    if (this.#skips !== null && this.#skips.has(position)) return this.#passOver(position, bytes)
    if (poison?.poisoned === position) return this.#leaveAlone(position, bytes)
    poison?.before(position)
    this.#take(position, bytes)
    if (!this.#isHalted) poison?.after()
  }

  #take(position: number, bytes: Uint8Array): void {
    const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const proposer = header.getFloat64(12)
    const seq = header.getFloat64(20)
    if (this.#once.isNew(proposer, seq)) {
      try {
        this.#apply(position, bytes, proposer, seq, header.getFloat64(4))
      } catch (error) {
        this.#options.poison?.threw(position)
        this.#crash(error)
      }
    } else {
      this.applied = position
      this.#once.admit(proposer, seq)
      if (proposer === this.#proposer) this.#fail(seq, TIMED_OUT)
    }
  }

  #apply(position: number, bytes: Uint8Array, proposer: number, seq: number, timeMs: number): void {
    this.#timeMs = Math.max(this.#timeMs, timeMs)
    const at: AppliedAt = { position, timeMs: this.#timeMs }
    const ours = proposer === this.#proposer ? this.#inFlight.get(seq) : undefined
    const answers: (object | null)[] = []
    const compactedBefore = this.store.compactRevision
    if (ours === undefined) {
      const batch = readBatch(bytes)
      const commands = batch?.entries.map(decodeCommand) ?? [null]
      for (const command of commands) {
        if (command === null) return this.#unknown(position)
        this.store.apply(command, at)
      }
    } else {
      for (const { command } of ours) answers.push(this.store.apply(command, at))
    }
    // Only now: rows that are written after a batch that could not be applied must not say that it was.
    this.#once.admit(proposer, seq)
    this.applied = position
    const changes = this.store.takeChanges()
    if (changes !== null) this.#options.materialiser.push(changes)
    if (this.store.compactRevision !== compactedBefore) this.#compact()
    // Watchers first: who is answered may already know that it happened.
    for (const listener of this.#listeners) listener(position, changes)
    if (ours === undefined) return
    this.#landed(seq, ours)
    for (let i = 0; i < ours.length; i += 1) {
      const answer = answers[i] as object
      const { answer: tell } = ours[i] as Waiting
      if (isRpcError(answer)) tell(answer, null)
      else tell(null, answer as never)
    }
  }

  /** Throws away what compaction left, a little between other work, so that nobody waits for it. */
  #compact(): void {
    if (this.#isCompacting) return
    this.#isCompacting = true
    const step = (): void => {
      const hasMore = this.store.compactStep(COMPACT_STEP)
      const changes = this.store.takeChanges()
      if (changes !== null) this.#options.materialiser.push(changes)
      if (hasMore && !this.#isClosed) {
        setImmediate(step)
        return
      }
      this.#isCompacting = false
      for (const done of this.#compactWaiters.splice(0)) done()
    }
    setImmediate(step)
  }

  whenCompacted(done: () => void): void {
    if (this.#isCompacting) this.#compactWaiters.push(done)
    else done()
  }

  /** A defect of ours: half of a batch may be applied, so nothing more is answered from this memory. The log has it all. */
  #crash(error: unknown): void {
    this.#isHalted = true
    this.#isClosed = true
    setImmediate(() => {
      throw error
    })
  }

  /** Goes no further than before it; what is here may be read, and the log goes on, here too. */
  #leaveAlone(position: number, bytes: Uint8Array): void {
    this.#isHalted = true
    const commands = (readBatch(bytes)?.entries ?? []).map(({ kind }) => kindName(kind))
    this.refusal = { code: 14, text: `muster: applying position ${position} (${commands.join(', ')}) ends this server: DELOS_POISON` }
    this.#options.logger.error('stopped applying: DELOS_POISON', { position, commands: commands.join(',') })
    for (const seq of this.#inFlight.ids()) this.#fail(seq, this.refusal)
  }

  skip(positions: ReadonlySet<number> | null): void {
    this.#skips = positions
    if (this.#isClosed || this.refusal === ANEW) return
    if (!this.#isFit()) this.#beginAnew(false)
    else if (this.#isHalted && positions?.has(this.#options.poison?.poisoned ?? 0) === true) this.#beginAnew(true)
  }

  #isFit(): boolean {
    return isFit(this.#skips, { position: this.applied, skipped: this.skipped })
  }

  #beginAnew(isFitForIt: boolean): void {
    this.#isHalted = true
    this.refusal = ANEW
    for (const seq of this.#inFlight.ids()) this.#fail(seq, ANEW)
    this.#options.onAnew?.(isFitForIt)
  }

  /** As if it were not there: also that it came once is not noted. */
  #passOver(position: number, bytes: Uint8Array): void {
    const { proposer, seq } = nameOf(bytes)
    this.applied = position
    this.skipped = [...this.skipped, position]
    this.#options.poison?.passedOver(position)
    this.#options.logger.warn('passed over a position of the log: it is to be skipped', { position })
    if (proposer === this.#proposer) this.#fail(seq, SKIPPED)
    for (const listener of this.#listeners) listener(position, null)
  }

  #unknown(position: number): void {
    this.#isHalted = true
    this.#isClosed = true
    this.#options.onFatal(
      new MusterError('STATE_NEWER', `position ${position} of the store's log holds something that this version does not know`),
    )
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#flush()
    for (const seq of this.#inFlight.ids()) this.#fail(seq, STOPPED)
    await this.#options.materialiser.close()
    this.#options.poison?.close()
    await this.log.close()
  }
}

/** Whose batch it is, also of one that is not to be understood. */
function nameOf(bytes: Uint8Array): { proposer: number; seq: number } {
  if (bytes.length < 28) return { proposer: 0, seq: 0 }
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { proposer: header.getFloat64(12), seq: header.getFloat64(20) }
}

function refusalOf(error: unknown): RpcError {
  if (error !== null && typeof error === 'object' && 'text' in error) return error as RpcError
  if (!isRefusal(error)) return { code: 13, text: String(error) }
  if (error.code === 'DISK_FULL') return NO_SPACE
  return error.code === 'DELOS_NO_QUORUM' ? NO_LEADER : TIMED_OUT
}
