import type { TaskRecord as JournalRecord } from '../../src/agent/journal.ts'
import type { NodeIdentity } from '../../src/core/contracts/node.ts'
import type { Prng } from '../../src/core/kernel/prng.ts'
import { SimAgent } from './agent.ts'
import { behaviourOf, type Behaviour } from './behaviour.ts'
import type { TwWorld } from './world.ts'

/** What the agent has on its disk of a task, as far as simulated machines go. */
export type TaskRecord = Omit<JournalRecord, 'v' | 'oomKills' | 'isIsolated' | 'hasCgroup'>

/** A process of a task, which does not need its agent to live. */
export interface Process {
  pid: number
  task: number
  name: string
  incarnation: number
  attempt: number
  behaviour: Behaviour
  ports: readonly number[]
  bornAt: number
  /** when its readiness check begins to pass */
  readyAt: number
  isStopping: boolean
}

/** What the shim of a process leaves in the folder of its task. */
interface Folder {
  pid: number
  attempt: number
  /** code, or `null` when nobody could tell */
  exit: string | null
}

/** A crash of a process that was told to crash comes this soon, ms. */
const CRASH_MS = 4000
/** Longest that a process survives SIGKILL when the disk hangs, ms. */
const UNKILLABLE_MS = 20_000

/** One machine: its processes, its disk, and the agent on it. */
export class Machine {
  readonly id: number
  readonly name: string
  readonly #world: TwWorld
  readonly #prng: Prng
  readonly identity: NodeIdentity
  readonly journal = new Map<number, TaskRecord>()
  /** of the latest leader whose orders its agents obeyed */
  obeyedTerm = 0
  readonly folders = new Map<number, Folder>()
  readonly processes = new Map<number, Process>()
  agent: SimAgent | null = null
  isUp = false
  /** nobody will switch it on again */
  isGone = false
  /** its agent says what is not so */
  isLying = false
  /** ids of the tasks it spoke of meanwhile, or was silent about: what the state holds of them may be wrong for ever */
  readonly liedAbout = new Set<number>()
  /** its processes do not even die of SIGKILL, for a while */
  isStuck = false
  #boots = 0
  #bootedAt = 0
  /** from the boot until its agent began, ms */
  agentStartedMs = 0
  #agents = 0
  #pids = 1000

  constructor(world: TwWorld, prng: Prng, id: number, identity: NodeIdentity) {
    this.#world = world
    this.#prng = prng
    this.id = id
    this.name = identity.node
    this.identity = identity
  }

  boot(): void {
    if (this.isUp || this.isGone) return
    this.isUp = true
    this.#boots += 1
    this.#bootedAt = this.#world.queue.now
    this.identity.bootId = `${this.name}-boot-${this.#boots}`
    this.startAgent()
  }

  /** The power is gone: of the processes not even an exit code is left. */
  powerOff(): void {
    if (!this.isUp) return
    this.crashAgent()
    this.isUp = false
    for (const process of this.processes.values()) this.#world.checks.ended(this, process)
    this.processes.clear()
  }

  startAgent(): void {
    if (!this.isUp || this.agent !== null) return
    this.#agents += 1
    this.identity.pid = 100 + this.#agents
    this.agentStartedMs = this.#world.queue.now - this.#bootedAt
    this.agent = new SimAgent(this.#world, this, this.#world.fork())
    this.agent.start()
  }

  crashAgent(): void {
    this.agent?.die()
    this.agent = null
  }

  /** @returns the process; it lives on its own from here */
  spawn(record: TaskRecord): Process {
    const { desired } = record
    const behaviour = behaviourOf(desired.spec.env)
    this.#pids += 1
    const now = this.#world.queue.now
    const process: Process = {
      pid: this.#pids,
      task: desired.id,
      name: desired.task,
      incarnation: desired.incarnation,
      attempt: record.attempt,
      behaviour,
      ports: Object.values(record.ports),
      bornAt: now,
      readyAt: behaviour.readyMs === null ? Infinity : now + behaviour.readyMs,
      isStopping: false,
    }
    this.processes.set(process.pid, process)
    this.folders.set(desired.id, { pid: process.pid, attempt: record.attempt, exit: null })
    this.#world.note('spawn', desired.id)
    this.#world.tell(() => `${this.name}: ${desired.task} #${desired.id} starts, pid ${process.pid}, incarnation ${desired.incarnation}`)
    this.#world.checks.started(this, process)
    const { end, crashIn } = behaviour
    if (end !== null) this.#world.queue.after(end.afterMs, () => this.exit(process.pid, `exit ${end.code}`))
    if (crashIn > 0 && this.#prng.below(crashIn) === 0)
      this.#world.queue.after(this.#prng.next() * CRASH_MS, () => {
        if (!this.#world.isCalm) this.exit(process.pid, 'exit 1')
      })
    return process
  }

  /** The stop signal. */
  signal(pid: number): void {
    const process = this.processes.get(pid)
    if (process === undefined || process.isStopping) return
    process.isStopping = true
    const { stopMs } = process.behaviour
    if (stopMs !== null) this.#world.queue.after(stopMs, () => this.exit(pid, 'exit 0'))
  }

  /** SIGKILL. */
  kill(pid: number): void {
    if (this.isStuck) this.#world.queue.after(this.#prng.next() * UNKILLABLE_MS, () => this.exit(pid, 'signal 9'))
    else this.exit(pid, 'signal 9')
  }

  exit(pid: number, reason: string): void {
    const process = this.processes.get(pid)
    if (process === undefined) return
    this.processes.delete(pid)
    const folder = this.folders.get(process.task)
    if (folder?.pid === pid) folder.exit = reason
    this.#world.note('exit', process.task)
    this.#world.tell(() => `${this.name}: ${process.name} #${process.task} ends: ${reason}`)
    this.#world.checks.ended(this, process)
    this.agent?.exited(process.task, pid, reason)
  }

  holdsPort(port: number): boolean {
    for (const process of this.processes.values()) if (process.ports.includes(port)) return true
    return false
  }
}
