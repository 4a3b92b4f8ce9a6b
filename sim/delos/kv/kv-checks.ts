import type { KvCommand } from '../../../src/core/delos/kv/command.ts'
import { isRpcError } from '../../../src/core/delos/kv/errors.ts'
import type { KvChanges } from '../../../src/core/delos/kv/rows.ts'
import type { Version } from '../../../src/core/delos/kv/version.ts'
import { Violation } from '../../violation.ts'
import type { World } from '../world.ts'
import { SECOND_MS, type KvNode } from './node.ts'

interface LeaseFacts {
  ttlS: number
  grantedAt: number
  /** when the leader renewed it last, as far as a client was told */
  renewedAt: number
  endedAt: number
  wasRevoked: boolean
}

/** A server's clock runs so much faster than true time at most, and so do its leases. */
const DRIFT = 1.031

/** What must be so of all stores together, seen from outside. The first server that applies a position says what it holds. */
export class KvChecks {
  readonly #world: World
  /** by position: what the store is after it */
  readonly #states = new Map<number, string>()
  readonly #names = new Map<string, number>()
  readonly #leases = new Map<bigint, LeaseFacts>()
  /** when the first server applied the grant, by the true clock */
  readonly #grantedAt = new Map<bigint, number>()
  /** all changes, in order */
  readonly versions: Version[] = []
  readonly #byKey = new Map<string, Version[]>()
  /** place in `versions` of each revision's first */
  readonly #starts: number[] = []
  #leader = 0
  compactRevision = -1
  expiries = 0
  renewals = 0
  events = 0
  progresses = 0

  constructor(world: World) {
    this.#world = world
  }

  /** @returns whether this server is the first to apply the position */
  begin(node: KvNode, position: number, proposer: number, seq: number): boolean {
    if (node.isDamaged) return false
    const name = `${proposer}:${seq}`
    const known = this.#names.get(name)
    if (known !== undefined && known !== position)
      throw new Violation(`once: server ${node.server.id} applies ${name} at ${position}, which was applied at ${known}`)
    this.#names.set(name, position)
    return !this.#states.has(position)
  }

  repeated(node: KvNode, position: number): void {
    this.applied(node, position, null)
  }

  /** Which of the leases that a command ends are there. */
  leasesBefore(node: KvNode, command: KvCommand): bigint[] {
    const ids = command.kind === 'leaseRevoke' ? [command.id] : command.kind === 'leasesExpired' ? command.ids : []
    return ids.filter((id) => node.store.lease(id) !== null)
  }

  command(node: KvNode, command: KvCommand, answer: object, before: number, ended: readonly bigint[], position: number): void {
    if (isRpcError(answer)) {
      if (node.store.revision !== before) throw new Violation(`refusal: ${command.kind} at ${position} was refused and changed something`)
      return
    }
    const { now } = this.#world.queue
    const steps = node.store.revision - before
    switch (command.kind) {
      case 'leaderClaimed':
        this.#leader = position
        return
      case 'compact':
        this.compactRevision = command.request.revision
        return
      case 'leaseGrant':
        const grantedAt = this.#grantedAt.get(command.id) ?? now
        this.#leases.set(command.id, { ttlS: command.ttlS, grantedAt, renewedAt: grantedAt, endedAt: Infinity, wasRevoked: false })
        return
      case 'leaseRevoke':
      case 'leasesExpired': {
        if (steps > ended.length) throw new Violation(`lease: the keys of ${ended.length} leases went in ${steps} revisions`)
        const isExpiry = command.kind === 'leasesExpired'
        if (isExpiry && command.epoch !== this.#leader)
          throw new Violation(`epoch: leases ended by the leader of ${command.epoch}, but ${this.#leader} leads`)
        for (const id of ended) this.#ended(id, isExpiry)
        return
      }
      default:
        if (steps > 1) throw new Violation(`revision: ${command.kind} at ${position} made ${steps} revisions`)
    }
  }

  /** A server granted it: if it leads, its time runs from here, whether its rows are right or not. */
  granted(id: bigint): void {
    if (!this.#grantedAt.has(id)) this.#grantedAt.set(id, this.#world.queue.now)
  }

  #ended(id: bigint, isExpiry: boolean): void {
    const facts = this.#leases.get(id)
    if (facts === undefined) return
    facts.endedAt = this.#world.queue.now
    facts.wasRevoked = !isExpiry
    if (isExpiry) this.expiries += 1
    this.#notBefore(id, facts)
  }

  #notBefore(id: bigint, { ttlS, renewedAt, endedAt, wasRevoked }: LeaseFacts): void {
    if (!wasRevoked && endedAt < renewedAt + (ttlS * SECOND_MS) / DRIFT)
      throw new Violation(`ttl: lease ${id} of ${ttlS} s ended ${((endedAt - renewedAt) / SECOND_MS).toFixed(2)} s after it was renewed`)
  }

  /** A client was told that its lease was renewed. */
  renewed(id: bigint, renewedAt: number): void {
    this.renewals += 1
    const facts = this.#leases.get(id)
    if (facts === undefined) throw new Violation(`lease: ${id} was renewed and never granted`)
    facts.renewedAt = Math.max(facts.renewedAt, renewedAt)
    this.#notBefore(id, facts)
  }

  applied(node: KvNode, position: number, changes: KvChanges | null): void {
    if (node.isDamaged) return
    const { store } = node
    const state = `revision ${store.revision}, compacted ${store.compactRevision}, epoch ${store.epoch}, digest ${store.digest}`
    const known = this.#states.get(position)
    if (known !== undefined) {
      if (known !== state) throw new Violation(`state: after ${position} server ${node.server.id} has ${state}, another had ${known}`)
      return
    }
    this.#states.set(position, state)
    for (const version of changes?.versions ?? []) this.#add(version)
    if (this.revision !== store.revision) throw new Violation(`revision: ${store.revision} after changes up to ${this.revision}`)
    for (const [key, versions] of this.#byKey) {
      const lease = versions.at(-1)?.lease ?? 0n
      if (lease !== 0n && store.lease(lease) === null) throw new Violation(`lease: key ${key} outlives lease ${lease}`)
    }
  }

  #add(version: Version): void {
    const { mod_revision: revision, sub } = version
    const last = this.versions.at(-1)
    const isNext = sub === 0 ? revision === this.revision + 1 : revision === last?.mod_revision && sub === last.sub + 1
    if (!isNext) throw new Violation(`revision: ${revision}/${sub} follows ${last?.mod_revision ?? 1}/${last?.sub ?? 0}`)
    if (sub === 0) this.#starts[revision] = this.versions.length
    this.versions.push(version)
    const ofKey = this.#byKey.get(version.key)
    if (ofKey === undefined) this.#byKey.set(version.key, [version])
    else ofKey.push(version)
  }

  get revision(): number {
    return this.versions.at(-1)?.mod_revision ?? 1
  }

  /** Changes with `from <= mod_revision <= to`. */
  between(from: number, to: number): Version[] {
    if (from > to) return []
    return this.versions.slice(this.#starts[Math.max(2, from)] ?? this.versions.length, this.#starts[to + 1] ?? this.versions.length)
  }

  /** What a key was at a revision; null: not there. */
  at(key: string, revision: number): Version | null {
    const version = this.#byKey.get(key)?.findLast(({ mod_revision }) => mod_revision <= revision)
    return version === undefined || version.isDeleted ? null : version
  }
}
