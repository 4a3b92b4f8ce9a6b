import { createPrng } from '../../../src/core/kernel/prng.ts'
import { LAN } from '../../../src/core/delos/paxos/config.ts'
import type { Input, Output, Reply } from '../../../src/core/delos/paxos/contract.ts'
import type { Accepted } from '../../../src/core/delos/paxos/messages.ts'
import { createReplica, endIsOnDisk, leaseHolds, step, type Replica } from '../../../src/core/delos/paxos/replica.ts'
import { logletConfigOf, quorumConfigSchema } from '../../../src/core/delos/virtual-log/quorum-config.ts'
import type { Segment } from '../../../src/core/delos/virtual-log/value.ts'
import { Disk } from '../disk.ts'
import type { DistributiveOmit } from '../server.ts'
import type { Entry } from './entry.ts'
import type { VlogServer } from './server.ts'

/** Runs the machine of one quorum loglet in one life of a process. */
export class QuorumPart {
  readonly #server: VlogServer
  readonly segment: Segment
  readonly voters: readonly number[]
  readonly disk: Disk
  readonly replica: Replica
  readonly #isUnused: boolean
  /** what is chosen, by position */
  readonly entries = new Map<number, Entry>()
  #timerAt = Infinity
  #isSyncing = false
  #requestId = 0
  #replies = new Map<number, (reply: Reply) => void>()

  /** Null: this server has no part in it. */
  static open(server: VlogServer, segment: Segment): QuorumPart | null {
    const config = logletConfigOf(segment, server.id, LAN)
    if (config === null) return null
    let disk = server.disks.get(segment.loglet)
    if (disk === undefined) server.disks.set(segment.loglet, (disk = new Disk()))
    const isUnused = server.unused.delete(segment.loglet)
    const { chosen, ...durable } = disk.read(segment.firstPosition, server.world.mutant?.forgetsEnd === true)
    const replica = createReplica(
      config,
      { ...durable, isUnused },
      createPrng(server.prng.below(2 ** 31)),
      server.localNow(),
      server.world.paxosRules,
    )
    const part = new QuorumPart(server, segment, disk, replica, isUnused)
    for (const accepted of chosen) part.#keep(accepted)
    return part
  }

  private constructor(server: VlogServer, segment: Segment, disk: Disk, replica: Replica, isUnused: boolean) {
    this.#isUnused = isUnused
    this.#server = server
    this.segment = segment
    this.voters = quorumConfigSchema.parse(segment.config).voters
    this.disk = disk
    this.replica = replica
  }

  start(): void {
    const { opener } = quorumConfigSchema.parse(this.segment.config)
    const isFresh = this.replica.promised === 0 || this.#isUnused
    this.feed({ kind: 'tick' })
    if (!isFresh || opener !== this.#server.id) return
    const { elected, world, prng } = this.#server
    const lead = (): void => {
      if (elected?.loglet === this.segment.loglet) this.feed({ kind: 'elected', ballot: elected.ballot })
      if (this.#server.isUp && this.replica.lead === null) this.feed({ kind: 'campaign' })
    }
    // Who was elected may stand still first, and meanwhile the others look for a leader of their own.
    if (world.isFaulty && prng.next() < 0.15) {
      this.#server.pause(100 + prng.below(300))
      this.#server.after(0, lead)
    } else lead()
  }

  get hasEnded(): boolean {
    return this.replica.end !== null
  }

  get hasEndOnDisk(): boolean {
    return endIsOnDisk(this.replica)
  }

  holdsLease(): boolean {
    return leaseHolds(this.replica, this.#server.localNow())
  }

  ask(input: (requestId: number) => DistributiveOmit<Input, 'now'>, handle: (reply: Reply) => void): void {
    this.#requestId += 1
    this.#replies.set(this.#requestId, handle)
    this.feed(input(this.#requestId))
  }

  feed(input: DistributiveOmit<Input, 'now'>): void {
    const server = this.#server
    if (!server.isUp) return
    server.crashIn -= 1
    this.#carryOut(step(this.replica, { ...input, now: server.localNow() }))
  }

  #keep({ batch }: Accepted): void {
    if (batch.kind === 'batch') this.entries.set(batch.position, batch)
  }

  #carryOut(output: Output): void {
    const server = this.#server
    const { loglet } = this.segment
    this.disk.queued.push(...output.persist)
    const dies = server.crashIn <= 0
    const left = dies ? server.prng.below(output.send.length + 1) : Infinity
    for (const [i, { to, message }] of output.send.entries()) {
      if (i >= left) break
      server.world.network.send(server.id, to, loglet, message)
    }
    for (const accepted of output.committed) {
      server.world.checks.chosen(server, this, accepted)
      this.#keep(accepted)
    }
    for (const notice of output.notices) if (notice.kind === 'leading') server.world.elections += 1
    if (dies) return server.die()
    if (output.committed.length > 0) server.readOn()
    this.#sync()
    for (const reply of output.replies) {
      const handle = this.#replies.get(reply.requestId)
      this.#replies.delete(reply.requestId)
      handle?.(reply)
    }
    for (const { peer, from } of output.load) this.#load(peer, from)
    if (server.isUp) this.#setTimer(output.wakeAt)
  }

  #load(peer: number, from: number): void {
    this.#server.after(0.1 + this.#server.prng.next(), () => {
      const batches: Accepted[] = []
      for (let slot = from; slot <= this.replica.committed && batches.length < 16; slot += 1) {
        const record = this.disk.find(slot)
        if (record === undefined) break
        batches.push(record)
      }
      this.feed({ kind: 'loaded', peer, batches })
    })
  }

  #sync(): void {
    const server = this.#server
    const { disk } = this
    if (this.#isSyncing || disk.queued.length === 0) return
    this.#isSyncing = true
    disk.syncing = disk.queued
    disk.queued = []
    server.after(server.syncMs(), () => {
      this.#isSyncing = false
      if (server.world.failsSync(server)) return server.die()
      this.feed({ kind: 'persisted', upTo: disk.finishSync() })
      if (server.isUp) this.#sync()
    })
  }

  #setTimer(wakeAt: number): void {
    if (wakeAt === Number.MAX_SAFE_INTEGER) return
    const server = this.#server
    const at = Math.max((wakeAt - server.offset) / server.rate, server.world.queue.now + 0.01)
    if (this.#timerAt <= at && this.#timerAt > server.world.queue.now) return
    this.#timerAt = at
    server.world.queue.at(
      at,
      server.alive(() => {
        if (this.#timerAt !== at) return
        this.#timerAt = Infinity
        this.feed({ kind: 'tick' })
      }),
    )
  }
}
