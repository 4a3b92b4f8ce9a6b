import type { Prng } from '../../src/core/kernel/prng.ts'
import { encodeFrame } from '../../src/core/delos/paxos/codec.ts'
import type { Message } from '../../src/core/delos/paxos/messages.ts'
import type { World } from './world.ts'

/** Loses, doubles, delays and reorders; links are cut one way or both. */
export class Network {
  readonly #world: World
  readonly #prng: Prng
  readonly #cut = new Set<number>()
  /** ms that everything to a server takes longer */
  readonly #lag = new Map<number, number>()
  loss = 0
  doubling = 0
  /** share of messages that take up to 40 ms, and so come out of order */
  lateness = 0
  readonly #isEncoded: boolean

  constructor(world: World, prng: Prng) {
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

  send(from: number, to: number, loglet: number, message: Message): void {
    if (this.#cut.has(from * 1024 + to) || this.#prng.next() < this.loss) return
    const frame = this.#isEncoded ? encodeFrame(loglet, from, message) : null
    const copies = this.#prng.next() < this.doubling ? 2 : 1
    for (let i = 0; i < copies; i += 1) {
      const late = this.#prng.next() < this.lateness ? this.#prng.next() * 40 : 0
      this.#world.queue.after(0.05 + this.#prng.next() * 0.3 + late + (this.#lag.get(to) ?? 0), () => {
        this.#world.note(message.kind, from * 1024 + to)
        const server = this.#world.server(to)
        if (frame === null) server.receive(from, loglet, message)
        else server.receiveFrame(frame)
      })
    }
  }
}
