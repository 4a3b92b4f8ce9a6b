import { createPrng, type Prng } from '../../src/core/kernel/prng.ts'
import { AppliedOnce } from '../../src/core/delos/engines/applied-once.ts'
import { serverOf } from '../../src/core/delos/paxos/ballot.ts'
import type { LogletConfig, Timers } from '../../src/core/delos/paxos/config.ts'
import type { Input, Output, Reply } from '../../src/core/delos/paxos/contract.ts'
import { decodeFrame } from '../../src/core/delos/paxos/codec.ts'
import type { Accepted, AppendResult, Message } from '../../src/core/delos/paxos/messages.ts'
import { createReplica, leaseHolds, step, type Replica } from '../../src/core/delos/paxos/replica.ts'
import type { Rules } from '../../src/core/delos/paxos/rules.ts'
import type { Checks } from './checks.ts'
import { Disk } from './disk.ts'
import type { EventQueue } from '../event-queue.ts'
import type { KvNode } from './kv/node.ts'
import type { Mutant } from './mutants.ts'
import type { Network } from './network.ts'
import type { Register } from './register.ts'
import type { Segment } from './world.ts'

/** Where a server stands: what lies between it and the others, and what its parts are like. */
export interface ServerHost {
  readonly queue: EventQueue
  readonly checks: Checks
  readonly servers: readonly SimServer[]
  readonly network: Pick<Network, 'send'>
  readonly register: Register
  readonly rules: Rules
  readonly mutant: Mutant | null
  readonly timers: Timers
  readonly cacheBatchesMax: number
  /** loglets are born under faults */
  readonly isRough: boolean
  /** faults go on */
  readonly isFaulty: boolean
  elections: number
  stalls: number
  crashes: number
  /** Mixes what happened into the trace. */
  note(kind: string, value: number): void
  noteCommit(server: SimServer, loglet: number, entry: Accepted): void
  disorderMs(): number
  /** what an fdatasync takes */
  syncMs(server: SimServer, prng: Prng): number
  /** how long after a death another server's socket tells it; null: it does not */
  resetAfterMs(dead: SimServer, other: SimServer, prng: Prng): number | null
  failsSync(server: SimServer): boolean
  restartLater(server: SimServer): void
  splitNetwork(): void
}

export interface Instance {
  segment: Segment
  replica: Replica
  disk: Disk
  /** chosen entries not yet applied, because a loglet before is not at its end */
  backlog: Accepted[]
  appliedSlot: number
  timerAt: number
  isSyncing: boolean
}

interface WaitingAppend {
  kind: 'append'
  instance: Instance
  slot: number
  answer: () => void
}
interface WaitingRead {
  kind: 'read'
  instance: Instance
  slot: number
  answer: () => void
}

/** One server: a process that can die, with disks that stay. The runtime the machine needs, on simulated parts. */
export class SimServer {
  readonly id: number
  readonly #world: ServerHost
  readonly #prng: Prng
  readonly disks = new Map<number, Disk>()
  /** the store on this log, in runs that are about it */
  node: KvNode | null = null
  // The process; gone at a crash.
  isUp = false
  instances = new Map<number, Instance>()
  chain: Segment[] = []
  values = new Map<number, number>()
  #once = new AppliedOnce()
  appliedSeqs = new Map<number, number>()
  #appliedSegment = 0
  #replies = new Map<number, (reply: Reply) => void>()
  #waiting: (WaitingAppend | WaitingRead)[] = []
  #requestId = 0
  #sealedSince = Infinity
  // Faults.
  epoch = 0
  pausedUntil = 0
  rate: number
  offset: number
  suspendedMs = 0
  #suspendedUntil = 0
  #suspendedSeen = 0
  /** own clock when the last pause began */
  #pausedAt = 0
  isDiskSlow = false
  wasDamaged = false
  /** dies within its n-th step from now */
  crashIn = Infinity
  /** told of a promise to another one, in the step that gives it */
  onPromise: (() => void) | null = null

  constructor(id: number, world: ServerHost, seed: number) {
    this.id = id
    this.#world = world
    this.#prng = createPrng(seed)
    this.rate = 1 + (this.#prng.next() - 0.5) * 0.06
    this.offset = this.#prng.below(100_000)
  }

  localNow(): number {
    return this.#world.queue.now * this.rate + this.offset
  }

  pause(ms: number): void {
    this.#pausedAt = this.localNow()
    this.pausedUntil = this.#world.queue.now + ms
  }

  /** The machine sleeps: its monotonic clock stands still meanwhile. */
  suspend(ms: number): void {
    this.pause(ms)
    this.#suspendedUntil = this.pausedUntil
    this.offset -= ms * this.rate
    this.suspendedMs += ms
  }

  /** Ends a pause, of which its clock stood still only as long as it was one. */
  wake(): void {
    const restMs = this.pausedUntil - this.#world.queue.now
    if (restMs <= 0) return
    if (this.pausedUntil === this.#suspendedUntil) {
      this.offset += restMs * this.rate
      this.suspendedMs -= restMs
    }
    this.pausedUntil -= restMs
  }

  get isPaused(): boolean {
    return this.pausedUntil > this.#world.queue.now
  }

  /** Does it in this life of the process, when it is not paused. */
  #alive(run: () => void, isFirst = false): () => void {
    const { epoch } = this
    const attempt = (): void => {
      if (this.epoch !== epoch || !this.isUp) return
      if (this.isPaused) this.#world.queue.at(this.pausedUntil + (isFirst ? 0 : this.#world.disorderMs()), attempt)
      else run()
    }
    return attempt
  }

  after(ms: number, run: () => void): void {
    this.#world.queue.after(ms, this.#alive(run))
  }

  /** The same for a client's socket: after a pause it may be read before those of the other servers. */
  hear(run: () => void): void {
    this.#alive(run, true)()
  }

  /** Whether it would answer a read by itself; a machine that was suspended finds out before it does. */
  holdsLease(instance: Instance): boolean {
    return this.isUp && this.suspendedMs - this.#suspendedSeen <= 50 && leaseHolds(instance.replica, this.localNow())
  }

  // --- life

  start(): void {
    this.isUp = true
    this.pausedUntil = 0
    this.#suspendedSeen = this.suspendedMs
    this.node?.start()
    for (const segment of this.#world.register.value.filter(({ servers }) => servers.includes(this.id))) {
      if (this.disks.has(segment.loglet)) this.adopt(segment)
    }
    this.#pollRegister()
  }

  crash(): void {
    if (!this.isUp) return
    this.#world.note('crash', this.id)
    this.#world.crashes += 1
    this.epoch += 1
    this.isUp = false
    this.crashIn = Infinity
    this.onPromise = null
    for (const disk of this.disks.values()) disk.crash(this.#prng)
    this.node?.crash()
    this.instances = new Map()
    this.chain = []
    this.values = new Map()
    this.#once = new AppliedOnce()
    this.appliedSeqs = new Map()
    this.#appliedSegment = 0
    this.#replies = new Map()
    this.#waiting = []
    this.#sealedSince = Infinity
    for (const server of this.#world.servers) {
      if (server === this) continue
      const ms = this.#world.resetAfterMs(this, server, this.#prng)
      if (ms !== null) server.after(ms, () => server.#feedAll({ kind: 'socketReset', peer: this.id }))
    }
  }

  #pollRegister(): void {
    this.after(1 + this.#prng.below(4), () => {
      for (const segment of this.#world.register.value) this.adopt(segment)
      this.after(15 + this.#prng.below(30), () => this.#pollRegister())
    })
    this.#rollForward()
  }

  /** Takes part in a loglet the register names. */
  adopt(segment: Segment): void {
    if (this.instances.has(segment.loglet) || !segment.servers.includes(this.id)) return
    let disk = this.disks.get(segment.loglet)
    if (disk === undefined) this.disks.set(segment.loglet, (disk = new Disk()))
    const config: LogletConfig = {
      loglet: segment.loglet,
      self: this.id,
      voters: segment.voters,
      learners: segment.servers.filter((server) => !segment.voters.includes(server)),
      firstPosition: segment.firstPosition,
      lastRound: segment.lastRound,
      timers: this.#world.timers,
      cacheBatchesMax: this.#world.cacheBatchesMax,
    }
    const { chosen, ...durable } = disk.read(segment.firstPosition, false)
    const replica = createReplica(config, durable, createPrng(this.#prng.below(2 ** 31)), this.localNow(), this.#world.rules)
    const instance: Instance = { segment, replica, disk, backlog: chosen, appliedSlot: 0, timerAt: Infinity, isSyncing: false }
    this.instances.set(segment.loglet, instance)
    this.chain = [...this.instances.values()].map((each) => each.segment).sort((a, b) => a.loglet - b.loglet)
    this.#apply()
    this.feed(instance, { kind: 'tick' })
    if (replica.promised === 0) this.#beBorn(instance)
  }

  /** A new loglet: who opened it begins. In some runs others begin too, and some die: no lease protects anyone yet. */
  #beBorn(instance: Instance): void {
    if (instance.segment.firstLeader === this.id) this.feed(instance, { kind: 'campaign' })
    if (!this.#world.isRough || !this.#world.isFaulty) return
    if (this.#prng.next() < 0.4) this.isDiskSlow = true
    if (this.#prng.next() < 0.4) this.crashIn = 2 + this.#prng.below(20)
    if (this.#prng.next() < 0.5) this.after(this.#prng.next() * 4, () => this.feed(instance, { kind: 'campaign' }))
    if (this.#prng.next() < 0.3) this.#world.queue.after(this.#prng.next() * 8, () => this.#world.splitNetwork())
  }

  // --- the machine's inputs and outputs

  feed(instance: Instance, input: DistributiveOmit<Input, 'now'>): void {
    if (!this.isUp) return
    this.crashIn -= 1
    const output = step(instance.replica, { ...input, now: this.localNow() })
    this.#carryOut(instance, output)
    if (this.isUp) this.node?.noticeRole()
  }

  #feedAll(input: DistributiveOmit<Input, 'now'>): void {
    for (const instance of [...this.instances.values()]) this.feed(instance, input)
  }

  #carryOut(instance: Instance, output: Output): void {
    const { loglet } = instance.segment
    instance.disk.queued.push(...output.persist)
    // A process may die between any two of the things it was told to do.
    const dies = this.crashIn <= 0
    let left = dies ? this.#prng.below(output.send.length + 1) : Infinity
    for (const { to, message } of output.send) {
      left -= 1
      if (left < 0) break
      this.#world.network.send(this.id, to, loglet, message)
    }
    for (const entry of output.committed) {
      this.#world.noteCommit(this, loglet, entry)
      instance.backlog.push(entry)
    }
    for (const notice of output.notices) {
      if (notice.kind === 'leading') this.#world.elections += 1
      if (notice.kind === 'stalled') this.#world.stalls += 1
    }
    if (dies) return this.#die()
    // The most delicate moment: a promise was given and may not be on disk.
    const isPromising = output.persist.some(({ state }) => state !== null)
    if (isPromising && this.onPromise !== null && serverOf(instance.replica.promised) !== this.id) {
      this.onPromise()
      if (!this.isUp) return
    }
    if (isPromising && this.#world.isRough && this.#world.isFaulty && this.#prng.next() < 0.15) {
      this.after(this.#prng.next() * (this.isDiskSlow ? 5 : 0.5), () => this.#die())
    }
    if (output.committed.length > 0) this.#apply()
    this.#sync(instance)
    for (const reply of output.replies) {
      const handle = this.#replies.get(reply.requestId)
      this.#replies.delete(reply.requestId)
      handle?.(reply)
    }
    for (const { peer, from } of output.load) this.#load(instance, peer, from)
    this.#setTimer(instance, output.wakeAt)
  }

  /** Old chosen slots, from the files. */
  #load(instance: Instance, peer: number, from: number): void {
    this.after(0.1 + this.#prng.next(), () => {
      const batches: Accepted[] = []
      for (let slot = from; slot <= instance.replica.committed && batches.length < 16; slot += 1) {
        const record = instance.disk.find(slot)
        if (record === undefined) break
        batches.push(record)
      }
      this.feed(instance, { kind: 'loaded', peer, batches })
    })
  }

  #die(): void {
    this.crash()
    this.#world.restartLater(this)
  }

  #setTimer(instance: Instance, wakeAt: number): void {
    if (wakeAt === Number.MAX_SAFE_INTEGER) return
    const at = Math.max((wakeAt - this.offset) / this.rate, this.#world.queue.now + 0.01)
    if (instance.timerAt <= at && instance.timerAt > this.#world.queue.now) return
    instance.timerAt = at
    this.#world.queue.at(
      at,
      this.#alive(() => {
        if (instance.timerAt !== at) return
        instance.timerAt = Infinity
        this.feed(instance, { kind: 'tick' })
      }),
    )
  }

  #sync(instance: Instance): void {
    const { disk } = instance
    if (instance.isSyncing || disk.queued.length === 0) return
    instance.isSyncing = true
    disk.syncing = disk.queued
    disk.queued = []
    this.after(this.#world.syncMs(this, this.#prng), () => {
      instance.isSyncing = false
      if (this.#world.failsSync(this)) return this.#die()
      const upTo = disk.finishSync()
      this.feed(instance, { kind: 'persisted', upTo })
      if (this.isUp) this.#sync(instance)
    })
  }

  receive(from: number, loglet: number, message: Message): void {
    if (!this.isUp) return
    this.#alive(() => {
      const instance = this.instances.get(loglet)
      if (instance !== undefined) this.feed(instance, { kind: 'message', from, message })
    })()
  }

  receiveFrame(frame: Uint8Array): void {
    const decoded = decodeFrame(frame)
    if (decoded !== null) this.receive(decoded.from, decoded.loglet, decoded.message)
  }

  // --- the state behind the log

  #apply(): void {
    for (;;) {
      const segment = this.#world.register.value[this.#appliedSegment]
      const instance = segment === undefined ? undefined : this.instances.get(segment.loglet)
      if (instance === undefined) break
      for (const entry of instance.backlog) this.#applyOne(instance, entry)
      instance.backlog = []
      if (instance.replica.end === null || instance.appliedSlot < instance.replica.end) break
      this.#appliedSegment += 1
    }
    const ready = this.#waiting.filter(({ instance, slot }) => instance.appliedSlot >= slot)
    if (ready.length === 0) return
    this.#waiting = this.#waiting.filter(({ instance, slot }) => instance.appliedSlot < slot)
    for (const { answer } of ready) answer()
  }

  #applyOne(instance: Instance, { slot, batch }: Accepted): void {
    instance.appliedSlot = slot
    if (batch.kind !== 'batch') return
    const { proposerId, seq, payload } = batch
    if (this.node !== null) return this.node.apply(batch.position, payload)
    if (!this.#once.admit(proposerId, seq) && !this.#world.mutant?.appliesTwice) return
    this.#world.checks.applied(this, proposerId, seq)
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
    this.values.set(view.getUint8(0), view.getUint32(1))
  }

  get position(): number {
    return this.#last()?.replica.nextPosition ?? 0
  }

  /** Whether everything chosen is in its state. */
  isAtTail(): boolean {
    return this.#appliedSegment >= this.#world.register.value.length - 1
  }

  #last(): Instance | undefined {
    return this.instances.get(this.chain.at(-1)?.loglet ?? -1)
  }

  // --- what clients ask

  write(
    proposal: { count: number; proposerId: number; seq: number; payload: Uint8Array },
    answer: (result: 'done' | 'retry') => void,
  ): void {
    const instance = this.#last()
    if (instance === undefined) return answer('retry')
    const requestId = this.#ask((reply) => {
      if (reply.kind !== 'append') return
      const result: AppendResult = reply.result
      if (result.kind !== 'appended') return answer('retry')
      this.#waiting.push({ kind: 'append', instance, slot: result.slot, answer: () => answer('done') })
      this.#apply()
    })
    this.feed(instance, { kind: 'propose', requestId, proposal })
  }

  /** Answers what `look` sees when that is linearizable; null: not now. */
  read<T>(look: () => T, answer: (value: T | null) => void): void {
    const instance = this.#last()
    if (instance === undefined) return answer(null)
    if (instance.replica.role !== 'leader') return this.#readByRound(instance, look, answer)
    // A process can be stopped between any two steps; most of the time it is not.
    const gapMs = this.#prng.next() * 0.05
    if (this.#world.isFaulty && !this.isPaused && this.#prng.next() < 0.015) this.pause(50 + this.#prng.below(550))
    const isCurrent = this.#world.register.value[this.#appliedSegment]?.loglet === instance.segment.loglet
    const value = isCurrent ? look() : null
    const holds = (): boolean => {
      if (this.suspendedMs - this.#suspendedSeen > 50) this.#feedAll({ kind: 'dropLease' })
      this.#suspendedSeen = this.suspendedMs
      const now = this.#world.mutant?.checksOldClock ? this.#clockOfTurn() : this.localNow()
      return instance === this.#last() && leaseHolds(instance.replica, now)
    }
    // Stopped between two steps it goes on with the second, whatever has come meanwhile.
    const goOn = (): void => (value !== null && holds() ? answer(value) : this.#readByRound(instance, look, answer))
    this.#world.queue.after(gapMs, this.#alive(goOn, true))
  }

  /** The time as taken when this turn of the event loop began: before a pause within it, and before its requests came. */
  #clockOfTurn(): number {
    return this.#world.queue.now - this.pausedUntil < 0.2 ? this.#pausedAt : this.localNow()
  }

  #readByRound<T>(instance: Instance, look: () => T, answer: (value: T | null) => void): void {
    const requestId = this.#ask((reply) => {
      if (reply.kind !== 'read') return
      if (reply.result.kind !== 'readable') return answer(null)
      this.#waiting.push({ kind: 'read', instance, slot: reply.result.slot, answer: () => answer(look()) })
      this.#apply()
    })
    this.feed(instance, { kind: 'readIndex', requestId })
  }

  #ask(handle: (reply: Reply) => void): number {
    this.#requestId += 1
    this.#replies.set(this.#requestId, handle)
    return this.#requestId
  }

  // --- switching to another loglet

  /** Seals the last loglet and appends a successor with these voters. */
  switchTo(voters: readonly number[]): void {
    const instance = this.#last()
    if (instance === undefined) return
    const requestId = this.#ask((reply) => {
      if (reply.kind !== 'seal') return
      this.#append(instance, voters)
    })
    this.feed(instance, { kind: 'seal', requestId })
  }

  #append(instance: Instance, voters: readonly number[]): void {
    const { replica, segment } = instance
    const next: Omit<Segment, 'loglet'> = {
      servers: segment.servers,
      voters,
      firstPosition: replica.nextPosition,
      lastRound: Math.floor(Math.max(replica.promised, replica.seen) / 1024),
      firstLeader: this.id,
    }
    this.after(this.#prng.next() * 2, () => {
      this.#world.register.append(segment.loglet, next)
      this.after(this.#prng.next(), () => {
        for (const each of this.#world.register.value) this.adopt(each)
      })
    })
  }

  /** Whoever finds the last loglet sealed for a while without a successor continues the chain with a clone. */
  #rollForward(): void {
    const instance = this.#last()
    const isOrphan =
      instance !== undefined && instance.replica.end !== null && this.#world.register.value.at(-1)?.loglet === instance.segment.loglet
    if (!isOrphan) this.#sealedSince = Infinity
    else if (this.#sealedSince === Infinity) this.#sealedSince = this.localNow()
    else if (this.localNow() - this.#sealedSince >= 500 && !this.#world.mutant?.hasNoRollForward)
      this.#append(instance, instance.segment.voters)
  }

  campaign(): void {
    const instance = this.#last()
    if (instance !== undefined) this.feed(instance, { kind: 'campaign' })
  }

  moveLeader(to: number): void {
    const instance = this.#last()
    if (instance !== undefined) this.feed(instance, { kind: 'moveLeader', to })
  }

  /** As the runtime of a real log tells it. */
  role(): { isLeader: boolean; term: number } {
    const replica = this.#last()?.replica
    if (replica === undefined) return { isLeader: false, term: 0 }
    return { isLeader: replica.role === 'leader', term: Math.floor(replica.promised / 1024) }
  }

  leader(): number | null {
    return this.#last()?.replica.leader ?? null
  }

  /** Whether no other server can lead up to now. */
  holdsLeaseNow(): boolean {
    const instance = this.#last()
    const isCurrent = instance !== undefined && this.#world.register.value[this.#appliedSegment]?.loglet === instance.segment.loglet
    return isCurrent && this.holdsLease(instance)
  }

  get isLeader(): boolean {
    return this.#last()?.replica.role === 'leader'
  }
}

export type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never
