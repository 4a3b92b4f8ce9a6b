import { createPrng, type Prng } from '../../../src/core/kernel/prng.ts'
import {
  EMPTY_REGISTER,
  type RegisterInput,
  type RegisterOutput,
  type RegisterReply,
  type RegisterState,
} from '../../../src/core/delos/virtual-log/register-contract.ts'
import { createRegister, stepRegister, type Register } from '../../../src/core/delos/virtual-log/register.ts'
import type { RegisterValue } from '../../../src/core/delos/virtual-log/value.ts'
import type { DistributiveOmit } from '../server.ts'
import type { VlogServer } from './server.ts'

/** The register's file. */
export class RegisterDisk {
  state: RegisterState = EMPTY_REGISTER
  queued: { id: number; state: RegisterState }[] = []
  isSyncing = false

  crash(prng: Prng): void {
    const survivor = this.queued[prng.below(this.queued.length + 1)]
    // The files are replaced whole: some of the writes under way is there, or none.
    if (survivor !== undefined) this.state = survivor.state
    this.queued = []
    this.isSyncing = false
  }
}

/** Runs the register's machine in one life of a process. */
export class RegisterPart {
  readonly #server: VlogServer
  readonly machine: Register
  #timerAt = Infinity

  constructor(server: VlogServer) {
    this.#server = server
    const { registerDisk, prng, world } = server
    this.machine = createRegister(server.id, registerDisk.state, createPrng(prng.below(2 ** 31)), server.localNow(), world.rules)
  }

  feed(input: DistributiveOmit<RegisterInput, 'now'>): void {
    const server = this.#server
    if (!server.isUp) return
    server.crashIn -= 1
    this.#carryOut(stepRegister(this.machine, { ...input, now: server.localNow() }))
  }

  propose(requestId: number, value: RegisterValue): void {
    this.feed({ kind: 'propose', requestId, value })
  }

  #carryOut(output: RegisterOutput): void {
    const server = this.#server
    const { world, id, prng } = server
    server.registerDisk.queued.push(...output.persist)
    const dies = server.crashIn <= 0
    const left = dies ? prng.below(output.send.length + 1) : Infinity
    for (const [i, { to, message }] of output.send.entries()) {
      if (i >= left) break
      const go = (): void => {
        world.network.carry(id, to, message.kind, () => {
          const peer = world.server(to)
          peer.alive(() => peer.register?.feed({ kind: 'message', from: id, message, isCaughtUp: peer.isCaughtUp }))()
        })
      }
      if (world.isRough && world.isFaulty && prng.next() < 0.4) world.queue.after(prng.next() * 120, go)
      else go()
    }
    if (dies) return server.die()
    // The most delicate moments: a promise was given, or is about to be.
    const isPromising = output.persist.length > 0 || output.send.some(({ message }) => message.kind === 'promise')
    if (isPromising && world.isRough && world.isFaulty && prng.next() < 0.12) server.after(prng.next(), () => server.die())
    for (const { requestId, ask } of output.etcd) {
      world.etcd.ask(
        server,
        () => world.etcd.register(ask),
        (answer) => this.feed({ kind: 'etcd', requestId, answer: answer ?? { kind: 'unknown' } }),
      )
    }
    this.#sync()
    for (const value of output.known) server.onKnown(value)
    for (const reply of output.replies) this.#reply(reply)
    if (output.isReleased && server.isUp) server.leave()
    if (server.isUp) this.#setTimer(output.wakeAt)
  }

  #reply(reply: RegisterReply): void {
    this.#server.driving?.onReply(reply)
  }

  #sync(): void {
    const server = this.#server
    const disk = server.registerDisk
    if (disk.isSyncing || disk.queued.length === 0) return
    disk.isSyncing = true
    const count = disk.queued.length
    server.after(server.syncMs(), () => {
      disk.isSyncing = false
      if (server.world.failsSync(server)) return server.die()
      const last = disk.queued.splice(0, count).at(-1)
      if (last === undefined) return
      disk.state = last.state
      this.feed({ kind: 'persisted', upTo: last.id })
      if (server.isUp) this.#sync()
    })
  }

  #setTimer(wakeAt: number): void {
    const server = this.#server
    const at = Math.max((wakeAt - server.offset) / server.rate, server.world.queue.now + 0.01)
    if (this.#timerAt <= at && this.#timerAt > server.world.queue.now) return
    this.#timerAt = at
    server.world.queue.at(
      at,
      server.alive(() => {
        if (this.#timerAt !== at) return
        this.#timerAt = Infinity
        this.feed({ kind: 'tick' })
      }),
    )
  }
}
