import { createPrng, type Prng } from '../../../src/core/kernel/prng.ts'
import { KV_RULES, type KvRules } from '../../../src/core/delos/kv/rules.ts'
import { bigintJson } from '../../../src/core/kernel/json.ts'
import { checkLinearizable } from '../../check/linearizability.ts'
import { Violation } from '../../violation.ts'
import { CLIENTS, type SimResult } from '../options.ts'
import type { World } from '../world.ts'
import { KvChecks } from './kv-checks.ts'
import { KvClient } from './kv-client.ts'
import { KV_MODEL, simplifyKv, type KvOperation } from './model.ts'
import { KvNode } from './node.ts'
import type { RowsDisk } from './rows-disk.ts'
import type { KvMutant } from './kv-mutants.ts'

/** The part of a world that is about the store: nodes beside the servers, clients, checks. */
export class KvWorld {
  readonly checks: KvChecks
  readonly nodes: KvNode[]
  readonly clients: KvClient[]
  readonly history: KvOperation[] = []
  readonly rules: KvRules
  readonly mutant: KvMutant | null
  readonly hasAuth: boolean
  readonly #world: World
  readonly #prng: Prng
  readonly #hasDamage: boolean
  /** newest revision that any client was told */
  told = 0
  /** batches up to here are thrown away */
  trimmed = 0
  /** damaged servers that were found */
  found = 0
  undecided = 0
  #proposer = 0
  #leaseId = 0n

  constructor(world: World, seed: number, mutant: KvMutant | null) {
    this.#world = world
    this.#prng = createPrng(seed)
    this.mutant = mutant
    this.rules = { ...KV_RULES, ...mutant?.rules }
    this.hasAuth = this.#prng.next() < 0.3
    // Damage that nothing touches any more is not found, and such a server's answers count for nothing.
    this.#hasDamage = this.#prng.next() < 0.25 && !world.mustFinish
    this.checks = new KvChecks(world)
    const fork = (): Prng => createPrng(this.#prng.below(2 ** 31))
    this.nodes = world.servers.map((server) => new KvNode(server, world, this, fork()))
    this.clients = Array.from({ length: CLIENTS }, (_, i) => new KvClient(world, this, fork(), i + 1))
  }

  node(id: number): KvNode {
    return this.nodes[id - 1] as KvNode
  }

  freshProposer(): number {
    this.#proposer += 1
    return this.#proposer
  }

  freshLease(): bigint {
    this.#leaseId += 1n
    return this.#leaseId
  }

  /** One server at a time, and only while the others could find it. */
  mayDamage(node: KvNode): boolean {
    if (!this.#hasDamage || !this.#world.isFaulty || this.nodes.some(({ isDamaged }) => isDamaged)) return false
    return node.server.id <= this.#world.voterCount && this.#prng.next() < 0.3
  }

  /** The rows that go furthest, of the servers that are right. */
  healthyDisk(but: KvNode): RowsDisk {
    const disks = this.nodes.filter((node) => node !== but && !node.isDamaged).map(({ disk }) => disk)
    return disks.reduce((best, disk) => (disk.durable > best.durable ? disk : best))
  }

  /** Whether nothing is left to happen: for runs of liveness. */
  isDone(): boolean {
    if (this.clients.some(({ watcher }) => !watcher.isDone())) return false
    return this.nodes.every(({ isStopped, store }) => !isStopped && [...store.leases()].length === 0)
  }

  figures(): NonNullable<SimResult['kv']> {
    const { expiries, renewals, events, progresses, revision } = this.checks
    return { expiries, renewals, events, progresses, found: this.found, revisions: revision }
  }

  /** After the last event. */
  check(): void {
    this.#checkDigests()
    this.#checkDumps()
    for (let group = 1; group <= 3; group += 1) {
      const verdict = checkLinearizable(KV_MODEL, simplifyKv(this.history.filter((operation) => operation.group === group)), 200_000)
      if (verdict === 'undecided') this.undecided += 1
      if (verdict === 'violation') throw new Violation(`linearizability: no order explains what was read of keys of group ${group}`)
    }
  }

  /** A server whose rows differ, at a position that a majority has compared, must have stopped. */
  #checkDigests(): void {
    for (const node of this.nodes) {
      if (!node.isDamaged || node.isStopped) continue
      for (const { position, digest } of node.digests.marks()) {
        const differ = [...node.told.values()].filter((marks) => (marks.get(position) ?? digest) !== digest)
        if (differ.length * 2 > this.nodes.length)
          throw new Violation(`digest: server ${node.server.id} serves although a majority has another digest at ${position}`)
      }
    }
  }

  #checkDumps(): void {
    const dumps = new Map<number, string>()
    for (const node of this.nodes) {
      if (node.isDamaged) continue
      const { state, ...rows } = node.store.dump()
      const dump = bigintJson({ ...rows, revision: state.revision })
      const other = dumps.get(node.applied)
      if (other === undefined) dumps.set(node.applied, dump)
      else if (other !== dump) throw new Violation(`rows: server ${node.server.id} has other rows than another at ${node.applied}`)
    }
  }
}
