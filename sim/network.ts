import type { Prng } from '../src/core/kernel/prng.ts'
import type { EventQueue } from './event-queue.ts'

/** Whose messages it carries. */
export interface NetworkHost {
  readonly queue: EventQueue
  note(kind: string, value: number): void
}

/** Longest a late message is under way, ms. */
const LATE_MS_MAX = 40

/** Loses, doubles, delays and reorders; links are cut one way or both. */
export class Network<Host extends NetworkHost = NetworkHost> {
  protected readonly host: Host
  readonly #prng: Prng
  readonly #cut = new Set<number>()
  /** ms that everything to an end takes longer */
  readonly #lag = new Map<number, number>()
  loss = 0
  doubling = 0
  /** share of messages that come late, and so out of order */
  lateness = 0
  lateMsMax = LATE_MS_MAX

  constructor(host: Host, prng: Prng) {
    this.host = host
    this.#prng = prng
  }

  cut(from: number, to: number): void {
    this.#cut.add(from * 1024 + to)
  }

  isCut(from: number, to: number): boolean {
    return this.#cut.has(from * 1024 + to)
  }

  slow(to: number, ms: number): void {
    this.#lag.set(to, ms)
  }

  heal(): void {
    this.#cut.clear()
    this.#lag.clear()
    this.loss = 0
    this.doubling = 0
    this.lateness = 0
  }

  /** What the two ends tell each other besides; lost when the link is cut or the other is not there. */
  carryAside(from: number, to: number, run: () => void): void {
    if (this.isCut(from, to) || this.#prng.next() < this.loss) return
    this.host.queue.after(0.05 + this.#prng.next() * 0.3 + (this.#lag.get(to) ?? 0), run)
  }

  /** One message of whatever kind: it arrives never, once or twice, soon or late. */
  carry(from: number, to: number, kind: string, arrive: () => void): void {
    if (this.isCut(from, to) || this.#prng.next() < this.loss) return
    const copies = this.#prng.next() < this.doubling ? 2 : 1
    for (let i = 0; i < copies; i += 1) {
      const late = this.#prng.next() < this.lateness ? this.#prng.next() * this.lateMsMax : 0
      this.host.queue.after(0.05 + this.#prng.next() * 0.3 + late + (this.#lag.get(to) ?? 0), () => {
        this.host.note(kind, from * 1024 + to)
        arrive()
      })
    }
  }
}
