import type { Prng } from '../../../src/core/kernel/prng.ts'
import type { RegisterInput } from '../../check/linearizability.ts'
import type { KeyedOperation } from '../client.ts'
import { KEYS } from '../options.ts'
import { POISON_KEY, payloadOf } from './entry.ts'
import type { VlogWorld } from './world.ts'

const TIMEOUT_MS = 150

/** Reads and writes at any member, one at a time. What it hears nothing of has an unknown outcome for ever. */
export class VlogClient {
  readonly #world: VlogWorld
  readonly #prng: Prng
  finished = 0
  finishedCalm = 0

  constructor(world: VlogWorld, prng: Prng) {
    this.#world = world
    this.#prng = prng
  }

  next(): void {
    if (!this.#world.wantsMore(this)) return
    this.#world.queue.after(this.#prng.next() * 8, () => this.#begin())
  }

  #begin(): void {
    const world = this.#world
    const { members, queue } = world
    const server = world.server(members[this.#prng.below(members.length)] ?? 1)
    const key = this.#prng.below(KEYS)
    const isRead = this.#prng.next() < 0.5
    if (world.hasPoison && this.#prng.next() < 0.003) this.#poison()
    const input: RegisterInput = isRead ? { kind: 'read' } : { kind: 'write', value: world.freshValue() }
    const operation: KeyedOperation = { key, input, output: null, calledAt: queue.now, returnedAt: Infinity }
    world.history.push(operation)
    let isOver = false
    const over = (output: number | null): void => {
      if (isOver) return
      isOver = true
      if (output !== null) {
        operation.output = output
        operation.returnedAt = queue.now
        this.finished += 1
        if (!world.isFaulty) this.finishedCalm += 1
      }
      this.next()
    }
    const reply = (output: number | null): void => queue.after(0.05 + this.#prng.next() * 0.2, () => over(output))
    queue.after(0.05 + this.#prng.next() * 0.2, () => {
      if (!server.isUp) return
      server.after(0, () => {
        if (input.kind === 'read') server.read(key, reply)
        else server.write(payloadOf(key, input.value), 1 + (input.value % 3), () => reply(0))
      })
    })
    queue.after(TIMEOUT_MS, () => over(null))
  }

  #poison(): void {
    const world = this.#world
    if (!world.isFaulty || world.poisonAt !== null) return
    const server = world.server(world.members[0] ?? 1)
    if (server.isUp) server.after(0, () => server.write(payloadOf(POISON_KEY, 0), 1, () => {}))
  }
}
