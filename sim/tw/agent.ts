import type { DesiredTask, NodeReport, TaskHealth, TaskReport, TaskState } from '../../src/core/contracts/node.ts'
import type { Prng } from '../../src/core/kernel/prng.ts'
import { nextRestart, SETTLED_AFTER_MS } from '../../src/agent/restart.ts'
import type { Orders, Stream } from './hub.ts'
import type { Machine, Process, TaskRecord } from './machine.ts'
import type { SimServer } from './server.ts'
import type { TwWorld } from './world.ts'

const REPORT_EVERY_MS = 1000
const DEBOUNCE_MS = 20
const POST_MS_MAX = 5000
const SILENCE_MS = 10_000
const BACK_OFF_MIN_MS = 100
const BACK_OFF_MAX_MS = 2000
const PORT_WAIT_MS = 2000
const PORT_LOOK_MS = 100
/** Longest that a look at a peer takes, ms. */
const LOOK_MS_MAX = 1000

/** One placed task, as `agent/task.ts` lives it. */
interface Task {
  record: TaskRecord
  state: TaskState
  reason: string
  process: Process | null
  startedAt: number | null
  isStopAsked: boolean
  /** what the end will be called when it is not by itself */
  endCause: string | null
  /** of its newest wait; earlier ones are over */
  wait: number
}

/**
 * The agent as `src/agent/` has it, on simulated time: whole orders in, whole states out, a journal before each act. What it forgets when it
 * dies is in this object; what lives on is in the machine.
 */
export class SimAgent {
  readonly #world: TwWorld
  readonly #machine: Machine
  readonly #prng: Prng
  readonly #tasks = new Map<number, Task>()
  /** incarnations that wait for their predecessor's end */
  readonly #next = new Map<number, DesiredTask>()
  #wanted: ReadonlySet<number> | null = null
  #isDead = false
  #seq = 0
  #position = 0
  #stream: Stream | null = null
  #server: SimServer | null = null
  #heardAt = 0
  #backOffMs = BACK_OFF_MIN_MS
  #post = 0
  #isPosting = false
  #isDirty = false
  #isReportDue = false
  /** what peers were found to be, and the server was not told yet */
  readonly #looks: { node: string; isReached: boolean }[] = []
  /** dies when it has done so many more things */
  crashIn = Infinity

  constructor(world: TwWorld, machine: Machine, prng: Prng) {
    this.#world = world
    this.#machine = machine
    this.#prng = prng
  }

  start(): void {
    const { adopts } = this.#world.rules
    for (const record of this.#machine.journal.values()) if (adopts) this.#begin(structuredClone(record), true)
    this.#after(50 + this.#prng.next() * 200, () => {
      this.#connect()
      this.#beat()
    })
  }

  die(): void {
    this.#isDead = true
    this.#close()
  }

  get isConnected(): boolean {
    return this.#stream !== null
  }

  /** A process of the machine ended. */
  exited(id: number, pid: number, reason: string): void {
    const task = this.#tasks.get(id)
    if (task?.process?.pid !== pid) return
    this.#after(1 + this.#prng.next() * 5, () => {
      if (task.process?.pid === pid) this.#ended(task, task.endCause ?? reason)
    })
  }

  // What it is told.

  /** Not those of a leader whose successor was obeyed already, as `agent/obeyed.ts` has it. */
  #mayObey({ reign }: Orders): boolean {
    const { term } = reign
    if (term < this.#machine.obeyedTerm && this.#world.rules.refusesReplaced) return false
    this.#machine.obeyedTerm = term
    return true
  }

  #apply(position: number, tasks: readonly DesiredTask[]): void {
    this.#position = position
    const wanted = new Set(tasks.map((desired) => desired.id))
    this.#wanted = wanted
    for (const desired of tasks) this.#want(desired)
    for (const [id, task] of this.#tasks) {
      if (wanted.has(id)) continue
      this.#next.delete(id)
      if (task.record.ended !== null) this.#forget(task)
      else if (this.#world.rules.endsUnknown) this.#stop(task)
    }
    this.#changed()
  }

  #want(desired: DesiredTask): void {
    const task = this.#tasks.get(desired.id)
    if (task === undefined) {
      if (desired.want === 'run') this.#begin(freshRecord(desired), false)
      return
    }
    if (desired.incarnation > task.record.desired.incarnation && desired.want === 'run') {
      if (task.record.ended !== null) return this.#replace(task, desired)
      this.#next.set(desired.id, desired)
      this.#stop(task)
      return
    }
    if (desired.want === 'stop' && this.#world.rules.stopOutdatesRestart) this.#next.delete(desired.id)
    if (desired.want === 'stop' && task.record.ended === null) {
      task.record.desired = { ...task.record.desired, want: 'stop' }
      this.#put(task.record)
      this.#stop(task)
    }
  }

  // What it does.

  #begin(record: TaskRecord, isAdopting: boolean): void {
    const task: Task = {
      record,
      state: 'starting',
      reason: '',
      process: null,
      startedAt: null,
      isStopAsked: false,
      endCause: null,
      wait: 0,
    }
    this.#tasks.set(record.id, task)
    if (record.ended !== null) return
    if (record.desired.want === 'stop') this.#stop(task)
    if (isAdopting && record.attempt > 0) this.#adopt(task)
    else this.#cycle(task)
  }

  #adopt(task: Task): void {
    const folder = this.#machine.folders.get(task.record.id)
    const isOurs = folder?.attempt === task.record.attempt
    const process = isOurs ? this.#machine.processes.get(folder.pid) : undefined
    if (process !== undefined) this.#watch(task, process)
    else this.#ended(task, isOurs && folder.exit !== null ? folder.exit : 'unknown')
  }

  /** Starts it, unless it is to end. */
  #cycle(task: Task): void {
    if (task.isStopAsked) return this.#finish(task, 'stopped', task.reason)
    this.#pause(task, 20 + this.#prng.next() * 180, () => this.#start(task, this.#world.queue.now + PORT_WAIT_MS))
  }

  #start(task: Task, giveUpAt: number): void {
    if (task.isStopAsked) return this.#finish(task, 'stopped', task.reason)
    const { record } = task
    for (const [name, fixed] of Object.entries(record.desired.spec.ports)) {
      if (fixed > 0 && this.#machine.holdsPort(fixed)) {
        if (this.#world.queue.now > giveUpAt) return this.#finish(task, 'failed', 'port-taken')
        return this.#pause(task, PORT_LOOK_MS, () => this.#start(task, giveUpAt))
      }
      record.ports[name] = fixed > 0 ? fixed : 20_000 + record.id
    }
    record.attempt += 1
    this.#put(record)
    if (this.#diesNow()) return
    const process = this.#machine.spawn(record)
    if (this.#diesNow()) return
    task.startedAt = this.#world.queue.now
    this.#watch(task, process)
  }

  #watch(task: Task, process: Process): void {
    task.process = process
    task.startedAt ??= process.bornAt
    task.state = task.isStopAsked ? 'stopping' : 'running'
    if (!task.isStopAsked) task.reason = ''
    this.#changed()
    if (task.isStopAsked) this.#terminate(task)
    else if (process.readyAt > this.#world.queue.now && process.readyAt < Infinity)
      this.#after(process.readyAt - this.#world.queue.now + this.#prng.next() * 300, () => this.#changed())
  }

  #ended(task: Task, reason: string): void {
    const bornAt = task.process?.bornAt ?? Infinity
    task.process = null
    task.endCause = null
    if (this.#world.queue.now - bornAt > SETTLED_AFTER_MS) task.record.restartTimes = []
    if (task.isStopAsked) return this.#finish(task, 'stopped', reason)
    task.reason = reason
    this.#backOff(task, reason)
  }

  #backOff(task: Task, reason: string): void {
    const { record } = task
    const { restart } = record.desired.spec
    if (reason === 'exit 0' && restart.onSuccess === 'complete') return this.#finish(task, 'complete', reason)
    const next = nextRestart(restart, record.restartTimes, this.#world.queue.now, record.desired)
    if (next.kind === 'fail') return this.#finish(task, reason === 'exit 0' ? 'complete' : 'failed', reason)
    task.state = 'starting'
    record.restarts += 1
    record.restartTimes = [...record.restartTimes, this.#world.queue.now].slice(-100)
    this.#changed()
    this.#pause(task, next.delayMs, () => this.#cycle(task))
  }

  #stop(task: Task): void {
    if (task.isStopAsked) return
    task.isStopAsked = true
    if (task.record.ended !== null) return
    task.state = 'stopping'
    this.#changed()
    if (task.process !== null) this.#terminate(task)
    // Whoever waits for its start or the end of its back-off goes on at once.
    else if (task.wait > 0) this.#pause(task, 0, () => this.#finish(task, 'stopped', task.reason))
  }

  #terminate(task: Task): void {
    const { process } = task
    if (process === null) return
    this.#machine.signal(process.pid)
    this.#after(task.record.desired.spec.stop.timeoutMs, () => {
      if (task.process !== process) return
      task.endCause = 'stop-timeout'
      this.#machine.kill(process.pid)
    })
  }

  #finish(task: Task, state: TaskState, reason: string): void {
    task.record.ended = { state, reason }
    this.#put(task.record)
    this.#changed()
    const { id } = task.record
    const next = this.#next.get(id)
    if (next !== undefined) return this.#replace(task, next)
    if (this.#wanted?.has(id) === false) this.#forget(task)
  }

  #replace(old: Task, desired: DesiredTask): void {
    this.#next.delete(desired.id)
    this.#machine.folders.delete(old.record.id)
    this.#begin(freshRecord(desired), false)
  }

  #forget(task: Task): void {
    this.#tasks.delete(task.record.id)
    this.#machine.journal.delete(task.record.id)
    this.#machine.folders.delete(task.record.id)
    this.#changed()
  }

  #put(record: TaskRecord): void {
    this.#machine.journal.set(record.id, structuredClone(record))
  }

  /** The moment its nemesis chose: between what it wrote and what it does, or between that and what it says. */
  #diesNow(): boolean {
    this.crashIn -= 1
    if (this.crashIn > 0) return false
    this.#world.crashAgent(this.#machine)
    return true
  }

  #pause(task: Task, ms: number, run: () => void): void {
    task.wait += 1
    const { wait } = task
    this.#after(ms, () => {
      if (task.wait === wait) run()
    })
  }

  #after(ms: number, run: () => void): void {
    this.#world.queue.after(ms, () => {
      if (!this.#isDead) run()
    })
  }

  // What it says.

  #report(): NodeReport {
    this.#seq += 1
    const position = this.#world.meshPosition
    const tasks = [...this.#tasks.values()].map((task) => this.#reportOf(task))
    return {
      identity: { ...this.#machine.identity },
      instance: Math.floor(this.#machine.agentStartedMs),
      seq: this.#seq,
      position: this.#position,
      meshPosition: position,
      gateway: null,
      reach: this.#machine.name,
      looks: this.#looks.splice(0),
      tasks: this.#machine.isLying ? tasks.flatMap((task) => this.#lie(task)) : tasks,
      faults: [],
    }
  }

  #reportOf({ record, state, reason, process, startedAt }: Task): TaskReport {
    return {
      id: record.id,
      task: record.desired.task,
      incarnation: record.desired.incarnation,
      state: record.ended?.state ?? state,
      health: record.ended === null ? this.#healthOf(record, process) : 'none',
      pid: process?.pid ?? null,
      ports: { ...record.ports },
      reason: record.ended?.reason ?? reason,
      restarts: record.restarts,
      startedAt,
    }
  }

  #healthOf(record: TaskRecord, process: Process | null): TaskHealth {
    if (process === null) return 'starting'
    if (record.desired.spec.readiness === null) return 'none'
    return process.readyAt <= this.#world.queue.now ? 'healthy' : 'starting'
  }

  /** Leaves out, says ended, says healthy, or speaks of another's. */
  #lie(task: TaskReport): TaskReport[] {
    const said = this.#wrong(task)
    for (const { id } of [task, ...said]) this.#machine.liedAbout.add(id)
    return said
  }

  #wrong(task: TaskReport): TaskReport[] {
    switch (this.#prng.below(8)) {
      case 0:
        return []
      case 1:
        return [{ ...task, state: 'failed', pid: null, health: 'none', reason: 'exit 1' }]
      case 2:
        return [{ ...task, state: 'running', health: 'healthy' }]
      case 3:
        return [task, { ...task, id: Math.max(1, task.id - 1) }]
      case 4:
        return [{ ...task, incarnation: task.incarnation + 1 }]
      default:
        return [task]
    }
  }

  #changed(): void {
    if (this.#isReportDue || this.#isDead) return
    this.#isReportDue = true
    this.#after(DEBOUNCE_MS, () => {
      this.#isReportDue = false
      this.#send()
    })
  }

  #beat(): void {
    this.#send()
    this.#listen()
    this.#after(REPORT_EVERY_MS, () => this.#beat())
  }

  #send(): void {
    this.#isDirty = true
    const server = this.#server
    if (this.#isPosting || server === null) return
    this.#isDirty = false
    this.#isPosting = true
    this.#post += 1
    const post = this.#post
    const body = this.#report()
    const madeAt = this.#world.queue.now
    const done = (): void => {
      if (this.#isDead || this.#post !== post || !this.#isPosting) return
      this.#isPosting = false
      if (this.#isDirty) this.#changed()
    }
    const { network } = this.#world
    network.carry(this.#machine.id, server.id, 'report', () => {
      if (!server.isUp) return
      server.after(0, () => {
        server.hub.report(body, madeAt)
        network.carry(server.id, this.#machine.id, 'answer', done)
      })
    })
    this.#after(POST_MS_MAX, done)
  }

  // Its connection.

  /** A ping a second comes from a server that is there; without one for too long the connection is dead. */
  #listen(): void {
    const { now } = this.#world.queue
    const [server, stream] = [this.#server, this.#stream]
    if (server === null || stream === null) return
    const isPinged = server.isUp && !server.isPaused && server.hub.holds(stream)
    if (isPinged && !this.#world.network.isCut(server.id, this.#machine.id)) this.#heardAt = now
    if (now - this.#heardAt >= SILENCE_MS) this.#again()
  }

  #lookAt(node: string): void {
    const peer = this.#world.machines.find(({ name }) => name === node)
    this.#after(20 + this.#prng.next() * LOOK_MS_MAX, () => {
      const { network } = this.#world
      const [from, to] = [this.#machine.id, peer?.id ?? this.#machine.id]
      this.#looks.push({ node, isReached: peer?.agent != null && !network.isCut(from, to) && !network.isCut(to, from) })
      this.#changed()
    })
  }

  #connect(): void {
    const server = this.#world.reachable(this.#machine)
    if (server === null) return this.#again()
    this.#server = server
    this.#heardAt = this.#world.queue.now
    const stream = this.#world.openStream(this.#machine, server, {
      receive: (message) => {
        if (this.#isDead || this.#stream !== stream) return
        this.#backOffMs = BACK_OFF_MIN_MS
        if (message.kind === 'look') this.#lookAt(message.node)
        else if (this.#mayObey(message)) this.#apply(message.position, message.tasks)
        else this.#again()
      },
      closed: () => {
        if (!this.#isDead && this.#stream === stream) this.#again()
      },
    })
    this.#stream = stream
    server.hub.open(stream, { bootId: this.#machine.identity.bootId, instance: this.#machine.agentStartedMs })
    this.#changed()
  }

  #again(): void {
    this.#close()
    this.#after(this.#backOffMs, () => {
      if (this.#stream === null) this.#connect()
    })
    this.#backOffMs = Math.min(this.#backOffMs * 2, BACK_OFF_MAX_MS)
  }

  #close(): void {
    const stream = this.#stream
    this.#stream = null
    this.#server = null
    this.#isPosting = false
    stream?.close()
  }
}

function freshRecord(desired: DesiredTask): TaskRecord {
  return { id: desired.id, desired, attempt: 0, ports: {}, restarts: 0, restartTimes: [], ended: null }
}
