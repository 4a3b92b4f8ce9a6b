import type { Ballot } from './ballot.ts'
import { serverOf } from './ballot.ts'
import { setLeader } from './answers.ts'
import { advanceCommitted } from './chosen.ts'
import { withoutSlot } from './damage.ts'
import type { Accepted, Message } from './messages.ts'
import { teach } from './catch-up.ts'
import type { Replica } from './state.ts'
import { stepDown } from './lead-end.ts'
import { send, sendPromised, writeRecord, writeState } from './writes.ts'

/** The acceptor: what a server promises and takes ("Paxos Made Simple", section 2.2; per slot, one promise for all). */

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>

/** Takes a batch into the log; the record goes to disk with this step. */
export function take(r: Replica, accepted: Accepted): void {
  r.log.set(accepted.slot, accepted)
  if (accepted.slot > r.tail) r.tail = accepted.slot
  if (r.unknown.length > 0) r.unknown = withoutSlot(r.unknown, accepted.slot)
  writeRecord(r, accepted)
}

/** Begins to take what the leader of `ballot` sends. What is chosen holds in every ballot, so its stream begins after that. */
export function beginStream(r: Replica, ballot: Ballot): void {
  if (r.stream.ballot === ballot) return
  r.stream = { ballot, tail: r.committed, synced: r.committed }
}

/** Raises the promise; a leader or candidate of a lower ballot is one no more. */
export function promise(r: Replica, ballot: Ballot): void {
  if (ballot > r.seen) r.seen = ballot
  if (ballot <= r.promised) return
  if (r.lead !== null && r.lead.ballot < ballot) stepDown(r, 'higherBallot')
  if (r.election !== null && r.election.ballot < ballot) {
    r.election = null
    r.role = 'follower'
  }
  r.promised = ballot
  writeState(r)
}

/** Whether another ballot would break a lease that may still be held. */
export function isBoundByLease(r: Replica, candidate: number, released: Ballot): boolean {
  if (r.now < r.graceUntil) return true
  const { ballot, until } = r.leasePromise
  return r.now < until && ballot !== released && serverOf(ballot) !== candidate
}

function hasEnded(r: Replica): boolean {
  return r.end !== null && r.rules.isSealSticky
}

/**
 * From now on only ballots that carry out the seal pass. A promise says so, and is on disk with it. What a leader seals by itself is no
 * promise to anyone: that the end was taken says its record, which is on disk before it is acknowledged, so nobody waits for a second file.
 */
function sealHere(r: Replica): void {
  if (r.rules.isSealSticky) r.isSealed = true
}

export function onPrepare(r: Replica, from: number, message: Of<'prepare'>): void {
  if (!r.isVoter) return
  const { ballot, isSealing } = message
  const isBound = (!isSealing || r.rules.isSealBoundByLease) && isBoundByLease(r, from, message.released)
  const isBehind = message.from < r.logFrom && message.from <= r.committed
  if (hasEnded(r) || isBehind) return teach(r, from, message.from)
  if (!r.rules.isCurrent(ballot, r.promised) || isBound) {
    return send(r, from, { kind: 'refuse', ballot, promised: r.promised, isSealed: r.isSealed })
  }
  promise(r, ballot)
  if (isSealing && !r.isSealed && r.rules.isSealSticky) {
    sealHere(r)
    writeState(r)
  }
  // Who was promised gets its time: two candidates that take turns would never end.
  if (from !== r.config.self) hearOf(r)
  const accepted: Accepted[] = []
  for (let slot = message.from; slot <= r.tail; slot += 1) {
    const entry = r.log.get(slot)
    if (entry !== undefined) accepted.push(entry)
  }
  const unknown = r.unknown.filter(({ to }) => to === null || to >= message.from)
  sendPromised(r, from, { kind: 'promise', ballot, committed: r.committed, accepted, unknown, isSealed: r.isSealed })
}

export function onAccept(r: Replica, from: number, message: Of<'accept'>): void {
  const { ballot, batches } = message
  if (hasEnded(r)) return teach(r, from, message.committed + 1)
  if (!r.rules.isCurrent(ballot, r.promised) || (r.isSealed && !message.isSealing)) {
    return send(r, from, { kind: 'refuse', ballot, promised: r.promised, isSealed: r.isSealed })
  }
  follow(r, from, ballot)
  if (message.isSealing) sealHere(r)
  let taken = 0
  let isGap = false
  for (const accepted of batches) {
    if (accepted.slot <= r.stream.tail) continue
    if (!r.rules.follows(accepted.slot, r.stream.tail)) {
      isGap = true
      break
    }
    take(r, accepted)
    r.stream.tail = accepted.slot
    taken += 1
  }
  learnCommitted(r, message.committed)
  // What was taken is acknowledged when it is on disk; the rest is known already.
  if (taken === 0 || isGap || r.rules.ackable(r.stream) === r.stream.tail) acknowledge(r, isGap)
}

/** Tells the leader of the current stream how far it came. */
export function acknowledge(r: Replica, isGap: boolean): void {
  const { ballot, tail } = r.stream
  if (ballot === 0) return
  sendPromised(r, serverOf(ballot), { kind: 'accepted', ballot, synced: r.rules.ackable(r.stream), tail, isGap })
}

/** Accepts `from` as the leader of `ballot`, which is not below the promise. */
export function follow(r: Replica, from: number, ballot: Ballot): void {
  promise(r, ballot)
  beginStream(r, ballot)
  if (from === r.config.self) return
  if (r.role === 'probing' || r.role === 'candidate') {
    r.role = 'follower'
    r.election = null
  }
  setLeader(r, from)
  hearOf(r)
}

/** Someone leads, or is about to: no other election for a while. */
function hearOf(r: Replica): void {
  r.heardAt = r.now
  r.suspectAt = r.now + r.config.timers.suspectMs + r.prng.below(r.config.timers.suspectJitterMs + 1)
}

/** The leader of the stream says that slots up to `committed` are chosen: those that came in its stream are, as they are here. */
export function learnCommitted(r: Replica, committed: number): void {
  const upTo = Math.min(committed, r.stream.tail)
  if (upTo > r.committed) advanceCommitted(r, upTo)
}

/** Doubt about a bad last record ends when a ballot that began after it has proved, by serving, what came before. */
function endDoubt(r: Replica, message: Of<'heartbeat'>): void {
  if (r.unknown.length === 0 || !message.isServing || message.ballot <= r.promisedAtStart || r.committed < message.committed) return
  r.unknown = []
}

export function onHeartbeat(r: Replica, from: number, message: Of<'heartbeat'>): void {
  const { ballot, tick } = message
  if (hasEnded(r)) return teach(r, from, message.committed + 1)
  if (!r.rules.isCurrent(ballot, r.promised) || (r.isSealed && !message.isSealing)) {
    return send(r, from, { kind: 'refuse', ballot, promised: r.promised, isSealed: r.isSealed })
  }
  follow(r, from, ballot)
  learnCommitted(r, message.committed)
  endDoubt(r, message)
  r.leasePromise = { ballot, until: r.now + r.config.timers.leaseMs }
  sendPromised(r, from, { kind: 'heartbeatReply', ballot, tick, synced: r.rules.ackable(r.stream), tail: r.stream.tail })
}
