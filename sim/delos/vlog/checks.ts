import { canonicalJson } from '../../../src/core/kernel/json.ts'
import type { Accepted } from '../../../src/core/delos/paxos/messages.ts'
import { successionProblem, type RegisterValue } from '../../../src/core/delos/virtual-log/value.ts'
import { Violation } from '../../violation.ts'
import type { Entry } from './entry.ts'
import type { QuorumPart } from './quorum-part.ts'
import type { VlogServer } from './server.ts'
import type { VlogWorld } from './world.ts'

const nameOf = (entry: Pick<Entry, 'proposerId' | 'seq' | 'count'>): string => `${entry.proposerId}:${entry.seq}+${entry.count}`

/** What must hold over the whole virtual log, seen from outside. */
export class VlogChecks {
  readonly #world: VlogWorld
  readonly #byPosition = new Map<number, string>()
  readonly #versions = new Map<number, { text: string; value: RegisterValue }>()
  readonly #acknowledged = new Map<string, number>()
  /** slots of quorum loglets that were counted already */
  readonly #counted = new Set<string>()
  lastVersion = 0
  lastAcknowledged = 0
  commits = 0

  constructor(world: VlogWorld) {
    this.#world = world
  }

  /** The newest version that anybody knows. */
  get newest(): RegisterValue | null {
    return this.#versions.get(this.lastVersion)?.value ?? null
  }

  /** At most one chain per version, each following the one before. */
  known(server: VlogServer, value: RegisterValue): void {
    const text = canonicalJson(value)
    const same = this.#versions.get(value.version)
    if (same !== undefined) {
      if (same.text !== text)
        throw new Violation(`register: server ${server.id} has another version ${value.version}: ${text} and not ${same.text}`)
      return
    }
    const before = this.#versions.get(value.version - 1)
    const problem = before === undefined ? null : successionProblem(before.value, value)
    if (problem !== null) throw new Violation(`register: version ${value.version} is no successor: ${problem}`)
    this.#versions.set(value.version, { text, value })
    this.lastVersion = Math.max(this.lastVersion, value.version)
  }

  /** A quorum loglet says that this is chosen: a majority has it on disk, and no other server answers reads by itself. */
  chosen(server: VlogServer, part: QuorumPart, accepted: Accepted): void {
    const { loglet } = part.segment
    const key = `${loglet}/${accepted.slot}`
    if (this.#counted.has(key)) return
    this.#counted.add(key)
    this.commits += 1
    const { batch } = accepted
    let holders = 0
    for (const each of this.#world.servers) {
      const record = each.disks.get(loglet)?.records.get(accepted.slot)
      if (part.voters.includes(each.id) && record?.batch.proposerId === batch.proposerId && record.batch.seq === batch.seq) holders += 1
    }
    if (holders * 2 <= part.voters.length) throw new Violation(`durability: slot ${key} is chosen with ${holders} copies on disk`)
    if (batch.kind !== 'batch') return
    for (const each of this.#world.servers) {
      for (const other of each.quorums.values()) {
        if (each !== server && each.isUp && other.holdsLease())
          throw new Violation(
            `lease: server ${each.id} holds a lease of loglet ${other.segment.loglet} while server ${server.id} commits in ${loglet}`,
          )
      }
    }
  }

  /** A server reads a batch of the log: at its position there is the same everywhere. */
  read(server: VlogServer, loglet: number, entry: Entry): void {
    const name = nameOf(entry)
    const known = this.#byPosition.get(entry.position)
    if (known === undefined) this.#byPosition.set(entry.position, name)
    else if (known !== name)
      throw new Violation(`agreement: position ${entry.position} is ${known} and, at server ${server.id} in loglet ${loglet}, ${name}`)
  }

  acknowledged(entry: Entry): void {
    this.#acknowledged.set(nameOf(entry), entry.position)
    this.lastAcknowledged = Math.max(this.lastAcknowledged, entry.position + entry.count - 1)
  }

  /** Once, and in the order of its proposer. */
  applied(server: VlogServer, entry: Entry): void {
    const last = server.appliedSeqs.get(entry.proposerId) ?? 0
    if (entry.seq <= last) throw new Violation(`once: server ${server.id} applies ${nameOf(entry)} after ${entry.proposerId}:${last}`)
    server.appliedSeqs.set(entry.proposerId, entry.seq)
    if (server.value?.skips.some(({ position }) => position === entry.position) === true)
      throw new Violation(`skip: server ${server.id} applies position ${entry.position}, which is to be skipped`)
  }

  /** At the end: everything acknowledged is in the log that a server read. */
  finish(server: VlogServer): void {
    const there = new Map(server.log.map((entry) => [entry.position, nameOf(entry)]))
    for (const [name, position] of this.#acknowledged) {
      if (there.get(position) === name) continue
      throw new Violation(
        `durability: ${name} was acknowledged at ${position}; server ${server.id} has ${there.get(position) ?? 'nothing'}`,
      )
    }
  }
}
