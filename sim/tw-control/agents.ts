import type { NodeIdentity } from '../../src/core/contracts/node.ts'
import type { Prng } from '../../src/core/kernel/prng.ts'
import { nodeReturned, nodeLost } from '../../src/core/tw/entries/nodes.ts'
import { nodeJoin, tasksReport } from '../../src/core/tw/operations.ts'
import { taskName, type TaskRow } from '../../src/core/tw/rows.ts'
import { taskRow } from '../../src/core/tw/tasks/read.ts'
import type { ControlState } from './state.ts'

interface Process {
  id: number
  node: string
  incarnation: number
  health: 'starting' | 'healthy' | 'unhealthy'
  readyAt: number
  /** when it ends because it was told to */
  stopAt: number | null
  /** when it ends by itself, and when its health comes back */
  crashAt: number | null
}

/** All agents of the fleet, as far as planned changes can tell them apart: starts, health, ends, silence. */
export class Agents {
  readonly #state: ControlState
  readonly #prng: Prng
  readonly #processes = new Map<number, Process>()
  readonly #silent = new Set<string>()
  readonly #identities = new Map<string, NodeIdentity>()
  readonly nodes: string[] = []

  constructor(state: ControlState, prng: Prng) {
    this.#state = state
    this.#prng = prng
  }

  join(count: number, cpuMilli: number): void {
    for (let i = 1; i <= count; i += 1) {
      const region = `r${(i % 2) + 1}`
      const node = { node: `n${i}`, bootId: `b${i}`, pid: i, region, zone: region, rack: `k${i % 3}`, address: `10.0.0.${i}`, cpuMilli }
      this.#identities.set(node.node, { ...node, memoryBytes: 2 ** 32, attributes: {} })
      this.nodes.push(node.node)
      this.#introduce(node.node)
    }
  }

  /** Starts the machine anew; nothing runs there at the time. */
  boot(node: string): void {
    const identity = this.#identities.get(node)
    if (identity) identity.bootId += '+'
    this.#introduce(node)
  }

  #introduce(node: string): void {
    const identity = this.#identities.get(node)
    if (identity) this.#state.run(nodeJoin, { identity }, `agent:${node}`)
  }

  /** Takes orders in: what runs should, and what should end. */
  follow(tasks: readonly TaskRow[]): void {
    const { now } = this.#state
    for (const task of tasks) {
      const process = this.#processes.get(task.id)
      if (task.want === 'stop') {
        if (process) process.stopAt ??= now + 250 * (1 + this.#prng.below(12))
        else if (!task.is_reaped && !this.#silent.has(task.node)) this.#end(task.id, task.node, task.incarnation, '')
      } else if (!process || process.incarnation < task.incarnation) {
        const readyAt = now + 250 * (1 + this.#prng.below(12))
        this.#processes.set(task.id, {
          ...{ id: task.id, node: task.node, incarnation: task.incarnation, health: 'starting', readyAt },
          ...{ stopAt: null, crashAt: null },
        })
        this.#report(task.id, 'running')
      }
    }
  }

  /** When something happens next at one of them; Infinity: nothing. */
  get nextAt(): number {
    let next = Infinity
    for (const process of this.#processes.values()) {
      if (this.#silent.has(process.node)) continue
      next = Math.min(
        next,
        process.stopAt ?? Infinity,
        process.crashAt ?? Infinity,
        process.health === 'healthy' ? Infinity : process.readyAt,
      )
    }
    return next
  }

  /** Lets happen what is due. */
  tick(): void {
    const { now } = this.#state
    for (const process of this.#processes.values()) {
      if (this.#silent.has(process.node)) continue
      if (process.stopAt !== null && process.stopAt <= now) this.#end(process.id, process.node, process.incarnation, '')
      else if (process.crashAt !== null && process.crashAt <= now) this.#end(process.id, process.node, process.incarnation, 'exit 1')
      else if (process.health !== 'healthy' && process.readyAt <= now) {
        process.health = 'healthy'
        this.#report(process.id, 'running')
      }
    }
  }

  crash(): void {
    const process = this.#any()
    if (process) process.crashAt = this.#state.now
  }

  /** One is unhealthy for a while. */
  ail(): void {
    const process = this.#any()
    if (process?.health !== 'healthy') return
    process.health = 'unhealthy'
    process.readyAt = this.#state.now + 250 * (1 + this.#prng.below(40))
    this.#report(process.id, 'running')
  }

  lose(node: string): void {
    if (this.#silent.has(node)) return
    this.#silent.add(node)
    this.#state.append([nodeLost.of({ node, silentMs: 10_000 })], 'controller:tw.nodes')
  }

  /** Its processes ran on; what was given up is ended now. */
  return(node: string): void {
    if (!this.#silent.delete(node)) return
    this.#state.append([nodeReturned.of({ node })], 'controller:tw.nodes')
  }

  #any(): Process | undefined {
    const living = [...this.#processes.values()].filter((process) => !this.#silent.has(process.node) && process.stopAt === null)
    return living[this.#prng.below(Math.max(1, living.length))]
  }

  #end(id: number, node: string, incarnation: number, reason: string): void {
    this.#processes.delete(id)
    this.#say(id, node, { incarnation, state: reason === '' ? 'stopped' : 'failed', health: 'none', reason, pid: null })
  }

  #report(id: number, state: 'running'): void {
    const process = this.#processes.get(id)
    if (process) this.#say(id, process.node, { incarnation: process.incarnation, state, health: process.health, reason: '', pid: id })
  }

  #say(
    id: number,
    node: string,
    said: {
      incarnation: number
      state: 'running' | 'stopped' | 'failed'
      health: Process['health'] | 'none'
      reason: string
      pid: number | null
    },
  ): void {
    const task = taskRow(this.#state.db, id)
    if (!task) return
    const report = { id, task: taskName(task), ...said, ports: {}, restarts: 0, startedAt: this.#state.now }
    this.#state.run(tasksReport, { node, bootId: this.#identities.get(node)?.bootId ?? '', tasks: [report] }, `agent:${node}`)
  }
}
