import type { z } from 'zod'
import type { Controller, Verdict } from '../../src/core/contracts/controller.ts'
import type { Entry, Proposal } from '../../src/core/contracts/entry.ts'
import type { CommandDef, OpContext } from '../../src/core/contracts/operation.ts'
import type { Reign } from '../../src/core/contracts/node.ts'
import type { ReadDb } from '../../src/core/contracts/storage.ts'
import { isRefusal, type MusterError } from '../../src/core/kernel/errors.ts'
import type { Prng } from '../../src/core/kernel/prng.ts'
import { taskName, type TaskRow } from '../../src/core/tw/rows.ts'
import { maintainer } from '../../src/core/tw/controllers/maintainer.ts'
import type { TwSoft } from '../../src/core/tw/soft.ts'
import { createEntryRegistry, type EntryRegistry } from '../../src/server/state/entry-registry.ts'
import { LogClock } from '../../src/server/state/log-clock.ts'
import type { OpenDb } from '../../src/server/state/state-db.ts'
import { Violation } from '../violation.ts'
import { Hub } from './hub.ts'
import { START_AT_MS } from './options.ts'
import { takeState } from './states.ts'
import type { TwWorld } from './world.ts'

/** What became of something that was to be decided: `away` where this server does not lead. */
export type Submitted = 'done' | 'away' | MusterError

interface Slot {
  controller: Controller<TwSoft>
  isDirty: boolean
  isWoken: boolean
  /** when it wants to look again by itself, log time */
  wakeAt: number | null
  /** of the newest timer; earlier ones are void */
  timer: number
}

/** A controller is never asked for again sooner than this. */
const WAKE_MS_MIN = 5
/** One of so many decisions without a word is made again on the whole state. */
const FULL_LOOK_ONE_IN = 10
const SOON_MS = 2000
/** Longest until all who sleep are asked whether they should, ms. */
const LOOK_MS_MAX = 10_000

/** One server: its copy of the state, its clock, and while it leads the controllers and the agents' other end. */
export class SimServer {
  readonly id: number
  readonly db: OpenDb
  readonly #world: TwWorld
  readonly #prng: Prng
  readonly #registry: EntryRegistry
  readonly #slots = new Map<string, Slot>()
  /** counts processes: what an earlier one meant to do is not done */
  #life = 0
  #epoch = 0
  #lastAt = START_AT_MS
  readonly #clock: LogClock
  /** position of the last entry in its state */
  applied = 0
  isUp = false
  isPaused = false
  #held: (() => void)[] = []
  /** of its clock, against true time */
  clockOffsetMs = 0
  hub: Hub

  constructor(world: TwWorld, id: number, prng: Prng) {
    this.id = id
    this.#world = world
    this.#prng = prng
    this.db = takeState(world.systems)
    this.#registry = createEntryRegistry(world.systems)
    this.#clock = new LogClock(
      () => Math.floor(START_AT_MS + world.queue.now + this.clockOffsetMs),
      () => world.queue.now,
    )
    this.hub = new Hub(world, this)
  }

  /** It believes so; another may have been let in since. */
  get leads(): boolean {
    return this.isUp && this.#epoch > 0
  }

  /** Under which it tells agents what to do. */
  get reign(): Reign {
    return { cluster: 'sim', term: this.#epoch }
  }

  holds(epoch: number): boolean {
    return this.#epoch === epoch
  }

  /** Log time, ms: never before that of the last entry. */
  now(): number {
    return this.#clock.now(this.#lastAt)
  }

  start(): void {
    this.isUp = true
  }

  crash(): void {
    this.isUp = false
    this.#life += 1
    this.#epoch = 0
    this.isPaused = false
    this.#held = []
    this.#slots.clear()
    this.hub.close()
    this.hub = new Hub(this.#world, this)
  }

  /** Stopped in the middle of whatever it does: it finds out later what it missed. */
  pause(ms: number): void {
    this.isPaused = true
    const life = this.#life
    this.#world.queue.after(ms, () => {
      if (life !== this.#life) return
      this.isPaused = false
      const held = this.#held
      this.#held = []
      for (const run of held) run()
    })
  }

  /** Nobody else may write from here on, and its state has all that was written before. */
  lead(): void {
    this.#epoch = this.#world.log.seal()
    this.catchUp()
    this.#world.note('lead', this.id)
    this.hub = new Hub(this.#world, this)
    this.hub.begin()
    for (const controller of this.#world.controllers)
      this.#slots.set(controller.name, { controller, isDirty: false, isWoken: false, wakeAt: null, timer: 0 })
    for (const name of this.#slots.keys()) this.wake(name)
    this.#lookNowAndThen(this.#epoch)
  }

  /** Another leads: what it knew of the agents is of no use. */
  stepDown(): void {
    if (this.#epoch === 0) return
    this.#epoch = 0
    this.#slots.clear()
    this.hub.close()
    this.hub = new Hub(this.#world, this)
  }

  /** @param behind so many entries are left out */
  catchUp(behind = 0): void {
    const entries = this.#world.log.entries.slice(this.applied, this.#world.log.entries.length - behind)
    if (entries.length === 0) return
    this.db.raw.exec('BEGIN')
    for (const entry of entries) this.#apply(entry)
    this.db.raw.exec('COMMIT')
  }

  /** Runs later, unless this process has ended by then; a paused one does it afterwards. */
  after(ms: number, run: () => void): void {
    const life = this.#life
    this.#world.queue.after(ms, () => {
      if (life !== this.#life) return
      if (this.isPaused) this.#held.push(run)
      else run()
    })
  }

  context(actor: string): OpContext {
    return { now: this.now(), actor, role: 'admin', position: this.applied + 1 }
  }

  /** The one place where entries are decided, written and applied. */
  submit(actor: string, decide: (db: ReadDb, context: OpContext) => Proposal[] | MusterError): Submitted {
    if (!this.leads) return 'away'
    const { log, rules } = this.#world
    const context = this.context(actor)
    const proposals = decide(this.db, context)
    if (isRefusal(proposals)) return proposals
    if (proposals.length === 0) return 'done'
    if (rules.isFenced && !log.takes(this.#epoch, this.applied + 1)) {
      this.#world.note('refused', this.id)
      this.stepDown()
      return 'away'
    }
    // Nothing to do, but where the log lets everybody write.
    this.catchUp()
    this.db.raw.exec('BEGIN')
    const entries = proposals.map((proposal) => {
      const meta = { position: this.applied + 1, at: this.now(), actor, trace: undefined }
      const text = JSON.stringify(this.#registry.seal(this.db, proposal, meta))
      // What stands in the log is JSON: a body that does not survive it would differ after a restart.
      const entry = JSON.parse(text) as Entry
      this.#world.checks.before(entry, this.db)
      this.#apply(entry)
      log.append(entry)
      this.#world.noteEntry(entry, text)
      this.#world.checks.applied(entry, this.db)
      return entry
    })
    this.db.raw.exec('COMMIT')
    this.#committed(entries)
    return 'done'
  }

  /** Decides an operation on the state it has. */
  run<In extends z.ZodType, Out extends z.ZodType>(command: CommandDef<In, Out>, input: z.input<In>, actor: string): Submitted {
    return this.submit(actor, (db, context) => {
      const decision = command.decide(this.#seenBy(command.name, db), command.input.parse(input), context)
      return isRefusal(decision) ? decision : decision.entries
    })
  }

  /** What an operation would place and where, as `--plan` says: it is carried out on the state, told, and taken back. */
  plan<In extends z.ZodType, Out extends z.ZodType>(command: CommandDef<In, Out>, input: z.input<In>, actor: string): string[] {
    this.db.raw.exec('BEGIN')
    try {
      const decision = command.decide(this.#seenBy(command.name, this.db), command.input.parse(input), this.context(actor))
      if (isRefusal(decision)) return []
      decision.entries.forEach((proposal, i) => {
        const meta = { position: this.applied + 1 + i, at: this.now(), actor, trace: undefined }
        this.#registry.apply(this.db, JSON.parse(JSON.stringify(this.#registry.seal(this.db, proposal, meta))) as Entry)
      })
      return this.placesSince(this.applied)
    } finally {
      this.db.raw.exec('ROLLBACK')
    }
  }

  /** Tasks that were placed after a position, and where; and places that the referee took back. */
  placesSince(position: number): string[] {
    const placed = this.db.all<TaskRow>('SELECT * FROM tw_task WHERE placed_position > ? ORDER BY id', position)
    const rejected = this.db.all<{ node: string; reason: string }>('SELECT node, reason FROM tw_rejected WHERE position > ?', position)
    return [
      ...placed.map((task) => `${taskName(task)} on ${task.node}, GPUs ${task.gpu_mask}`),
      ...rejected.map(({ node, reason }) => `none on ${node}: ${reason}`),
    ]
  }

  /** Runs the controller in a moment. */
  wake(name: string): void {
    const slot = this.#slots.get(name)
    if (slot === undefined) return
    slot.isDirty = true
    if (slot.isWoken) return
    slot.isWoken = true
    this.after(0.1 + this.#prng.next() * 2, () => this.#decide(slot))
  }

  #committed(entries: readonly Entry[]): void {
    for (const slot of this.#slots.values()) {
      const { name, wakes } = slot.controller
      if (entries.some(({ type }) => wakes.some((prefix) => type.startsWith(prefix)))) this.wake(name)
    }
    this.hub.refresh(entries)
  }

  #decide(slot: Slot): void {
    const { controller } = slot
    slot.isWoken = false
    if (!slot.isDirty || this.#slots.get(controller.name) !== slot) return
    slot.isDirty = false
    let verdict: Verdict = { entries: [], wakeAt: null }
    const outcome = this.submit(`controller:${controller.name}`, (db, { now }) => {
      verdict = controller.decide(db, now, this.hub.soft())
      return verdict.entries
    })
    if (outcome !== 'done') return
    const { entries, wakeAt } = verdict
    slot.wakeAt = wakeAt
    if (entries.length === 0 && this.#prng.below(FULL_LOOK_ONE_IN) === 0) this.#lookAgain(slot)
    slot.timer += 1
    if (wakeAt === null) return
    const { timer } = slot
    this.after(Math.max(WAKE_MS_MIN, wakeAt - this.now()), () => {
      if (slot.timer === timer && this.#slots.get(controller.name) === slot) this.wake(controller.name)
    })
  }

  /** Time passes though nothing happens: who sleeps until then, or until something happens, has nothing to say. */
  #lookNowAndThen(epoch: number): void {
    this.after(LOOK_MS_MAX * (0.5 + this.#prng.next() / 2), () => {
      if (this.#epoch !== epoch) return
      if (this.#world.log.takes(epoch, this.applied + 1)) for (const slot of this.#slots.values()) if (!slot.isWoken) this.#lookAgain(slot)
      this.#lookNowAndThen(epoch)
    })
  }

  /** What it keeps beside the state spares a controller to look at everything, and hides nothing from it. */
  #lookAgain({ controller, wakeAt }: Slot): void {
    // Who looks again soon in any case may be late by as much; for room to work on a machine it is looked by turns.
    if (wakeAt !== null && wakeAt - this.now() <= (controller.name === maintainer.name ? LOOK_MS_MAX : SOON_MS)) return
    const { cache: _, ...soft } = this.hub.soft()
    const { entries } = controller.decide(this.db, this.now(), soft)
    // Whom it may take room from changes with every task of theirs: that is looked at by turns, and may wait. So may what is to be forgotten.
    const missed = entries.find(({ type, body }) => type !== 'tw.TasksForgotten' && !JSON.stringify(body).includes('"cause":"preempt"'))
    if (missed !== undefined)
      throw new Violation(
        `missed: ${controller.name} has nothing to say at ${this.applied}, and on the whole state ${JSON.stringify(missed)}`,
      )
  }

  /** The state as an operation sees it. */
  #seenBy(operation: string, db: ReadDb): ReadDb {
    return this.#world.deciding?.[operation]?.(db) ?? db
  }

  #apply(entry: Entry): void {
    this.#registry.apply(this.db, entry)
    this.applied = entry.position
    this.#lastAt = entry.at
  }
}
