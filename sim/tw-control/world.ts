import type { Controller } from '../../src/core/contracts/controller.ts'
import type { Proposal } from '../../src/core/contracts/entry.ts'
import { createPrng, type Prng } from '../../src/core/kernel/prng.ts'
import { stopTask } from '../../src/core/tw/entries/tasks.ts'
import { maintenanceStepped } from '../../src/core/tw/entries/maintenance.ts'
import { drainer } from '../../src/core/tw/controllers/drainer.ts'
import { maintainer } from '../../src/core/tw/controllers/maintainer.ts'
import { reconciler } from '../../src/core/tw/controllers/reconciler.ts'
import {
  maintenanceAbort,
  maintenanceCreate,
  jobRun,
  jobStop,
  nodeDrain,
  nodeUndrain,
  opDelay,
  opForce,
  opAllow,
  taskRestart,
  updateSet,
} from '../../src/core/tw/operations.ts'
import { consentAsks, jobStatus, opsView, type TwSoft } from '../../src/core/tw/queries.ts'
import { openMaintenance, workRows } from '../../src/core/tw/maintenance/rows.ts'
import { proposeStop } from '../../src/core/tw/ops/propose-stop.ts'
import { taskName, type TaskRow } from '../../src/core/tw/rows.ts'
import { liveTasks, tasksToEnd } from '../../src/core/tw/tasks/read.ts'
import { twSystem } from '../../src/core/tw/system.ts'
import { Violation } from '../violation.ts'
import { Agents } from './agents.ts'
import { Application } from './application.ts'
import { Checks } from './checks.ts'
import type { ControlOptions, ControlResult } from './options.ts'
import { ControlState } from './state.ts'

/** Planted defects, as rewritings of what a controller says. */
export const CONTROL_MUTANTS: Record<string, (proposals: readonly Proposal[]) => readonly Proposal[]> = {
  /** old tasks are stopped before the new ones serve */
  'stops-old-first': (proposals) =>
    proposals.flatMap((proposal) => {
      if (proposal.type !== 'tw.OpsProposed') return [proposal]
      const { ops } = proposal.body as { ops: { task: number }[] }
      return [proposal, stopTask.of({ ids: ops.map((op) => op.task), cause: 'planted' })]
    }),
}

const GROUPS: readonly [string, string][] = [
  ['a', 'main'],
  ['b', 'main'],
]
const ACTIONS_MAX = 10
const SETTLE_ROUNDS_MAX = 100
/** So long after the last thing that was planned, all has come to rest, ms. */
const PATIENCE_MS = 600_000
const STEP_MS = 250

/**
 * A schedule of updates, scales, drains, crashes, lost nodes, restarts and an application's answers, all from one seed, around the real
 * entries and controllers. What an agent is here is a table of processes.
 */
export class ControlWorld {
  readonly #options: ControlOptions
  readonly #prng: Prng
  readonly #state: ControlState
  readonly #agents: Agents
  readonly #application: Application
  readonly #checks: Checks
  #actions = 0
  #wakeAt: number | null = null
  /** work of a maintenance that goes on: when it is done */
  readonly #working = new Map<string, number>()
  readonly #asked = new Map<string, { told: string; at: number }>()

  constructor(options: ControlOptions) {
    this.#options = options
    this.#prng = createPrng(options.seed)
    this.#state = new ControlState(twSystem, {
      before: (entry) => this.#checks.before(entry),
      after: (entry) => {
        options.tell?.(`${entry.position} ${entry.at - 1_700_000_000_000} ${entry.actor} ${entry.type} ${JSON.stringify(entry.body)}`)
        this.#checks.after(entry)
      },
    })
    this.#application = new Application(this.#state, this.#prng)
    this.#checks = new Checks(
      () => this.#state.db,
      GROUPS,
      (job, group) => this.#application.leaderOf(job, group),
    )
    this.#agents = new Agents(this.#state, this.#prng)
  }

  run(): ControlResult {
    const { seed } = this.#options
    const startedAt = this.#state.now
    let violation: string | null = null
    try {
      this.#agents.join(3 + this.#prng.below(3), 800)
      for (const [job] of GROUPS) this.#submit(job)
      this.#settle()
      const times = Array.from(
        { length: 3 + this.#prng.below(ACTIONS_MAX - 2) },
        () => this.#state.now + STEP_MS * this.#prng.below(400),
      ).sort((x, y) => x - y)
      for (const at of times) {
        this.#passUntil(at)
        this.#act()
        this.#settle()
      }
      this.#comeToRest()
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      violation = error.message
    } finally {
      this.#state.close()
    }
    const { carriedOut: ops, forced } = this.#checks
    return {
      ...{ seed, ok: violation === null, violation, entries: this.#state.entries, ops, forced, actions: this.#actions },
      simulatedMs: this.#state.now - startedAt,
    }
  }

  /** Everything that happens up to a time, one step of the clock after the other where something does. */
  #passUntil(at: number): void {
    for (;;) {
      const next = Math.min(this.#agents.nextAt, this.#wakeAt ?? Infinity, this.#works(), this.#asks())
      if (next > at) break
      this.#state.now = Math.max(this.#state.now + 1, Math.ceil(next / STEP_MS) * STEP_MS)
      this.#agents.tick()
      this.#settle()
    }
    this.#state.now = Math.max(this.#state.now, at)
  }

  /** When somebody is done with a node next; does what is due. */
  #works(): number {
    const { db, now } = this.#state
    let next = Infinity
    for (const row of openMaintenance(db)) {
      for (const { node, state } of workRows(db, row.id)) {
        if (state !== 'working') continue
        const key = `${row.id}/${node}`
        const doneAt = this.#working.get(key) ?? now + STEP_MS * (1 + this.#prng.below(40))
        this.#working.set(key, doneAt)
        next = Math.min(next, doneAt)
        if (doneAt > now) continue
        const isOk = this.#prng.below(5) > 0
        const why = isOk ? '' : 'it failed'
        if (row.command === null) this.#agents.boot(node)
        else
          this.#state.append(
            [maintenanceStepped.of({ maintenance: row.id, node, state: isOk ? 'verifying' : 'aborted', why })],
            'effect:tw.maintain',
          )
        this.#settle()
        next = Math.min(next, now + STEP_MS)
      }
    }
    return next
  }

  /** When the application is asked next; asks it when that is now. */
  #asks(): number {
    let next = Infinity
    for (const ask of consentAsks(this.#state.db, this.#state.now)) {
      const told = JSON.stringify(ask.request)
      const key = `${ask.job}/${ask.group}`
      const last = this.#asked.get(key)
      const dueAt = last?.told === told ? last.at + 5000 : this.#state.now
      if (ask.request.budget.left === 0) next = Math.min(next, this.#state.now + 1000)
      else if (dueAt <= this.#state.now) {
        this.#asked.set(key, { told, at: this.#state.now })
        this.#application.answer(ask)
        this.#settle()
        next = Math.min(next, this.#state.now + STEP_MS)
      } else next = Math.min(next, dueAt)
    }
    return next
  }

  #settle(): void {
    const controllers: readonly Controller<TwSoft>[] = [reconciler, drainer, maintainer]
    const mutate = CONTROL_MUTANTS[this.#options.mutant ?? ''] ?? ((proposals: readonly Proposal[]) => proposals)
    for (let round = 0; round < SETTLE_ROUNDS_MAX; round += 1) {
      let isQuiet = true
      this.#wakeAt = null
      for (const controller of controllers) {
        const verdict = controller.decide(this.#state.db, this.#state.now, { beats: new Map() })
        if (verdict.entries.length > 0) isQuiet = false
        this.#state.append(mutate(verdict.entries), `controller:${controller.name}`)
        if (verdict.wakeAt !== null) this.#wakeAt = Math.min(this.#wakeAt ?? Infinity, verdict.wakeAt)
      }
      const { db } = this.#state
      const entries = this.#state.entries
      this.#agents.follow([...GROUPS.flatMap(([job, group]) => liveTasks(db, job, group)), ...tasksToEnd(db)])
      if (isQuiet && entries === this.#state.entries) return
    }
    throw new Violation(`rest: the controllers find no end at ${this.#state.entries}`)
  }

  #submit(job: string): void {
    const any = (n: number): number => this.#prng.below(n)
    const unavailable = any(3)
    const availability = {
      max_unavailable: any(4) === 0 ? `${10 + any(50)}%` : unavailable,
      max_surge: unavailable === 0 ? 1 + any(2) : any(3),
      min_healthy_time: `${any(4)}s`,
      consent: job === 'a' ? 'http://127.0.0.1:1/ops' : 'none',
      order: (['any', 'index', 'reverse-index', 'leader-last'] as const)[job === 'a' ? 3 : any(3)],
    }
    const isStatic = any(6) === 0
    this.#state.run(jobRun, {
      takeOver: true,
      spec: {
        job,
        groups: {
          main: {
            // Of those that hold a static port, a node takes one.
            count: 1 + any(isStatic ? 2 : 5),
            availability,
            network: { ports: { http: isStatic ? { static: job === 'a' ? 9000 : 9001 } : {} } },
            reschedule: { delay: '1s', factor: 1 },
            main: {
              command: 'true',
              env: { V: String(any(1000)) },
              resources: { cpu: '100m', memory: '64MiB' },
              health: { readiness: { http: '/', port: 'http' } },
            },
          },
        },
      },
    })
  }

  #act(): void {
    this.#actions += 1
    const any = (n: number): number => this.#prng.below(n)
    const [job, group] = GROUPS[any(2)] ?? ['a', 'main']
    const { db, now } = this.#state
    const node = this.#agents.nodes[any(this.#agents.nodes.length)] ?? ''
    const task = pick(liveTasks(db, job, group), any)
    const op = pick(
      opsView(db, {}, now).filter((it) => ['proposed', 'waiting-budget', 'asked', 'delayed'].includes(it.state)),
      any,
    )
    const actions = [
      () => this.#submit(job),
      () => this.#submit(job),
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
    ]
    actions[any(actions.length)]?.()
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
      deadlineMs: isHard ? 20_000 : null,
      isHard,
    })
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

  /** Everything that was planned ends: drains are called off or complete, every group has what it wants, and no op is left. */
  #comeToRest(): void {
    this.#application.isCalm = true
    for (const node of this.#agents.nodes) this.#agents.return(node)
    for (const { id } of openMaintenance(this.#state.db)) this.#state.run(maintenanceAbort, { maintenance: id })
    for (const node of this.#agents.nodes) this.#state.run(nodeUndrain, { target: node })
    for (const [job] of GROUPS) this.#submit(job)
    this.#settle()
    const until = this.#state.now + PATIENCE_MS
    while (this.#state.now < until && this.#trouble() !== null) this.#passUntil(this.#state.now + 5000)
    const trouble = this.#trouble()
    if (trouble !== null) throw new Violation(`rest: after ${PATIENCE_MS / 1000} s ${trouble}`)
  }

  #trouble(): string | null {
    const { db, now } = this.#state
    const [op] = opsView(db, {}, now)
    if (op) return `op ${op.op} on ${op.task} is ${op.state}: ${op.waitsFor}`
    for (const [job] of GROUPS) {
      const group = jobStatus(db, job)?.groups[0]
      if (group === undefined || group.leftover > 0) return `${job} has tasks left over`
      for (const arm of group.arms)
        if (arm.healthy !== arm.wanted || arm.placed !== arm.wanted) return `${job} has ${arm.healthy} of ${arm.wanted}`
    }
    const [left] = tasksToEnd(db)
    return left === undefined ? null : `${taskName(left)} is not reported gone`
  }
}

function pick<T>(list: readonly T[], any: (n: number) => number): T | undefined {
  return list[any(Math.max(1, list.length))]
}
