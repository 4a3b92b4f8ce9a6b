import type { Prng } from '../../src/core/kernel/prng.ts'
import {
  jobRun,
  jobStop,
  maintenanceCreate,
  maintenanceExtend,
  nodeDrain,
  nodeUndrain,
  opAllow,
  opDelay,
  opForce,
  profileApply,
  profileSetCommand,
  taskRestart,
  updateSet,
} from '../../src/core/tw/operations.ts'
import { openMaintenance } from '../../src/core/tw/maintenance/rows.ts'
import { proposeStop } from '../../src/core/tw/ops/propose-stop.ts'
import { jobStatus, opsView } from '../../src/core/tw/queries.ts'
import { taskName, type TaskRow } from '../../src/core/tw/rows.ts'
import { liveTasks } from '../../src/core/tw/tasks/read.ts'
import type { Agents } from './agents.ts'
import type { ControlState } from './state.ts'

/** `a` asks its application and has a leader, `b` asks nobody, `s` has one task on each node. */
export const GROUPS: readonly [job: string, group: string][] = [
  ['a', 'main'],
  ['b', 'main'],
  ['s', 'main'],
]
const WAITING: ReadonlySet<string> = new Set(['proposed', 'waiting-budget', 'asked', 'delayed'])

/** What people do to the fleet, one thing at a time, as the seed decides; and what happens to it. */
export class Schedule {
  readonly #state: ControlState
  readonly #agents: Agents
  readonly #prng: Prng
  /** the job `s` is there, in this run */
  readonly #hasSystem: boolean

  constructor(state: ControlState, agents: Agents, prng: Prng) {
    this.#state = state
    this.#agents = agents
    this.#prng = prng
    this.#hasSystem = prng.below(3) === 0
  }

  get jobs(): string[] {
    return GROUPS.map(([job]) => job).filter((job) => job !== 's' || this.#hasSystem)
  }

  act(): void {
    const any = (n: number): number => this.#prng.below(n)
    const [job, group] = GROUPS[any(2)] ?? ['a', 'main']
    const { db, now } = this.#state
    const node = this.#agents.nodes[any(this.#agents.nodes.length)] ?? ''
    const task = this.#pick(liveTasks(db, job, group))
    const op = this.#pick(opsView(db, {}, now).filter((it) => WAITING.has(it.state)))
    const actions = [
      () => this.submit(job),
      () => this.submit(job),
      () => this.#state.run(nodeDrain, { target: node, force: true, ...this.#pressure() }),
      () => this.#state.run(nodeDrain, { target: `rack:k${any(3)}`, force: true, ...this.#pressure() }),
      () => this.#state.run(nodeUndrain, { target: node }),
      () => this.#agents.crash(),
      () => this.#agents.ail(),
      () => this.#agents.lose(node),
      () => this.#agents.return(node),
      () => task && this.#state.run(taskRestart, { task: taskName(task) }),
      () => task && this.#move(task),
      () => op && this.#state.run(opDelay, { op: op.op, forMs: 5000 }),
      () => op?.job === 'b' && this.#state.run(opAllow, { op: op.op }),
      () => op && any(3) === 0 && this.#state.run(opForce, { op: op.op }),
      () => any(3) === 0 && this.#state.run(jobStop, { job }),
      () => this.#canary(job),
      () => this.#maintain(node),
      () => this.#maintain(`rack:k${any(3)}`),
      () => this.#extend(),
      () => this.#switch(any(2) === 0 ? node : `rack:k${any(3)}`),
      () => this.#hasSystem && this.submit('s'),
    ]
    actions[any(actions.length)]?.()
  }

  /** A new version of a job, or its first. */
  submit(job: string): void {
    const any = (n: number): number => this.#prng.below(n)
    const unavailable = any(3)
    const isShare = any(4) === 0
    const isStatic = job !== 's' && any(6) === 0
    // Who may miss none needs room for one more beside all that are there.
    const isDistinct = job !== 's' && !isShare && unavailable > 0 && any(2) === 0
    this.#state.run(jobRun, {
      takeOver: true,
      spec: {
        job,
        ...(job === 's' ? { kind: 'system' } : {}),
        groups: {
          main: {
            // Of those that hold a static port, a node takes one.
            ...(job === 's' ? {} : { count: 1 + any(isStatic ? 2 : 5) }),
            ...(isDistinct ? { distinct: { node: 2 } } : {}),
            availability: {
              max_unavailable: isShare ? `${10 + any(50)}%` : unavailable,
              max_surge: unavailable === 0 ? 1 + any(2) : any(3),
              min_healthy_time: `${any(4)}s`,
              consent: job === 'a' ? 'http://127.0.0.1:1/ops' : 'none',
              order: (['any', 'index', 'reverse-index', 'leader-last'] as const)[job === 'a' ? 3 : any(3)],
            },
            network: { ports: { http: isStatic ? { static: job === 'a' ? 9000 : 9001 } : {} } },
            reschedule: { delay: '1s', factor: 1 },
            main: {
              command: 'true',
              env: { V: String(any(1000)) },
              resources: { cpu: job === 's' ? '10m' : '100m', memory: '64MiB' },
              health: { readiness: { http: '/', port: 'http' } },
            },
          },
        },
      },
    })
  }

  #maintain(target: string): void {
    const isCommand = this.#prng.below(2) === 0
    const isHard = this.#prng.below(2) === 0
    this.#state.run(maintenanceCreate, {
      targets: [target],
      kind: isCommand ? 'command' : 'reboot',
      command: isCommand ? ['true'] : null,
      level: (['node', 'rack', 'zone'] as const)[this.#prng.below(3)] ?? 'rack',
      maxConcurrent: 1 + this.#prng.below(2),
      deadlineMs: isHard || this.#prng.below(2) === 0 ? 20_000 : null,
      isHard,
    })
  }

  #extend(): void {
    const row = this.#pick(openMaintenance(this.#state.db))
    if (row) this.#state.run(maintenanceExtend, { maintenance: row.id, byMs: 1000 * (1 + this.#prng.below(30)) })
  }

  /** Nodes are put into a new version of a profile. */
  #switch(target: string): void {
    const any = (n: number): number => this.#prng.below(n)
    this.#state.run(profileSetCommand, {
      document: {
        profile: 'p',
        drain: any(2) === 0,
        sysctls: { 'vm.swappiness': any(100) },
        labels: any(2) === 0 ? { tier: String(any(3)) } : {},
      },
    })
    this.#state.run(profileApply, { profile: 'p', target })
  }

  #pressure(): { isHard: boolean; deadlineMs: number | null } {
    const kind = this.#prng.below(3)
    return { isHard: kind === 2, deadlineMs: kind === 0 ? null : 5000 * (1 + this.#prng.below(6)) }
  }

  #move(task: TaskRow): void {
    if (task.want === 'run') this.#state.append([proposeStop(task, 'move', 'rebalance', 'rebalanced')], 'user:sim')
  }

  /** A rollout shifts tasks to another version, arm by arm. */
  #canary(job: string): void {
    const status = jobStatus(this.#state.db, job)
    const count = status?.groups[0]?.count ?? 0
    if (!status || status.lastVersion < 2 || count < 2) return
    const [old, next] = [status.currentVersion, status.lastVersion === status.currentVersion ? status.lastVersion - 1 : status.lastVersion]
    const moved = 1 + this.#prng.below(count - 1)
    const arms = [
      { arm: 'primary' as const, version: old, count: count - moved },
      { arm: 'canary' as const, version: next, count: moved },
    ]
    this.#state.run(updateSet, { job, owner: 'rollout:1', arms, reason: 'shift' })
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[this.#prng.below(Math.max(1, list.length))]
  }
}
