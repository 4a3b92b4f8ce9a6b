import { majorityOf } from './config.ts'
import type { AcceptorState } from './contract.ts'
import type { Accepted, SlotRange } from './messages.ts'
import type { Replica } from './state.ts'

/*
 * A voter whose disk is empty may have had one before: it does not know what it promised, nor what it helped to choose. Before it says
 * anything it asks all other voters what they know (invariant 13 of README.md).
 *
 * What it promised: a ballot whose candidate may still count that promise is known to the candidate itself, which is one of the others and
 * answers with what it promised in memory. So the highest promise of all others is at least as high as any of its own that can still matter.
 * What it accepted: a batch it helped to choose is held by another of the choosing majority; an accept that counted its lost vote and
 * is not answered yet is in the memory of that ballot's leader. So the highest ballot per slot of all others is what it has to hold.
 * What they call chosen and it does not hold yet is *unknown* here: it counts for nothing until it is learnt.
 */

/** What another voter answers: its memory, which is never behind its disk. */
export interface Testimony {
  promised: number
  isSealed: boolean
  /** every slot up to here is chosen */
  committed: number
  /** everything accepted above `committed` */
  accepted: Accepted[]
  unknown: SlotRange[]
}

export interface Rejoined {
  state: AcceptorState
  /** to be in the files, synced, before the machine starts */
  accepted: Accepted[]
  /** nobody who answered had anything: this cluster begins now */
  isNew: boolean
}

export function testify(r: Replica): Testimony {
  const accepted: Accepted[] = []
  for (let slot = r.committed + 1; slot <= r.tail; slot += 1) {
    const entry = r.log.get(slot)
    if (entry !== undefined) accepted.push(entry)
  }
  return { promised: r.promised, isSealed: r.isSealed, committed: r.committed, accepted, unknown: r.unknown }
}

const holdsNothing = ({ committed, accepted, unknown }: Testimony): boolean =>
  committed === 0 && accepted.length === 0 && unknown.length === 0

/**
 * What a server without a disk begins with; null: more answers are needed.
 * - Nobody who answered has accepted anything, and they are a majority with this server: a cluster that begins. (A majority of disks
 *   that were all lost looks the same; so does one lost disk beside a server that never ran, while the third is away.)
 * - Else all others must have answered, and a majority must hold something: then one of them has whatever was chosen.
 * @param mayBeNew false: whoever starts it says that the cluster exists
 */
export function decideRejoin(
  voters: readonly number[],
  self: number,
  testimonies: ReadonlyMap<number, Testimony>,
  mayBeNew: boolean,
): Rejoined | null {
  const others = voters.filter((voter) => voter !== self)
  const answers = others.flatMap((voter) => testimonies.get(voter) ?? [])
  const holding = answers.filter((answer) => !holdsNothing(answer))
  const promised = Math.max(0, ...answers.map((answer) => answer.promised))
  const isSealed = answers.some((answer) => answer.isSealed)
  if (holding.length === 0) {
    if (!mayBeNew || answers.length + 1 < majorityOf(voters)) return null
    return { state: { promised, isSealed, unknown: [] }, accepted: [], isNew: true }
  }
  if (answers.length < others.length || holding.length < majorityOf(voters)) return null
  const newest = new Map<number, Accepted>()
  for (const { accepted } of answers) {
    for (const one of accepted) if (one.ballot > (newest.get(one.slot)?.ballot ?? 0)) newest.set(one.slot, one)
  }
  const accepted = [...newest.values()].sort((a, b) => a.slot - b.slot)
  const committed = Math.max(0, ...answers.map((answer) => answer.committed))
  // What another does not know, this server may have known: a lower ballot elsewhere says nothing about it.
  const unknown = answers.flatMap((answer) => answer.unknown)
  if (committed > 0) unknown.push({ from: 1, to: committed })
  const highest = accepted.reduce((ballot, one) => Math.max(ballot, one.ballot), promised)
  return { state: { promised: highest, isSealed, unknown }, accepted: accepted.filter(({ slot }) => slot > committed), isNew: false }
}
