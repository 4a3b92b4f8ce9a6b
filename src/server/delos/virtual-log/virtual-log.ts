import { randomInt } from 'node:crypto'
import type { LogletEntry } from '../../../core/contracts/loglet.ts'
import type { LogBase, LogRole, OrderedLog } from '../../../core/contracts/ordered-log.ts'
import type { BatchListener, Stretch, StretchEnd } from '../../../core/contracts/stretch.ts'
import { logletOf } from '../../../core/delos/paxos/codec.ts'
import { headOf, isAtLast, segmentAt, segmentOf } from '../../../core/delos/virtual-log/chain.ts'
import { ballotAhead, isElected } from '../../../core/delos/virtual-log/elect-ahead.ts'
import { unknownFeatures, type Feature } from '../../../core/delos/virtual-log/features.ts'
import type { Ballot } from '../../../core/delos/paxos/ballot.ts'
import type { Intent } from '../../../core/delos/virtual-log/plan.ts'
import { fileConfigSchema, quorumConfigSchema } from '../../../core/delos/virtual-log/quorum-config.ts'
import type { Action, Outcome } from '../../../core/delos/virtual-log/reconfigure.ts'
import { NOT_SEALED, watchSeal } from '../../../core/delos/virtual-log/roll-forward.ts'
import { decidingServers, lastSegment, presentServers, type RegisterValue, type Segment } from '../../../core/delos/virtual-log/value.ts'
import { createPrng } from '../../../core/kernel/prng.ts'
import { isRefusal, MusterError } from '../../../core/kernel/errors.ts'
import type { Logger } from '../../../platform/logger.ts'
import { CHANNEL, WAS_REMOVED, type Peers } from '../quorum/peers.ts'
import type { Repair } from '../quorum/quorum-log.ts'
import { ChainChannel, type Question, type Told } from './chain-channel.ts'
import { drive, type Drive, type DriverHands, type Guard } from './driver-runner.ts'
import { EarlyFrames } from './early-frames.ts'
import { isQuorum, type Loglets } from './loglets.ts'
import type { RegisterRunner } from './register-runner.ts'
import { followRemote } from './remote-stretch.ts'

/** A log whose batches lie in one loglet after the other, and that moves to another one while it runs. */
export interface VirtualLog extends OrderedLog {
  /** The newest version of the register: of what the log is made, and whose it is. */
  value(): RegisterValue
  /** After each new version. Gives what ends it. */
  onValue(listener: (value: RegisterValue) => void): () => void
  /** Changes the chain or the members; one change at a time. */
  change(intent: Intent, guard?: Guard): Promise<Outcome>
  /** Makes a loglet ready as a change would, and gives it up again: what is in the way, or null. */
  tryOut(segment: Pick<Segment, 'kind' | 'config'>): Promise<string | null>
  /** What its leader hands over; false: it is not this server's to do. */
  moveLeader(to: bigint): boolean
  /** Of the last switch that this server saw: from the last batch of the old loglet to the first of the new one; null: none yet. */
  lastGapMs(): number | null
  /** Position after the last batch that this server has on its disk; null: others have it, too. */
  localTail(): number | null
  /** Position of the first batch that `read` gives here, with all after it; loglets that only other servers have end it. */
  localHead(): number
  /** appends that wait for a loglet that takes them */
  readonly parked: number
  /** bytes of frames for loglets that are not open here yet */
  readonly earlyBytes: number
  /** bytes of batches in memory for servers that lag a little, or for whoever reads a loglet of others */
  readonly keptBytes: number
  /** What of its files could not be read when they were opened; the other servers have it, and it is fetched from them. */
  repairs(): Repair[]
  /** This server was removed, and those who remain need it no more. Never resolves for a member, nor before the others answer. */
  readonly released: Promise<void>
  /** Everything before the last segment is on this server's disk: in loglets of its own, or as what was given on. */
  isCaughtUp(): boolean
}

export interface VirtualLogParts {
  self: { server: number; id: bigint }
  /** position from which on batches are wanted */
  from: number
  /** what is before that can be read, too, as far as this server has it */
  isWhole: boolean
  register: RegisterRunner
  loglets: Loglets
  peers: Peers
  /** those that this program knows */
  features: readonly Feature[]
  log: Logger
  onFatal: (error: MusterError) => void
}

interface WaitingAppend {
  batch: Uint8Array
  untilMs: number
  /** it may be in a loglet already */
  isTried: boolean
  resolve: (position: number) => void
  reject: (error: unknown) => void
}

/** What waits for a loglet that takes it is answered after so long. */
const PATIENCE_MS = 5000
const LOOK_MS = 100
/** A gap between two leaders that is not told on: a switch takes less. */
const ROLE_KEPT_MS = 2000
const NO_LEADER: LogRole = { isLeader: false, leader: null, term: 0 }
const READ_BYTES_MAX = 1024 * 1024
/** What a server answers that once had what it is asked for. */
const TRIMMED = 'trimmed'
const READ_MAX = 1024

export class VirtualLogRuntime implements VirtualLog {
  readonly #parts: VirtualLogParts
  readonly #stretches = new Map<number, Stretch>()
  /** being opened */
  readonly #opening = new Set<number>()
  readonly #channel: ChainChannel
  readonly #prng = createPrng(randomInt(1, 2 ** 31))
  readonly #listeners: BatchListener[] = []
  readonly #valueListeners = new Set<(value: RegisterValue) => void>()
  readonly #roleListeners = new Set<(role: LogRole) => void>()
  readonly #early = new EarlyFrames()
  readonly #deaf: (() => void)[] = []
  readonly #behindListeners = new Set<(from: bigint) => void>()
  #value: RegisterValue
  #next: number
  #gaveAtMs = performance.now()
  #sealedAtMs = 0
  /** loglet that is followed, and what ends that */
  #following: { loglet: number; stop: () => void } | null = null
  #isFollowing = false
  readonly #parked = new Set<WaitingAppend>()
  #waiters: (() => void)[] = []
  #role: LogRole = NO_LEADER
  #roleLostAtMs: number | null = null
  #seal = NOT_SEALED
  #drive: Drive | null = null
  /** of the loglet that is being made: under which ballot a majority has elected this server */
  #elected: { loglet: number; ballot: Ballot } | null = null
  #changes: Promise<unknown> = Promise.resolve()
  #isClosed = false
  #gap: { endedAtMs: number; ms: number | null } | null = null
  readonly #released = Promise.withResolvers<void>()
  readonly #timer: NodeJS.Timeout

  constructor(parts: VirtualLogParts, value: RegisterValue) {
    this.#parts = parts
    this.#value = value
    this.#next = parts.from
    this.#channel = new ChainChannel(parts.peers, {
      register: (from, frame) => this.#fromServer(from, (server) => parts.register.receive(server, frame)),
      ask: (_from, question) => this.#answer(question),
    })
    this.#deaf.push(parts.peers.onFrame(CHANNEL.log, (from, frame) => this.#keepEarly(from, frame)))
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
    this.#timer.unref()
  }

  /** Opens what is needed of the chain; what ends before that is opened when somebody asks for it. Rejects when files are damaged. */
  async start(): Promise<void> {
    const { isWhole } = this.#parts
    // Who was removed opens them for the others, who may not know all of them yet.
    const isForOthers = !this.#isMember()
    for (const segment of this.#value.chain)
      if (isWhole || isForOthers || segment.end === null || segment.end > this.#next) await this.#open(segment)
    this.#noticeRole()
  }

  // ------------------------------------------------------------------------------------------------ the chain

  value(): RegisterValue {
    return this.#value
  }

  onValue(listener: (value: RegisterValue) => void): () => void {
    this.#valueListeners.add(listener)
    return () => this.#valueListeners.delete(listener)
  }

  isCaughtUp(): boolean {
    return this.#value.chain.every(({ loglet, end }) => {
      const stretch = this.#stretches.get(loglet)
      if (end === null || stretch === undefined || !isQuorum(stretch)) return end === null || this.#next >= end
      return stretch.endIsOnDisk || stretch.head() >= end
    })
  }

  get released(): Promise<void> {
    return this.#released.promise
  }

  release(): void {
    this.#released.resolve()
  }

  /** The register's: a version was decided, and is on the disk. */
  known(value: RegisterValue): void {
    if (this.#isClosed || value.version <= this.#value.version) return
    const problem = featureProblem(value, this.#parts.features)
    // Not taken: so nothing behind it is read here.
    if (problem !== null) return this.#parts.onFatal(problem)
    const { log } = this.#parts
    const before = this.#value
    this.#value = value
    const last = lastSegment(value)
    if (last.loglet !== lastSegment(before).loglet) {
      // An idle log has no gap before its seal.
      this.#gap = { endedAtMs: Math.max(this.#gaveAtMs, this.#sealedAtMs), ms: null }
      log.info('the log goes on in another loglet', {
        version: value.version,
        loglet: nameOf(last),
        kind: last.kind,
        position: last.firstPosition,
      })
    }
    for (const segment of value.chain)
      if (segmentOf(before, segment.loglet) === null) void this.#open(segment).catch((error: unknown) => this.#fail(error))
    for (const { loglet } of before.chain) if (segmentOf(value, loglet) === null) void this.#drop(loglet)
    this.#drive?.known(value)
    for (const listener of this.#valueListeners) listener(value)
    this.#advance()
    this.#changed()
  }

  async #open(segment: Segment): Promise<void> {
    const { loglets, self } = this.#parts
    const { loglet } = segment
    if (!loglets.takesPart(segment) || this.#stretches.has(loglet) || this.#opening.has(loglet)) return
    this.#opening.add(loglet)
    const stretch = await loglets.open(segment).finally(() => this.#opening.delete(loglet))
    if (this.#isClosed) return void stretch.close()
    this.#stretches.set(loglet, stretch)
    stretch.onRole(() => this.#noticeRole())
    stretch.onEnd(() => this.#changed())
    stretch.onBehind((from) => this.#tellBehind(from))
    const early = this.#early.take(loglet)
    if (isQuorum(stretch)) {
      for (const { from, frame } of early) stretch.receive(from, frame)
      const { opener } = quorumConfigSchema.parse(segment.config)
      if (opener === self.server && segment.end === null && stretch.end() === null && stretch.isFresh)
        stretch.campaign(this.#elected?.loglet === loglet ? this.#elected.ballot : null)
    }
    this.#advance()
    this.#changed()
  }

  async #drop(loglet: number): Promise<void> {
    const stretch = this.#stretches.get(loglet)
    this.#stretches.delete(loglet)
    if (this.#following?.loglet === loglet) this.#following.stop()
    await stretch?.close()
    await this.#parts.loglets.remove(loglet)
  }

  #fail(error: unknown): void {
    if (this.#isClosed) return
    this.#parts.onFatal(
      isRefusal(error) ? error : new MusterError('DELOS_DISK_FAILED', `the log's next loglet cannot be opened: ${String(error)}`),
    )
  }

  #last(): Stretch | null {
    return this.#stretches.get(lastSegment(this.#value).loglet) ?? null
  }

  /** The stretch that takes appends, once everything before it was given on here. */
  #taking(): Stretch | null {
    const last = this.#last()
    if (last === null || last.end() !== null || !isAtLast(this.#value, this.#next)) return null
    return last
  }

  /** Something that waits may go on now: a version, an end, an open loglet. */
  #changed(): void {
    for (const resolve of this.#waiters.splice(0)) resolve()
    this.#noticeRole()
    this.#submitParked()
  }

  #whenChanged(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, timeoutMs))
      this.#waiters.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  // -------------------------------------------------------------------------------------------------- reading

  onCommitted(listener: BatchListener): void {
    this.#listeners.push(listener)
    this.#isFollowing = true
    this.#advance()
  }

  /** Follows the loglet that holds what is next. */
  #advance(): void {
    if (!this.#isFollowing || this.#isClosed) return
    const segment = segmentAt(this.#value, this.#next)
    // Before the chain: a snapshot is needed. Or right behind a last segment that was sealed and whose end is not in the register yet.
    if (segment === null) return
    if (this.#following?.loglet === segment.loglet) return
    const stretch = this.#stretches.get(segment.loglet)
    const isMine = this.#parts.loglets.takesPart(segment)
    if (stretch === undefined ? isMine || segment.end === null : this.#next < stretch.head()) return
    this.#following?.stop()
    const following = { loglet: segment.loglet, stop: (): void => {} }
    this.#following = following
    const give: BatchListener = (position, batch) => this.#give(segment.loglet, position, batch)
    const stop =
      stretch === undefined
        ? followRemote(this.#next, segment.end as number, (from) => this.#readElsewhere(segment.loglet, from), give)
        : stretch.follow(this.#next, give)
    // What was there may have led on to the next loglet already.
    if (this.#following === following) following.stop = stop
    else stop()
  }

  #give(loglet: number, position: number, batch: Uint8Array): void {
    if (position !== this.#next || this.#following?.loglet !== loglet) return
    this.#next += 1
    this.#gaveAtMs = performance.now()
    if (this.#gap?.ms === null && loglet === lastSegment(this.#value).loglet) this.#gap.ms = this.#gaveAtMs - this.#gap.endedAtMs
    for (const listener of this.#listeners) listener(position, batch)
    const { end } = segmentOf(this.#value, loglet) ?? { end: null }
    if (end === null || this.#next < end) return
    this.#advance()
    this.#changed()
  }

  async #readElsewhere(loglet: number, from: number): Promise<LogletEntry[] | null> {
    const others = presentServers(this.#value).filter(({ server }) => server !== this.#parts.self.server)
    const start = others.length === 0 ? 0 : randomInt(others.length)
    let gaveUp: bigint | null = null
    for (let i = 0; i < others.length; i += 1) {
      const other = others[(start + i) % others.length]
      const answer = other === undefined ? null : await this.#channel.ask(BigInt(`0x${other.id}`), { what: 'read', loglet, from })
      if (Array.isArray(answer) && answer.length > 0) return answer
      if (answer !== null && !Array.isArray(answer) && answer.problem === TRIMMED) gaveUp = BigInt(`0x${other?.id}`)
    }
    // Nobody has it any more: a snapshot holds it.
    if (gaveUp !== null) this.#tellBehind(gaveUp)
    return null
  }

  read(from: number, max: number): LogletEntry[] {
    const segment = segmentAt(this.#value, from)
    const stretch = segment === null ? undefined : this.#stretches.get(segment.loglet)
    if (segment === null || stretch === undefined) return []
    const to = Math.min(segment.end ?? this.#next, this.#next)
    return to <= from ? [] : stretch.read(from, Math.min(max, to - from))
  }

  /** Position after the last batch that was given on. */
  tail(): number {
    return this.#next
  }

  head(): number {
    const [oldest] = this.#value.chain
    const stretch = oldest === undefined ? undefined : this.#stretches.get(oldest.loglet)
    return stretch?.head() ?? headOf(this.#value)
  }

  localHead(): number {
    let head = this.#next
    for (const { loglet, firstPosition } of this.#value.chain.toReversed()) {
      const stretch = this.#stretches.get(loglet)
      if (stretch === undefined) break
      head = Math.min(head, stretch.head())
      if (head > firstPosition) break
    }
    return head
  }

  localTail(): number | null {
    const last = lastSegment(this.#value)
    return last.kind === 'file' ? (this.#last()?.tail() ?? null) : null
  }

  async readBarrier(): Promise<void> {
    const untilMs = performance.now() + PATIENCE_MS
    for (;;) {
      if (this.#isClosed) throw new MusterError('UNAVAILABLE', 'The log is closed.')
      const stretch = this.#taking()
      if (stretch !== null) {
        try {
          await stretch.readBarrier()
          return
        } catch (error) {
          if (!isRefusal(error) || error.code !== 'DELOS_SEALED') throw error
        }
      }
      const leftMs = untilMs - performance.now()
      if (leftMs <= 0) throw this.#nobodyTakesIt()
      await this.#whenChanged(Math.min(leftMs, LOOK_MS))
    }
  }

  holdsReadLease(): boolean {
    const stretch = this.#taking()
    // One that leads already may have committed what was not given on here yet.
    return stretch !== null && stretch.tail() <= this.#next && stretch.holdsReadLease()
  }

  // ------------------------------------------------------------------------------------------------ appending

  append(batch: Uint8Array): Promise<number> {
    const stretch = this.#taking()
    if (stretch === null)
      return new Promise((resolve, reject) =>
        this.#park({ batch, untilMs: performance.now() + PATIENCE_MS, isTried: false, resolve, reject }),
      )
    return stretch.append(batch).catch((error: unknown) => this.#again(batch, error))
  }

  /** The same bytes again, under the same number: whoever applies the log takes them once. */
  #again(batch: Uint8Array, error: unknown): Promise<number> {
    if (!isRefusal(error) || error.code !== 'DELOS_SEALED') throw error
    return new Promise((resolve, reject) => this.#park({ batch, untilMs: performance.now() + PATIENCE_MS, isTried: true, resolve, reject }))
  }

  #park(waiting: WaitingAppend): void {
    if (this.#isClosed) return waiting.reject(new MusterError('UNAVAILABLE', 'The log is closed.'))
    this.#parked.add(waiting)
    this.#submitParked()
  }

  #submitParked(): void {
    if (this.#parked.size === 0) return
    const stretch = this.#taking()
    if (stretch === null) return
    const parked = [...this.#parked]
    this.#parked.clear()
    for (const waiting of parked) {
      waiting.isTried = true
      stretch.append(waiting.batch).then(waiting.resolve, (error: unknown) => {
        if (isRefusal(error) && error.code === 'DELOS_SEALED' && performance.now() < waiting.untilMs) this.#parked.add(waiting)
        else waiting.reject(error)
      })
    }
  }

  #nobodyTakesIt(): MusterError {
    const last = lastSegment(this.#value)
    return new MusterError('DELOS_NO_QUORUM', `the log's loglet ${nameOf(last)} (${last.kind}) takes nothing at the moment`)
  }

  // ----------------------------------------------------------------------------------------------------- roles

  role(): LogRole {
    return this.#role
  }

  onRole(listener: (role: LogRole) => void): () => void {
    this.#roleListeners.add(listener)
    return () => this.#roleListeners.delete(listener)
  }

  #noticeRole(): void {
    const last = this.#last()
    const found = last === null || last.end() !== null ? null : last.role()
    const now = performance.now()
    if (found === null || (found.leader === null && last !== null && last.first === last.tail() && this.#role.leader !== null)) {
      // Between two loglets the old leader is still whom to ask; its claims are fenced by its epoch.
      this.#roleLostAtMs ??= now
      if (now - this.#roleLostAtMs < ROLE_KEPT_MS) return
    } else this.#roleLostAtMs = null
    const { isLeader, leader, term } = found ?? NO_LEADER
    const role = { isLeader, leader, term: Math.max(term, this.#role.term) }
    if (role.isLeader === this.#role.isLeader && role.leader === this.#role.leader && role.term === this.#role.term) return
    this.#role = role
    for (const listener of this.#roleListeners) listener(role)
  }

  moveLeader(to: bigint): boolean {
    const last = this.#last()
    return last !== null && isQuorum(last) && last.moveLeader(to)
  }

  // -------------------------------------------------------------------------------------------------- changing

  change(intent: Intent, guard: Guard = () => null): Promise<Outcome> {
    const run = async (): Promise<Outcome> => {
      if (this.#isClosed) return { kind: 'refused', problem: 'the server is stopping' }
      const { register, self } = this.#parts
      const hands: DriverHands = {
        preflight: (action) => this.#preflight(action),
        seal: (segment) => this.#sealSegment(segment),
        propose: (value) => register.propose(value),
        open: (segment) => this.#whenTaking(segment),
        abandon: (loglet) => this.#abandon(loglet),
      }
      const driving = drive(intent, this.#value, self.server, hands, guard)
      this.#drive = driving
      const outcome = await driving.outcome
      this.#drive = null
      return outcome
    }
    const result = this.#changes.then(run)
    this.#changes = result.catch(() => undefined)
    return result
  }

  async tryOut({ kind, config }: Pick<Segment, 'kind' | 'config'>): Promise<string | null> {
    const loglet = randomInt(2 ** 31, 2 ** 32)
    const problem = await this.#preflight({ kind: 'preflight', segment: { loglet, kind, config }, forVersion: this.#value.version + 1 })
    this.#abandon(loglet)
    return problem
  }

  async #preflight({ segment }: Extract<Action, { kind: 'preflight' }>): Promise<string | null> {
    const { self, register } = this.#parts
    const { loglet, kind, config } = segment
    // All that can be done before the seal: also who decides, and who leads.
    register.reserve()
    const ballot = ballotAhead(lastSegment(this.#value), this.#role.term, self.server)
    const promised = new Set<number>()
    const prepareAt = async (server: number): Promise<string | null> => {
      const question = { what: 'prepare', loglet, kind, config, ballot } as const
      const id = this.#idOf(server)
      const told = server === self.server ? await this.#prepareHere(question) : id === null ? null : await this.#channel.ask(id, question)
      if (told === null || Array.isArray(told)) return `server ${server} does not answer`
      if (told.promised === ballot) promised.add(server)
      return told.problem
    }
    if (kind === 'file') {
      const { server } = fileConfigSchema.parse(config)
      return prepareAt(server)
    }
    if (kind === 'etcd') {
      // Every server has to reach it, or it would see no change any more.
      const problems = await Promise.all(presentServers(this.#value).map(({ server }) => prepareAt(server)))
      return problems.find((problem) => problem !== null) ?? null
    }
    const { voters, learners } = quorumConfigSchema.parse(config)
    // Who does not vote makes it ready as soon as it hears of it; nobody waits for that.
    for (const server of learners) void prepareAt(server)
    const problems = await Promise.all(voters.map((server) => prepareAt(server)))
    this.#elected = isElected(voters, promised) ? { loglet, ballot } : null
    const failed = voters.filter((_, i) => problems[i] !== null)
    if (voters.length - failed.length <= voters.length / 2) return problems.filter((problem) => problem !== null).join('; ')
    // Whoever is to decide from now on has to be told before: with one of them silent the change would stop behind the seal.
    const deciders = decidingServers(this.#value.decider)
    const silent = failed.filter((server) => deciders.length > 0 && !deciders.includes(server))
    return silent.length > 0 ? silent.map((server) => problems[voters.indexOf(server)]).join('; ') : null
  }

  async #prepareHere(question: Extract<Question, { what: 'prepare' }>): Promise<Told> {
    const { loglets } = this.#parts
    const { loglet, kind, config, ballot = 0 } = question
    if (this.#stretches.has(loglet) || this.#opening.has(loglet)) return { problem: null }
    // Behind a seal nothing is written until it is there.
    const isHurried = this.#last()?.end() != null
    try {
      await loglets.prepare({ loglet, kind: kind as Segment['kind'], config: config as Segment['config'] }, ballot, isHurried)
      await loglets.probe(loglet, isHurried)
      return { problem: null, promised: loglets.promisedIn(loglet) }
    } catch (error) {
      return { problem: error instanceof Error ? error.message : String(error) }
    }
  }

  async #sealSegment(segment: Segment): Promise<StretchEnd> {
    const stretch = this.#stretches.get(segment.loglet)
    if (stretch !== undefined) {
      this.#sealedAtMs = performance.now()
      return stretch.seal()
    }
    throw new MusterError('UNAVAILABLE', `this server has no part in loglet ${nameOf(segment)}: ask one that has`)
  }

  async #whenTaking({ loglet }: Segment): Promise<void> {
    const untilMs = performance.now() + PATIENCE_MS
    for (;;) {
      const last = this.#stretches.get(loglet)
      if (last !== undefined && (last.end() !== null || last.role().leader !== null)) return
      // A server that has no part in what it made: its leader is others' to see.
      if (!this.#opening.has(loglet) && last === undefined) return
      if (performance.now() > untilMs) throw this.#nobodyTakesIt()
      await this.#whenChanged(10)
    }
  }

  #abandon(loglet: number): void {
    void this.#parts.loglets.remove(loglet)
    for (const { server, id } of presentServers(this.#value))
      if (server !== this.#parts.self.server) void this.#channel.ask(BigInt(`0x${id}`), { what: 'abandon', loglet })
  }

  async #answer(question: Question): Promise<Told | LogletEntry[] | null> {
    if (question.what === 'prepare') return this.#prepareHere(question)
    if (question.what === 'abandon') {
      // By the time it is heard it may have become part of the chain by another driver.
      if (segmentOf(this.#value, question.loglet) === null && this.#parts.loglets.isPrepared(question.loglet))
        await this.#parts.loglets.remove(question.loglet)
      return { problem: null }
    }
    const segment = segmentOf(this.#value, question.loglet)
    if (segment !== null) await this.#open(segment)
    const stretch = this.#stretches.get(question.loglet)
    if (segment?.end == null || stretch === undefined) return null
    if (question.from < stretch.head()) return { problem: TRIMMED }
    const entries = stretch.read(question.from, Math.min(READ_MAX, segment.end - question.from))
    let bytes = 0
    const fitting = entries.findIndex(({ payload }, i) => (bytes += payload.length) > READ_BYTES_MAX && i > 0)
    return fitting < 0 ? entries : entries.slice(0, fitting)
  }

  /** Continues a last segment that was sealed and left. */
  #look(): void {
    const now = performance.now()
    for (const waiting of this.#parked) {
      if (now < waiting.untilMs) continue
      this.#parked.delete(waiting)
      waiting.reject(
        waiting.isTried
          ? new MusterError('DELOS_OUTCOME_UNKNOWN', 'The log moved, and whether this came into it is not known.')
          : this.#nobodyTakesIt(),
      )
    }
    this.#submitParked()
    this.#noticeFarewell()
    if (this.#roleLostAtMs !== null) this.#noticeRole()
    // What it lacks is before the chain, so that no loglet can tell.
    const [other] = presentServers(this.#value).filter(({ server }) => server !== this.#parts.self.server)
    if (this.#isFollowing && other !== undefined && this.#next < headOf(this.#value)) this.#tellBehind(BigInt(`0x${other.id}`))
    const last = lastSegment(this.#value)
    const isSealed = this.#last()?.end() != null
    const { watch, isDue } = watchSeal(this.#seal, last.loglet, isSealed, now, this.#prng)
    this.#seal = watch
    if (isDue && this.#drive === null) {
      this.#parts.log.warn('a loglet was sealed and left: goes on in another of its kind', { loglet: nameOf(last) })
      void this.change({ kind: 'clone' })
    }
  }

  // ------------------------------------------------------------------------------------------------ the others

  sendRegister(to: number, message: Uint8Array): void {
    const id = this.#idOf(to)
    if (id !== null) this.#channel.sendRegister(id, message)
  }

  /** Who refuses this server as one that was removed knows that it was, and needs it no more. */
  #noticeFarewell(): void {
    const { peers, register, self, onFatal } = this.#parts
    const refused = peers.troubles().filter(({ reason }) => reason.includes(WAS_REMOVED))
    if (!this.#isMember()) for (const { id } of refused) this.#fromServer(id, (server) => register.bidFarewell(server))
    // It was away when that was decided, and is told nothing else.
    else if (refused.length > 0) onFatal(new MusterError('DELOS_MEMBER_REMOVED', `server ${self.id.toString(16)} ${WAS_REMOVED}`))
  }

  #isMember(): boolean {
    return presentServers(this.#value).some(({ server }) => server === this.#parts.self.server)
  }

  #idOf(server: number): bigint | null {
    const found = this.#value.servers.find((each) => each.server === server)
    return found === undefined ? null : BigInt(`0x${found.id}`)
  }

  #fromServer(from: bigint, take: (server: number) => void): void {
    const found = this.#value.servers.find(({ id }) => BigInt(`0x${id}`) === from)
    if (found !== undefined) take(found.server)
  }

  #keepEarly(from: bigint, frame: Uint8Array): void {
    const loglet = logletOf(frame)
    if (loglet === null || this.#stretches.has(loglet)) return
    const segment = segmentOf(this.#value, loglet)
    // One that was closed long ago here, and that another server lacks something of.
    if (segment !== null) void this.#open(segment).catch((error: unknown) => this.#fail(error))
    else if (!this.#opening.has(loglet) && !this.#parts.loglets.isPrepared(loglet)) return
    this.#early.keep(from, loglet, frame)
  }

  // ------------------------------------------------------------------------------------------------------- rest

  syncStats(): { p50Ms: number; p99Ms: number } {
    return this.#last()?.syncStats() ?? { p50Ms: 0, p99Ms: 0 }
  }

  async trim(position: number): Promise<void> {
    for (const { loglet, end, firstPosition } of this.#value.chain) {
      if (firstPosition < position && (end === null || position < end)) await this.#stretches.get(loglet)?.trim(position)
    }
    const isLong = this.#value.chain.some(({ end }) => end !== null && end <= position)
    if (isLong && this.#role.isLeader) await this.change({ kind: 'trim', position })
  }

  baseAt(position: number): LogBase | null {
    const segment = segmentAt(this.#value, position + 1)
    return segment === null ? null : (this.#stretches.get(segment.loglet)?.baseAt(position) ?? null)
  }

  async install(base: LogBase): Promise<void> {
    if (base.position <= this.#next || this.#isClosed) return
    const segment = segmentOf(this.#value, base.loglet)
    if (segment !== null) await this.#open(segment)
    await this.#stretches.get(base.loglet)?.install(base)
    if (base.position <= this.#next) return
    this.#following?.stop()
    this.#following = null
    this.#next = base.position
    this.#advance()
    this.#changed()
  }

  onBehind(listener: (from: bigint) => void): () => void {
    this.#behindListeners.add(listener)
    return () => this.#behindListeners.delete(listener)
  }

  #tellBehind(from: bigint): void {
    for (const listener of this.#behindListeners) listener(from)
  }

  get parked(): number {
    return this.#parked.size
  }

  get earlyBytes(): number {
    return this.#early.bytes
  }

  get keptBytes(): number {
    return [...this.#stretches.values()].reduce((sum, { keptBytes }) => sum + (keptBytes ?? 0), 0)
  }

  lastGapMs(): number | null {
    return this.#gap?.ms ?? null
  }

  repairs(): Repair[] {
    return [...this.#stretches.values()].flatMap((stretch) => (isQuorum(stretch) ? stretch.repairs() : []))
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#drive?.stop()
    for (const end of this.#deaf) end()
    this.#following?.stop()
    const gone = new MusterError('UNAVAILABLE', 'The log is closed.')
    for (const { reject } of this.#parked) reject(gone)
    this.#parked.clear()
    this.#changed()
    this.#channel.close()
    await this.#parts.register.close()
    for (const stretch of this.#stretches.values()) await stretch.close()
    await this.#parts.loglets.close()
  }
}

/** What keeps this program from taking part in such a log; null: nothing does. */
export function featureProblem(value: RegisterValue, known: readonly Feature[]): MusterError | null {
  const [first] = unknownFeatures(value, known)
  if (first === undefined) return null
  const text = `the log has the feature ${first.name} enabled from position ${first.since} on, which this version does not know`
  return new MusterError('STATE_NEWER', text, {
    hint: `Install a version of muster that knows ${first.name}, and start it on the same data.`,
  })
}

function nameOf({ loglet }: Segment): string {
  return loglet.toString(16).padStart(8, '0')
}
