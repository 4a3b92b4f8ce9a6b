import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import type { LogRole, OrderedLog } from '../../../core/contracts/ordered-log.ts'
import type { LogletEntry } from '../../../core/contracts/loglet.ts'
import { roundOf } from '../../../core/delos/paxos/ballot.ts'
import { decodeFrame, encodeFrame, logletOf } from '../../../core/delos/paxos/codec.ts'
import { LAN, WAN } from '../../../core/delos/paxos/config.ts'
import type { Input, Notice, Output, Reply, Write } from '../../../core/delos/paxos/contract.ts'
import type { Accepted } from '../../../core/delos/paxos/messages.ts'
import { createReplica, leaseHolds, statusOf, step, type Replica } from '../../../core/delos/paxos/replica.ts'
import { createPrng } from '../../../core/kernel/prng.ts'
import { isRefusal, MusterError } from '../../../core/kernel/errors.ts'
import type { Logger } from '../../../platform/logger.ts'
import { openFileLoglet, type LogletStats } from '../file-loglet.ts'
import { diskFailed } from '../disk.ts'
import { openAcceptorDisk, type AcceptorDisk } from './acceptor-disk.ts'
import { openJournal, type Journal } from './journal.ts'
import { CHANNEL, type Peers } from './peers.ts'

export interface QuorumLogOptions {
  dir: string
  clusterId: bigint
  /** of `members` */
  self: bigint
  /** all voters, in the same order everywhere */
  members: readonly bigint[]
  /** to the other members; stays the caller's to close, after the log */
  peers: Peers
  profile: 'lan' | 'wan'
  log: Logger
  /** What it wrote may not be on the disk, or its memory is wrong: the process must end. */
  onFatal: (error: MusterError) => void
}

export interface QuorumLog extends OrderedLog {
  moveLeader(to: bigint): boolean
}

const SEGMENT_BYTES = 64 * 1024 * 1024
/** Of the only loglet there is. */
const LOGLET = 1
/** An append or a read that found no leader is tried again for so long: an election takes a third of a second. */
const NO_LEADER_MS = 5000
const RETRY_MS = 20
const CLOCK_STEP_MAX_MS = 50

/** A log that a majority of servers keeps: the machine of `core/delos/paxos`, with real files, sockets and time. */
export async function openQuorumLog(options: QuorumLogOptions): Promise<QuorumLog> {
  const loglet = await openFileLoglet(join(options.dir, 'journal'), { segmentBytes: SEGMENT_BYTES })
  const servers = options.members
  const self = servers.indexOf(options.self) + 1
  const acceptor = await openAcceptorDisk(
    options.dir,
    { clusterId: options.clusterId, loglet: LOGLET, incarnation: 1 },
    loglet.checkTail() > 1,
  )
  const { journal, durable } = openJournal(loglet, 1)
  const { heartbeatMs, ...rest } = options.profile === 'wan' ? WAN : LAN
  const config = {
    loglet: LOGLET,
    self,
    voters: servers.map((_, i) => i + 1),
    learners: [],
    firstPosition: 1,
    lastRound: 0,
    timers: { heartbeatMs, ...rest },
  }
  const replica = createReplica(config, { ...durable, state: acceptor.state }, createPrng(randomInt(1, 2 ** 31)), performance.now())
  const runtime = new QuorumRuntime(options, replica, journal, acceptor, durable.base, () => loglet.stats())
  runtime.start()
  return runtime
}

interface WaitingAppend {
  batch: Uint8Array
  seq: number
  untilMs: number
  resolve: (position: number) => void
  reject: (error: MusterError) => void
}

interface WaitingRead {
  untilMs: number
  resolve: () => void
  reject: (error: MusterError) => void
}

class QuorumRuntime implements QuorumLog {
  readonly #options: QuorumLogOptions
  readonly #replica: Replica
  readonly #journal: Journal
  readonly #acceptor: AcceptorDisk
  readonly #stats: () => LogletStats
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
  readonly #appends = new Map<number, WaitingAppend>()
  readonly #reads = new Map<number, WaitingRead>()
  readonly #readable: { slot: number; resolve: () => void }[] = []

  readonly #listeners: ((position: number, batch: Uint8Array) => void)[] = []
  readonly #roleListeners = new Set<(role: LogRole) => void>()
  #role: LogRole = { isLeader: false, leader: null, term: 0 }
  /** slot of each position, from 1 on */
  readonly #slots: number[] = [0]
  #committedSlot: number

  constructor(
    options: QuorumLogOptions,
    replica: Replica,
    journal: Journal,
    acceptor: AcceptorDisk,
    base: { slot: number },
    stats: () => LogletStats,
  ) {
    this.#stats = stats
    this.#options = options
    this.#replica = replica
    this.#journal = journal
    this.#acceptor = acceptor
    this.#peers = options.peers
    this.#committedSlot = base.slot
    for (let slot = 1; slot <= base.slot; slot += 1) this.#index(journal.read(slot))
  }

  start(): void {
    this.#deaf.push(this.#peers.onFrame(CHANNEL.log, (from, frame) => this.#onFrame(from, frame)))
    this.#deaf.push(this.#peers.onReset((from) => this.#onReset(from)))
    this.#feed({ kind: 'tick', now: performance.now() })
  }

  #index(accepted: Accepted | null): void {
    if (accepted === null) return
    const { slot, batch } = accepted
    for (let i = 0; i < batch.count; i += 1) this.#slots[batch.position + i] = slot
  }

  // ---------------------------------------------------------------------------------------------- the log

  append(batch: Uint8Array): Promise<number> {
    this.#seq += 1
    const seq = this.#seq
    return new Promise((resolve, reject) => this.#propose({ batch, seq, untilMs: performance.now() + NO_LEADER_MS, resolve, reject }))
  }

  #propose(waiting: WaitingAppend): void {
    if (this.#isClosed) return waiting.reject(new MusterError('UNAVAILABLE', 'The log is closed.'))
    this.#requestId += 1
    this.#appends.set(this.#requestId, waiting)
    const proposal = { count: 1, proposerId: this.#proposerId, seq: waiting.seq, payload: waiting.batch }
    this.#feed({ kind: 'propose', now: performance.now(), requestId: this.#requestId, proposal })
  }

  onCommitted(listener: (position: number, batch: Uint8Array) => void): void {
    this.#listeners.push(listener)
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
    return this.#slots.length
  }

  head(): number {
    return 1
  }

  read(from: number, max: number): LogletEntry[] {
    const entries: LogletEntry[] = []
    for (let position = from; position < this.#slots.length && entries.length < max; position += 1) {
      const accepted = this.#journal.read(this.#slots[position] ?? 0)
      if (accepted === null) break
      entries.push({ position, payload: accepted.batch.payload })
    }
    return entries
  }

  syncStats(): { p50Ms: number; p99Ms: number } {
    const { syncP50Ms, syncP99Ms } = this.#stats()
    return { p50Ms: syncP50Ms, p99Ms: syncP99Ms }
  }

  /** Kept whole: a server that comes back after long has to be able to fetch what it missed. */
  async trim(): Promise<void> {}

  moveLeader(to: bigint): boolean {
    const server = this.#numberOf(to)
    if (server === 0 || !this.#role.isLeader) return false
    this.#feed({ kind: 'moveLeader', now: performance.now(), to: server })
    return true
  }

  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    for (const end of this.#deaf) end()
    const gone = new MusterError('UNAVAILABLE', 'The log is closed.')
    for (const { reject } of [...this.#appends.values(), ...this.#reads.values()]) reject(gone)
    await this.#acceptor.close()
    await this.#journal.close()
  }

  // ------------------------------------------------------------------------------------------- the machine

  #onFrame(from: bigint, frame: Uint8Array): void {
    if (logletOf(frame) !== LOGLET) return
    const message = decodeFrame(frame)
    if (message === null) {
      this.#options.log.warn('dropped a message of another server that cannot be read', { from: from.toString(16) })
      return
    }
    this.#feed({ kind: 'message', now: performance.now(), from: this.#numberOf(from), message: message.message })
  }

  #onReset(from: bigint): void {
    this.#feed({ kind: 'socketReset', now: performance.now(), peer: this.#numberOf(from) })
  }

  /** The machine counts servers from 1 on. */
  #numberOf(id: bigint): number {
    return this.#options.members.indexOf(id) + 1
  }

  /** One input at a time; what its outputs bring in waits its turn. */
  #feed(input: Input): void {
    if (this.#isClosed) return
    this.#inputs.push(input)
    if (this.#isStepping) return
    this.#isStepping = true
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) this.#carryOut(step(this.#replica, next))
    this.#isStepping = false
    this.#noticeRole()
  }

  #carryOut(output: Output): void {
    for (const write of output.persist) this.#persist(write)
    for (const { to, message } of output.send) {
      this.#peers.send(this.#options.members[to - 1] as bigint, CHANNEL.log, encodeFrame(LOGLET, this.#replica.config.self, message))
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
    if (batch.kind === 'batch') for (const listener of this.#listeners) listener(batch.position, batch.payload)
    while (this.#readable.length > 0 && (this.#readable[0]?.slot ?? 0) <= accepted.slot) this.#readable.shift()?.resolve()
  }

  #reply(reply: Reply): void {
    if (reply.kind === 'append') this.#replyAppend(reply)
    else if (reply.kind === 'read') this.#replyRead(reply)
  }

  #replyAppend({ requestId, result }: Extract<Reply, { kind: 'append' }>): void {
    const waiting = this.#appends.get(requestId)
    if (waiting === undefined) return
    this.#appends.delete(requestId)
    if (result.kind === 'appended') return waiting.resolve(result.position)
    if (performance.now() < waiting.untilMs && !(result.kind === 'refused' && result.why === 'sealed')) {
      // The same sequence number again: whoever applies the log takes it once.
      setTimeout(() => this.#propose(waiting), RETRY_MS)
      return
    }
    if (result.kind === 'refused') waiting.reject(new MusterError('DELOS_NO_QUORUM', this.#whyNoLeader()))
    else waiting.reject(new MusterError('DELOS_OUTCOME_UNKNOWN', 'The leader went away; what was asked may still come into the log.'))
  }

  #replyRead({ requestId, result }: Extract<Reply, { kind: 'read' }>): void {
    const waiting = this.#reads.get(requestId)
    if (waiting === undefined) return
    this.#reads.delete(requestId)
    if (result.kind === 'readable') {
      if (result.slot <= this.#committedSlot) waiting.resolve()
      else this.#readable.push({ slot: result.slot, resolve: waiting.resolve })
    } else if (performance.now() < waiting.untilMs) setTimeout(() => this.#askRead(waiting), RETRY_MS)
    else waiting.reject(new MusterError('DELOS_NO_QUORUM', this.#whyNoLeader()))
  }

  #whyNoLeader(): string {
    const troubles = this.#peers
      .troubles()
      .map(({ id, reason, sinceMs }) => `${id.toString(16)} (${reason}, since ${new Date(sinceMs).toISOString()})`)
    return `There is no leader that a majority of the ${this.#options.members.length} servers follows; not reached: ${troubles.join(', ') || 'none'}.`
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
    else log.warn('a server is too far behind to be told entry by entry', { server: this.#options.members[notice.peer - 1]?.toString(16) })
  }

  #noticeRole(): void {
    const { leader, round } = statusOf(this.#replica)
    const id = leader === null ? null : (this.#options.members[leader - 1] ?? null)
    const role = { isLeader: id === this.#options.self, leader: id, term: round }
    if (role.isLeader === this.#role.isLeader && role.leader === this.#role.leader && role.term === this.#role.term) return
    this.#role = role
    for (const listener of this.#roleListeners) listener(role)
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
      Math.max(0, Math.ceil(atMs - performance.now())),
    )
  }

  /** A machine that was suspended or whose clock was set may have slept through its lease without its timers showing it. */
  #watchClock(): void {
    const offset = Date.now() - performance.now()
    if (Math.abs(offset - this.#clockOffsetMs) > CLOCK_STEP_MAX_MS) this.#feed({ kind: 'dropLease', now: performance.now() })
    this.#clockOffsetMs = offset
  }
}
