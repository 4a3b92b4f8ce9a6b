import type { Prng } from '../../../src/core/kernel/prng.ts'
import { checkMembers, type ServerHealth } from '../../../src/core/delos/virtual-log/members.ts'
import { deciderFor, type Intent, type MemberChange } from '../../../src/core/delos/virtual-log/plan.ts'
import { presentServers, serversIn, type Decider, type RegisterValue } from '../../../src/core/delos/virtual-log/value.ts'
import { FailingSync, killSeveral, roughen, Strikes } from '../../strikes.ts'
import type { VlogServer } from './server.ts'
import type { VlogWorld } from './world.ts'

/** What goes wrong in the virtual log's world, and what its operators want of it, and when: a seed decides. */
export class VlogNemesis {
  readonly #world: VlogWorld
  readonly #prng: Prng
  readonly #strikes: Strikes
  readonly #failing = new FailingSync<VlogServer>()

  constructor(world: VlogWorld, prng: Prng) {
    this.#world = world
    this.#prng = prng
    this.#strikes = new Strikes(world.queue, prng, 15 + prng.below(100), () => this.#strike())
    if (prng.next() < 0.4) roughen(world.network, prng, { latenessMax: 0.1 })
    world.etcd.loss = prng.next() < 0.5 ? prng.next() * 0.1 : 0
  }

  start(): void {
    this.#strikes.start()
  }

  stop(): void {
    this.#strikes.stop()
    this.#failing.at(null)
    this.#world.network.heal()
    this.#world.etcd.isDown = false
    this.#world.etcd.loss = 0
    for (const server of this.#world.servers) {
      server.isDiskSlow = false
      server.crashIn = Infinity
      server.pausedUntil = Math.min(server.pausedUntil, this.#world.queue.now)
    }
  }

  failsSync(server: VlogServer): boolean {
    return this.#failing.takes(server)
  }

  #any(): VlogServer {
    const members = this.#world.members
    return this.#world.server(members[this.#prng.below(members.length)] ?? 1)
  }

  #leaderOrAny(): VlogServer {
    const leader = this.#world.servers.find((server) => server.isUp && server.leads)
    return leader !== undefined && this.#prng.next() < 0.5 ? leader : this.#any()
  }

  #strike(): void {
    const prng = this.#prng
    const world = this.#world
    const server = this.#leaderOrAny()
    const kind = prng.below(22)
    world.note('strike', kind * 1024 + server.id)
    if (world.isRough && prng.next() < 0.4) return this.#clash()
    switch (kind) {
      case 0:
        server.crash()
        return world.restartLater(server)
      case 1:
        server.crashIn = 1 + prng.below(40)
        return
      case 2:
        if (!server.isPaused) server.pause(20 + prng.below(300))
        return
      case 3:
        return this.#isolate(server, prng.below(3))
      case 4:
        return this.#split()
      case 5:
        return world.network.heal()
      case 6:
        server.isDiskSlow = !server.isDiskSlow
        return
      case 7:
        this.#failing.at(server)
        return
      case 8:
        return killSeveral(world, prng)
      case 9:
        world.etcd.isDown = true
        world.queue.after(20 + prng.below(200), () => {
          world.etcd.isDown = false
        })
        return
      case 10:
      case 11:
      case 12:
      case 13:
        return this.#any().drive(this.#switch())
      case 14:
        // Two at once, at different servers: one of them loses.
        this.#any().drive(this.#switch())
        return this.#any().drive(this.#switch())
      case 15:
        // A driver that dies after it sealed, or before.
        server.drive(this.#switch())
        server.crashIn = 1 + prng.below(30)
        return
      case 16:
      case 17:
      case 18:
        return this.#changeMembers()
      case 19:
        if (world.poisonAt !== null) return this.#any().drive({ kind: 'skip', position: world.poisonAt, reason: 'kills who applies it' })
        return
      case 20: {
        const { newest } = world.checks
        const position = Math.min(...world.members.map((id) => world.server(id).keptPosition))
        if (newest !== null && prng.next() < 0.3) this.#any().drive({ kind: 'trim', position })
        return
      }
      default:
        return this.#clash()
    }
  }

  #switch(): Intent {
    const prng = this.#prng
    const { newest } = this.#world.checks
    const voters = newest === null ? [1] : serversIn(newest, 'voter')
    const decider = this.#decider(newest, voters)
    const kind = (['quorum', 'quorum', 'quorum', 'file', 'etcd'] as const)[prng.below(5)] ?? 'quorum'
    const config =
      kind === 'file' ? { server: voters[prng.below(voters.length)] ?? 1 } : kind === 'etcd' ? { prefix: `/${prng.below(1000)}/` } : {}
    return { kind: 'switch', to: kind, config, ...(decider === null ? {} : { decider }) }
  }

  #decider(newest: RegisterValue | null, voters: readonly number[]): Decider | null {
    const chance = this.#prng.next()
    if (newest === null || chance < 0.5) return null
    if (chance < 0.65) return { kind: 'etcd', config: { key: 'register' } }
    if (chance < 0.75) return { kind: 'file', server: voters[this.#prng.below(voters.length)] ?? 1 }
    return deciderFor({ servers: newest.servers, decider: { kind: 'file', server: 1 } })
  }

  /** Several want to change the register at once. */
  #clash(): void {
    for (let i = 0; i < 3; i += 1) this.#any().drive({ kind: 'feature', name: `f${this.#world.freshValue()}`, since: 1 })
  }

  #changeMembers(): void {
    const prng = this.#prng
    const world = this.#world
    const { newest } = world.checks
    if (newest === null) return
    const present = presentServers(newest)
    const learners = present.filter(({ role }) => role !== 'voter')
    const changes: MemberChange[] = []
    const chance = prng.next()
    if (chance < 0.4) {
      const number = newest.servers.length + 1
      if (number > world.servers.length) return
      const role = prng.next() < 0.5 ? 'learner' : 'pending'
      changes.push({ kind: 'add', id: world.idOf(number), name: `s${number}`, addresses: [], role })
    } else if (chance < 0.75) {
      for (const { server } of learners) if (prng.next() < 0.7) changes.push({ kind: 'promote', server })
    } else changes.push({ kind: 'remove', server: present[prng.below(present.length)]?.server ?? 1 })
    if (changes.length > 0) this.#any().drive({ kind: 'members', changes })
  }

  #isolate(server: VlogServer, way: number): void {
    const { network, queue, servers } = this.#world
    for (const { id } of servers) {
      if (id === server.id) continue
      if (way !== 1) network.cut(server.id, id)
      if (way !== 0) network.cut(id, server.id)
    }
    queue.after(20 + this.#prng.below(400), () => network.heal())
  }

  #split(): void {
    const { network, queue, servers } = this.#world
    const side = servers.map(() => this.#prng.below(2))
    for (const a of servers) for (const b of servers) if (side[a.id - 1] !== side[b.id - 1]) network.cut(a.id, b.id)
    queue.after(20 + this.#prng.below(400), () => network.heal())
  }
}

/** What the rules of members say, by the truth about the servers. */
export function guardOf(world: VlogWorld, value: RegisterValue, intent: Intent): string | null {
  if (intent.kind !== 'members') return null
  const health = new Map<number, ServerHealth>()
  const tail = Math.max(...world.servers.map(({ reading }) => reading.position))
  for (const server of world.servers) {
    health.set(server.id, {
      isReachable: server.isUp && !server.isPaused,
      lagBatches: tail - server.reading.position,
      // The log stays right whoever lacks what; that it can be read is not judged by who is promoted.
      missingBatches: 0,
      syncP99Ms: 1,
      clockOffMs: 0,
      features: value.features.map(({ name }) => name),
      position: server.keptPosition,
    })
  }
  return checkMembers(value, intent.changes, health, true).problems[0] ?? null
}
