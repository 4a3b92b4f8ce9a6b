import type { Accepted } from '../../src/core/delos/paxos/messages.ts'
import { Violation } from '../violation.ts'
import type { SimServer } from './server.ts'

export interface Chosen {
  name: string
  entry: Accepted
}

/** What is looked at from outside, at every step, with the eyes of nobody in the cluster. */
export class Checks {
  /** by loglet, by slot */
  readonly chosen = new Map<number, Map<number, Chosen>>()
  readonly ends = new Map<number, number>()
  commits = 0

  static nameOf({ batch }: Accepted): string {
    return `${batch.kind} ${batch.proposerId}:${batch.seq} at ${batch.position}+${batch.count}`
  }

  /** A server says that this is chosen. */
  committed(loglet: number, server: SimServer, entry: Accepted, servers: readonly SimServer[], voters: readonly number[]): void {
    let slots = this.chosen.get(loglet)
    if (slots === undefined) this.chosen.set(loglet, (slots = new Map()))
    const name = Checks.nameOf(entry)
    const known = slots.get(entry.slot)
    if (known !== undefined) {
      if (known.name !== name)
        throw new Violation(`agreement: slot ${loglet}/${entry.slot} is "${known.name}" and, at server ${server.id}, "${name}"`)
      return
    }
    slots.set(entry.slot, { name, entry })
    this.commits += 1
    const end = this.ends.get(loglet)
    if (end !== undefined && entry.slot > end) throw new Violation(`seal: slot ${loglet}/${entry.slot} after the end at ${end}`)
    if (entry.batch.kind === 'end') {
      this.ends.set(loglet, entry.slot)
      if (slots.size > entry.slot) throw new Violation(`seal: loglet ${loglet} has slots after its end at ${entry.slot}`)
    }
    this.#onMajority(loglet, entry, name, servers, voters)
    this.#noOtherLease(loglet, server, servers)
  }

  /** Chosen is what a majority of the voters had on disk; damage afterwards does not undo it. */
  #onMajority(loglet: number, entry: Accepted, name: string, servers: readonly SimServer[], voters: readonly number[]): void {
    let holders = 0
    for (const server of servers) {
      if (!voters.includes(server.id)) continue
      const record = server.disks.get(loglet)?.records.get(entry.slot)
      if (record !== undefined && Checks.nameOf(record) === name) holders += 1
      else if (server.wasDamaged) holders += 1
    }
    if (holders <= voters.length / 2)
      throw new Violation(`durability: slot ${loglet}/${entry.slot} "${name}" is chosen with ${holders} copies on disk`)
  }

  /** While something is chosen through one server, no other may answer reads by itself. */
  #noOtherLease(loglet: number, committer: SimServer, servers: readonly SimServer[]): void {
    for (const server of servers) {
      for (const [other, instance] of server.instances) {
        if (server !== committer && server.holdsLease(instance)) {
          throw new Violation(
            `lease: server ${server.id} holds a lease of loglet ${other} while server ${committer.id} commits in ${loglet}`,
          )
        }
      }
    }
  }

  /** A server brings a batch into its state. */
  applied(server: SimServer, proposerId: number, seq: number): void {
    const last = server.appliedSeqs.get(proposerId) ?? 0
    if (seq <= last) throw new Violation(`once: server ${server.id} applies ${proposerId}:${seq} after ${proposerId}:${last}`)
    server.appliedSeqs.set(proposerId, seq)
  }
}
