import { createPrng, type Prng } from '../../../src/core/kernel/prng.ts'
import { WAN, type Timers } from '../../../src/core/delos/paxos/config.ts'
import type { Accepted } from '../../../src/core/delos/paxos/messages.ts'
import { RULES } from '../../../src/core/delos/paxos/rules.ts'
import { Violation } from '../../violation.ts'
import { Checks } from '../checks.ts'
import { EventQueue } from '../../event-queue.ts'
import { Register } from '../register.ts'
import { SimServer, type ServerHost } from '../server.ts'
import { Links } from './links.ts'
import { DATACENTERS, datacenterOf, roundTripMs, type Places } from './places.ts'
import { drawSyncMs, type DiskKind } from './sync-times.ts'

export interface WanOptions {
  seed: number
  places: Places
  /** the voter that leads at first */
  leader: number
  disk: DiskKind
  /** those of profile `wan` unless said */
  timers?: Timers
}

/** What each server has applied, by name: a batch once, whatever the order in which its proposer's came. */
class AppliedChecks extends Checks {
  readonly names = new Map<number, Set<string>>(DATACENTERS.map((_, i) => [i + 1, new Set<string>()]))

  override applied(server: SimServer, proposerId: number, seq: number): void {
    const names = this.names.get(server.id) as Set<string>
    const name = `${proposerId}:${seq}`
    if (names.has(name)) throw new Violation(`once: server ${server.id} applies ${name} twice`)
    names.add(name)
  }
}

const NEVER_MS = 60_000

/**
 * Five voters in three datacenters: the real machine on simulated time, ways and disks, without a fault but those asked for. What a
 * server computes takes no time here.
 */
export class WanWorld implements ServerHost {
  readonly queue = new EventQueue()
  readonly checks = new AppliedChecks()
  readonly servers: readonly SimServer[]
  readonly network: Links
  readonly register: Register
  readonly rules = RULES
  readonly mutant = null
  readonly timers: Timers
  readonly cacheBatchesMax = 8192
  readonly isRough = false
  readonly isFaulty = false
  elections = 0
  stalls = 0
  crashes = 0
  readonly #places: Places
  readonly #disk: DiskKind
  readonly #acknowledged: string[] = []
  readonly #seqs = new Map<number, number>()
  #hash = 0x811c9dc5
  #tellsDeath = true
  /** nothing more is asked for */
  #isOver = false

  constructor({ seed, places, leader, disk, timers }: WanOptions) {
    const prng = createPrng(seed * 2 + 1)
    this.#places = places
    this.#disk = disk
    this.timers = timers ?? WAN
    const ids = DATACENTERS.map((_, i) => i + 1)
    this.servers = ids.map((id) => new SimServer(id, this, prng.below(2 ** 31)))
    this.network = new Links(this, createPrng(prng.below(2 ** 31)), places)
    this.register = new Register({ voters: ids, servers: ids, firstPosition: 1, lastRound: 0, firstLeader: leader })
    for (const server of this.servers) server.start()
    this.#until(() => this.server(leader).isLeader, 'the first leader leads')
    // Everyone has heard of it, and it has a lease.
    this.#pass(1000)
  }

  server(id: number): SimServer {
    return this.servers[id - 1] as SimServer
  }

  get leader(): SimServer | undefined {
    return this.servers.find(({ isUp, isLeader }) => isUp && isLeader)
  }

  get traceHash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }

  // --- what servers ask of where they stand

  note(kind: string, value: number): void {
    const hash = Math.imul(this.#hash ^ kind.charCodeAt(0) ^ value, 0x01000193)
    this.#hash = Math.imul(hash ^ Math.floor(this.queue.now * 1000), 0x01000193)
  }

  noteCommit(server: SimServer, loglet: number, entry: Accepted): void {
    this.note('commit', entry.slot)
    this.checks.committed(loglet, server, entry, this.servers, this.register.value[loglet - 1]?.voters ?? [])
  }

  syncMs(_server: SimServer, prng: Prng): number {
    return drawSyncMs(this.#disk, prng)
  }

  /** A process that is killed leaves a machine behind that closes its connections; a datacenter without power leaves nothing. */
  resetAfterMs(dead: SimServer, other: SimServer): number | null {
    return this.#tellsDeath ? roundTripMs(this.#places, dead.id, other.id) / 2 : null
  }

  failsSync(): boolean {
    return false
  }

  disorderMs(): number {
    return 0
  }

  restartLater(): void {}

  splitNetwork(): void {}

  // --- what is measured

  /** ms from asking the leader until it acknowledges, one write after the other. */
  commits(count: number, payloadBytes: number): number[] {
    const { leader } = this
    const latencies: number[] = []
    const next = (): void => {
      const askedAt = this.queue.now
      this.#write(leader as SimServer, payloadBytes, (isDone) => {
        if (!isDone) return
        latencies.push(this.queue.now - askedAt)
        next()
      })
    }
    next()
    this.#until(() => latencies.length >= count, `${count} writes are acknowledged`)
    return latencies
  }

  /** Batches a second that the leader acknowledges while there is always one that waits. */
  throughput(forMs: number, payloadBytes: number, outstanding: number): number {
    const { leader } = this
    let done = 0
    const next = (): void =>
      this.#write(leader as SimServer, payloadBytes, (isDone) => {
        if (!isDone) return
        done += 1
        next()
      })
    for (let i = 0; i < outstanding; i += 1) next()
    this.#pass(forMs / 4)
    const before = done
    this.#pass(forMs)
    return ((done - before) * 1000) / forMs
  }

  /** Kills the leader's process. Gives the ms until a write is acknowledged anywhere else. */
  killLeader(): number {
    return this.#gapAfter(() => this.leader?.crash())
  }

  /** A datacenter without power: nobody is told, and no disk of it comes back. Gives the ms until a write is acknowledged elsewhere. */
  loseDatacenter(datacenter: number): number {
    return this.#gapAfter(() => {
      this.#tellsDeath = false
      for (const server of this.servers) if (datacenterOf(server.id) === datacenter) server.crash()
    })
  }

  /** Acknowledged writes that a server which is still there lacks, once all of them had time to hear. */
  lost(): number {
    this.#isOver = true
    this.#pass(2000)
    const up = this.servers.filter(({ isUp }) => isUp)
    return this.#acknowledged.filter((name) => up.some(({ id }) => !this.checks.names.get(id)?.has(name))).length
  }

  get acknowledged(): number {
    return this.#acknowledged.length
  }

  /** Every 10 ms a write of its own to each server that is left, so that none waits behind one that got lost. */
  #gapAfter(fail: () => void): number {
    fail()
    const failedAt = this.queue.now
    let doneAt = 0
    const tick = (): void => {
      if (doneAt > 0) return
      for (const server of this.servers) {
        if (!server.isUp) continue
        this.#write(server, 64, (isDone) => {
          if (isDone) doneAt ||= this.queue.now
        })
      }
      this.queue.after(10, tick)
    }
    tick()
    this.#until(() => doneAt > 0, 'a write is acknowledged after the fault')
    return doneAt - failedAt
  }

  #write(server: SimServer, payloadBytes: number, answer: (isDone: boolean) => void): void {
    if (this.#isOver) return
    const seq = (this.#seqs.get(server.id) ?? 0) + 1
    this.#seqs.set(server.id, seq)
    const payload = new Uint8Array(Math.max(8, payloadBytes))
    server.write({ count: 1, proposerId: server.id, seq, payload }, (result) => {
      if (result === 'done') this.#acknowledged.push(`${server.id}:${seq}`)
      answer(result === 'done')
    })
  }

  #pass(ms: number): void {
    const until = this.queue.now + ms
    while (this.queue.next(until));
    this.queue.now = until
  }

  #until(isSo: () => boolean, what: string): void {
    const until = this.queue.now + NEVER_MS
    while (!isSo()) if (!this.queue.next(until)) throw new Violation(`liveness: not within ${NEVER_MS} ms: ${what}`)
  }
}
