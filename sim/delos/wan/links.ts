import type { Prng } from '../../../src/core/kernel/prng.ts'
import type { Batch, Message } from '../../../src/core/delos/paxos/messages.ts'
import type { EventQueue } from '../../event-queue.ts'
import { wayMs, type Places } from './places.ts'

/** Of each server's way out: 10 Gbit/s. */
const BYTES_PER_MS = 1_250_000
const MESSAGE_BYTES = 100
const BATCH_BYTES = 64

interface LinksHost {
  readonly queue: EventQueue
  note(kind: string, value: number): void
  server(id: number): { receive(from: number, loglet: number, message: Message): void }
}

/** What lies between servers far from each other: connections that keep their order, each message as late as the way is long. */
export class Links {
  readonly #world: LinksHost
  readonly #prng: Prng
  readonly #places: Places
  readonly #outFreeAt = new Map<number, number>()
  readonly #lastArrival = new Map<number, number>()

  constructor(world: LinksHost, prng: Prng, places: Places) {
    this.#world = world
    this.#prng = prng
    this.#places = places
  }

  send(from: number, to: number, loglet: number, message: Message): void {
    const { queue } = this.#world
    const sentAt = Math.max(queue.now, this.#outFreeAt.get(from) ?? 0) + sizeOf(message) / BYTES_PER_MS
    this.#outFreeAt.set(from, sentAt)
    const link = from * 1024 + to
    const at = Math.max(sentAt + wayMs(this.#places, from, to, this.#prng), this.#lastArrival.get(link) ?? 0)
    this.#lastArrival.set(link, at)
    queue.at(at, () => {
      this.#world.note(message.kind, link)
      this.#world.server(to).receive(from, loglet, message)
    })
  }
}

function sizeOf(message: Message): number {
  const one = ({ payload }: Batch): number => payload.length + BATCH_BYTES
  if ('batches' in message) return message.batches.reduce((sum, { batch }) => sum + one(batch), MESSAGE_BYTES)
  if (message.kind === 'promise') return message.accepted.reduce((sum, { batch }) => sum + one(batch), MESSAGE_BYTES)
  return message.kind === 'forward' ? MESSAGE_BYTES + one(message.batch) : MESSAGE_BYTES
}
