import { readdirSync, mkdirSync } from 'node:fs'
import type { DesiredTask, NodeOrders, TaskReport } from '../core/contracts/node.ts'
import { leftCgroups, removeCgroupParents, TaskCgroup } from './exec/cgroups.ts'
import { TaskFolder } from './exec/folder.ts'
import type { TaskRecord } from './journal.ts'
import { signalProcess } from '../platform/process.ts'
import { Task, type TaskHost } from './task.ts'

/** Folders of tasks that the server no longer asks about: kept for reading their logs, by age and number. */
const KEPT_MS = 600_000
const KEPT_MAX = 50

/** Why a task ended that may not run for long without a server. */
const CUT_OFF = 'cut-off'

/** Makes the node's tasks what the orders say, and tells what they are. Level-triggered: only the last orders count. */
export class Supervisor {
  readonly #host: TaskHost
  readonly #tasks = new Map<number, Task>()
  #kept: { id: number; folder: TaskFolder; at: number }[] = []
  /** incarnations that wait for their predecessor's end */
  readonly #next = new Map<number, DesiredTask>()
  readonly #lives = new Map<number, Promise<void>>()
  /** ids in the last orders; null before the first ones: until then everything we run is wanted */
  #wanted: ReadonlySet<number> | null = null
  #isClosed = false

  constructor(host: TaskHost) {
    this.#host = host
    mkdirSync(host.tasks, { recursive: true, mode: 0o700 })
  }

  /** Takes up the tasks of an earlier agent of this node: same processes, or what became of them. Resolves when all is known. */
  async adopt(): Promise<void> {
    const records = this.#host.journal.records()
    for (const record of records) {
      this.#host.ports.adopt(record.ports)
      if (record.desired.spec.artifact !== undefined && record.ended === null)
        this.#host.artifacts.hold(record.desired.spec.artifact, String(record.id))
      this.#begin(new Task(this.#host, record), true)
    }
    this.#sweep(new Set(records.map((record) => record.id)))
    await Promise.all([...this.#tasks.values()].map((task) => task.known))
  }

  apply(orders: NodeOrders): void {
    if (this.#isClosed) return
    const wanted = new Set(orders.tasks.map((desired) => desired.id))
    this.#wanted = wanted
    for (const desired of orders.tasks) this.#want(desired)
    for (const [id, task] of this.#tasks) {
      if (wanted.has(id)) continue
      this.#next.delete(id)
      if (task.isFinal) this.#forget(task)
      else task.stop()
    }
    this.#host.artifacts.collect()
  }

  /** Some task may not run for long without a server. */
  get isFenced(): boolean {
    return this.tasks().some((task) => task.desired.stopAfterMs !== undefined && !task.isFinal)
  }

  /** Ends the tasks that may not run while no server has heard this node for so long. */
  endCutOff(silentMs: number): void {
    for (const task of this.#tasks.values()) {
      const { stopAfterMs, want } = task.desired
      if (stopAfterMs === undefined || silentMs < stopAfterMs || want === 'stop' || task.isFinal) continue
      this.#host.log.warn('task ended: no server hears this node', { task: task.desired.task, silentMs: Math.round(silentMs) })
      this.#next.delete(task.record.id)
      this.#end(task, CUT_OFF)
    }
  }

  reports(): TaskReport[] {
    return [...this.#tasks.values()].map((task) => task.report())
  }

  tasks(): Task[] {
    return [...this.#tasks.values()]
  }

  /** By row id or by name. */
  find(key: string): Task | undefined {
    return this.#tasks.get(Number(key)) ?? this.tasks().find((task) => task.desired.task === key)
  }

  /** Stops every task and starts no more; resolves when all are gone. Their folders stay for their logs. */
  async stopAll(): Promise<number> {
    this.#isClosed = true
    this.#next.clear()
    const running = this.tasks().filter((task) => !task.isFinal)
    for (const task of running) task.stop()
    await Promise.all(this.#lives.values())
    // Whoever starts this node again gets fresh orders: a stop of the whole node is not the tasks' own end.
    await Promise.all(this.tasks().map((task) => this.#host.journal.forget(task.record.id)))
    if (this.#host.cgroups !== null) removeCgroupParents(this.#host.cgroups, this.#host.cgroupParent)
    return running.length
  }

  /** Removes what is kept no longer. */
  collect(now: number): void {
    while (this.#kept.length > 0 && (this.#kept.length > KEPT_MAX || now - (this.#kept[0]?.at ?? now) > KEPT_MS))
      this.#kept.shift()?.folder.remove()
  }

  #want(desired: DesiredTask): void {
    const task = this.#tasks.get(desired.id)
    if (task === undefined) {
      if (desired.want === 'run') this.#begin(new Task(this.#host, freshRecord(desired)), false)
      return
    }
    // In a log that was restored, ids are given anew.
    const isAnother = desired.task !== task.desired.task
    if ((isAnother || desired.incarnation > task.desired.incarnation) && desired.want === 'run') {
      if (task.isFinal) return this.#replace(task, desired)
      this.#next.set(desired.id, desired)
      task.stop()
      return
    }
    if (desired.want === 'stop') this.#next.delete(desired.id)
    if (task.isFinal) return
    if (desired.want === 'stop') this.#end(task)
    else if (desired.stopAfterMs !== task.desired.stopAfterMs) {
      // A version that differs in this alone takes the task over.
      const { stopAfterMs: _before, ...rest } = task.desired
      task.record.desired = { ...rest, ...(desired.stopAfterMs === undefined ? {} : { stopAfterMs: desired.stopAfterMs }) }
      this.#keep(task.record)
    }
  }

  /** Ends a task for good, and so that the next agent knows of it. */
  #end(task: Task, cause = ''): void {
    task.record.desired = { ...task.desired, want: 'stop' }
    this.#keep(task.record)
    task.stop(cause)
  }

  #keep(record: TaskRecord): void {
    void this.#host.journal.put(record).catch((error: unknown) => this.#host.log.warn('journal not written', { error: String(error) }))
  }

  #begin(task: Task, isAdopting: boolean): void {
    this.#tasks.set(task.record.id, task)
    // Ordered again, e.g. after the whole node was taken down: the folder is in use again.
    this.#kept = this.#kept.filter(({ id }) => id !== task.record.id)
    if (task.desired.want === 'stop') task.stop()
    const failed = (error: unknown): void =>
      this.#host.log.error('task supervision failed', { task: task.desired.task, error: String(error) })
    const life = task
      .live(isAdopting)
      .catch(failed)
      .then(() => this.#ended(task))
      .catch(failed)
    this.#lives.set(task.record.id, life)
  }

  #ended(task: Task): void {
    const { id } = task.record
    this.#lives.delete(id)
    if (this.#isClosed) return
    const next = this.#next.get(id)
    if (next !== undefined) return this.#replace(task, next)
    // Nobody may send orders again for a long time just because this task is gone.
    if (this.#wanted?.has(id) === false) this.#forget(task)
    this.#host.artifacts.collect()
  }

  #replace(old: Task, desired: DesiredTask): void {
    this.#next.delete(desired.id)
    old.folder.clearStart()
    this.#begin(new Task(this.#host, freshRecord(desired)), false)
  }

  #forget(task: Task): void {
    this.#tasks.delete(task.record.id)
    void this.#host.journal
      .forget(task.record.id)
      .catch((error: unknown) => this.#host.log.warn('journal not written', { error: String(error) }))
    this.#kept.push({ id: task.record.id, folder: task.folder, at: Date.now() })
    this.collect(Date.now())
    this.#host.changed()
  }

  /** Ends and removes what no record speaks of: nothing may run that nobody supervises. */
  #sweep(known: ReadonlySet<number>): void {
    for (const name of readdirSync(this.#host.tasks)) {
      if (known.has(Number(name))) continue
      const folder = new TaskFolder(this.#host.tasks, Number(name))
      const id = folder.process()
      if (id !== null && folder.exitCode() === null && signalProcess(id, 'SIGKILL', 'group'))
        this.#host.log.warn('orphan killed', { task: name, pid: id.pid })
      this.#kept.push({ id: Number(name), folder, at: Date.now() })
    }
    const { cgroups, cgroupParent } = this.#host
    if (cgroups === null || process.getuid?.() !== 0) return
    for (const id of leftCgroups(cgroups, cgroupParent)) {
      if (known.has(id)) continue
      const cgroup = new TaskCgroup(cgroups, cgroupParent, id)
      cgroup.killAll()
      cgroup.remove()
    }
  }
}

function freshRecord(desired: DesiredTask): TaskRecord {
  return {
    v: 1,
    id: desired.id,
    desired,
    attempt: 0,
    ports: {},
    restarts: 0,
    restartTimes: [],
    ended: null,
    oomKills: 0,
    isIsolated: false,
    hasCgroup: false,
  }
}
