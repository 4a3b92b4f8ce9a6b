import type { z } from 'zod'
import type { CommandDef } from '../../src/core/contracts/operation.ts'
import { createPrng, type Prng } from '../../src/core/kernel/prng.ts'
import {
  defrag,
  jobRevert,
  jobRun,
  jobScale,
  jobStop,
  nodeCordon,
  nodeDrain,
  nodeUncordon,
  nodeUndrain,
  opAllow,
  opDelay,
  opForce,
  taskRestart,
  taskStop,
} from '../../src/core/tw/operations.ts'
import { Violation } from '../violation.ts'
import { Author, type Idea } from './documents.ts'
import type { Submitted } from './server.ts'
import type { TwWorld } from './world.ts'

/** The people who use the fleet: what they ask for, and when, a seed decides. */
export class Workload {
  readonly #world: TwWorld
  readonly #prng: Prng
  readonly #author: Author
  readonly #ideas: readonly Idea[]
  /** newest document of each job */
  readonly #written = new Map<string, Record<string, unknown>>()
  readonly #everyMs: number
  operations = 0
  refused = 0

  constructor(world: TwWorld, prng: Prng) {
    this.#world = world
    this.#prng = prng
    this.#everyMs = 3000 + prng.below(12_000)
    this.#author = new Author(createPrng(prng.below(2 ** 31)))
    this.#ideas = Array.from({ length: 1 + prng.below(4) }, (_, i) => this.#author.idea(i + 1))
  }

  start(): void {
    this.#ideas.forEach((idea, i) => this.#world.queue.after(1000 + i * 500, () => this.#run(idea)))
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
    const idea = this.#of(this.#ideas)
    const { job } = idea
    const group = this.#of(idea.groups)
    switch (prng.below(24)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return this.#run(idea)
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
        return this.#count(this.#world.staff.plan(this.#target()))
      case 17:
        return this.#ask(defrag, { movesPpm: 500_000, gainMinMilli: 1 + prng.below(300) })
      case 18:
      case 19:
        return this.#onOp((op) => this.#decide(op))
      case 20:
      case 21:
        return this.#ask(nodeDrain, {
          target: this.#target(),
          force: prng.below(2) === 0,
          isHard: prng.below(4) === 0,
          ignoresSystem: prng.below(4) === 0,
          deadlineMs: prng.below(2) === 0 ? null : 5000 + prng.below(30_000),
        })
      default:
        return this.#ask(nodeUndrain, { target: this.#target() })
    }
  }

  /** After the faults everything has room, or will: cordons and drains that are not over are lifted in half of the runs. */
  settle(): void {
    if (this.#prng.below(2) === 0) return
    for (const { name } of this.#world.machines) this.#ask(nodeUndrain, { target: name })
  }

  #run(idea: Idea): void {
    const last = this.#written.get(idea.job)
    const document = last !== undefined && this.#prng.below(2) === 0 ? this.#author.revise(last) : this.#author.write(idea)
    this.#written.set(idea.job, document)
    if (this.#prng.below(3) === 0) this.#runAsPlanned(document)
    else this.#ask(jobRun, { spec: document })
  }

  /** Asks for a plan first, and has just that carried out: each task is then where the plan said it would be. */
  #runAsPlanned(spec: Record<string, unknown>): void {
    const { leader } = this.#world
    if (leader === null) return
    const input = { spec, isPlaced: true }
    const before = leader.applied
    const planned = leader.plan(jobRun, input, 'user:sim')
    const outcome = this.#world.ask('sim', jobRun, input)
    this.#count(outcome)
    const placed = leader.placesSince(before)
    if (outcome === 'done' && (planned.join() !== placed.join() || planned.some((place) => place.startsWith('none '))))
      throw new Violation(`plan: it says ${planned.join('; ')} and ${placed.join('; ')} come of it, at ${before}`)
  }

  #onTask(act: (task: string) => void): void {
    const task = this.#world.someTask(this.#prng)
    if (task !== null) act(task)
  }

  /** On an op that waits, of whatever group. */
  #onOp(act: (op: number) => void): void {
    const ops = this.#world.leader?.db.all<{ id: number }>(`SELECT id FROM tw_op WHERE state = 'proposed' ORDER BY id`) ?? []
    if (ops.length > 0) act(this.#of(ops).id)
  }

  #decide(op: number): void {
    switch (this.#prng.below(4)) {
      case 0:
        return this.#ask(opForce, { op })
      case 1:
        return this.#ask(opAllow, { op })
      default:
        return this.#ask(opDelay, { op, forMs: 1000 + this.#prng.below(30_000) })
    }
  }

  #node(): string {
    return this.#of(this.#world.machines).name
  }

  /** A node, or all of a domain. */
  #target(): string {
    const { identity } = this.#of(this.#world.machines)
    return this.#of([identity.node, identity.node, `rack:${identity.rack}`, `zone:${identity.zone}`])
  }

  #of<T>(list: readonly T[]): T {
    return list[this.#prng.below(list.length)] as T
  }

  #ask<In extends z.ZodType, Out extends z.ZodType>(command: CommandDef<In, Out>, input: z.input<In>): void {
    this.#count(this.#world.ask('sim', command, input))
  }

  #count(outcome: Submitted): void {
    if (outcome === 'done') this.operations += 1
    else this.refused += 1
  }
}
