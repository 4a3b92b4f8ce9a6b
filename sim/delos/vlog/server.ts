import { AppliedOnce } from '../../../src/core/delos/engines/applied-once.ts'
import { decodeFrame } from '../../../src/core/delos/paxos/codec.ts'
import { roundOf, serverOf, type Ballot } from '../../../src/core/delos/paxos/ballot.ts'
import type { Message } from '../../../src/core/delos/paxos/messages.ts'
import {
  addAppend,
  answerAppend,
  createAppends,
  landAppend,
  openAppends,
  takeAppends,
  type Appends,
  type PendingAppend,
} from '../../../src/core/delos/virtual-log/appends.ts'
import { accepts, headOf, isAtLast, isCurrent, isFit, nextRead, skipsOf } from '../../../src/core/delos/virtual-log/chain.ts'
import { firstState } from '../../../src/core/delos/virtual-log/elect-ahead.ts'
import type { Intent } from '../../../src/core/delos/virtual-log/plan.ts'
import { fileConfigSchema, quorumConfigSchema } from '../../../src/core/delos/virtual-log/quorum-config.ts'
import type { NewLoglet } from '../../../src/core/delos/virtual-log/reconfigure.ts'
import { NOT_SEALED, watchSeal, type SealWatch } from '../../../src/core/delos/virtual-log/roll-forward.ts'
import { lastSegment, presentServers, type RegisterValue, type Segment } from '../../../src/core/delos/virtual-log/value.ts'
import { Disk } from '../disk.ts'
import { Driving } from './driving.ts'
import { POISON_KEY, keyOf, valueOf, type Entry } from './entry.ts'
import { FileStore } from './file-store.ts'
import { Process } from './process.ts'
import { QuorumPart } from './quorum-part.ts'
import { RegisterDisk, RegisterPart } from './register-part.ts'

/** A proposer's batch that waits to be read from the log. */
interface Own {
  payload: Uint8Array
  count: number
  answer: () => void
}

const WAITING_MAX = 40
const PULL_ENTRIES_MAX = 32
/** Deaths by one entry after which it is not applied any more. */
const POISON_DEATHS = 2

/** One server of the virtual log: its disks, and in each life a register, loglets, a reader, a proposer and at times a driver. */
export class VlogServer extends Process {
  // Disks.
  registerDisk = new RegisterDisk()
  readonly disks = new Map<number, Disk>()
  readonly files = new Map<number, FileStore>()
  /** loglets made ready for a version, and not known to be in the chain */
  readonly readied = new Map<number, number>()
  /** what was read of the log, by position; the first `keptCount` are on disk */
  log: Entry[] = []
  keptCount = 0
  readonly #deaths = new Map<number, number>()

  // This life.
  register: RegisterPart | null = null
  value: RegisterValue | null = null
  quorums = new Map<number, QuorumPart>()
  driving: Driving | null = null
  /** loglets made in this life that nobody ran yet */
  readonly unused = new Set<number>()
  /** by whom is driven here: a majority has promised this ballot */
  elected: { loglet: number; ballot: Ballot } | null = null
  requestId = 0
  reading = { position: 1 }
  values = new Map<number, number>()
  appliedSeqs = new Map<number, number>()
  #once = new AppliedOnce()
  #skips: ReadonlySet<number> | null = null
  /** passed over by the state of this life */
  #skipped: number[] = []
  #appends: Appends<Own> = createAppends(1)
  #seq = 0
  #watch: SealWatch = NOT_SEALED
  #isHalted = false
  #isEtcdBusy = false
  readonly #sealedEtcd = new Set<number>()
  #waitingReads: { position: number; answer: () => void }[] = []

  get proposerId(): number {
    return this.id * 100_000 + this.epoch
  }

  get isMember(): boolean {
    return this.value !== null && presentServers(this.value).some(({ server }) => server === this.id)
  }

  /** Everything before the last segment is on this server's disk, in its loglets or as what was read. */
  get isCaughtUp(): boolean {
    const { chain } = this.value ?? { chain: [] }
    return chain.every(({ loglet, end }) => end === null || this.keptPosition >= end || this.quorums.get(loglet)?.hasEndOnDisk === true)
  }

  get last(): Segment | null {
    return this.value === null ? null : lastSegment(this.value)
  }

  // --- life

  start(): void {
    if (this.isGone) return
    this.isUp = true
    // What was set in motion after the death belongs to no life.
    this.epoch += 1
    this.pausedUntil = 0
    this.reading = { position: 1 }
    this.#appends = createAppends(1)
    this.register = new RegisterPart(this)
    this.register.feed({ kind: 'tick' })
    this.#pull()
    this.#keep()
    this.#watchSeal()
    // Who comes back wants something at once: it must not take up again what it forgot.
    if (this.world.isRough && this.world.isFaulty && this.prng.next() < 0.3)
      this.after(1 + this.prng.next() * 10, () => this.drive({ kind: 'feature', name: `f${this.world.freshValue()}`, since: 1 }))
  }

  crash(): void {
    if (!this.isUp) return
    this.world.note('crash', this.id)
    this.world.crashes += 1
    this.epoch += 1
    this.isUp = false
    this.crashIn = Infinity
    this.registerDisk.crash(this.prng)
    for (const disk of this.disks.values()) disk.crash(this.prng)
    for (const file of this.files.values()) file.crash(this.prng.below(file.queued.length + 1))
    this.log.length = this.keptCount
    this.register = null
    this.value = null
    this.quorums = new Map()
    this.driving = null
    this.unused.clear()
    this.elected = null
    this.values = new Map()
    this.appliedSeqs = new Map()
    this.#once = new AppliedOnce()
    this.#seq = 0
    this.#watch = NOT_SEALED
    this.#isHalted = false
    this.#isEtcdBusy = false
    this.#sealedEtcd.clear()
    this.#waitingReads = []
    for (const peer of this.world.servers) {
      if (peer === this || this.prng.next() < 0.3) continue
      peer.after(this.prng.next(), () => {
        for (const part of [...peer.quorums.values()]) part.feed({ kind: 'socketReset', peer: this.id })
      })
    }
  }

  die(): void {
    if (!this.isUp) return
    this.crash()
    this.world.restartLater(this)
  }

  // --- the register, and what follows from it

  onKnown(value: RegisterValue): void {
    if (!this.isUp) return
    this.world.checks.known(this, value)
    const before = this.value
    this.value = value
    this.world.note('version', value.version * 1024 + this.id)
    for (const segment of value.chain) {
      this.#adopt(segment)
      if (!this.isUp) return
    }
    for (const [loglet, forVersion] of this.readied) {
      if (forVersion > value.version) continue
      this.readied.delete(loglet)
      if (!value.chain.some((segment) => segment.loglet === loglet)) this.disks.delete(loglet)
    }
    this.#skips = skipsOf(value, this.world.rules)
    if (value.skips.some(({ position }) => position === this.world.poisonAt)) this.world.poisonAt = null
    if (before === null || this.#isHalted || !isFit(this.#skips, { position: this.reading.position - 1, skipped: this.#skipped }))
      this.#rebuild()
    if (!this.isUp) return
    this.driving?.feed({ kind: 'known', value })
    this.readOn()
  }

  /** Removed, and those who remain know it: it never comes back, and nobody gets anything from it any more. */
  leave(): void {
    this.isGone = true
    this.crash()
  }

  #adopt(segment: Segment): void {
    if (segment.kind === 'file' && fileConfigSchema.parse(segment.config).server === this.id) {
      if (!this.files.has(segment.loglet)) this.files.set(segment.loglet, new FileStore(segment.firstPosition))
      return
    }
    if (segment.kind !== 'quorum' || this.quorums.has(segment.loglet)) return
    const part = QuorumPart.open(this, segment)
    if (part === null) return
    this.quorums.set(segment.loglet, part)
    part.start()
  }

  /** A loglet of a chain that may come: its files are there, with a promise, and nothing runs. */
  createLoglet(segment: NewLoglet, forVersion: number, ballot: Ballot, answer: (promised: Ballot) => void): void {
    this.after(this.syncMs(), () => {
      if (segment.kind === 'quorum' && !this.disks.has(segment.loglet)) {
        const disk = new Disk()
        if (this.world.mutant?.promisesNothingAhead !== true || serverOf(ballot) === this.id) disk.state = firstState(ballot)
        this.disks.set(segment.loglet, disk)
        this.unused.add(segment.loglet)
      }
      this.readied.set(segment.loglet, forVersion)
      answer(this.unused.has(segment.loglet) ? ballot : 0)
    })
  }

  /** The last term of the segment that takes appends, as far as it is known here. */
  get termSeen(): number {
    const part = this.last === null ? undefined : this.quorums.get(this.last.loglet)
    return part === undefined ? 0 : roundOf(part.replica.promised)
  }

  drive(intent: Intent): void {
    if (!this.isUp || this.isPaused || this.value === null || !this.isMember || this.driving !== null) return
    this.world.drives += 1
    this.driving = new Driving(this, intent, this.value)
    this.driving.start()
  }

  #watchSeal(): void {
    this.after(40 + this.prng.below(20), () => {
      const { last } = this
      if (last !== null && this.isMember) {
        const { watch, isDue } = watchSeal(this.#watch, last.loglet, this.#isSealed(last), this.localNow(), this.prng, this.world.rules)
        this.#watch = watch
        if (isDue) this.drive({ kind: 'clone' })
      }
      this.#watchSeal()
    })
  }

  #isSealed(segment: Segment): boolean {
    if (segment.kind === 'quorum') return this.quorums.get(segment.loglet)?.hasEnded === true
    if (segment.kind === 'file') return this.files.get(segment.loglet)?.isSealed === true
    return this.#sealedEtcd.has(segment.loglet)
  }

  // --- loglets as a driver needs them; a step that does not come to an end is asked again

  seal(segment: Segment, done: (result: { round: number }) => void): void {
    if (segment.kind === 'quorum') {
      const part = this.quorums.get(segment.loglet)
      if (part === undefined) return this.#elsewhere(segment, 'seal', (peer, answer) => peer.seal(segment, answer), done)
      return part.ask(
        (requestId) => ({ kind: 'seal', requestId }),
        (reply) => {
          if (reply.kind === 'seal') done({ round: reply.round })
        },
      )
    }
    const over = (): void => done({ round: segment.lastRound })
    if (segment.kind === 'file') {
      const { server } = fileConfigSchema.parse(segment.config)
      if (server !== this.id) return this.#at(server, 'seal', (peer, answer) => peer.seal(segment, answer), done)
      const file = this.files.get(segment.loglet)
      if (file === undefined) return
      if (file.isSealed) return over()
      file.queued.push({ entry: null, done: over })
      return this.#syncFile(file)
    }
    this.world.etcd.ask(
      this,
      () => {
        this.world.etcd.log(segment.loglet, segment.firstPosition).isSealed = true
        return true
      },
      (result) => {
        if (result !== null) over()
      },
    )
  }

  findTail(segment: Segment, done: (position: number) => void): void {
    if (segment.kind === 'quorum') {
      const part = this.quorums.get(segment.loglet)
      if (part === undefined) return this.#elsewhere(segment, 'tail', (peer, answer) => peer.findTail(segment, answer), done)
      if (part.hasEnded) done(part.replica.nextPosition)
      return
    }
    if (segment.kind === 'file') {
      const { server } = fileConfigSchema.parse(segment.config)
      if (server !== this.id) return this.#at(server, 'tail', (peer, answer) => peer.findTail(segment, answer), done)
      const file = this.files.get(segment.loglet)
      if (file?.isSealed === true) done(file.tail)
      return
    }
    this.world.etcd.ask(
      this,
      () => this.world.etcd.log(segment.loglet, segment.firstPosition).tail,
      (tail) => {
        if (tail !== null) done(tail)
      },
    )
  }

  awaitOpen(segment: Segment, done: (isOpen: true) => void, tries = 20): void {
    if (segment.kind !== 'quorum' || this.quorums.get(segment.loglet)?.replica.leader != null) return done(true)
    if (tries > 0) this.after(10, () => this.awaitOpen(segment, done, tries - 1))
  }

  #elsewhere<T>(
    segment: Segment,
    kind: string,
    handle: (peer: VlogServer, answer: (value: T) => void) => void,
    done: (value: T) => void,
  ): void {
    const { voters } = quorumConfigSchema.parse(segment.config)
    const to = voters[this.prng.below(voters.length)]
    if (to !== undefined && to !== this.id) this.#at(to, kind, handle, done)
  }

  #at<T>(to: number, kind: string, handle: (peer: VlogServer, answer: (value: T) => void) => void, done: (value: T) => void): void {
    this.call<T>(to, kind, 250, handle, (value) => {
      if (value !== null) done(value)
    })
  }

  // --- reading

  /** Reads what is here, as far as it goes. */
  readOn(): void {
    while (this.isUp && this.value !== null && !this.#isHalted) {
      const next = nextRead(this.value, this.reading.position)
      if (next === null) break
      const entry = this.#find(next.segment.loglet, next.from)
      if (entry === undefined || !accepts(this.value, this.reading, next.segment.loglet, entry.position, entry.count)) break
      this.world.checks.read(this, next.segment.loglet, entry)
      this.#give(entry)
    }
    this.#afterReading()
  }

  /** A batch of this segment that is in this server's own files, or was pulled. */
  #find(loglet: number, position: number): Entry | undefined {
    const file = this.files.get(loglet)
    return this.quorums.get(loglet)?.entries.get(position) ?? file?.entries.find((entry) => entry.position === position)
  }

  #give(entry: Entry): void {
    this.log.push(entry)
    this.reading.position = entry.position + entry.count
    this.#apply(entry)
  }

  #apply(entry: Entry): void {
    if (this.#skips?.has(entry.position) === true) {
      this.#skipped.push(entry.position)
      return this.#land(entry)
    }
    if (keyOf(entry) === POISON_KEY && this.#isPoisoned(entry)) return
    if (this.#once.admit(entry.proposerId, entry.seq) || this.world.mutant?.appliesTwice === true) {
      this.world.checks.applied(this, entry)
      this.values.set(keyOf(entry), valueOf(entry))
    }
    this.#land(entry)
  }

  /** It kills who applies it; after some deaths it is not applied, and what comes after it neither. */
  #isPoisoned(entry: Entry): boolean {
    const deaths = (this.#deaths.get(entry.position) ?? 0) + 1
    this.#deaths.set(entry.position, deaths)
    if (deaths <= POISON_DEATHS) this.die()
    else {
      this.#isHalted = true
      this.world.poisonAt = entry.position
    }
    return true
  }

  #land(entry: Entry): void {
    if (entry.proposerId !== this.proposerId) return
    const own = landAppend(this.#appends, entry.seq)
    if (own === undefined) return
    this.world.checks.acknowledged(entry)
    own.answer()
  }

  /** The state anew from what was read, without what is skipped. */
  #rebuild(): void {
    this.#isHalted = false
    this.values = new Map()
    this.appliedSeqs = new Map()
    this.#once = new AppliedOnce()
    this.#skipped = []
    for (const entry of this.log) {
      if (!this.isUp || this.#isHalted) break
      this.#apply(entry)
    }
    const last = this.log.at(-1)
    if (last !== undefined) this.reading = { position: last.position + last.count }
  }

  #afterReading(): void {
    if (!this.isUp || this.value === null || this.#isHalted) return
    const { position } = this.reading
    openAppends(this.#appends, isAtLast(this.value, position) ? lastSegment(this.value).loglet : null)
    const ready = this.#waitingReads.filter((read) => read.position <= position)
    this.#waitingReads = this.#waitingReads.filter((read) => read.position > position)
    for (const { answer } of ready) answer()
    this.#pump()
  }

  /** What no loglet pushes is asked for: files and etcd, and quorums of which this server was no part. */
  #pull(): void {
    this.after(8 + this.prng.below(15), () => {
      const { value } = this
      if (value !== null && this.isMember && !this.#isHalted) {
        const next = nextRead(value, this.reading.position)
        if (next !== null) this.#pullFrom(next.segment, next.from)
        else if (this.reading.position < headOf(value)) this.#pullTrimmed(value)
      }
      this.#pull()
    })
  }

  /** What no segment of the chain holds any more: from what another server has read, as a snapshot would. */
  #pullTrimmed(value: RegisterValue): void {
    const from = this.reading.position
    const others = presentServers(value).filter(({ server }) => server !== this.id)
    const to = others[this.prng.below(others.length)]?.server
    if (to === undefined) return
    const read = (peer: VlogServer): Entry[] => peer.log.filter(({ position }) => position >= from).slice(0, PULL_ENTRIES_MAX)
    this.call<Entry[]>(
      to,
      'snapshot',
      60,
      (peer, answer) => answer(read(peer)),
      (entries) => {
        for (const entry of entries ?? []) {
          if (entry.position !== this.reading.position || this.#isHalted || !this.isUp) return
          this.world.checks.read(this, 0, entry)
          this.#give(entry)
        }
        this.readOn()
      },
    )
  }

  #pullFrom(segment: Segment, from: number): void {
    const { loglet, kind } = segment
    if (this.quorums.has(loglet) || this.files.has(loglet)) return this.readOn()
    const take = (entries: Entry[] | null): void => {
      for (const entry of entries ?? []) {
        if (this.value === null || this.#isHalted || !this.isUp) return
        if (!accepts(this.value, this.reading, loglet, entry.position, entry.count)) continue
        this.world.checks.read(this, loglet, entry)
        this.#give(entry)
      }
      this.readOn()
    }
    if (kind === 'etcd') {
      this.world.etcd.ask(
        this,
        () => {
          const log = this.world.etcd.log(loglet, segment.firstPosition)
          const entries = [...log.entries.values()].filter(({ position }) => position >= from).slice(0, PULL_ENTRIES_MAX)
          return { entries, isSealed: log.isSealed }
        },
        (result) => {
          if (result?.isSealed === true) this.#sealedEtcd.add(loglet)
          take(result?.entries ?? null)
        },
      )
      return
    }
    const others = this.value === null ? [] : presentServers(this.value).filter(({ server }) => server !== this.id)
    const home = kind === 'file' && this.prng.next() < 0.6 ? fileConfigSchema.parse(segment.config).server : null
    const to = home ?? others[this.prng.below(others.length)]?.server
    if (to !== undefined) this.call<Entry[]>(to, 'pull', 60, (peer, answer) => answer(peer.entriesOf(loglet, from)), take)
  }

  /** Of one segment, what this server can say for sure to be in it. */
  entriesOf(loglet: number, from: number): Entry[] {
    const segment = this.value?.chain.find((each) => each.loglet === loglet)
    if (segment === undefined) return []
    const until = segment.end ?? Infinity
    const entries: Entry[] = []
    let position = from
    while (entries.length < PULL_ENTRIES_MAX && position < until) {
      const entry = this.#find(loglet, position) ?? this.log.find((each) => each.position === position)
      if (entry === undefined || entry.position < segment.firstPosition) break
      entries.push(entry)
      position += entry.count
    }
    return entries
  }

  /** What was read becomes durable now and then. */
  #keep(): void {
    this.after(20 + this.prng.below(60), () => {
      this.keptCount = this.log.length
      this.#keep()
    })
  }

  /** Position below which everything read is on this server's disk. */
  get keptPosition(): number {
    const last = this.log[this.keptCount - 1]
    return last === undefined ? 1 : last.position + last.count
  }

  // --- appending

  write(payload: Uint8Array, count: number, answer: () => void): void {
    if (!this.isMember || this.#appends.waiting.size >= WAITING_MAX) return
    this.#seq += 1
    addAppend(this.#appends, this.#seq, { payload, count, answer })
    this.#pump()
  }

  #pump(): void {
    const { last } = this
    if (!this.isUp || last === null || this.#appends.loglet !== last.loglet) return
    for (const append of takeAppends(this.#appends)) this.#propose(last, append)
  }

  #answered(segment: Segment, seq: number, result: 'taken' | 'refused' | 'unknown' | 'sealed'): void {
    answerAppend(this.#appends, segment.loglet, seq, result)
    this.after(result === 'taken' ? 0 : 5 + this.prng.below(15), () => this.#pump())
  }

  #propose(segment: Segment, { seq, item }: PendingAppend<Own>): void {
    const name = { count: item.count, proposerId: this.proposerId, seq, payload: item.payload }
    if (segment.kind === 'quorum') {
      const part = this.quorums.get(segment.loglet)
      if (part === undefined) return this.#answered(segment, seq, 'refused')
      return part.ask(
        (requestId) => ({ kind: 'propose', requestId, proposal: name }),
        (reply) => {
          if (reply.kind !== 'append') return
          const { result } = reply
          if (result.kind === 'appended') this.#answered(segment, seq, 'taken')
          else this.#answered(segment, seq, result.kind === 'refused' && result.why === 'sealed' ? 'sealed' : result.kind)
        },
      )
    }
    if (segment.kind === 'file') {
      const { server } = fileConfigSchema.parse(segment.config)
      return this.call<'taken' | 'sealed' | 'refused'>(
        server,
        'append',
        100,
        (peer, answer) => peer.appendToFile(segment.loglet, name, answer),
        (result) => this.#answered(segment, seq, result ?? 'unknown'),
      )
    }
    if (this.#isEtcdBusy) return this.#answered(segment, seq, 'refused')
    this.#isEtcdBusy = true
    this.#appendToEtcd(segment, { position: this.reading.position, ...name }, (result) => {
      this.#isEtcdBusy = false
      this.#answered(segment, seq, result)
    })
  }

  appendToFile(loglet: number, name: Omit<Entry, 'position'>, answer: (result: 'taken' | 'sealed' | 'refused') => void): void {
    const file = this.files.get(loglet)
    if (file === undefined) return answer('refused')
    if (file.isSealed || file.queued.some(({ entry }) => entry === null)) return answer('sealed')
    file.queued.push({ entry: { ...name, position: file.writtenTail }, done: () => answer('taken') })
    this.#syncFile(file)
  }

  #syncFile(file: FileStore): void {
    if (file.isSyncing || file.queued.length === 0) return
    file.isSyncing = true
    const count = file.queued.length
    this.after(this.syncMs(), () => {
      file.isSyncing = false
      if (this.world.failsSync(this)) return this.die()
      file.synced(count)
      this.readOn()
      if (this.isUp) this.#syncFile(file)
    })
  }

  #appendToEtcd(segment: Segment, entry: Entry, done: (result: 'taken' | 'sealed' | 'unknown') => void): void {
    const { etcd } = this.world
    etcd.ask(
      this,
      () => etcd.append(segment.loglet, entry),
      (result) => {
        if (result === null) return done('unknown')
        if (result.kind === 'put') return done('taken')
        if (result.kind === 'sealed') {
          this.#sealedEtcd.add(segment.loglet)
          return done('sealed')
        }
        const { there, tail } = result
        if (there !== null && there.proposerId === entry.proposerId && there.seq === entry.seq) return done('taken')
        this.#appendToEtcd(segment, { ...entry, position: there === null ? tail : there.position + there.count }, done)
      },
    )
  }

  // --- reads of clients

  read(key: number, answer: (value: number | null) => void): void {
    const { last, value } = this
    if (last === null || value === null || !this.isMember || this.#isHalted) return answer(null)
    const part = this.quorums.get(last.loglet)
    const mayLead = part !== undefined && part.replica.role === 'leader'
    if (!mayLead || !isCurrent(value, this.reading.position, part.replica.nextPosition)) return this.#readBehind(last, key, answer)
    const seen = this.values.get(key) ?? 0
    // A process can be stopped between any two steps; most of the time it is not.
    if (this.world.isFaulty && !this.isPaused && this.prng.next() < 0.01) this.pause(50 + this.prng.below(300))
    this.after(this.prng.next() * 0.05, () => {
      if (this.last?.loglet === last.loglet && part.holdsLease()) answer(seen)
      else this.#readBehind(last, key, answer)
    })
  }

  /** Answers once everything that was in the log before the request is read here. */
  #readBehind(segment: Segment, key: number, answer: (value: number | null) => void): void {
    const when = (position: number): void => {
      this.#waitingReads.push({ position, answer: () => answer(this.values.get(key) ?? 0) })
      this.readOn()
    }
    if (segment.kind === 'quorum') {
      const part = this.quorums.get(segment.loglet)
      if (part === undefined) return answer(null)
      return part.ask(
        (requestId) => ({ kind: 'readIndex', requestId }),
        (reply) => {
          if (reply.kind !== 'read' || reply.result.kind !== 'readable') return answer(null)
          this.#whenSlot(part, reply.result.slot, when)
        },
      )
    }
    if (segment.kind === 'file') {
      const { server } = fileConfigSchema.parse(segment.config)
      return this.call<number | null>(
        server,
        'readTail',
        100,
        (peer, reply) => {
          const file = peer.files.get(segment.loglet)
          // Sealed, or about to be: what comes next is in another loglet.
          reply(
            file === undefined || file.isSealed || peer.value === null || lastSegment(peer.value).loglet !== segment.loglet
              ? null
              : file.tail,
          )
        },
        (tail) => (tail === null ? answer(null) : when(tail)),
      )
    }
    this.world.etcd.ask(
      this,
      () => {
        const log = this.world.etcd.log(segment.loglet, segment.firstPosition)
        return log.isSealed ? null : log.tail
      },
      (tail) => (tail === null ? answer(null) : when(tail)),
    )
  }

  #whenSlot(part: QuorumPart, slot: number, run: (position: number) => void): void {
    if (part.replica.committed >= slot) return run(part.replica.nextPosition)
    this.after(1, () => this.#whenSlot(part, slot, run))
  }

  // --- the network's side

  receive(from: number, loglet: number, message: Message): void {
    if (!this.isUp) return
    this.alive(() => this.quorums.get(loglet)?.feed({ kind: 'message', from, message }))()
  }

  receiveFrame(frame: Uint8Array): void {
    const decoded = decodeFrame(frame)
    if (decoded !== null) this.receive(decoded.from, decoded.loglet, decoded.message)
  }

  get leads(): boolean {
    const { last } = this
    return last !== null && this.quorums.get(last.loglet)?.replica.role === 'leader'
  }
}
