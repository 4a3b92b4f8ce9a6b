import type { Prng } from '../../src/core/kernel/prng.ts'
import { encodeFrame } from '../../src/core/delos/paxos/codec.ts'
import type { Message } from '../../src/core/delos/paxos/messages.ts'
import type { EventQueue } from './event-queue.ts'

/** Whose messages it carries. */
export interface NetworkHost {
  readonly queue: EventQueue
  note(kind: string, value: number): void
  server(id: number): { receive(from: number, loglet: number, message: Message): void; receiveFrame(frame: Uint8Array): void }
}

/** Loses, doubles, delays and reorders; links are cut one way or both. */
export class Network {
  readonly #world: NetworkHost
  readonly #prng: Prng
  readonly #cut = new Set<number>()
  /** ms that everything to a server takes longer */
  readonly #lag = new Map<number, number>()
  loss = 0
  doubling = 0
  /** share of messages that take up to 40 ms, and so come out of order */
  lateness = 0
  readonly #isEncoded: boolean

  constructor(world: NetworkHost, prng: Prng) {
    this.#world = world
    this.#prng = prng
    // The codec is slower than passing objects; one run in eight goes through it.
    this.#isEncoded = prng.below(8) === 0
  }

  cut(from: number, to: number): void {
    this.#cut.add(from * 1024 + to)
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

  /** What servers tell each other beside the log; lost when the link is cut or the other is not there. */
  carryAside(from: number, to: number, run: () => void): void {
    if (this.#cut.has(from * 1024 + to) || this.#prng.next() < this.loss) return
    this.#world.queue.after(0.05 + this.#prng.next() * 0.3 + (this.#lag.get(to) ?? 0), run)
  }

  send(from: number, to: number, loglet: number, message: Message): void {
    const frame = this.#isEncoded ? encodeFrame(loglet, from, message) : null
    this.carry(from, to, message.kind, () => {
      const server = this.#world.server(to)
      if (frame === null) server.receive(from, loglet, message)
      else server.receiveFrame(frame)
    })
  }

  /** One message of whatever kind: it arrives never, once or twice, soon or late. */
  carry(from: number, to: number, kind: string, arrive: () => void): void {
    if (this.#cut.has(from * 1024 + to) || this.#prng.next() < this.loss) return
    const copies = this.#prng.next() < this.doubling ? 2 : 1
    for (let i = 0; i < copies; i += 1) {
      const late = this.#prng.next() < this.lateness ? this.#prng.next() * 40 : 0
      this.#world.queue.after(0.05 + this.#prng.next() * 0.3 + late + (this.#lag.get(to) ?? 0), () => {
        this.#world.note(kind, from * 1024 + to)
        arrive()
      })
    }
  }
}
