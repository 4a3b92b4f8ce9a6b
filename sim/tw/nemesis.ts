import type { Prng } from '../../src/core/kernel/prng.ts'
import { roughen, Strikes } from '../strikes.ts'
import type { Machine } from './machine.ts'
import type { SimServer } from './server.ts'
import type { TwWorld } from './world.ts'

/** Longest that a replaced leader does not hear of it, unless it tries to write, ms. */
const ZOMBIE_MS_MAX = 20_000

/** What goes wrong, and when: a seed decides. */
export class Nemesis {
  readonly #world: TwWorld
  readonly #prng: Prng
  readonly #strikes: Strikes

  constructor(world: TwWorld, prng: Prng) {
    this.#world = world
    this.#prng = prng
    this.#strikes = new Strikes(world.queue, prng, 2000 + prng.below(15_000), () => this.#strike())
    if (prng.next() < 0.5) {
      roughen(world.network, prng, { latenessMax: 0.2 })
      world.network.lateMsMax = 50 + prng.below(9000)
    }
  }

  start(): void {
    this.#strikes.start()
  }

  /** Everything works again, but for what is gone for good. */
  stop(): void {
    this.#strikes.stop()
    const { network, machines, servers } = this.#world
    network.heal()
    for (const machine of machines) {
      machine.isLying = false
      machine.isStuck = false
      if (machine.agent !== null) machine.agent.crashIn = Infinity
      machine.boot()
      machine.startAgent()
    }
    for (const server of servers) if (!server.isUp) server.start()
    this.#world.elect()
    // Whoever was replaced meanwhile is told when it can hear.
    for (const server of servers) if (server !== this.#world.leader) this.#noticed(server)
  }

  #machine(): Machine {
    return this.#world.machines[this.#prng.below(this.#world.machines.length)] as Machine
  }

  #strike(): void {
    const prng = this.#prng
    const world = this.#world
    const machine = this.#machine()
    const kind = prng.below(22)
    world.note('strike', kind * 1024 + machine.id)
    world.tell(() => `nemesis: ${kind} ${machine.name}`)
    switch (kind) {
      case 0:
      case 1:
        return world.crashAgent(machine)
      case 2:
        if (machine.agent !== null) machine.agent.crashIn = 1 + prng.below(4)
        return
      case 3:
        return this.#reboot(machine)
      case 4:
        return this.#lose([machine])
      case 5:
        return this.#lose(this.#zoneOf(machine))
      case 6:
      case 7:
        return this.#cut([machine], prng.below(3))
      case 8:
        return this.#cut(this.#zoneOf(machine), prng.below(3))
      case 9:
        return this.#cut(world.machines, prng.below(3))
      case 10:
      case 11:
        return this.#crashServer()
      case 12:
      case 13:
        return this.#newLeader()
      case 14:
        return this.#stepClock()
      case 15:
      case 16:
      case 17:
        return this.#killProcess(machine)
      case 18:
        return this.#lie(machine)
      case 19:
        machine.isStuck = true
        world.queue.after(5000 + prng.below(20_000), () => (machine.isStuck = false))
        return
      case 20:
        return world.network.slow(machine.id, prng.below(4000))
      default:
        world.network.heal()
    }
  }

  #zoneOf({ identity }: Machine): Machine[] {
    return this.#world.machines.filter((other) => other.identity.zone === identity.zone)
  }

  #reboot(machine: Machine): void {
    machine.powerOff()
    this.#world.crashes += 1
    this.#world.queue.after(500 + this.#prng.below(30_000), () => machine.boot())
  }

  /** Off, and most often never on again before the faults are over; one in three for good. */
  #lose(machines: readonly Machine[]): void {
    for (const machine of machines) {
      machine.powerOff()
      this.#world.crashes += 1
      if (this.#prng.below(3) === 0 && this.#world.mayLose()) machine.isGone = true
      else if (this.#prng.below(2) === 0) this.#world.queue.after(15_000 + this.#prng.below(60_000), () => machine.boot())
    }
  }

  /** From all servers: what they send, what they hear, or both ways. */
  #cut(machines: readonly Machine[], way: number): void {
    const { network, servers, queue } = this.#world
    for (const machine of machines) {
      for (const server of servers) {
        if (way !== 1) network.cut(machine.id, server.id)
        if (way !== 0) network.cut(server.id, machine.id)
      }
    }
    // In half of the cases from each other, too: nobody is left to say that they live.
    if (this.#prng.below(2) === 0)
      for (const machine of machines)
        for (const other of this.#world.machines) if (!machines.includes(other)) network.cut(other.id, machine.id)
    queue.after(1000 + this.#prng.below(60_000), () => network.heal())
  }

  #crashServer(): void {
    const world = this.#world
    const server = world.leader ?? world.servers[this.#prng.below(world.servers.length)]
    if (server === undefined || !server.isUp) return
    server.crash()
    world.crashes += 1
    world.queue.after(200 + this.#prng.below(8000), () => {
      server.start()
      world.elect()
    })
    if (this.#prng.below(2) === 0) world.queue.after(300 + this.#prng.below(3000), () => world.elect())
  }

  /** The leader is stopped, another takes over, and then the old one goes on as if nothing had happened. */
  #newLeader(): void {
    const world = this.#world
    const old = world.leader
    const next = world.servers.find((server) => server !== old && server.isUp && !server.isPaused)
    if (old === null || next === undefined) return
    const isPaused = this.#prng.below(3) > 0
    if (isPaused) old.pause(300 + this.#prng.below(8000))
    this.#world.queue.after(this.#prng.below(2000), () => {
      if (this.#strikes.isOver || !next.isUp) return
      world.leadBy(next)
      this.#world.queue.after(this.#prng.below(ZOMBIE_MS_MAX), () => old !== next && world.leader !== old && this.#noticed(old))
    })
  }

  #noticed(old: SimServer): void {
    old.after(0, () => old.stepDown())
  }

  /** Of one server; what a server's clock was told by hand, or by a broken source of time. */
  #stepClock(): void {
    const server = this.#world.servers[this.#prng.below(this.#world.servers.length)]
    if (server === undefined) return
    const steps = [11_000, 60_000, 3_700_000, -5000, -20_000]
    server.clockOffsetMs += steps[this.#prng.below(steps.length)] ?? 0
  }

  #killProcess(machine: Machine): void {
    const pids = [...machine.processes.keys()]
    const pid = pids[this.#prng.below(pids.length)]
    if (pid !== undefined) machine.exit(pid, this.#prng.below(2) === 0 ? 'oom' : 'signal 11')
  }

  #lie(machine: Machine): void {
    machine.isLying = true
    this.#world.queue.after(2000 + this.#prng.below(10_000), () => (machine.isLying = false))
  }
}
