import { createPrng, type Prng } from '../../../src/core/kernel/prng.ts'
import type { VlogServer } from './server.ts'
import type { VlogWorld } from './world.ts'

/** A process that dies and comes back, on a clock of its own, which speaks with others over the network. */
export class Process {
  readonly id: number
  readonly world: VlogWorld
  readonly prng: Prng
  isUp = false
  /** removed from the members, and released: never starts again, and its disks are gone */
  isGone = false
  epoch = 0
  pausedUntil = 0
  rate: number
  offset: number
  isDiskSlow = false
  /** dies within its n-th step from now */
  crashIn = Infinity

  constructor(id: number, world: VlogWorld, seed: number) {
    this.id = id
    this.world = world
    this.prng = createPrng(seed)
    this.rate = 1 + (this.prng.next() - 0.5) * 0.06
    this.offset = this.prng.below(100_000)
  }

  localNow(): number {
    return this.world.queue.now * this.rate + this.offset
  }

  get isPaused(): boolean {
    return this.pausedUntil > this.world.queue.now
  }

  pause(ms: number): void {
    this.pausedUntil = this.world.queue.now + ms
  }

  /** Does it in this life of the process, when it is not paused. */
  alive(run: () => void): () => void {
    const { epoch } = this
    const attempt = (): void => {
      if (this.epoch !== epoch || !this.isUp) return
      if (this.isPaused) this.world.queue.at(this.pausedUntil, attempt)
      else run()
    }
    return attempt
  }

  after(ms: number, run: () => void): void {
    this.world.queue.after(ms, this.alive(run))
  }

  /** At `wakeAt` of this process's own clock. */
  atLocal(wakeAt: number, run: () => void): void {
    if (wakeAt === Number.MAX_SAFE_INTEGER) return
    this.world.queue.at(Math.max((wakeAt - this.offset) / this.rate, this.world.queue.now + 0.01), this.alive(run))
  }

  syncMs(): number {
    return this.isDiskSlow ? 5 + this.prng.below(60) : 0.1 + this.prng.next() * 0.4
  }

  /** Asks another server; `done` gets null if no answer came in time. */
  call<T>(
    to: number,
    kind: string,
    timeoutMs: number,
    handle: (peer: VlogServer, answer: (value: T) => void) => void,
    done: (value: T | null) => void,
  ): void {
    const { network } = this.world
    const peer = this.world.server(to)
    let isOver = false
    const finish = (value: T | null): void => {
      if (isOver) return
      isOver = true
      done(value)
    }
    const { epoch } = this
    const back = (value: T) => (): void => {
      if (this.epoch === epoch) this.alive(() => finish(value))()
    }
    const answer = (value: T): void => {
      if (to === this.id) finish(value)
      else network.carry(to, this.id, `${kind}-answer`, back(value))
    }
    if (to === this.id) handle(peer, answer)
    else
      network.carry(this.id, to, kind, () => {
        if (peer.isUp) peer.alive(() => handle(peer, answer))()
      })
    this.after(timeoutMs, () => finish(null))
  }
}
