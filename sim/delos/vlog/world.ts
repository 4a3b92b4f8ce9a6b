import { createPrng, type Prng } from '../../../src/core/kernel/prng.ts'
import { BugError } from '../../../src/core/kernel/assert.ts'
import type { Rules } from '../../../src/core/delos/paxos/rules.ts'
import { genesis } from '../../../src/core/delos/virtual-log/genesis.ts'
import type { Intent } from '../../../src/core/delos/virtual-log/plan.ts'
import { EMPTY_REGISTER } from '../../../src/core/delos/virtual-log/register-contract.ts'
import type { VirtualLogRules } from '../../../src/core/delos/virtual-log/rules.ts'
import { presentServers, type RegisterValue } from '../../../src/core/delos/virtual-log/value.ts'
import { REGISTER, checkLinearizable, simplifyRegister } from '../../check/linearizability.ts'
import { Violation } from '../../violation.ts'
import type { KeyedOperation } from '../client.ts'
import { EventQueue } from '../../event-queue.ts'
import { Trace } from '../../trace.ts'
import { Network } from '../network.ts'
import { CLIENTS, KEYS, OPERATIONS_PER_CLIENT, type SimOptions, type SimResult } from '../options.ts'
import { VlogChecks } from './checks.ts'
import { VlogClient } from './client.ts'
import { FakeEtcd } from './etcd.ts'
import { VLOG_MUTANTS, vlogRulesOf, type VlogMutant } from './mutants.ts'
import { VlogNemesis, guardOf } from './nemesis.ts'
import { VlogServer } from './server.ts'

const FAULTS_MS = 2500
const CALM_MS = 8000
/** Servers that may be added while it runs. */
const SPARES = 3
/** Operations a client has to finish after the faults, beside those it had to finish at all. */
const CALM_OPERATIONS = 10

/** A log over many loglets in one process: servers that come and go, switches, drivers that die. */
export class VlogWorld {
  readonly queue = new EventQueue()
  readonly servers: VlogServer[]
  readonly network: Network
  readonly etcd: FakeEtcd
  readonly checks: VlogChecks
  readonly rules: VirtualLogRules
  readonly paxosRules: Rules
  readonly mutant: VlogMutant | null
  readonly history: KeyedOperation[] = []
  /** share of a driver's steps at which its server dies */
  readonly driverDeath: number
  readonly hasPoison: boolean
  /** proposals for the register meet, their messages are late, and who promised dies */
  readonly isRough: boolean
  readonly outcomes = new Map<string, number>()
  readonly #options: SimOptions
  readonly #prng: Prng
  readonly #clients: VlogClient[]
  readonly #nemesis: VlogNemesis
  readonly #trace = new Trace()
  #value = 0
  #isCalm = false
  #undecided = 0
  elections = 0
  crashes = 0
  drives = 0
  /** where servers stopped, because it kills them */
  poisonAt: number | null = null

  constructor(options: SimOptions) {
    this.#options = options
    this.#prng = createPrng(options.seed * 2 + 1)
    this.mutant = options.mutant === null ? null : (VLOG_MUTANTS[options.mutant] ?? null)
    const { rules, paxos } = vlogRulesOf(this.mutant)
    this.rules = rules
    this.paxosRules = paxos
    this.driverDeath = this.#prng.next() < 0.5 ? 0.05 : 0
    this.hasPoison = this.#prng.below(8) === 0
    this.isRough = this.#prng.next() < 0.35
    const fork = (): Prng => createPrng(this.#prng.below(2 ** 31))
    // Some clusters begin alone.
    const begin = this.#prng.next() < 0.2 ? 1 : options.servers
    const ids = Array.from({ length: options.servers + SPARES }, (_, i) => i + 1)
    this.servers = ids.map((id) => new VlogServer(id, this, this.#prng.below(2 ** 31)))
    const voters = ids.slice(0, begin).map((id) => ({ id: this.idOf(id), name: `s${id}`, addresses: [] }))
    const first = genesis('00000000000000aa', voters)
    for (const server of this.servers.slice(0, begin)) server.registerDisk.state = { ...EMPTY_REGISTER, held: first }
    this.network = new Network(this, fork())
    this.etcd = new FakeEtcd(fork())
    this.checks = new VlogChecks(this)
    this.#nemesis = new VlogNemesis(this, fork())
    this.#clients = Array.from({ length: CLIENTS }, () => new VlogClient(this, fork()))
  }

  server(id: number): VlogServer {
    const server = this.servers[id - 1]
    if (server === undefined) throw new Error(`no server ${id}`)
    return server
  }

  idOf(server: number): string {
    return server.toString(16).padStart(16, '0')
  }

  get members(): number[] {
    const { newest } = this.checks
    return newest === null ? [1] : presentServers(newest).map(({ server }) => server)
  }

  guard(value: RegisterValue, intent: Intent): string | null {
    return guardOf(this, value, intent)
  }

  /** Mixes what happened into the trace. */
  note(kind: string, value: number): void {
    this.#trace.note(kind, value, this.queue.now)
  }

  noteOutcome(kind: string): void {
    this.outcomes.set(kind, (this.outcomes.get(kind) ?? 0) + 1)
  }

  freshValue(): number {
    this.#value += 1
    return this.#value
  }

  get isFaulty(): boolean {
    return !this.#isCalm
  }

  wantsMore({ finished, finishedCalm }: VlogClient): boolean {
    if (this.#options.mode === 'safety') return !this.#isCalm
    return !this.#isCalm || finished < OPERATIONS_PER_CLIENT || finishedCalm < CALM_OPERATIONS
  }

  failsSync(server: VlogServer): boolean {
    return this.#nemesis.failsSync(server)
  }

  restartLater(server: VlogServer): void {
    const isSoon = this.isRough && this.#prng.next() < 0.6
    const ms = this.#isCalm ? 5 : isSoon ? 0.5 + this.#prng.next() * 4 : 3 + this.#prng.below(200)
    this.queue.after(ms, () => this.restart(server))
  }

  restart(server: VlogServer): void {
    if (!server.isUp) server.start()
  }

  run(): SimResult {
    let violation: string | null = null
    try {
      for (const server of this.servers) server.start()
      for (const client of this.#clients) client.next()
      this.#nemesis.start()
      while (this.queue.next(FAULTS_MS));
      this.#isCalm = true
      this.#nemesis.stop()
      for (const server of this.servers) this.restart(server)
      this.#finish()
      this.#checkHistory()
    } catch (error) {
      if (error instanceof Violation) violation = error.message
      // The machine's own assertion is as good as a check from outside.
      else if (error instanceof BugError) violation = `assertion: ${error.message}`
      else throw error
    }
    return {
      seed: this.#options.seed,
      ok: violation === null,
      violation,
      traceHash: this.#trace.hash,
      operations: this.history.length,
      commits: this.checks.commits,
      elections: this.elections,
      switches: this.checks.lastVersion - 1,
      crashes: this.crashes,
      undecided: this.#undecided,
      simulatedMs: Math.round(this.queue.now),
      kv: null,
    }
  }

  #present(): VlogServer[] {
    return this.members.map((id) => this.server(id))
  }

  #isDone(): boolean {
    if (this.#clients.some((client) => this.wantsMore(client))) return false
    const tail = Math.max(this.checks.lastAcknowledged + 1, ...this.servers.map(({ reading }) => reading.position))
    return this.#present().every(
      (server) =>
        server.isUp && server.driving === null && server.value?.version === this.checks.lastVersion && server.reading.position >= tail,
    )
  }

  #finish(): void {
    if (this.#options.mode === 'safety') {
      while (this.queue.next(FAULTS_MS + 400));
      return
    }
    let checkAt = 0
    while (this.queue.next(FAULTS_MS + CALM_MS)) {
      if (this.queue.now < checkAt) continue
      checkAt = this.queue.now + 20
      // An entry that kills is an operator's to skip.
      if (this.poisonAt !== null) this.#present()[0]?.drive({ kind: 'skip', position: this.poisonAt, reason: 'kills who applies it' })
      if (!this.#isDone()) continue
      for (const server of this.#present()) this.checks.finish(server)
      return
    }
    const clients = this.#clients.map(({ finished, finishedCalm }) => `${finished}/${finishedCalm}`).join(', ')
    const servers = this.#present().map(({ id, isUp, reading, value, last, driving }) => {
      return `${id}${isUp ? '' : ' (down)'} at ${reading.position} of version ${value?.version} in ${last?.kind} ${last?.loglet}${driving === null ? '' : ' driving'}`
    })
    throw new Violation(`liveness: ${CALM_MS} ms after the last fault clients have finished ${clients}; ${servers.join('; ')}`)
  }

  #checkHistory(): void {
    for (let key = 0; key < KEYS; key += 1) {
      const history = simplifyRegister(this.history.filter((operation) => operation.key === key))
      const verdict = checkLinearizable(REGISTER, history)
      if (verdict === 'undecided') this.#undecided += 1
      if (verdict === 'violation') throw new Violation(`linearizability: no order explains what was read of key ${key}`)
    }
  }
}
