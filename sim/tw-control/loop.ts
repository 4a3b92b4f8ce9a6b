import type { Controller } from '../../src/core/contracts/controller.ts'
import type { Entry } from '../../src/core/contracts/entry.ts'
import type { Prng } from '../../src/core/kernel/prng.ts'
import { FleetCache } from '../../src/core/tw/controllers/fleet-cache.ts'
import type { TwSoft } from '../../src/core/tw/queries.ts'
import { Violation } from '../violation.ts'
import type { ControlState } from './state.ts'

interface Slot {
  controller: Controller<TwSoft>
  isDue: boolean
  /** when it wants to look again by itself, log time; null: only when it is woken */
  wakeAt: number | null
}

const ROUNDS_MAX = 100
/** One of so many decisions without a word is made again on the whole state. */
const FULL_LOOK_ONE_IN = 16
/** Who looks again so soon in any case may be late by as much, ms: what lacks room elsewhere is looked at by turns. */
const SOON_MS = 10_000

/** The server's loop around the controllers: each decides when it is woken by an entry or its time has come, and never else. */
export class Loop {
  readonly #state: ControlState
  readonly #prng: Prng
  readonly #slots: Slot[]
  /** null: each decision looks at the whole state */
  readonly #cache: FleetCache | null
  #fresh: Entry[] = []

  constructor(state: ControlState, controllers: readonly Controller<TwSoft>[], prng: Prng, hasCache: boolean) {
    this.#state = state
    this.#prng = prng
    this.#slots = controllers.map((controller) => ({ controller, isDue: true, wakeAt: null }))
    this.#cache = hasCache ? new FleetCache() : null
  }

  /** To be told of every entry, after it was applied. */
  note(entry: Entry): void {
    this.#fresh.push(entry)
    for (const slot of this.#slots) slot.isDue ||= slot.controller.wakes.some((prefix) => entry.type.startsWith(prefix))
  }

  /** When somebody wants to decide next though nothing happens, log time; Infinity: nobody. */
  get nextAt(): number {
    return Math.min(Infinity, ...this.#slots.map(({ wakeAt }) => wakeAt ?? Infinity))
  }

  /** Lets everybody decide until nobody has anything more to say; `follow` is called after each round of entries. */
  settle(follow: () => void): void {
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const { now, entries } = this.#state
      const due = this.#slots.filter((slot) => slot.isDue || (slot.wakeAt !== null && slot.wakeAt <= now))
      for (const slot of due) this.#decide(slot)
      follow()
      if (this.#state.entries === entries && due.every((slot) => (slot.wakeAt ?? Infinity) > now)) return
    }
    throw new Violation(`rest: the controllers find no end at ${this.#state.entries}`)
  }

  #decide(slot: Slot): void {
    const { db, now, entries } = this.#state
    if (this.#fresh.length > 0) {
      this.#cache?.apply(db, this.#fresh)
      this.#fresh = []
    }
    slot.isDue = false
    const soft = this.#cache === null ? BARE : { ...BARE, cache: this.#cache, position: () => entries }
    const verdict = slot.controller.decide(db, now, soft)
    slot.wakeAt = verdict.wakeAt
    this.#state.append(verdict.entries, `controller:${slot.controller.name}`)
    if (verdict.entries.length > 0 || this.#prng.below(FULL_LOOK_ONE_IN) > 0) return
    // Another one may sleep through what happened just as well.
    for (const other of this.#slots) this.#lookAgain(other)
  }

  /** What it keeps beside the state, and that it sleeps until it is woken, hides nothing from a controller. */
  #lookAgain({ controller, isDue, wakeAt }: Slot): void {
    const { db, now, entries } = this.#state
    if (isDue || (wakeAt !== null && wakeAt - now <= SOON_MS)) return
    const [missed] = controller.decide(db, now, BARE).entries
    if (missed !== undefined)
      throw new Violation(`missed: ${controller.name} sleeps at ${entries}, and on the whole state it says ${JSON.stringify(missed)}`)
  }
}

const BARE: TwSoft = { beats: new Map() }
