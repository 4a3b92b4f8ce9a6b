import type { Prng } from '../../src/core/kernel/prng.ts'
import { FailingSync, killSeveral, roughen, Strikes } from '../strikes.ts'
import type { SimServer } from './server.ts'
import type { World } from './world.ts'

/** What goes wrong, and when: a seed decides. */
export class Nemesis {
  readonly #world: World
  readonly #prng: Prng
  readonly #strikes: Strikes
  readonly #rotten: Set<number>
  readonly #failing = new FailingSync<SimServer>()

  constructor(world: World, prng: Prng) {
    this.#world = world
    this.#prng = prng
    this.#strikes = new Strikes(world.queue, prng, 20 + prng.below(120), () => this.#strike())
    const minority = Math.floor((world.voterCount - 1) / 2)
    this.#rotten = new Set(Array.from({ length: minority }, () => 1 + prng.below(world.servers.length)))
    if (prng.next() < 0.4) roughen(world.network, prng, { latenessMax: 0.1 })
  }

  #any(): SimServer {
    return this.#world.server(1 + this.#prng.below(this.#world.servers.length))
  }

  #leaderOrAny(): SimServer {
    const leader = this.#world.servers.find(({ isUp, isLeader }) => isUp && isLeader)
    return leader !== undefined && this.#prng.next() < 0.6 ? leader : this.#any()
  }

  start(): void {
    this.#strikes.start()
  }

  stop(): void {
    this.#strikes.stop()
    this.#failing.at(null)
    this.#world.network.heal()
    for (const server of this.#world.servers) {
      server.isDiskSlow = false
      server.crashIn = Infinity
      server.onPromise = null
      server.wake()
    }
  }

  failsSync(server: SimServer): boolean {
    return this.#failing.takes(server)
  }

  /** At the start of a process: what its disk lost while nobody looked. */
  beforeRestart(server: SimServer): void {
    if (this.#strikes.isOver || !this.#rotten.has(server.id) || this.#prng.next() < 0.7) return
    for (const disk of server.disks.values()) disk.rot(this.#prng)
    server.wasDamaged = true
  }

  #strike(): void {
    const prng = this.#prng
    const world = this.#world
    const server = this.#leaderOrAny()
    const kind = prng.below(23)
    world.note('strike', kind * 1024 + server.id)
    switch (kind) {
      case 0:
      case 1:
        if (server.isUp) {
          server.crash()
          if (prng.next() < 0.5) world.queue.after(1 + prng.below(15), () => world.restart(server))
          else world.restartLater(server)
        }
        return
      case 15:
        return this.#lag(server)
      case 16:
      case 17:
        this.#cutPair(server)
        return
      case 18:
        return this.#cutAndRestart(server)
      case 20:
      case 21:
        return this.#dieWhilePromising()
      case 22:
        return this.#forgetLease()
      case 2:
        server.crashIn = 1 + prng.below(40)
        return
      case 3:
      case 4:
        if (!server.isPaused) server.pause(20 + prng.below(world.pauseMaxMs))
        return
      case 5: {
        if (server.isPaused) return
        server.suspend(60 + prng.below(200))
        return
      }
      case 6:
      case 7:
        this.#isolate(server, prng.below(3))
        return
      case 8:
        this.split()
        return
      case 9:
        world.network.heal()
        return
      case 10:
        server.isDiskSlow = !server.isDiskSlow
        return
      case 11:
        this.#failing.at(server)
        return
      case 12:
        if (prng.next() < 0.6) this.#switch(server)
        return
      case 13:
        server.moveLeader(this.#any().id)
        return
      case 14:
        if (server.isUp && !server.isPaused) server.campaign()
        return
      default:
        killSeveral(world, prng)
    }
  }

  #switch(server: SimServer): void {
    const world = this.#world
    if (!server.isUp || server.isPaused) return
    const left = world.servers.map(({ id }) => id)
    while (left.length > world.voterCount) left.splice(this.#prng.below(left.length), 1)
    server.switchTo(left)
  }

  /** Cuts what it sends, what it hears, or both. */
  #isolate(server: SimServer, way: number): void {
    const { network, queue, servers } = this.#world
    for (const { id } of servers) {
      if (id === server.id) continue
      if (way !== 1) network.cut(server.id, id)
      if (way !== 0) network.cut(id, server.id)
    }
    queue.after(20 + this.#prng.below(400), () => network.heal())
  }

  /** What it is sent comes late; often it is then cut off. */
  #lag(server: SimServer): void {
    const { network, queue } = this.#world
    network.slow(server.id, 20 + this.#prng.below(100))
    if (this.#prng.next() < 0.6) queue.after(40 + this.#prng.below(120), () => this.#isolate(server, 2))
    else queue.after(50 + this.#prng.below(300), () => network.heal())
  }

  /** Two servers lose each other; everyone else reaches both. */
  #cutPair(server: SimServer): SimServer {
    const { network, queue } = this.#world
    const other = this.#any()
    this.#cutBoth(server.id, other.id)
    queue.after(50 + this.#prng.below(400), () => network.heal())
    return other
  }

  /** The same, and a while later a server that reaches both begins anew. */
  #cutAndRestart(server: SimServer): void {
    const world = this.#world
    const other = this.#cutPair(server)
    const between = this.#any()
    if (between === server || between === other) return
    world.queue.after(100 + this.#prng.below(200), () => {
      if (this.#strikes.isOver || !between.isUp) return
      between.crash()
      world.queue.after(1 + this.#prng.below(10), () => world.restart(between))
    })
  }

  /**
   * A leader is stopped, and only one server will hear it when it goes on. That one dies in the step in which it promises somebody else, is back at
   * once, and then hears the old leader only.
   */
  #dieWhilePromising(): void {
    const world = this.#world
    const leader = world.servers.find(({ isUp, isLeader, isPaused }) => isUp && isLeader && !isPaused)
    const promiser = this.#any()
    if (leader === undefined || promiser === leader) return
    const others = world.servers.filter((server) => server !== leader && server !== promiser)
    leader.pause(180 + this.#prng.below(200))
    for (const { id } of others) this.#cutBoth(leader.id, id)
    promiser.onPromise = () => {
      promiser.crash()
      for (const { id } of others) this.#cutBoth(promiser.id, id)
      world.queue.after(0.5 + this.#prng.next() * 3, () => world.restart(promiser))
    }
    world.queue.after(500, () => {
      promiser.onPromise = null
      world.network.heal()
    })
  }

  /** A leader is cut off, and all others begin anew at once: none of them may lead before its lease is over. */
  #forgetLease(): void {
    const world = this.#world
    const leader = world.servers.find(({ isUp, isLeader }) => isUp && isLeader)
    if (leader === undefined) return
    this.#isolate(leader, 2)
    for (const server of world.servers) {
      if (server === leader || !server.isUp) continue
      server.crash()
      world.queue.after(0.5 + this.#prng.next() * 5, () => {
        world.restart(server)
        for (let i = 1; i < 4; i += 1) server.after(i * (3 + this.#prng.below(20)), () => server.campaign())
      })
    }
  }

  #cutBoth(a: number, b: number): void {
    this.#world.network.cut(a, b)
    this.#world.network.cut(b, a)
  }

  split(): void {
    const { network, queue, servers } = this.#world
    const side = servers.map(() => this.#prng.below(2))
    for (const a of servers) for (const b of servers) if (side[a.id - 1] !== side[b.id - 1]) network.cut(a.id, b.id)
    queue.after(20 + this.#prng.below(400), () => network.heal())
  }
}
