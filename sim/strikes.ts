import type { Prng } from '../src/core/kernel/prng.ts'
import type { EventQueue } from './event-queue.ts'
import type { Network } from './network.ts'

/** Strikes again and again, at times the seed decides, until it is stopped. */
export class Strikes {
  readonly #queue: EventQueue
  readonly #prng: Prng
  readonly #everyMs: number
  readonly #strike: () => void
  isOver = false

  /** @param everyMs from one strike to the next, in the mean */
  constructor(queue: EventQueue, prng: Prng, everyMs: number, strike: () => void) {
    this.#queue = queue
    this.#prng = prng
    this.#everyMs = everyMs
    this.#strike = strike
  }

  start(): void {
    this.#queue.after(this.#prng.next() * this.#everyMs * 2, () => {
      if (this.isOver) return
      this.#strike()
      this.start()
    })
  }

  stop(): void {
    this.isOver = true
  }
}

/** For the whole of a run: messages are lost, doubled and late. */
export function roughen(network: Network, prng: Prng, { latenessMax }: { latenessMax: number }): void {
  network.loss = prng.next() * 0.1
  network.doubling = prng.next() * 0.2
  network.lateness = prng.next() * latenessMax
}

/** One disk fails at its next sync. */
export class FailingSync<Server> {
  #next: Server | null = null

  at(server: Server | null): void {
    this.#next = server
  }

  /** Whether it is this one's that fails, which it does once. */
  takes(server: Server): boolean {
    if (this.#next !== server) return false
    this.#next = null
    return true
  }
}

/** A bad moment: several servers die at once, and are soon back. */
export function killSeveral<Server extends { isUp: boolean; crash: () => void }>(
  world: { servers: readonly Server[]; queue: EventQueue; restart: (server: Server) => void },
  prng: Prng,
): void {
  for (const each of world.servers) {
    if (!each.isUp || prng.next() < 0.5) continue
    each.crash()
    world.queue.after(1 + prng.below(20), () => world.restart(each))
  }
}
