import { createPrng, type Prng } from '../../src/core/kernel/prng.ts'
import { openMaintenance } from '../../src/core/tw/maintenance/rows.ts'
import { maintenanceAbort, nodeUncordon, nodeUndrain } from '../../src/core/tw/operations.ts'
import { switchingNodes } from '../../src/core/tw/profiles/rows.ts'
import { consentAsks, jobStatus, opsView } from '../../src/core/tw/queries.ts'
import { taskName } from '../../src/core/tw/rows.ts'
import { liveTasks, tasksToEnd } from '../../src/core/tw/tasks/read.ts'
import { twSystem } from '../../src/core/tw/system.ts'
import { Violation } from '../violation.ts'
import { Agents } from './agents.ts'
import { Application } from './application.ts'
import { Checks } from './checks.ts'
import { Loop } from './loop.ts'
import { CONTROL_MUTANTS, type ControlMutant } from './mutants.ts'
import type { ControlOptions, ControlResult } from './options.ts'
import { GROUPS, Schedule } from './schedule.ts'
import { ControlState } from './state.ts'
import { Works } from './works.ts'

const ACTIONS_MAX = 10
/** So long after the last thing that was planned, all has come to rest, ms. */
const PATIENCE_MS = 600_000
const STEP_MS = 250
/** An application that is told nothing new is asked again after this. */
const ASK_AGAIN_MS = 5000

/**
 * A schedule of updates, scales, drains, maintenance, profiles, crashes, lost nodes, restarts and an application's answers, all from one seed,
 * around the real entries and controllers. What an agent is here is a table of processes.
 */
export class ControlWorld {
  readonly #options: ControlOptions
  readonly #mutant: ControlMutant
  readonly #prng: Prng
  readonly #state: ControlState
  readonly #loop: Loop
  readonly #agents: Agents
  readonly #application: Application
  readonly #works: Works
  readonly #schedule: Schedule
  readonly #checks: Checks
  #actions = 0
  /** how many entries the agents have followed */
  #followed = -1
  readonly #asked = new Map<string, { told: string; at: number }>()

  constructor(options: ControlOptions) {
    this.#options = options
    this.#mutant = CONTROL_MUTANTS[options.mutant ?? ''] ?? {}
    this.#prng = createPrng(options.seed)
    const system = this.#mutant.system?.(twSystem) ?? twSystem
    this.#state = new ControlState(system, {
      before: (entry) => this.#checks.before(entry),
      after: (entry) => {
        options.tell?.(`${entry.position} ${entry.at - 1_700_000_000_000} ${entry.actor} ${entry.type} ${JSON.stringify(entry.body)}`)
        this.#loop.note(entry)
        this.#checks.after(entry)
      },
    })
    // One run with what the server keeps beside the state, the next without.
    this.#loop = new Loop(this.#state, system.controllers, this.#prng, options.seed % 2 === 1)
    this.#application = new Application(this.#state, this.#prng)
    this.#checks = new Checks(
      () => this.#state.db,
      GROUPS,
      (job, group) => this.#application.leaderOf(job, group),
    )
    this.#agents = new Agents(this.#state, this.#prng)
    this.#works = new Works(this.#state, this.#agents, this.#prng)
    this.#schedule = new Schedule(this.#state, this.#agents, this.#prng)
  }

  run(): ControlResult {
    const { seed } = this.#options
    const startedAt = this.#state.now
    let violation: string | null = null
    try {
      this.#agents.join(3 + this.#prng.below(3), 800)
      for (const job of this.#schedule.jobs) this.#schedule.submit(job)
      this.#settle()
      const times = Array.from(
        { length: 3 + this.#prng.below(ACTIONS_MAX - 2) },
        () => this.#state.now + STEP_MS * this.#prng.below(400),
      ).sort((x, y) => x - y)
      for (const at of times) {
        this.#passUntil(at)
        this.#actions += 1
        this.#schedule.act()
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
      const next = Math.min(
        this.#agents.nextAt,
        this.#loop.nextAt,
        this.#works.nextAt(() => this.#settle()),
        this.#asks(),
      )
      if (next > at) break
      this.#state.now = Math.max(this.#state.now + 1, Math.ceil(next / STEP_MS) * STEP_MS)
      this.#agents.tick()
      this.#settle()
    }
    this.#state.now = Math.max(this.#state.now, at)
  }

  /** When the application is asked next; asks it when that is now. */
  #asks(): number {
    let next = Infinity
    for (const ask of consentAsks(this.#state.db, this.#state.now)) {
      const { now } = this.#state
      const request = this.#mutant.told?.(ask.request) ?? ask.request
      const told = JSON.stringify(request)
      const key = `${ask.job}/${ask.group}`
      const last = this.#asked.get(key)
      const dueAt = last?.told === told ? last.at + ASK_AGAIN_MS : now
      if (request.budget.left === 0) next = Math.min(next, now + 1000)
      else if (dueAt <= now) {
        this.#asked.set(key, { told, at: now })
        this.#application.answer({ ...ask, request })
        this.#settle()
        next = Math.min(next, now + STEP_MS)
      } else next = Math.min(next, dueAt)
    }
    return next
  }

  #settle(): void {
    this.#loop.settle(() => {
      const { db, entries } = this.#state
      if (this.#followed === entries) return
      this.#agents.follow([...GROUPS.flatMap(([job, group]) => liveTasks(db, job, group)), ...tasksToEnd(db)])
      this.#followed = entries
    })
  }

  /** Everything that was planned ends: drains are called off or complete, every group has what it wants, and no op is left. */
  #comeToRest(): void {
    this.#application.isCalm = true
    for (const node of this.#agents.nodes) this.#agents.return(node)
    for (const { id } of openMaintenance(this.#state.db)) this.#state.run(maintenanceAbort, { maintenance: id })
    for (const node of this.#agents.nodes) this.#state.run(nodeUndrain, { target: node })
    for (const job of this.#schedule.jobs) this.#schedule.submit(job)
    this.#settle()
    const until = this.#state.now + PATIENCE_MS
    while (this.#state.now < until && switchingNodes(this.#state.db).length > 0) this.#passUntil(this.#state.now + 5000)
    // Where a profile failed, somebody had a look.
    for (const node of this.#agents.nodes) this.#state.run(nodeUndrain, { target: node })
    for (const node of this.#agents.nodes) this.#state.run(nodeUncordon, { node })
    while (this.#state.now < until && this.#trouble() !== null) this.#passUntil(this.#state.now + 5000)
    const trouble = this.#trouble()
    if (trouble !== null) throw new Violation(`rest: after ${PATIENCE_MS / 1000} s ${trouble}`)
  }

  #trouble(): string | null {
    const { db, now } = this.#state
    const [op] = opsView(db, {}, now)
    if (op) return `op ${op.op} on ${op.task} is ${op.state}: ${op.waitsFor}`
    for (const job of this.#schedule.jobs) {
      const group = jobStatus(db, job)?.groups[0]
      if (group === undefined || group.leftover > 0) return `${job} has tasks left over`
      for (const arm of group.arms)
        if (arm.healthy !== arm.wanted || arm.placed !== arm.wanted) return `${job} has ${arm.healthy} of ${arm.wanted}`
    }
    const [left] = tasksToEnd(db)
    return left === undefined ? null : `${taskName(left)} is not reported gone`
  }
}
