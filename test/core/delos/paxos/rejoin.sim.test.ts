import { expect, test } from 'vitest'
import { createPrng, type Prng } from '../../../../src/core/kernel/prng.ts'
import { LAN, type LogletConfig } from '../../../../src/core/delos/paxos/config.ts'
import { FRESH, type AcceptorState, type Durable, type Input, type Write } from '../../../../src/core/delos/paxos/contract.ts'
import type { Accepted, Message } from '../../../../src/core/delos/paxos/messages.ts'
import { decideRejoin, testify, type Testimony } from '../../../../src/core/delos/paxos/rejoin.ts'
import { createReplica, step, type Replica } from '../../../../src/core/delos/paxos/replica.ts'

/*
 * Three servers, one of which loses its disk now and then, though never a second one before all are whole again. Messages of the lost
 * process may still be under way; those to it are gone with its connections.
 */

const VOTERS = [1, 2, 3]
const STEPS = 4000
const SEEDS = 40

type Parcel = { from: number; to: number } & ({ message: Message } | { ask: true } | { tell: Testimony })
type Decide = typeof decideRejoin

interface Server {
  self: number
  replica: Replica
  state: AcceptorState
  records: Map<number, Accepted>
  writes: Write[]
  /** null: does not ask */
  testimonies: Map<number, Testimony> | null
  /** what was chosen when it came back without its disk */
  owes: number
}

class World {
  readonly #prng: Prng
  readonly #decide: Decide
  readonly #servers: Server[]
  readonly #chosen = new Map<number, string>()
  #net: Parcel[] = []
  #now = 1000
  #seq = 0
  wipes = 0
  /** two servers were told different things of one slot, or the machine found that itself */
  broken: string | null = null

  constructor(seed: number, decide: Decide) {
    this.#prng = createPrng(seed)
    this.#decide = decide
    this.#servers = VOTERS.map((self) => this.#empty(self))
  }

  run(): void {
    try {
      for (let i = 0; i < STEPS && this.broken === null; i += 1) this.#act()
    } catch (error) {
      this.broken = String(error)
    }
  }

  get chosen(): number {
    return this.#chosen.size
  }

  #empty(self: number): Server {
    const nothing: Durable = { state: FRESH, accepted: [], committed: 0, base: { slot: 0, position: 1 }, unknown: [] }
    return { self, replica: this.#begin(self, nothing), state: FRESH, records: new Map(), writes: [], testimonies: new Map(), owes: 0 }
  }

  #begin(self: number, durable: Durable): Replica {
    const config: LogletConfig = { loglet: 1, self, voters: VOTERS, learners: [], firstPosition: 1, lastRound: 0, timers: LAN }
    return createReplica(config, durable, createPrng(this.#prng.below(2 ** 31) + 1), this.#now)
  }

  #act(): void {
    const dice = this.#prng.below(1000)
    const server = this.#servers[this.#prng.below(3)] as Server
    if (dice < 700) this.#deliver()
    else if (dice < 850) this.#sync(server)
    else if (dice < 900) this.#pass(1 + this.#prng.below(30))
    else if (dice < 960) this.#propose(server)
    else if (dice < 975) this.#crash(server)
    else this.#wipe(server)
  }

  #deliver(): void {
    const [parcel] = this.#net.splice(this.#prng.below(Math.min(this.#net.length, 12) || 1), 1)
    if (parcel === undefined) return this.#pass(5)
    if (this.#prng.below(40) === 0) return
    const server = this.#servers[parcel.to - 1] as Server
    const back = { from: parcel.to, to: parcel.from }
    if ('ask' in parcel) this.#net.push({ ...back, tell: structuredClone(testify(server.replica)) })
    else if ('tell' in parcel) this.#hearTestimony(server, parcel.from, parcel.tell)
    else if (server.testimonies === null)
      this.#give(server, { kind: 'message', now: this.#now, from: parcel.from, message: parcel.message })
  }

  #pass(ms: number): void {
    this.#now += ms
    for (const server of this.#servers) {
      if (server.testimonies === null) this.#give(server, { kind: 'tick', now: this.#now })
      else for (const to of VOTERS) if (to !== server.self) this.#net.push({ from: server.self, to, ask: true })
    }
  }

  #give(server: Server, input: Input): void {
    const output = step(server.replica, input)
    server.writes.push(...output.persist)
    for (const { to, message } of output.send) this.#net.push({ from: server.self, to, message })
    for (const { peer, from } of output.load) {
      const batches: Accepted[] = []
      for (let slot = from; slot <= server.replica.committed && batches.length < 8; slot += 1)
        batches.push(server.records.get(slot) as Accepted)
      this.#give(server, { kind: 'loaded', now: this.#now, peer, batches: batches.filter((one) => one !== undefined) })
    }
    for (const { slot, batch } of output.committed) {
      const name = `${batch.kind}/${batch.proposerId}/${batch.seq}@${batch.position}`
      const before = this.#chosen.get(slot)
      if (before !== undefined && before !== name) this.broken = `slot ${slot} is ${before} and ${name}`
      this.#chosen.set(slot, name)
    }
  }

  /** Some of what waits for the disk gets there. */
  #sync(server: Server): void {
    const done = server.writes.splice(0, 1 + this.#prng.below(3))
    for (const write of done) this.#keep(server, write)
    const last = done.at(-1)
    if (last !== undefined) this.#give(server, { kind: 'persisted', now: this.#now, upTo: last.id })
  }

  #keep(server: Server, { state, records }: Write): void {
    if (state !== null) server.state = structuredClone(state)
    for (const one of records) if (one.ballot >= (server.records.get(one.slot)?.ballot ?? 0)) server.records.set(one.slot, one)
  }

  #propose(server: Server): void {
    if (server.testimonies !== null) return
    this.#seq += 1
    const proposal = { count: 1, proposerId: server.self, seq: this.#seq, payload: new Uint8Array(1) }
    this.#give(server, { kind: 'propose', now: this.#now, requestId: this.#seq, proposal })
  }

  /** The process ends; of what waited for the disk some got there. */
  #crash(server: Server): void {
    if (server.testimonies !== null) return
    for (const write of server.writes.splice(0, this.#prng.below(server.writes.length + 1))) this.#keep(server, write)
    server.writes = []
    this.#net = this.#net.filter(({ to }) => to !== server.self)
    const accepted = [...server.records.values()].sort((a, b) => a.slot - b.slot)
    server.replica = this.#begin(server.self, { state: server.state, accepted, committed: 0, base: { slot: 0, position: 1 }, unknown: [] })
  }

  #wipe(server: Server): void {
    // The others may lag as they like: what is chosen is with a majority. But who lost its disk before has to be whole again.
    const isWhole = ({ replica, state, records, testimonies, owes }: Server): boolean => {
      if (testimonies !== null || replica.unknown.length + state.unknown.length > 0) return false
      for (let slot = 1; slot <= owes; slot += 1) if (!records.has(slot)) return false
      return true
    }
    if (this.#chosen.size === 0 || !this.#servers.every(isWhole)) return
    this.wipes += 1
    this.#net = this.#net.filter(({ to }) => to !== server.self)
    Object.assign(server, this.#empty(server.self))
  }

  #hearTestimony(server: Server, from: number, testimony: Testimony): void {
    if (server.testimonies === null) return
    server.testimonies.set(from, testimony)
    const rejoined = this.#decide(VOTERS, server.self, server.testimonies, this.wipes === 0)
    if (rejoined === null) return
    server.testimonies = null
    server.owes = this.#chosen.size
    server.state = structuredClone(rejoined.state)
    for (const one of rejoined.accepted) server.records.set(one.slot, one)
    const { state, accepted } = rejoined
    server.replica = this.#begin(server.self, { state, accepted, committed: 0, base: { slot: 0, position: 1 }, unknown: [] })
  }
}

const runs = (decide: Decide, seeds = SEEDS): World[] =>
  Array.from({ length: seeds }, (_, i) => {
    const world = new World(i + 1, decide)
    world.run()
    return world
  })

test('servers that lose their disks one after the other lose nothing that was chosen', () => {
  const worlds = runs(decideRejoin)
  expect(worlds.flatMap(({ broken }, i) => (broken === null ? [] : [`seed ${i + 1}: ${broken}`]))).toEqual([])
  expect(worlds.reduce((sum, { wipes }) => sum + wipes, 0)).toBeGreaterThan(SEEDS)
  expect(worlds.reduce((sum, { chosen }) => sum + chosen, 0)).toBeGreaterThan(20 * SEEDS)
}, 120_000)

/** Seeds after which a weaker rule has to have shown itself. */
const FOUND_WITHIN = 400
const isFound = (decide: Decide): boolean => {
  for (let seed = 1; seed <= FOUND_WITHIN; seed += 1) {
    const world = new World(seed, decide)
    world.run()
    if (world.broken !== null) return true
  }
  return false
}
const weaker =
  (change: Partial<{ unknown: []; accepted: [] }>): Decide =>
  (...asked) => {
    const rejoined = decideRejoin(...asked)
    if (rejoined === null) return null
    return {
      ...rejoined,
      accepted: change.accepted ?? rejoined.accepted,
      state: { ...rejoined.state, unknown: change.unknown ?? rejoined.state.unknown },
    }
  }
/** Takes the first answer for that of both others. */
const oneAnswer: Decide = (voters, self, testimonies, mayBeNew) => {
  const [first] = [...testimonies.values()]
  return first === undefined ? null : decideRejoin(voters, self, new Map(voters.map((voter) => [voter, first])), mayBeNew)
}

test.each<[string, Decide]>([
  ['votes at once', () => ({ state: FRESH, accepted: [], isNew: true })],
  ['takes what it does not hold yet for nothing', weaker({ unknown: [] })],
  ['does not take over what others accepted', weaker({ accepted: [] })],
  ['asks one of the others', oneAnswer],
])('a server without its disk that %s is found out', (_name, decide) => expect(isFound(decide)).toBe(true), 120_000)
