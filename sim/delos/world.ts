import { createPrng, type Prng } from '../../src/core/kernel/prng.ts'
import { BugError } from '../../src/core/kernel/assert.ts'
import { LAN } from '../../src/core/delos/paxos/config.ts'
import type { Accepted } from '../../src/core/delos/paxos/messages.ts'
import type { Rules } from '../../src/core/delos/paxos/rules.ts'
import { REGISTER, checkLinearizable, simplifyRegister } from '../check/linearizability.ts'
import { Violation } from '../violation.ts'
import { Checks } from './checks.ts'
import { Client, type KeyedOperation } from './client.ts'
import { KV_MUTANTS } from './kv/kv-mutants.ts'
import { KvWorld } from './kv/kv-world.ts'
import { EventQueue } from '../event-queue.ts'
import { Trace } from '../trace.ts'
import { MUTANTS, rulesOf, type Mutant } from './mutants.ts'
import { Nemesis } from './nemesis.ts'
import { Network } from './network.ts'
import { CALM_MS, CLIENTS, FAULTS_MS, KEYS, OPERATIONS_PER_CLIENT, type SimOptions, type SimResult } from './options.ts'
import { Register } from './register.ts'
import { SimServer, type ServerHost } from './server.ts'

/** One entry of the chain. */
export interface Segment {
  loglet: number
  voters: readonly number[]
  /** voters and learners */
  servers: readonly number[]
  firstPosition: number
  lastRound: number
  /** who opened it begins the first election */
  firstLeader: number
}

/** A whole cluster in one process, on simulated time, network and disks. */
export class World implements ServerHost {
  readonly queue = new EventQueue()
  readonly checks = new Checks()
  readonly servers: SimServer[]
  readonly voterCount: number
  readonly network: Network
  readonly register: Register
  readonly rules: Rules
  readonly timers = LAN
  readonly mutant: Mutant | null
  readonly history: KeyedOperation[] = []
  /** small in half of the runs, so that old batches come from the files */
  readonly cacheBatchesMax: number
  /** loglets are born under faults */
  readonly isRough: boolean
  readonly #options: SimOptions
  readonly #prng: Prng
  readonly #clients: readonly { next(): void; readonly finished: number }[]
  readonly kv: KvWorld | null
  readonly #nemesis: Nemesis
  readonly #trace = new Trace()
  #value = 0
  #isCalm = false
  #undecided = 0
  #disorder = 0
  elections = 0
  stalls = 0
  crashes = 0

  constructor(options: SimOptions) {
    this.#options = options
    this.#prng = createPrng(options.seed * 2 + 1)
    this.mutant = options.mutant === null ? null : (MUTANTS[options.mutant] ?? null)
    this.rules = rulesOf(this.mutant)
    this.voterCount = options.servers
    this.cacheBatchesMax = this.#prng.below(2) === 0 ? 12 : 8192
    this.isRough = this.#prng.next() < 0.4
    const fork = (): Prng => createPrng(this.#prng.below(2 ** 31))
    // One more than vote: it learns, and may become a voter by a switch.
    const ids = Array.from({ length: options.servers + 1 }, (_, i) => i + 1)
    this.servers = ids.map((id) => new SimServer(id, this, this.#prng.below(2 ** 31)))
    this.network = new Network(this, fork())
    this.register = new Register({ voters: ids.slice(0, options.servers), servers: ids, firstPosition: 1, lastRound: 0, firstLeader: 1 })
    this.#nemesis = new Nemesis(this, fork())
    const clients = Array.from({ length: CLIENTS }, (_, i) => new Client(this, fork(), i + 1))
    const isKv = options.scenario === 'kv'
    this.kv = isKv ? new KvWorld(this, options.seed * 2 + 77, KV_MUTANTS[options.mutant ?? ''] ?? null) : null
    this.#clients = this.kv?.clients ?? clients
    for (const node of this.kv?.nodes ?? []) node.server.node = node
  }

  server(id: number): SimServer {
    const server = this.servers[id - 1]
    if (server === undefined) throw new Error(`no server ${id}`)
    return server
  }

  /** Mixes what happened into the trace. */
  note(kind: string, value: number): void {
    this.#trace.note(kind, value, this.queue.now)
  }

  noteCommit(server: SimServer, loglet: number, entry: Accepted): void {
    this.note('commit', loglet * 65_536 + entry.slot)
    this.checks.committed(loglet, server, entry, this.servers, this.register.value[loglet - 1]?.voters ?? [])
  }

  freshValue(): number {
    this.#value += 1
    return this.#value
  }

  get mustFinish(): boolean {
    return this.#options.mode === 'liveness'
  }

  /** longest pause of a process: with the store, some outlive a whole change of leader */
  get pauseMaxMs(): number {
    return this.kv === null ? 300 : 700
  }

  wantsMore(finished: number): boolean {
    return this.#options.mode === 'liveness' ? finished < OPERATIONS_PER_CLIENT : !this.#isCalm
  }

  /** In one run of five, what waited for a paused process is not handled in the order it came: sockets have none among them. */
  disorderMs(): number {
    if (this.#options.seed % 5 !== 3) return 0
    this.#disorder = (this.#disorder + 0.618) % 1
    return this.#disorder * 2
  }

  syncMs(server: SimServer, prng: Prng): number {
    return server.isDiskSlow ? 5 + prng.below(60) : 0.1 + prng.next() * 0.4
  }

  resetAfterMs(_dead: SimServer, _other: SimServer, prng: Prng): number | null {
    return prng.next() < 0.3 ? null : prng.next()
  }

  get isFaulty(): boolean {
    return !this.#isCalm
  }

  mayGiveUp(): boolean {
    return !this.#isCalm
  }

  splitNetwork(): void {
    if (!this.#isCalm) this.#nemesis.split()
  }

  failsSync(server: SimServer): boolean {
    return this.#nemesis.failsSync(server)
  }

  restartLater(server: SimServer): void {
    const ms = this.#isCalm ? 5 : this.isRough && this.#prng.next() < 0.5 ? 0.5 + this.#prng.next() * 4 : 3 + this.#prng.below(250)
    this.queue.after(ms, () => this.restart(server))
  }

  restart(server: SimServer): void {
    if (server.isUp) return
    this.#nemesis.beforeRestart(server)
    server.start()
  }

  run(): SimResult {
    let violation: string | null = null
    try {
      for (const server of this.servers) server.start()
      for (const client of this.#clients) client.next()
      this.#nemesis.start()
      while (this.queue.next(FAULTS_MS));
      this.#calmDown()
      this.#finish()
      this.#checkHistory()
    } catch (error) {
      if (error instanceof Violation) violation = error.message
      // The machine's own assertion is as good as a check from outside.
      else if (error instanceof BugError) violation = `assertion: ${error.message}`
      else throw error
    }
    const { seed } = this.#options
    return {
      seed,
      ok: violation === null,
      violation,
      traceHash: this.#trace.hash,
      operations: this.kv?.history.length ?? this.history.length,
      commits: this.checks.commits,
      elections: this.elections,
      switches: this.register.value.length - 1,
      crashes: this.crashes,
      undecided: this.#undecided,
      kv: this.kv?.figures() ?? null,
      simulatedMs: Math.round(this.queue.now),
    }
  }

  /** Faults stop; every server is there. */
  #calmDown(): void {
    this.#isCalm = true
    this.#nemesis.stop()
    for (const server of this.servers) this.restart(server)
  }

  #isDone(): boolean {
    if (this.#options.mode === 'safety') return false
    if (this.#clients.some(({ finished }) => finished < OPERATIONS_PER_CLIENT)) return false
    if (this.kv?.isDone() === false) return false
    const position = this.server(1).position
    return this.servers.every((server) => server.isUp && server.isAtTail() && server.position === position)
  }

  #finish(): void {
    if (this.#options.mode === 'safety') {
      // Time for what was chosen to come out everywhere.
      while (this.queue.next(FAULTS_MS + 400));
      return
    }
    let checkAt = 0
    while (this.queue.next(FAULTS_MS + CALM_MS)) {
      if (this.queue.now < checkAt) continue
      checkAt = this.queue.now + 20
      if (this.#isDone()) return
    }
    const clients = this.#clients.map(({ finished }) => finished).join(', ')
    const servers = this.servers.map((server) => server.position).join(', ')
    throw new Violation(
      `liveness: ${CALM_MS} ms after the last fault clients have finished ${clients} of ${OPERATIONS_PER_CLIENT}, servers are at ${servers}`,
    )
  }

  #checkHistory(): void {
    if (this.kv !== null) {
      this.kv.check()
      this.#undecided += this.kv.undecided
      return
    }
    for (let key = 0; key < KEYS; key += 1) {
      const history = simplifyRegister(this.history.filter((operation) => operation.key === key))
      const verdict = checkLinearizable(REGISTER, history)
      if (verdict === 'undecided') this.#undecided += 1
      if (verdict === 'violation') throw new Violation(`linearizability: no order explains what was read of key ${key}`)
    }
  }
}
