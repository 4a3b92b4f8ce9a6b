import type { Prng } from '../../../src/core/kernel/prng.ts'
import { AppliedOnce } from '../../../src/core/delos/engines/applied-once.ts'
import { BatchWriter, readBatch } from '../../../src/core/delos/engines/batch.ts'
import { DigestComparison } from '../../../src/core/delos/engines/digest-comparison.ts'
import { trimPosition } from '../../../src/core/delos/engines/view.ts'
import { createLeaseKeeper, type LeaseKeeper } from '../../../src/core/delos/engines/lease-keeper.ts'
import { NOBODY, type Identity, type KvCommand } from '../../../src/core/delos/kv/command.ts'
import { decodeCommand, encodeBody } from '../../../src/core/delos/kv/command-codec.ts'
import { COMMAND_KIND } from '../../../src/core/delos/kv/command-kind.ts'
import { isRpcError, KV_ERRORS } from '../../../src/core/delos/kv/errors.ts'
import type { KvChanges } from '../../../src/core/delos/kv/rows.ts'
import { createStore } from '../../../src/core/delos/kv/store.ts'
import type { KvStore } from '../../../src/core/delos/kv/store-contract.ts'
import { createWatchHub, type WatchHub, type WatchSink, type WatchStream } from '../../../src/core/delos/kv/watch/hub.ts'
import type { RpcError } from '../../../src/core/delos/wire/service.ts'
import { Violation } from '../../violation.ts'
import type { SimServer } from '../server.ts'
import type { World } from '../world.ts'
import type { KvWorld } from './kv-world.ts'
import { RowsDisk } from './rows-disk.ts'

export type Answer = (error: RpcError | null, response: object | null) => void

/** The outcome is not known: what was asked may still come. */
export const UNKNOWN: RpcError = { code: 14, text: 'etcdserver: request timed out' }

/** A second of the store's time takes this many ms of the simulation: leases live and end within a run. */
export const SECOND_MS = 100
/** Positions between two digests that are compared. */
const MARK_EVERY = 16
const APPEND_MAX_MS = 300
/** Positions kept below the least one that is on every disk. */
const TRIM_MARGIN = 8

const encoder = new TextEncoder()

interface Waiting {
  command: KvCommand
  answer: Answer
}

/** The store of one server: what `src/server/delos/store` does around the real machines, on simulated parts. */
export class KvNode {
  readonly server: SimServer
  readonly disk = new RowsDisk()
  readonly #world: World
  readonly #kv: KvWorld
  readonly #prng: Prng
  // The process; gone at a crash.
  store!: KvStore
  hub!: WatchHub
  digests!: DigestComparison
  keeper!: LeaseKeeper
  applied = 0
  #once = new AppliedOnce()
  #timeMs = 0
  #proposer = 0
  #seq = 0
  #writer = new BatchWriter()
  #open: Waiting[] = []
  #inFlight = new Map<number, Waiting[]>()
  #pending: KvChanges[] = []
  #isCompacting = false
  #isStepDue = false
  #lastRole = ''
  /** what the others said is on their disks */
  #durables = new Map<number, number>()
  /** what the others told of themselves, whatever became of it */
  told = new Map<number, Map<number, number>>()
  /** its rows differ from everybody's: what it answers counts for nothing */
  isDamaged = false
  /** begun again from nothing, for its rows were not those of the others */
  #isAnew = false
  /** it knows, and refuses to answer */
  isStopped = false

  constructor(server: SimServer, world: World, kv: KvWorld, prng: Prng) {
    this.server = server
    this.#world = world
    this.#kv = kv
    this.#prng = prng
    this.#load()
  }

  // --- life

  start(): void {
    this.#load()
    this.#every(10, () => this.keeper.look())
    this.#every(4, () => this.#flushRows())
    this.#every(40 + this.#prng.below(100), () => this.disk.sync())
    this.#every(20, () => this.#tell())
  }

  #load(): void {
    if (this.disk.isUnfit) {
      this.disk.clear()
      this.isDamaged = false
      this.#isAnew = true
    }
    // The log does not reach back, or no more: others trim by what it had before. Another server's rows are taken, as a snapshot.
    if (this.#isAnew && this.disk.durable < this.#kv.trimmed) this.disk.copy(this.#kv.healthyDisk(this))
    this.isStopped = false
    const kept = this.disk.read()
    const { rules } = this.#kv
    this.store = createStore({ rules }, kept?.rows ?? null)
    this.applied = kept?.cursor.position ?? 0
    if (this.applied < this.#kv.trimmed)
      throw new Violation(`trim: server ${this.server.id} needs position ${this.applied + 1}, gone up to ${this.#kv.trimmed}`)
    this.#timeMs = kept?.cursor.timeMs ?? 0
    this.#once = new AppliedOnce(kept?.cursor.sessions)
    this.hub = createWatchHub(this.store, {
      rules,
      fragmentBytesMax: 300,
      responseBytesMax: 300,
      bufferBytesMax: 600,
      sliceMax: 6,
      onDue: () => this.#stepSoon(),
    })
    this.told = new Map()
    this.#durables = new Map()
    this.digests = new DigestComparison(() => this.#world.servers.length, MARK_EVERY)
    this.#proposer = this.#kv.freshProposer()
    this.#seq = 0
    this.#writer = new BatchWriter()
    this.#open = []
    this.#inFlight = new Map()
    this.#pending = []
    this.#isCompacting = false
    this.#isStepDue = false
    this.#lastRole = ''
    this.keeper = createLeaseKeeper({
      store: this.store,
      serverId: String(this.server.id),
      role: () => this.server.role(),
      holdsLease: () => this.#kv.mutant?.renewsBlindly === true || this.server.holdsLeaseNow(),
      submit: (command, answer) => this.submit(command, (error) => answer(error)),
      nowMs: () => this.server.localNow() * (1000 / SECOND_MS),
      rules,
      clock: { leaseMs: 1500, checkpointEveryMs: 3000 },
    })
  }

  crash(): void {
    this.disk.crash(this.#prng)
    if (this.#kv.mayDamage(this) && this.disk.damage(this.#prng)) {
      this.#world.note('damage', this.server.id)
      this.isDamaged = true
    }
  }

  #every(ms: number, run: () => void): void {
    this.server.after(ms * (0.5 + this.#prng.next()), () => {
      run()
      if (this.server.isUp) this.#every(ms, run)
    })
  }

  noticeRole(): void {
    const { isLeader, term } = this.server.role()
    const role = `${isLeader} ${term}`
    if (role === this.#lastRole) return
    this.#lastRole = role
    this.keeper.look()
  }

  // --- asking

  identity(user: string): Identity | RpcError {
    return this.store.isAuthEnabled ? this.store.authenticate(user, () => true) : NOBODY
  }

  submit(command: KvCommand, answer: Answer): void {
    const who = 'who' in command && command.who !== null ? command.who : NOBODY
    this.#writer.add(COMMAND_KIND[command.kind], encodeBody(command), encoder.encode(who.user), who.authRevision)
    this.#open.push({ command, answer })
    // At the end of the turn: all that was asked in it becomes one batch.
    if (this.#open.length === 1) this.server.after(this.#prng.next() * 0.2, () => this.#flush())
  }

  #flush(): void {
    this.#seq += 1
    const seq = this.#seq
    const payload = this.#writer.finish({ timeMs: Math.floor(this.server.localNow()), proposer: this.#proposer, seq })
    this.#writer.reset()
    this.#inFlight.set(seq, this.#open)
    this.#open = []
    const proposal = { count: 1, proposerId: this.#proposer, seq, payload }
    const untilMs = this.#world.queue.now + APPEND_MAX_MS
    const propose = (): void =>
      this.server.write(proposal, (result) => {
        if (result === 'done' || !this.#inFlight.has(seq)) return
        if (this.#world.queue.now < untilMs) this.server.after(2 + this.#prng.next() * 8, propose)
        else this.#fail(seq)
      })
    propose()
  }

  #fail(seq: number): void {
    const waiting = this.#inFlight.get(seq) ?? []
    this.#inFlight.delete(seq)
    for (const { answer } of waiting) answer(UNKNOWN, null)
  }

  /** Renews a lease here or at the leader. @param answer with the TTL, when it was renewed; null: nobody keeps the time */
  keepAlive(id: bigint, answer: (ttlS: number | null, renewedAt: number) => void): void {
    this.keeper.keepAlive(id, (ttlS) => {
      if (ttlS !== null) return answer(ttlS, this.#world.queue.now)
      const leader = this.server.leader()
      if (leader === null || leader === this.server.id) return answer(null, 0)
      this.#carry(leader, (node) =>
        node.keeper.keepAlive(id, (given) => {
          const renewedAt = this.#world.queue.now
          node.#carry(this.server.id, () => answer(given, renewedAt))
        }),
      )
    })
  }

  watch(user: string, sink: WatchSink): WatchStream {
    return this.hub.open(sink, (key, rangeEnd) => {
      const who = this.identity(user)
      return isRpcError(who) ? who : this.store.mayRead(who, key, rangeEnd)
    })
  }

  // --- applying, as `store/replica.ts` does

  apply(position: number, bytes: Uint8Array): void {
    if (position <= this.applied) return
    const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const proposer = header.getFloat64(12)
    const seq = header.getFloat64(20)
    if (!this.#once.isNew(proposer, seq)) {
      this.applied = position
      this.#once.admit(proposer, seq)
      if (proposer === this.#proposer) this.#fail(seq)
      return this.#kv.checks.repeated(this, position)
    }
    this.#timeMs = Math.max(this.#timeMs, header.getFloat64(4))
    const at = { position, timeMs: this.#timeMs }
    const ours = proposer === this.#proposer ? this.#inFlight.get(seq) : undefined
    const commands = ours?.map(({ command }) => command) ?? readBatch(bytes)?.entries.map(decodeCommand) ?? []
    const compactedBefore = this.store.compactRevision
    const isFirst = this.#kv.checks.begin(this, position, proposer, seq)
    const answers: object[] = []
    for (const command of commands) {
      if (command === null) throw new Violation(`codec: position ${position} cannot be read`)
      const before = this.store.revision
      const lease = isFirst ? this.#kv.checks.leasesBefore(this, command) : []
      const answer = this.store.apply(command, at)
      answers.push(answer)
      if (command.kind === 'leaseGrant' && !isRpcError(answer)) this.#kv.checks.granted(command.id)
      if (isFirst) this.#kv.checks.command(this, command, answer, before, lease, position)
    }
    this.#once.admit(proposer, seq)
    this.applied = position
    const changes = this.store.takeChanges()
    if (changes !== null) this.#pending.push(changes)
    this.#kv.checks.applied(this, position, changes)
    if (this.store.compactRevision !== compactedBefore) this.#compact()
    this.#listen(position, changes)
    if (ours === undefined) return
    this.#inFlight.delete(seq)
    ours.forEach(({ answer: tell }, i) => {
      const answer = answers[i] as object
      if (isRpcError(answer)) tell(answer, null)
      else tell(null, answer)
    })
  }

  #listen(position: number, changes: KvChanges | null): void {
    if (this.digests.isMark(position)) {
      this.digests.applied(position, this.store.digest)
      this.#judge()
    }
    this.hub.publish()
    if (this.hub.unsyncedCount > 0) this.#stepSoon()
    this.keeper.applied(changes)
  }

  #stepSoon(): void {
    if (this.#isStepDue || !this.server.isUp) return
    this.#isStepDue = true
    this.server.after(0.1 + this.#prng.next(), () => {
      this.#isStepDue = false
      if (this.hub.step(12)) this.#stepSoon()
    })
  }

  /** Throws away what compaction left, a little at a time. */
  #compact(): void {
    if (this.#isCompacting) return
    this.#isCompacting = true
    const step = (): void => {
      const hasMore = this.store.compactStep(1 + this.#prng.below(6))
      const changes = this.store.takeChanges()
      if (changes !== null) this.#pending.push(changes)
      if (hasMore) this.server.after(this.#prng.next() * 3, step)
      else this.#isCompacting = false
    }
    this.server.after(this.#prng.next(), step)
  }

  #flushRows(): void {
    if (this.#pending.length === 0) return
    const cursor = { position: this.applied, timeMs: this.#timeMs, sessions: this.#once.rows() }
    this.disk.write(this.#pending, cursor, this.#kv.mutant?.hasTornCursor === true)
    this.#pending = []
  }

  // --- beside the log

  /** Runs at another server, if the message gets there. */
  #carry(to: number, run: (node: KvNode) => void): void {
    this.#world.network.carryAside(this.server.id, to, () => this.#world.server(to).after(0, () => run(this.#kv.node(to))))
  }

  #tell(): void {
    const marks = this.digests.marks()
    const { durable } = this.disk
    for (const { id } of this.#world.servers) {
      if (id === this.server.id) continue
      this.#carry(id, (node) => node.#hear(this.server.id, marks, durable))
    }
  }

  #hear(from: number, marks: { position: number; digest: number }[], durable: number): void {
    this.told.set(from, new Map(marks.map(({ position, digest }) => [position, digest])))
    if (this.#kv.mutant?.comparesNoDigest !== true) {
      this.digests.heard(String(from), marks)
      this.#judge()
    }
    this.#durables.set(from, durable)
    this.#trim()
  }

  #judge(): void {
    if (this.isStopped || this.digests.verdict.kind === 'fine') return
    if (!this.isDamaged) throw new Violation(`digest: server ${this.server.id} is right and was found ${this.digests.verdict.kind}`)
    this.isStopped = true
    this.disk.isUnfit = true
    this.#kv.found += 1
    this.server.after(this.#prng.next() * 20, () => {
      this.server.crash()
      this.#world.restartLater(this.server)
    })
  }

  /** Forgets the log below what all servers have in their rows. */
  #trim(): void {
    const heardAtMs = this.#world.queue.now
    const view = this.#world.servers.map(({ id }) => {
      const durable = id === this.server.id ? this.disk.durable : (this.#durables.get(id) ?? null)
      return { id: BigInt(id), durable, heardAtMs }
    })
    const seen =
      this.#kv.mutant?.trimsByLeader === true && this.server.isLeader ? view.filter(({ id }) => id === BigInt(this.server.id)) : view
    const position = trimPosition(BigInt(this.server.id), seen, heardAtMs, { margin: TRIM_MARGIN, silentMs: Infinity })
    // What stands there is gone for good, and `position` itself is the first that is not.
    this.#kv.trimmed = Math.max(this.#kv.trimmed, position - 1)
  }

  /** Null: it serves. */
  refusal(): RpcError | null {
    return this.isStopped ? KV_ERRORS.corrupt : null
  }
}
