import { assert } from '../../kernel/assert.ts'
import { beginStream, isBoundByLease, promise, take } from './acceptor.ts'
import { setLeader } from './answers.ts'
import { ballotOf, roundOf, serverOf, type Ballot } from './ballot.ts'
import { advanceCommitted } from './chosen.ts'
import { majorityOf } from './config.ts'
import { teach } from './catch-up.ts'
import { beginLead } from './lead.ts'
import type { Message } from './messages.ts'
import { recover } from './recovery.ts'
import type { Replica } from './state.ts'
import { send } from './writes.ts'

/** From silence to a leader: suspicion, a probe that changes nothing, phase 1, recovery. */

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>

export function wantsSeal(r: Replica): boolean {
  return r.isSealed || r.sealWaiters.length > 0
}

function others(r: Replica): number[] {
  return r.config.voters.filter((voter) => voter !== r.config.self)
}

function nextBallot(r: Replica): number {
  return ballotOf(roundOf(Math.max(r.seen, r.promised)) + 1, r.config.self)
}

/** When this server may ask for an election: suspicion, no lease of another that binds it, no grace after start. */
export function electionAt(r: Replica): number {
  return Math.max(r.suspectAt, r.leasePromise.until, r.graceUntil)
}

/** Another try, at a random time, so that two servers do not meet again. */
function backOff(r: Replica): void {
  r.role = 'follower'
  r.election = null
  const { heartbeatMs, suspectJitterMs } = r.config.timers
  r.suspectAt = r.now + Math.ceil(heartbeatMs / 3) + r.prng.below(suspectJitterMs + 1)
}

/** Time passed for a server that does not lead. */
export function tickElection(r: Replica): void {
  const { election } = r
  if (r.role === 'follower') {
    if (r.now >= r.suspectAt) setLeader(r, null)
    if (!r.isVoter) {
      if (r.now < r.suspectAt) return
      // A learner hears of the end, and of what it missed, from any voter.
      send(r, r.config.voters[r.prng.below(r.config.voters.length)] ?? r.config.self, { kind: 'fetch', from: r.committed + 1 })
      r.suspectAt = r.now + r.config.timers.suspectMs
      return
    }
    if (r.now >= electionAt(r)) probe(r)
    return
  }
  if (election === null) return
  if (r.now >= election.until) return backOff(r)
  if (r.now < election.resendAt) return
  election.resendAt = r.now + r.config.timers.heartbeatMs
  if (r.role === 'candidate') sendPrepare(r)
  else sendProbe(r)
}

function probe(r: Replica): void {
  r.role = 'probing'
  setLeader(r, null)
  r.election = {
    ballot: nextBallot(r),
    released: 0,
    granted: new Set([r.config.self]),
    promises: new Map(),
    // Long enough for an answer from as far as the timers are made for.
    until: r.now + r.config.timers.suspectMs,
    resendAt: r.now + r.config.timers.heartbeatMs,
  }
  if (majorityOf(r.config.voters) === 1) return beginCandidacy(r, 0)
  sendProbe(r)
}

/** Who refused is asked again: soon the old leader's lease may be over there too. */
function sendProbe(r: Replica): void {
  const { election } = r
  if (election === null) return
  for (const to of others(r)) {
    if (!election.granted.has(to)) send(r, to, { kind: 'probe', ballot: election.ballot, tail: r.tail, committed: r.committed })
  }
}

/** Phase 1 with a new ballot; `released`: the ballot whose leader handed over. */
export function beginCandidacy(r: Replica, released: number): void {
  const isBound = (!wantsSeal(r) || r.rules.isSealBoundByLease) && isBoundByLease(r, r.config.self, released)
  if (!r.isVoter || r.lead !== null || r.end !== null || isBound) return
  const ballot = nextBallot(r)
  r.role = 'candidate'
  setLeader(r, null)
  r.election = {
    ballot,
    released,
    granted: new Set(),
    promises: new Map(),
    until: r.now + r.config.timers.suspectMs,
    resendAt: r.now + r.config.timers.heartbeatMs,
  }
  promise(r, ballot)
  sendPrepare(r)
}

function sendPrepare(r: Replica): void {
  const { election } = r
  if (election === null) return
  for (const to of r.config.voters) {
    if (election.promises.has(to)) continue
    const { ballot, released } = election
    send(r, to, { kind: 'prepare', ballot, from: r.committed + 1, isSealing: wantsSeal(r), released })
  }
}

export function onProbe(r: Replica, from: number, message: Of<'probe'>): void {
  if (!r.isVoter) return
  if (message.tail < r.committed || r.end !== null) teach(r, from, message.committed + 1)
  const isFree = r.lead === null && r.role !== 'candidate'
  const hearsNone = isFree && r.now - r.heardAt >= r.config.timers.suspectMs && !isBoundByLease(r, from, 0)
  const isGranted = hearsNone && r.end === null && message.tail >= r.committed
  send(r, from, { kind: 'probeReply', ballot: message.ballot, isGranted, promised: r.promised })
}

export function onProbeReply(r: Replica, from: number, message: Of<'probeReply'>): void {
  if (message.promised > r.seen) r.seen = message.promised
  const { election } = r
  if (r.role !== 'probing' || election === null || election.ballot !== message.ballot || !message.isGranted) return
  election.granted.add(from)
  if (election.granted.size >= majorityOf(r.config.voters)) beginCandidacy(r, 0)
}

export function onTakeOver(r: Replica, message: Of<'takeOver'>): void {
  if (message.released < r.promised) return
  beginCandidacy(r, message.released)
}

export function onPromise(r: Replica, from: number, message: Of<'promise'>): void {
  const { election } = r
  if (r.role !== 'candidate' || election === null || election.ballot !== message.ballot) return
  election.promises.set(from, message)
  // Its own promise must be among them: it is what keeps this server from using the ballot again after a crash.
  if (!election.promises.has(r.config.self)) return
  const voters = r.config.voters.filter((voter) => election.promises.has(voter))
  const promises = [...election.promises].filter(([server]) => voters.includes(server)).map(([, promise]) => promise)
  const recovered = recover(promises, r.committed + 1, r.config.voters, r.rules)
  if (recovered === null) return
  const { ballot } = election
  r.election = null
  beginStream(r, ballot)
  for (const { slot, batch } of recovered.chosen) {
    take(r, { slot, ballot, batch })
    advanceCommitted(r, slot)
    if (r.end !== null) return
  }
  r.stream.tail = r.committed
  beginLead(r, ballot, recovered, wantsSeal(r) || recovered.isSealed)
}

/** Phase 1 was made while the loglet was not part of the chain, so that there is nothing to take over: leads at once. */
export function onElected(r: Replica, ballot: Ballot): void {
  assert(serverOf(ballot) === r.config.self, "a ballot is its own server's")
  const isFree = r.isVoter && r.lead === null && r.end === null && r.tail === 0
  if (!isFree || r.promised !== ballot || roundOf(ballot) <= r.config.lastRound) return
  r.election = null
  beginStream(r, ballot)
  beginLead(r, ballot, { chosen: [], suffix: [], isSealed: false }, wantsSeal(r))
}

export function onRefuse(r: Replica, _from: number, message: Of<'refuse'>): void {
  if (message.promised > r.seen) r.seen = message.promised
  const { election } = r
  if (r.role === 'candidate' && election?.ballot === message.ballot && message.promised > message.ballot) backOff(r)
}
