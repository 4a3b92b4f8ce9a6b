import type { LogletEntry } from '../../../src/core/contracts/loglet.ts'
import type { LogRole } from '../../../src/core/contracts/ordered-log.ts'
import { genesis } from '../../../src/core/delos/virtual-log/genesis.ts'
import type { RegisterValue } from '../../../src/core/delos/virtual-log/value.ts'
import { MusterError } from '../../../src/core/kernel/errors.ts'
import type { BatchLog } from '../../../src/server/state/control-log.ts'

/** An append that is under way: what becomes of it, the test says. */
export interface Flight {
  server: number
  batch: Uint8Array
  /** Its answer: resolves at the server once the batch was given there. */
  landed: (position: number) => void
  fail: (error: MusterError) => void
  isAnswered: boolean
  /** it came into the log at least once */
  isIn: boolean
}

/** One ordered log of several servers in memory: nothing is committed, given or answered before the test says so. */
export class FakeLogWorld {
  readonly committed: Uint8Array[] = []
  readonly flights: Flight[] = []
  readonly servers: FakeServer[] = []
  /** read barriers fail, as without a majority */
  isCut = false
  /** position of the first batch that the log still has */
  head = 1
  /** positions that are to be passed over */
  readonly skips: RegisterValue['skips'] = []

  add(): FakeServer {
    const server = new FakeServer(this, this.servers.length)
    this.servers.push(server)
    return server
  }

  /** It leads from now on, and knows it; the others only when they are told. */
  elect(server: number, others: 'told' | 'asleep' = 'told'): void {
    for (const each of this.servers) {
      each.hasLease = each.number === server
      if (each.number !== server && others === 'told') each.become({ isLeader: false, leader: BigInt(server + 1) })
    }
    this.servers[server]?.become({ isLeader: true, leader: BigInt(server + 1) })
  }

  /** A batch comes into the log, perhaps not for the first time; `isAnswered`: who appended it hears of that as soon as it is given there. */
  commit(flight: Flight, isAnswered = true): void {
    this.committed.push(flight.batch)
    flight.isIn = true
    const position = this.committed.length
    if (!isAnswered || flight.isAnswered) return
    flight.isAnswered = true
    this.servers[flight.server]?.whenGiven(position, () => flight.landed(position))
  }

  /** Who appended it is told that it failed, whatever becomes of it. */
  fail(flight: Flight, code: 'DELOS_OUTCOME_UNKNOWN' | 'DELOS_NO_QUORUM' | 'DISK_FULL'): void {
    if (flight.isAnswered) return
    flight.isAnswered = true
    flight.fail(new MusterError(code, 'the test says so'))
  }

  drop(flight: Flight): void {
    const at = this.flights.indexOf(flight)
    if (at >= 0) this.flights.splice(at, 1)
  }
}

class FakeServer {
  readonly number: number
  readonly #world: FakeLogWorld
  hasLease = false
  /** batches given to the listener */
  #given = 0
  #role: LogRole = { isLeader: false, leader: null, term: 0 }
  #listener: ((position: number, batch: Uint8Array) => void) | null = null
  readonly #roleListeners = new Set<(role: LogRole) => void>()
  readonly #valueListeners = new Set<(value: RegisterValue) => void>()
  readonly #waiting: { position: number; done: () => void }[] = []

  constructor(world: FakeLogWorld, number: number) {
    this.#world = world
    this.number = number
  }

  become({ isLeader, leader }: { isLeader: boolean; leader: bigint }): void {
    this.#role = { isLeader, leader, term: this.#role.term + 1 }
    for (const listener of this.#roleListeners) listener(this.#role)
  }

  /** It hears of a new version of the register. */
  hear(): void {
    for (const listener of this.#valueListeners) listener(this.#value())
  }

  #value(): RegisterValue {
    return { ...genesis('00000000000000aa', [{ id: '0000000000000001', name: 'a', addresses: [] }]), skips: this.#world.skips }
  }

  /** Gives at most so many of what is committed. */
  give(max = Number.POSITIVE_INFINITY): void {
    for (let n = 0; n < max && this.#given < this.#world.committed.length; n += 1) {
      this.#given += 1
      this.#listener?.(this.#given, this.#world.committed[this.#given - 1] as Uint8Array)
      for (const waiting of this.#waiting.filter(({ position }) => position <= this.#given)) {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        waiting.done()
      }
    }
  }

  whenGiven(position: number, done: () => void): void {
    if (position <= this.#given) done()
    else this.#waiting.push({ position, done })
  }

  /** Opened anew by a process that has everything before `from`: what was under way in the one before is answered nowhere. */
  open(from: number): BatchLog {
    const world = this.#world
    this.#given = from - 1
    this.#waiting.length = 0
    this.#roleListeners.clear()
    this.#valueListeners.clear()
    return {
      append: (batch) =>
        new Promise((landed, fail) => world.flights.push({ server: this.number, batch, landed, fail, isAnswered: false, isIn: false })),
      onCommitted: (listener) => {
        this.#listener = listener
      },
      readBarrier: () =>
        world.isCut
          ? Promise.reject(new MusterError('DELOS_NO_QUORUM', 'the test says so'))
          : new Promise((resolve) => this.whenGiven(world.committed.length, resolve)),
      holdsReadLease: () => this.hasLease && this.#role.isLeader && this.#given === world.committed.length,
      role: () => this.#role,
      onRole: (listener) => {
        this.#roleListeners.add(listener)
        return () => this.#roleListeners.delete(listener)
      },
      tail: () => this.#given + 1,
      head: () => world.head,
      value: () => this.#value(),
      onValue: (listener) => {
        this.#valueListeners.add(listener)
        return () => this.#valueListeners.delete(listener)
      },
      localHead: () => world.head,
      localTail: () => null,
      read: (first, max) =>
        world.committed
          .slice(0, this.#given)
          .map((payload, i): LogletEntry => ({ position: i + 1, payload }))
          .slice(first - 1, first - 1 + max),
      syncStats: () => ({ p50Ms: 0, p99Ms: 0 }),
      trim: async () => {},
      baseAt: () => null,
      install: async () => {},
      onBehind: () => () => {},
      close: async () => {
        this.#listener = null
      },
    }
  }
}
export type { FakeServer }
