import type { z } from 'zod'
import { BugError } from '../../src/core/kernel/assert.ts'
import type { Controller, System } from '../../src/core/contracts/controller.ts'
import type { Entry, Proposal } from '../../src/core/contracts/entry.ts'
import type { CommandDef } from '../../src/core/contracts/operation.ts'
import type { Gpus, NodeIdentity } from '../../src/core/contracts/node.ts'
import type { ReadDb, SqlValue } from '../../src/core/contracts/storage.ts'
import { isRefusal } from '../../src/core/kernel/errors.ts'
import { createPrng, type Prng } from '../../src/core/kernel/prng.ts'
import { twSystem } from '../../src/core/tw/system.ts'
import { taskName, type JobRow, type TaskRow } from '../../src/core/tw/rows.ts'
import { stateDigest } from '../../src/server/state/state-digest.ts'
import { EventQueue } from '../event-queue.ts'
import { Network } from '../network.ts'
import { Trace } from '../trace.ts'
import { Violation } from '../violation.ts'
import { Applications } from './application.ts'
import { Checks } from './checks.ts'
import { unsettled } from './convergence.ts'
import type { Stream, ToAgent } from './hub.ts'
import { SimLog } from './log.ts'
import { GPU_MODELS } from './documents.ts'
import { Machine } from './machine.ts'
import { TW_MUTANTS, type Mutant } from './mutants.ts'
import { Nemesis } from './nemesis.ts'
import { CALM_MS_MAX, FAULTS_MS, LOOK_MS, WRONG_MS_MAX, type TwOptions, type TwResult } from './options.ts'
import { RULES, type Rules } from './rules.ts'
import { SimServer, type Submitted } from './server.ts'
import { Staff } from './staff.ts'
import { giveBackState } from './states.ts'
import { Workload } from './workload.ts'

const MIB = 1_048_576
const SERVERS = 2
/** Ids of machines on the network begin here. */
const FIRST_MACHINE = 100

/** A planner aside is at most so many entries behind, and plans again within so many ms. */
const ASIDE_BEHIND_MAX = 6
const ASIDE_MS_MAX = 2000
/** Reads what the tasks of nodes hold. */
const HELD_SQL = /FROM tw_node_(load|use)\b/

/** What an agent does with what comes. */
interface Receiver {
  receive: (message: ToAgent) => void
  closed: () => void
}

/** A whole fleet in one process, on simulated time: the real state machine, controllers and views, and everything else as the seed says. */
export class TwWorld {
  readonly queue = new EventQueue()
  readonly systems: readonly System[]
  readonly controllers: readonly Controller[]
  readonly log = new SimLog()
  readonly checks: Checks
  readonly network: Network
  readonly servers: readonly SimServer[]
  readonly machines: readonly Machine[]
  readonly rules: Rules
  /** of operations that a planted defect has see another state */
  readonly deciding: Mutant['deciding']
  /** another plans too, on a state that is behind */
  readonly hasSecondPlanner: boolean
  readonly #options: TwOptions
  readonly #prng: Prng
  readonly #trace = new Trace()
  readonly #workload: Workload
  readonly #applications: Applications
  readonly #nemesis: Nemesis
  readonly staff: Staff
  isCalm = false
  crashes = 0
  elections = 0

  constructor(options: TwOptions) {
    this.#options = options
    this.#prng = createPrng(options.seed * 2 + 1)
    const mutant = options.mutant === null ? undefined : TW_MUTANTS[options.mutant]
    this.rules = { ...RULES, ...mutant?.rules }
    this.deciding = mutant?.deciding
    this.systems = [mutant?.system?.(twSystem) ?? twSystem]
    this.controllers = this.systems.flatMap(({ controllers }) => controllers)
    this.hasSecondPlanner = this.#prng.below(5) === 0
    this.checks = new Checks(this)
    this.network = new Network(this, this.fork())
    this.servers = Array.from({ length: SERVERS }, (_, i) => new SimServer(this, i + 1, this.fork()))
    const nodes = this.#prng.below(4) === 0 ? 8 + this.#prng.below(8) : 2 + this.#prng.below(5)
    this.machines = Array.from({ length: nodes }, (_, i) => new Machine(this, this.fork(), FIRST_MACHINE + i, this.#identity(i + 1)))
    this.#workload = new Workload(this, this.fork())
    this.#applications = new Applications(this, this.fork())
    this.#nemesis = new Nemesis(this, this.fork())
    this.staff = new Staff(this, this.fork())
  }

  fork(): Prng {
    return createPrng(this.#prng.below(2 ** 31))
  }

  /** Mixes what happened into the trace. */
  note(kind: string, value: number): void {
    this.#trace.note(kind, value, this.queue.now)
  }

  noteEntry(entry: Entry, text: string): void {
    this.#trace.noteText(text, this.queue.now)
    this.tell(() => `${entry.position} ${entry.type} by ${entry.actor} ${JSON.stringify(entry.body).slice(0, 600)}`)
  }

  /** To whoever reads along. */
  tell(line: () => string): void {
    this.#options.tell?.(`${(this.queue.now / 1000).toFixed(3).padStart(9)} ${line()}`)
  }

  /** Position up to which every proxy follows the mesh: all of it, at once. */
  get meshPosition(): number {
    return this.log.entries.length
  }

  /** Who may write. */
  get leader(): SimServer | null {
    return this.servers.find((server) => server.leads && server.holds(this.log.epoch)) ?? null
  }

  /** If nobody leads, somebody who can will. */
  elect(): void {
    const leader = this.leader
    if (leader !== null && !leader.isPaused) return
    const able = this.servers.filter(({ isUp, isPaused }) => isUp && !isPaused)
    const next = able[this.#prng.below(Math.max(1, able.length))]
    if (next !== undefined) this.leadBy(next)
  }

  leadBy(server: SimServer): void {
    this.elections += 1
    this.tell(() => `server ${server.id} leads`)
    server.stepDown()
    server.lead()
  }

  crashAgent(machine: Machine): void {
    if (machine.agent === null) return
    this.crashes += 1
    machine.crashAgent()
    this.queue.after(50 + this.#prng.below(this.isCalm ? 1000 : 6000), () => machine.startAgent())
  }

  /** Enough stay for something to happen, and to be believed: while fewer than half of all nodes report, nobody is given up before a person says so. */
  mayLose(): boolean {
    const left = this.machines.filter(({ isGone }) => !isGone).length - 1
    return left >= 2 && left * 2 >= this.machines.length
  }

  /** A server that would talk to the agent: it leads, or thinks so. */
  reachable(machine: Machine): SimServer | null {
    const able = this.servers.filter(
      (server) =>
        server.leads && !server.isPaused && !this.network.isCut(server.id, machine.id) && !this.network.isCut(machine.id, server.id),
    )
    return able[this.#prng.below(Math.max(1, able.length))] ?? null
  }

  /** Two ends of one connection: in order, and nothing more once something was lost. */
  openStream(machine: Machine, server: SimServer, receiver: Receiver): Stream {
    const { queue, network } = this
    const prng = this.#prng
    let lastAt = 0
    const later = (run: () => void): void => {
      lastAt = Math.max(lastAt, queue.now + 0.1 + prng.next() * (prng.next() < network.lateness ? network.lateMsMax : 2))
      queue.at(lastAt, run)
    }
    const stream: Stream = {
      node: machine.name,
      isBroken: false,
      send: (message) => {
        if (network.isCut(server.id, machine.id)) stream.isBroken = true
        if (!stream.isBroken) later(() => receiver.receive(message))
      },
      close: () => {
        stream.isBroken = true
        if (network.isCut(server.id, machine.id)) return
        later(() => {
          receiver.closed()
          server.hub.closed(stream)
        })
      },
    }
    return stream
  }

  /**
   * A planner of one job alone, on a copy of the state that is behind, and half of the time blind to what nodes hold: what it placed is judged
   * where it is applied.
   */
  planAside(): void {
    const leader = this.leader
    const other = this.servers.find((server) => server !== leader)
    const reconciler = this.controllers.find(({ name }) => name === 'tw.reconcile')
    if (leader === null || other === undefined || other.leads || reconciler === undefined) return
    other.catchUp(this.#prng.below(ASIDE_BEHIND_MAX))
    const jobs = other.db.all<JobRow>('SELECT * FROM tw_job ORDER BY name')
    const job = jobs[this.#prng.below(Math.max(1, jobs.length))]
    if (job === undefined) return
    const isBlind = this.#prng.below(2) === 0
    const alone: ReadDb = {
      ...other.db,
      all: <R>(sql: string, ...params: SqlValue[]) => {
        if (sql.startsWith('SELECT * FROM tw_job ')) return [job] as R[]
        const rows = other.db.all<R>(sql, ...params)
        return isBlind && HELD_SQL.test(sql)
          ? rows.map((row) => ({ ...row, cpu_milli: 0, memory_bytes: 0, disk_bytes: 0, gpus: '[]' }))
          : rows
      },
    }
    const { cache: _, ...soft } = leader.hub.soft()
    const { entries } = reconciler.decide(alone, leader.now(), soft)
    const placed: Proposal[] = entries.filter(({ type }) => type === 'tw.TasksPlaced')
    leader.submit('controller:tw.planner', () => placed)
  }

  #planAsideAgain(): void {
    this.queue.after(this.#prng.next() * ASIDE_MS_MAX, () => {
      if (this.isCalm) return
      this.planAside()
      this.#planAsideAgain()
    })
  }

  /** A person or a program asks for something of whoever leads. */
  ask<In extends z.ZodType, Out extends z.ZodType>(who: string, command: CommandDef<In, Out>, input: z.input<In>): Submitted {
    const outcome = this.leader?.run(command, input, `user:${who}`) ?? 'away'
    this.tell(() => `${who}: ${command.name} ${JSON.stringify(input).slice(0, 400)}: ${isRefusal(outcome) ? outcome.message : outcome}`)
    // Whoever writes the documents here knows the form.
    if (isRefusal(outcome) && outcome.code === 'TW_SPEC_INVALID') throw outcome
    return outcome
  }

  /** Name of a live task, or null when there is none. */
  someTask(prng: Prng): string | null {
    const rows = this.leader?.db.all<TaskRow>('SELECT * FROM tw_task WHERE is_terminal = 0 ORDER BY id') ?? []
    const row = rows[prng.below(Math.max(1, rows.length))]
    return row === undefined ? null : taskName(row)
  }

  run(): TwResult {
    let violation: string | null = null
    let convergedMs = 0
    try {
      for (const server of this.servers) server.start()
      this.elect()
      for (const machine of this.machines) machine.boot()
      this.#workload.start()
      this.#applications.start()
      this.#nemesis.start()
      this.staff.start()
      if (this.hasSecondPlanner) this.#planAsideAgain()
      while (this.queue.next(FAULTS_MS));
      this.isCalm = true
      this.tell(() => 'the faults are over')
      this.#nemesis.stop()
      this.staff.giveUp()
      this.#workload.settle()
      this.#settle()
      convergedMs = this.queue.now - FAULTS_MS
      this.#compare()
    } catch (error) {
      if (error instanceof Violation) violation = error.message
      // The code's own assertion is as good as a check from outside.
      else if (error instanceof BugError) violation = `assertion: ${error.message}`
      else throw error
    }
    for (const { db } of this.servers) giveBackState(db)
    return {
      seed: this.#options.seed,
      ok: violation === null,
      violation,
      traceHash: this.#trace.hash,
      entries: this.log.entries.length,
      placed: this.checks.placed,
      operations: this.#workload.operations,
      refused: this.#workload.refused,
      crashes: this.crashes,
      lost: this.checks.lost,
      elections: this.elections,
      convergedMs,
      simulatedMs: this.queue.now,
    }
  }

  /** Faults have ended: nothing stays wrong for long, and most often soon nothing is. */
  #settle(): void {
    let calmLooks = 0
    let since = { problem: null as string | null, at: FAULTS_MS }
    for (let until = FAULTS_MS + LOOK_MS; calmLooks < 2 && until < FAULTS_MS + CALM_MS_MAX; until += LOOK_MS) {
      while (this.queue.next(until));
      const problem = unsettled(this)
      if (problem !== since.problem) since = { problem, at: until }
      calmLooks = problem === null ? calmLooks + 1 : 0
      if (problem !== null && until - since.at > WRONG_MS_MAX) throw new Violation(`liveness: ${problem}`)
    }
  }

  /** Every server that applied the log has the same state. */
  #compare(): void {
    for (const server of this.servers) server.catchUp()
    const [first, ...others] = this.servers.map(({ db }) => stateDigest(db))
    if (others.some((digest) => digest !== first)) throw new Violation('replay: two servers made different states of one log')
  }

  #identity(i: number): NodeIdentity {
    const prng = this.#prng
    const zone = `z${1 + (i % 3)}`
    return {
      node: `n${i}`,
      bootId: '',
      pid: 0,
      region: zone === 'z3' ? 'r2' : 'r1',
      zone,
      rack: `${zone}-${1 + (i % 2)}`,
      address: `10.0.0.${i}`,
      cpuMilli: 1000 + prng.below(3) * 500,
      memoryBytes: (1024 + prng.below(3) * 512) * MIB,
      diskBytes: prng.below(4) * 8192 * MIB,
      gpus: prng.below(2) === 0 ? [] : GPU_MODELS.flatMap((model) => gpusOf(model, prng.below(3))),
      attributes: { arch: prng.below(3) === 0 ? 'arm64' : 'amd64', kernel: this.#prng.below(4) === 0 ? '5.10.0' : '6.1.0' },
    }
  }
}

/** So many of a model, side by side. */
function gpusOf(model: string, count: number): Gpus[] {
  return count === 0 ? [] : [{ model, count }]
}
