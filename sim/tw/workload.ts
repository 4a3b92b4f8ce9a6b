import type { CommandDef } from '../../src/core/contracts/operation.ts'
import { isRefusal } from '../../src/core/kernel/errors.ts'
import type { Prng } from '../../src/core/kernel/prng.ts'
import {
  jobRevert,
  jobRun,
  jobScale,
  jobStop,
  nodeCordon,
  nodeDrain,
  nodeUncordon,
  nodeUndrain,
  taskRestart,
  taskStop,
} from '../../src/core/tw/operations.ts'
import type { Behaviour } from './behaviour.ts'
import type { TwWorld } from './world.ts'

/** A version of a job, as the people of this fleet write them. */
interface Plan {
  job: string
  kind: 'service' | 'batch'
  groups: number
}

const STATIC_PORT = 8443

/** The people who use the fleet: what they ask for, and when, a seed decides. */
export class Workload {
  readonly #world: TwWorld
  readonly #prng: Prng
  readonly #jobs: readonly Plan[]
  readonly #everyMs: number
  #release = 0
  operations = 0
  refused = 0

  constructor(world: TwWorld, prng: Prng) {
    this.#world = world
    this.#prng = prng
    this.#everyMs = 3000 + prng.below(12_000)
    this.#jobs = Array.from({ length: 1 + prng.below(4) }, (_, i) => ({
      job: `j${i + 1}`,
      kind: prng.below(5) === 0 ? 'batch' : 'service',
      groups: prng.below(4) === 0 ? 2 : 1,
    }))
  }

  start(): void {
    this.#jobs.forEach((plan, i) => this.#world.queue.after(1000 + i * 500, () => this.#run(plan)))
    this.#next()
  }

  #next(): void {
    this.#world.queue.after(this.#prng.next() * this.#everyMs * 2, () => {
      if (this.#world.isCalm) return
      this.#act()
      this.#next()
    })
  }

  #act(): void {
    const prng = this.#prng
    const plan = this.#of(this.#jobs)
    const { job } = plan
    const group = `g${1 + prng.below(plan.groups)}`
    switch (prng.below(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return this.#run(plan)
      case 4:
      case 5:
      case 6:
        return this.#ask(jobScale, { job, group, count: prng.below(8) })
      case 7:
        return this.#ask(jobStop, { job })
      case 8:
        return this.#ask(jobRevert, { job })
      case 9:
      case 10:
        return this.#onTask((task) => this.#ask(taskStop, { task }))
      case 11:
      case 12:
        return this.#onTask((task) => this.#ask(taskRestart, { task }))
      case 13:
        return this.#onTask((task) => {
          this.#ask(taskRestart, { task })
          this.#world.queue.after(prng.next() * 3000, () => this.#ask(taskStop, { task }))
        })
      case 14:
        return this.#ask(nodeCordon, { node: this.#node() })
      case 15:
        return this.#ask(nodeUncordon, { node: this.#node() })
      case 16:
      case 17:
        return this.#ask(nodeDrain, {
          node: this.#node(),
          force: prng.below(2) === 0,
          deadlineMs: prng.below(2) === 0 ? null : 5000 + prng.below(30_000),
          reason: '',
        })
      default:
        return this.#ask(nodeUndrain, { node: this.#node() })
    }
  }

  /** After the faults everything has room, or will: cordons and drains that are not over are lifted in half of the runs. */
  settle(): void {
    if (this.#prng.below(2) === 0) return
    for (const { name } of this.#world.machines) this.#ask(nodeUndrain, { node: name })
  }

  #run(plan: Plan): void {
    const groups = Object.fromEntries(Array.from({ length: plan.groups }, (_, i) => [`g${i + 1}`, this.#group(plan)]))
    this.#ask(jobRun, { spec: { job: plan.job, kind: plan.kind, priority: 10 + this.#prng.below(4) * 20, groups } })
  }

  #group(plan: Plan): object {
    const prng = this.#prng
    const isBatch = plan.kind === 'batch'
    const isStatic = !isBatch && prng.below(6) === 0
    const isChecked = !isBatch && prng.below(4) > 0
    this.#release += 1
    return {
      count: 1 + prng.below(6),
      availability: {
        max_unavailable: this.#of([0, 1, 1, 2, '34%']),
        max_surge: this.#of([1, 1, 2, '50%']),
        min_healthy_time: `${prng.below(6)}s`,
      },
      ...(prng.below(5) === 0 ? { constraints: [`node.arch = ${this.#of(['amd64', 'arm64'])}`] } : {}),
      network: { ports: isStatic ? { http: { static: STATIC_PORT } } : { http: null } },
      update: { healthy_deadline: `${12 + prng.below(20)}s` },
      restart: { attempts: prng.below(3), interval: '60s', delay: `${1 + prng.below(3)}s` },
      reschedule: { delay: `${1 + prng.below(5)}s`, factor: 2, max_delay: '20s' },
      main: {
        command: ['./serve'],
        env: { RELEASE: String(prng.below(3) === 0 ? this.#release : 0), SIM: JSON.stringify(this.#behaviour(isBatch)) },
        resources: { cpu: `${100 + prng.below(6) * 100}m`, memory: `${64 * (1 + prng.below(8))}MiB` },
        ...(isChecked ? { health: { readiness: { http: '/', port: 'http', interval: '1s' } } } : {}),
        stop: { timeout: `${2 + prng.below(8)}s` },
      },
    }
  }

  #behaviour(isBatch: boolean): Partial<Behaviour> {
    const prng = this.#prng
    const readyMs = 200 + prng.below(4000)
    const stopMs = prng.below(8) === 0 ? null : 50 + prng.below(3000)
    if (isBatch)
      return { readyMs, stopMs, end: { afterMs: 2000 + prng.below(20_000), code: prng.below(6) === 0 ? 1 : 0 }, crashIn: prng.below(3) * 3 }
    switch (prng.below(16)) {
      case 0:
        return { readyMs: null, stopMs }
      case 1:
        return { readyMs, stopMs, end: { afterMs: 1000 + prng.below(5000), code: 1 } }
      case 2:
      case 3:
        return { readyMs, stopMs, crashIn: 2 + prng.below(4) }
      default:
        return { readyMs, stopMs }
    }
  }

  #onTask(act: (task: string) => void): void {
    const task = this.#world.someTask(this.#prng)
    if (task !== null) act(task)
  }

  #node(): string {
    return this.#of(this.#world.machines).name
  }

  #of<T>(list: readonly T[]): T {
    return list[this.#prng.below(list.length)] as T
  }

  #ask(command: CommandDef, input: object): void {
    const leader = this.#world.leader
    if (leader === null) return
    const outcome = leader.submit('user:sim', (db, context) => {
      const decision = command.decide(db, command.input.parse(input), context)
      return isRefusal(decision) ? decision : decision.entries
    })
    if (outcome === 'done') this.operations += 1
    else this.refused += 1
    this.#world.tell(
      () => `user: ${command.name} ${JSON.stringify(input).slice(0, 400)}: ${isRefusal(outcome) ? outcome.message : outcome}`,
    )
  }
}
