import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import type { LogBase, LogRole } from '../../../core/contracts/ordered-log.ts'
import type { BatchListener, Stretch, StretchEnd } from '../../../core/contracts/stretch.ts'
import type { LogletEntry } from '../../../core/contracts/loglet.ts'
import { roundOf, type Ballot } from '../../../core/delos/paxos/ballot.ts'
import { decodeFrame, encodeFramePieces, logletOf } from '../../../core/delos/paxos/codec.ts'
import { LAN, WAN } from '../../../core/delos/paxos/config.ts'
import type { Durable, Input, Notice, Output, Reply, Write } from '../../../core/delos/paxos/contract.ts'
import type { Accepted } from '../../../core/delos/paxos/messages.ts'
import { testify } from '../../../core/delos/paxos/rejoin.ts'
import { createReplica, endIsOnDisk, leaseHolds, statusOf, step, type Replica } from '../../../core/delos/paxos/replica.ts'
import { firstState } from '../../../core/delos/virtual-log/elect-ahead.ts'
import { IdMap } from '../../../core/kernel/id-map.ts'
import { createPrng } from '../../../core/kernel/prng.ts'
import { isRefusal, MusterError } from '../../../core/kernel/errors.ts'
import type { Logger } from '../../../platform/logger.ts'
import { openFileLoglet, type FileLoglet } from '../file-loglet.ts'
import { Follower } from '../virtual-log/follower.ts'
import { diskFailed } from '../disk.ts'
import { openAcceptorDisk, type AcceptorDisk } from './acceptor-disk.ts'
import { openJournal, type Journal } from './journal.ts'
import { frameOnce } from './frame-once.ts'
import { CHANNEL, type Peers } from './peers.ts'
import { answerAsks, askedEnough, askToRejoin, mustAsk } from './rejoin.ts'
import { Seldom } from './seldom.ts'

export interface QuorumLogOptions {
  dir: string
  clusterId: bigint
  /** id of the loglet in the chain, u32 */
  loglet: number
  /** its first position, and the last round of the loglets before it */
  first: number
  lastRound: number
  /** number of this server, in `voters` or `learners` */
  self: number
  voters: readonly number[]
  /** who receive what is chosen and do not count */
  learners: readonly number[]
  /** ids by number, of all of them */
  servers: ReadonlyMap<number, bigint>
  /** to the other members; stays the caller's to close, after the log */
  peers: Peers
  profile: 'lan' | 'wan'
  /** size of the journal's segment files; 64 MiB unless said */
  segmentBytes?: number
  /** False: the cluster exists, so a server without a disk had one. */
  mayBeNew?: boolean
  log: Logger
  /** What it wrote may not be on the disk, or its memory is wrong: the process must end. */
  onFatal: (error: MusterError) => void
  /** told the time of each durable write of the journal */
  onSync?: (ms: number) => void
}

export interface QuorumLog extends Stretch {
  /** What of the journal could not be read at the start, and whether the other servers' copies are in its place by now. */
  repairs(): Repair[]
  moveLeader(to: bigint): boolean
  /** this server knows all of it by itself, from now on */
  readonly endIsOnDisk: boolean
  /** nothing happened in it at this server yet */
  readonly isFresh: boolean
  /** Asks for an election now: of the first server of a new loglet. `elected`: the ballot that a majority promised it before; null: none. */
  campaign(elected: Ballot | null): void
  /** A frame of this loglet that came before it was open. */
  receive(from: bigint, frame: Uint8Array): void
}

export interface Repair {
  file: string
  offset: number
  isRepaired: boolean
}

const SEGMENT_BYTES = 64 * 1024 * 1024
/** An append or a read that found no leader is tried again for so long: an election takes a third of a second. */
const NO_LEADER_MS = 5000
const RETRY_MS = 20
const CLOCK_STEP_MAX_MS = 50
/** A sealed loglet has nothing to wait for; Node takes a longer time for none. */
const TIMER_MAX_MS = 2 ** 30

/** The files of a quorum's loglet at this server, open, before it is known where it begins. */
export interface QuorumFiles {
  journal: FileLoglet
  acceptor: AcceptorDisk
  /** the disk was empty: it may have held another acceptor before */
  isAsking: boolean
  /** they were made here just now, and nobody ran them yet */
  isUnused: boolean
}

/**
 * Opens them, making them if they are not there. The journal's first segment file is in its place: its first append waits for nothing.
 * @param making the loglet is being made: nobody can have promised anything in it; `ballot` is promised as it is made, 0: none; unless
 *   `isHurried`, another loglet is written to meanwhile, and gets the disk first. Null: it is there
 */
export async function openQuorumFiles(
  options: Pick<QuorumLogOptions, 'dir' | 'clusterId' | 'loglet' | 'segmentBytes' | 'onSync' | 'log'>,
  making: { ballot: Ballot; isHurried: boolean } | null,
): Promise<QuorumFiles> {
  const { dir, clusterId, loglet, segmentBytes = SEGMENT_BYTES, onSync, log } = options
  const isEmpty = await mustAsk(dir)
  if (isEmpty && making !== null) await askedEnough(dir)
  const journal = await openFileLoglet(join(dir, 'journal'), { segmentBytes, isSalvage: true, ...(onSync === undefined ? {} : { onSync }) })
  try {
    for (const gap of journal.gaps) log.error('the journal is damaged; what is lost is fetched from the other servers', { ...gap })
    const isHurried = making?.isHurried ?? true
    await journal.prepare(isHurried)
    const identity = { clusterId, loglet, incarnation: 1 }
    const acceptor = await openAcceptorDisk(dir, identity, journal.checkTail() > 1, firstState(making?.ballot ?? 0))
    // Only now: a journal without what was promised would be that of a server which lost it.
    await journal.begin(isHurried)
    return { journal, acceptor, isAsking: isEmpty && making === null, isUnused: isEmpty && making !== null }
  } catch (error) {
    await journal.close()
    throw error
  }
}

/** A log that a majority of servers keeps: the machine of `core/delos/paxos`, with real files, sockets and time. */
export function openQuorumLog(options: QuorumLogOptions, files: QuorumFiles): QuorumLog {
  const { acceptor } = files
  const { journal, durable } = openJournal(files.journal, options.dir, options.first)
  const { heartbeatMs, ...rest } = options.profile === 'wan' ? WAN : LAN
  const { loglet, self, voters, learners, first: firstPosition, lastRound } = options
  const timers = { heartbeatMs, ...rest }
  const config = { loglet, self, voters, learners, firstPosition, lastRound, timers }
  const begin = (from: Durable): Replica => createReplica(config, from, createPrng(randomInt(1, 2 ** 31)), performance.now())
  const replica = begin({ ...durable, state: acceptor.state, isUnused: files.isUnused })
  const runtime = new QuorumRuntime(options, replica, journal, acceptor, durable.base, files)
  if (files.isAsking) void runtime.rejoin(begin)
  else runtime.start()
  return runtime
}

interface WaitingAppend {
  batch: Uint8Array
  seq: number
  untilMs: number
  /** of one try it is not known what became of it */
  mayBeIn: boolean
  resolve: (position: number) => void
  reject: (error: MusterError) => void
}

interface WaitingRead {
  untilMs: number
  resolve: () => void
  reject: (error: MusterError) => void
}

class QuorumRuntime implements QuorumLog {
  readonly loglet: number
  readonly first: number
  readonly #servers: ReadonlyMap<number, bigint>
  readonly #numbers: ReadonlyMap<bigint, number>
  readonly #options: QuorumLogOptions
  #replica: Replica
  /** has an empty disk and does not know yet whether it had another: says nothing */
  #isAsking = false
  readonly #journal: Journal
  readonly #acceptor: AcceptorDisk
  readonly #files: Pick<FileLoglet, 'stats' | 'gaps'>
  readonly #isUnused: boolean
  readonly #promisedFirst: Ballot
  readonly #peers: Peers
  readonly #deaf: (() => void)[] = []

  readonly #inputs: Input[] = []
  #isStepping = false
  #timer: NodeJS.Timeout | null = null
  #wakeAt = Number.POSITIVE_INFINITY
  #isClosed = false
  #clockOffsetMs = Date.now() - performance.now()

  /** writes that are on their way to the disk, in order, and whether each is there */
  readonly #writes: { id: number; isDone: boolean }[] = []
  readonly #proposerId = randomInt(1, 2 ** 47)
  #seq = 0
  #requestId = 0
  readonly #appends = new IdMap<WaitingAppend>()
  readonly #retrying = new Set<WaitingAppend>()
  readonly #reads = new IdMap<WaitingRead>()
  readonly #readable: { slot: number; resolve: () => void }[] = []

  readonly #follower = new Follower({ tail: () => this.tail(), read: (from, max) => this.read(from, max) })
  readonly #roleListeners = new Set<(role: LogRole) => void>()
  #role: LogRole = { isLeader: false, leader: null, term: 0 }
  /** slot of each position from `head` on */
  #slots: number[] = []
  #head: number
  #committedSlot: number

  readonly #seals = new Map<number, { resolve: (end: StretchEnd) => void; reject: (error: MusterError) => void }>()
  readonly #endListeners: ((end: StretchEnd) => void)[] = []
  #end: StretchEnd | null = null
  readonly #behindListeners = new Set<(from: bigint) => void>()
  readonly #seldom = new Seldom()

  constructor(
    options: QuorumLogOptions,
    replica: Replica,
    journal: Journal,
    acceptor: AcceptorDisk,
    base: { slot: number },
    files: QuorumFiles,
  ) {
    this.#files = files.journal
    this.#isUnused = files.isUnused
    this.#promisedFirst = replica.promised
    this.loglet = options.loglet
    this.first = options.first
    this.#servers = options.servers
    this.#numbers = new Map([...options.servers].map(([server, id]) => [id, server]))
    this.#options = options
    this.#replica = replica
    this.#journal = journal
    this.#acceptor = acceptor
    this.#peers = options.peers
    this.#committedSlot = base.slot
    const kept = journal.base()
    this.#head = kept.position
    for (let slot = kept.slot + 1; slot <= base.slot; slot += 1) this.#index(journal.read(slot))
    this.#deaf.push(answerAsks(this.#peers, this.loglet, () => testify(this.#replica)))
    this.#deaf.push(this.#peers.onFrame(CHANNEL.log, (from, frame) => this.#onFrame(from, frame)))
    this.#deaf.push(this.#peers.onReset((from) => this.#onReset(from)))
  }

  /** An empty disk: finds out first what its vote may have been counted for. */
  async rejoin(begin: (from: Durable) => Replica): Promise<void> {
    this.#isAsking = true
    const { self, voters } = this.#replica.config
    const { dir, first, log, mayBeNew = true } = this.#options
    const asking = askToRejoin({ peers: this.#peers, loglet: this.loglet, servers: this.#servers, self, voters, mayBeNew })
    this.#deaf.push(asking.stop)
    const rejoined = await asking.rejoined
    if (rejoined === null || this.#isClosed) return
    const { state, accepted, isNew } = rejoined
    try {
      if (accepted.length > 0) await this.#journal.write({ id: 0, state: null, records: accepted, committed: 0 })
      await this.#acceptor.write(state)
      await askedEnough(dir)
    } catch (error) {
      return this.#options.onFatal(isRefusal(error) ? error : diskFailed(dir, error))
    }
    this.#replica = begin({ state, accepted, committed: 0, base: { slot: 0, position: first }, unknown: [] })
    if (!isNew) log.warn('its disk was empty; it is back among the voters with what the others know', { promised: state.promised })
    this.#isAsking = false
    this.start()
  }

  start(): void {
    this.#feed({ kind: 'tick', now: performance.now() })
  }

  #index(accepted: Accepted | null): void {
    if (accepted === null) return
    const { slot, batch } = accepted
    for (let position = batch.position; position < batch.position + batch.count; position += 1) {
      if (position >= this.#head) this.#slots[position - this.#head] = slot
    }
  }

  // ---------------------------------------------------------------------------------------------- the log

  append(batch: Uint8Array): Promise<number> {
    this.#seq += 1
    const seq = this.#seq
    return new Promise((resolve, reject) =>
      this.#propose({ batch, seq, untilMs: performance.now() + NO_LEADER_MS, mayBeIn: false, resolve, reject }),
    )
  }

  #propose(waiting: WaitingAppend): void {
    if (this.#isClosed) return waiting.reject(new MusterError('UNAVAILABLE', 'The log is closed.'))
    this.#requestId += 1
    this.#appends.set(this.#requestId, waiting)
    const proposal = { count: 1, proposerId: this.#proposerId, seq: waiting.seq, payload: waiting.batch }
    this.#feed({ kind: 'propose', now: performance.now(), requestId: this.#requestId, proposal })
  }

  follow(from: number, listener: BatchListener): () => void {
    return this.#follower.follow(from, listener)
  }

  readBarrier(): Promise<void> {
    return new Promise((resolve, reject) => this.#askRead({ untilMs: performance.now() + NO_LEADER_MS, resolve, reject }))
  }

  #askRead(waiting: WaitingRead): void {
    if (this.#isClosed) return waiting.reject(new MusterError('UNAVAILABLE', 'The log is closed.'))
    this.#requestId += 1
    this.#reads.set(this.#requestId, waiting)
    this.#feed({ kind: 'readIndex', now: performance.now(), requestId: this.#requestId })
  }

  holdsReadLease(): boolean {
    // A machine that was suspended may read a request before its timers run, by a monotonic clock that stood still meanwhile.
    if (Math.abs(Date.now() - performance.now() - this.#clockOffsetMs) > CLOCK_STEP_MAX_MS) return false
    return leaseHolds(this.#replica, performance.now())
  }

  role(): LogRole {
    return this.#role
  }

  onRole(listener: (role: LogRole) => void): () => void {
    this.#roleListeners.add(listener)
    return () => this.#roleListeners.delete(listener)
  }

  tail(): number {
    return this.#head + this.#slots.length
  }

  head(): number {
    return this.#head
  }

  read(from: number, max: number): LogletEntry[] {
    if (from < this.#head) throw new MusterError('DELOS_TRIMMED', `The log starts at position ${this.#head}; ${from} is no longer kept.`)
    const entries: LogletEntry[] = []
    for (let position = from; position < this.tail() && entries.length < max; position += 1) {
      const slot = this.#slots[position - this.#head] ?? 0
      // What was chosen a moment ago may not be in our file yet.
      const accepted = this.#replica.log.get(slot) ?? this.#journal.read(slot)
      if (accepted === null) break
      entries.push({ position, payload: accepted.batch.payload })
    }
    return entries
  }

  get keptBytes(): number {
    return this.#replica.cacheBytes
  }

  syncStats(): { p50Ms: number; p99Ms: number } {
    const { syncP50Ms, syncP99Ms } = this.#files.stats()
    return { p50Ms: syncP50Ms, p99Ms: syncP99Ms }
  }

  async trim(position: number): Promise<void> {
    const upTo = Math.min(position, this.tail()) - 1
    if (upTo < this.#head) return
    await this.#beginAt(this.#slots[upTo - this.#head] as number, upTo + 1)
  }

  /** The log begins after a slot: told to the disk, then forgotten here. */
  async #beginAt(slot: number, position: number): Promise<void> {
    this.#slots.splice(0, position - this.#head)
    this.#head = position
    await this.#journal.rebase(slot, position)
  }

  baseAt(position: number): LogBase | null {
    if (position + 1 < this.#head || position >= this.tail()) return null
    const slot = position + 1 === this.#head ? this.#journal.base().slot : this.#slots[position - this.#head]
    return { position: position + 1, loglet: this.loglet, slot: slot as number }
  }

  async install({ slot, position, loglet }: LogBase): Promise<void> {
    if (loglet !== this.loglet || slot <= this.#committedSlot || this.#isClosed || this.#isAsking) return
    await this.#beginAt(slot, position)
    if (slot <= this.#committedSlot) return
    this.#committedSlot = slot
    this.#feed({ kind: 'installed', now: performance.now(), slot, position })
    this.#release(slot)
  }

  onBehind(listener: (from: bigint) => void): () => void {
    this.#behindListeners.add(listener)
    return () => this.#behindListeners.delete(listener)
  }

  moveLeader(to: bigint): boolean {
    const server = this.#numberOf(to)
    if (server === 0 || !this.#role.isLeader) return false
    this.#feed({ kind: 'moveLeader', now: performance.now(), to: server })
    return true
  }

  repairs(): Repair[] {
    const isRepaired = this.#replica.unknown.length === 0
    return this.#files.gaps.map(({ file, offset }) => ({ file, offset, isRepaired }))
  }

  get isFresh(): boolean {
    const { promised, tail } = statusOf(this.#replica)
    return promised === 0 || (this.#isUnused && tail === 0 && promised === this.#promisedFirst)
  }

  get endIsOnDisk(): boolean {
    return endIsOnDisk(this.#replica)
  }

  receive(from: bigint, frame: Uint8Array): void {
    this.#onFrame(from, frame)
  }

  campaign(elected: Ballot | null): void {
    if (elected !== null) this.#feed({ kind: 'elected', now: performance.now(), ballot: elected })
    if (!this.#role.isLeader) this.#feed({ kind: 'campaign', now: performance.now() })
  }

  end(): StretchEnd | null {
    return this.#end
  }

  onEnd(listener: (end: StretchEnd) => void): void {
    if (this.#end === null) this.#endListeners.push(listener)
    else listener(this.#end)
  }

  seal(): Promise<StretchEnd> {
    if (this.#isClosed) return Promise.reject(new MusterError('UNAVAILABLE', 'The log is closed.'))
    this.#requestId += 1
    const id = this.#requestId
    return new Promise((resolve, reject) => {
      // A seal that cannot be finished goes on asking; whoever wants to know what is in the way asks again.
      const timer = setTimeout(() => {
        this.#seals.delete(id)
        reject(new MusterError('DELOS_NO_QUORUM', this.#whyNoLeader()))
      }, NO_LEADER_MS)
      this.#seals.set(id, {
        resolve: (end) => {
          clearTimeout(timer)
          resolve(end)
        },
        reject: (error) => {
          clearTimeout(timer)
          reject(error)
        },
      })
      this.#feed({ kind: 'seal', now: performance.now(), requestId: id })
    })
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    for (const end of this.#deaf) end()
    const gone = new MusterError('UNAVAILABLE', 'The log is closed.')
    for (const { reject } of [...this.#appends.values(), ...this.#retrying, ...this.#reads.values(), ...this.#seals.values()]) reject(gone)
    this.#retrying.clear()
    await this.#acceptor.close()
    await this.#journal.close()
  }

  // ------------------------------------------------------------------------------------------- the machine

  #onFrame(from: bigint, frame: Uint8Array): void {
    if (this.#isAsking) return
    if (isBehind(frame, this.loglet)) {
      for (const listener of this.#behindListeners) listener(from)
      return
    }
    if (logletOf(frame) !== this.loglet) return
    const message = decodeFrame(frame)
    if (message === null) {
      this.#options.log.warn('dropped a message of another server that cannot be read', { from: from.toString(16) })
      return
    }
    const server = this.#numberOf(from)
    if (server > 0) this.#feed({ kind: 'message', now: performance.now(), from: server, message: message.message })
  }

  #onReset(from: bigint): void {
    const peer = this.#numberOf(from)
    if (peer > 0) this.#feed({ kind: 'socketReset', now: performance.now(), peer })
  }

  /** 0: none of this loglet's */
  #numberOf(id: bigint): number {
    return this.#numbers.get(id) ?? 0
  }

  /** One input at a time; what its outputs bring in waits its turn. */
  #feed(input: Input): void {
    if (this.#isClosed || (this.#isAsking && input.kind !== 'propose' && input.kind !== 'readIndex')) return
    this.#inputs.push(input)
    if (this.#isStepping) return
    this.#isStepping = true
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) this.#carryOut(step(this.#replica, next))
    this.#isStepping = false
    this.#noticeRole()
    this.#noticeEnd()
  }

  #carryOut(output: Output): void {
    for (const write of output.persist) this.#persist(write)
    const encode = frameOnce((message) => encodeFramePieces(this.loglet, this.#options.self, message))
    for (const { to, message } of output.send) {
      const id = this.#servers.get(to)
      if (id !== undefined) this.#peers.send(id, CHANNEL.log, encode(message))
    }
    for (const accepted of output.committed) this.#commit(accepted)
    for (const reply of output.replies) this.#reply(reply)
    for (const { peer, from, bytesMax } of output.load) this.#load(peer, from, bytesMax)
    for (const notice of output.notices) this.#notice(notice)
    this.#wake(output.wakeAt)
  }

  #persist(write: Write): void {
    const entry = { id: write.id, isDone: false }
    this.#writes.push(entry)
    const parts: Promise<void>[] = []
    if (write.records.length > 0) parts.push(this.#journal.write(write))
    if (write.state !== null) parts.push(this.#acceptor.write(write.state))
    Promise.all(parts).then(
      () => {
        entry.isDone = true
        let upTo = 0
        while (this.#writes[0]?.isDone === true) upTo = this.#writes.shift()?.id ?? upTo
        if (upTo > 0) this.#feed({ kind: 'persisted', now: performance.now(), upTo })
      },
      (error: unknown) => {
        // A promise that may not be on the disk is none. This server says nothing more; the others go on without it.
        if (this.#isClosed) return
        this.#options.onFatal(isRefusal(error) ? error : diskFailed(this.#options.dir, error))
      },
    )
  }

  #commit(accepted: Accepted): void {
    this.#committedSlot = accepted.slot
    this.#index(accepted)
    const { batch } = accepted
    if (batch.kind === 'batch') this.#follower.committed(batch.position, batch.payload)
    this.#release(accepted.slot)
  }

  /** Reads that waited for what is here now, in order of their slots. */
  #release(slot: number): void {
    while (this.#readable.length > 0 && (this.#readable[0]?.slot ?? 0) <= slot) this.#readable.shift()?.resolve()
  }

  #reply(reply: Reply): void {
    if (reply.kind === 'append') this.#replyAppend(reply)
    else if (reply.kind === 'read') this.#replyRead(reply)
    else {
      const { position, round } = reply
      this.#seals.get(reply.requestId)?.resolve({ position, round })
      this.#seals.delete(reply.requestId)
    }
  }

  #replyAppend({ requestId, result }: Extract<Reply, { kind: 'append' }>): void {
    const waiting = this.#appends.get(requestId)
    if (waiting === undefined) return
    this.#appends.delete(requestId)
    if (result.kind === 'appended') return waiting.resolve(result.position)
    // What became of it before the end does not matter: whoever applies the log takes it once.
    if (statusOf(this.#replica).end !== null || (result.kind === 'refused' && result.why === 'sealed'))
      return waiting.reject(sealed(this.loglet))
    if (result.kind !== 'refused') waiting.mayBeIn = true
    if (performance.now() < waiting.untilMs) {
      // The same sequence number again: whoever applies the log takes it once.
      this.#retrying.add(waiting)
      setTimeout(() => {
        if (this.#retrying.delete(waiting)) this.#propose(waiting)
      }, RETRY_MS)
      return
    }
    if (!waiting.mayBeIn) waiting.reject(new MusterError('DELOS_NO_QUORUM', this.#whyNoLeader()))
    else waiting.reject(new MusterError('DELOS_OUTCOME_UNKNOWN', 'The leader went away; what was asked may still come into the log.'))
  }

  #replyRead({ requestId, result }: Extract<Reply, { kind: 'read' }>): void {
    const waiting = this.#reads.get(requestId)
    if (waiting === undefined) return
    this.#reads.delete(requestId)
    if (result.kind === 'readable') {
      if (result.slot <= this.#committedSlot) waiting.resolve()
      else this.#readable.push({ slot: result.slot, resolve: waiting.resolve })
    } else if (result.why === 'sealed') waiting.reject(sealed(this.loglet))
    else if (performance.now() < waiting.untilMs) setTimeout(() => this.#askRead(waiting), RETRY_MS)
    else waiting.reject(new MusterError('DELOS_NO_QUORUM', this.#whyNoLeader()))
  }

  #whyNoLeader(): string {
    const troubles = this.#peers
      .troubles()
      .map(({ id, reason, sinceMs }) => `${id.toString(16)} (${reason}, since ${new Date(sinceMs).toISOString()})`)
    return `There is no leader that a majority of the ${this.#options.voters.length} servers follows; not reached: ${troubles.join(', ') || 'none'}.`
  }

  #load(peer: number, from: number, bytesMax: number): void {
    const batches: Accepted[] = []
    for (let slot = from, bytes = 0; slot <= this.#committedSlot && (bytes < bytesMax || batches.length === 0); slot += 1) {
      const accepted = this.#journal.read(slot)
      if (accepted === null) break
      batches.push(accepted)
      bytes += accepted.batch.payload.length
    }
    this.#inputs.push({ kind: 'loaded', now: performance.now(), peer, batches })
  }

  #notice(notice: Notice): void {
    const { log } = this.#options
    if (notice.kind === 'leading') log.info('leads the log', { round: roundOf(notice.ballot) })
    else if (notice.kind === 'steppedDown') log.warn('leads the log no more', { why: notice.why })
    else if (notice.kind === 'stalled') log.error('an append has waited for too long though there is a leader', { state: notice.dump })
    else this.#tellBehind(this.#servers.get(notice.peer) as bigint)
  }

  #tellBehind(peer: bigint): void {
    const server = peer.toString(16)
    if (this.#seldom.isDue(server)) this.#options.log.warn('a server lacks what this one no longer has, and needs a snapshot', { server })
    this.#peers.send(peer, CHANNEL.log, behindFrame(this.loglet))
  }

  #noticeRole(): void {
    const { leader, round } = statusOf(this.#replica)
    const id = leader === null ? null : (this.#servers.get(leader) ?? null)
    const role = { isLeader: leader === this.#options.self, leader: id, term: round }
    if (role.isLeader === this.#role.isLeader && role.leader === this.#role.leader && role.term === this.#role.term) return
    this.#role = role
    for (const listener of this.#roleListeners) listener(role)
  }

  #noticeEnd(): void {
    const { end, round } = statusOf(this.#replica)
    if (this.#end !== null || end === null) return
    this.#end = { position: this.tail(), round }
    // Nothing that waits can come into this stretch any more.
    for (const waiting of [...this.#appends.values(), ...this.#retrying, ...this.#reads.values()]) waiting.reject(sealed(this.loglet))
    this.#appends.clear()
    this.#retrying.clear()
    this.#reads.clear()
    for (const listener of this.#endListeners.splice(0)) listener(this.#end)
  }

  #wake(atMs: number): void {
    if (this.#timer !== null && this.#wakeAt <= atMs) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#wakeAt = atMs
    this.#timer = setTimeout(
      () => {
        this.#timer = null
        this.#wakeAt = Number.POSITIVE_INFINITY
        this.#watchClock()
        this.#feed({ kind: 'tick', now: performance.now() })
      },
      Math.min(TIMER_MAX_MS, Math.max(0, Math.ceil(atMs - performance.now()))),
    )
  }

  /** A machine that was suspended or whose clock was set may have slept through its lease without its timers showing it. */
  #watchClock(): void {
    const offset = Date.now() - performance.now()
    if (Math.abs(offset - this.#clockOffsetMs) > CLOCK_STEP_MAX_MS) this.#feed({ kind: 'dropLease', now: performance.now() })
    this.#clockOffsetMs = offset
  }
}

function sealed(loglet: number): MusterError {
  return new MusterError('DELOS_SEALED', `The log's stretch ${loglet.toString(16)} is sealed.`)
}

/** Who sends it no longer has what comes next in this loglet at whom it is sent to. */
function behindFrame(loglet: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, loglet, true)
  return bytes
}

function isBehind(frame: Uint8Array, loglet: number): boolean {
  return frame.length === 4 && new DataView(frame.buffer, frame.byteOffset).getUint32(0, true) === loglet
}
