import { must } from '../../kernel/assert.ts'
import type { Prng } from '../../kernel/prng.ts'
import { acknowledge, onAccept, onHeartbeat, onPrepare } from './acceptor.ts'
import { setLeader } from './answers.ts'
import { ballotOf, roundOf, type Ballot } from './ballot.ts'
import { onFetch, onInstalled, onLearn, onLoaded } from './catch-up.ts'
import { onForward, onForwardReply, onRead, onReadIndex, onPropose, onReadReply, onSeal, tickClients, clientsWakeAt } from './clients.ts'
import { sizeOf } from './chosen.ts'
import { checkConfig, majorityOf, type LogletConfig } from './config.ts'
import type { Durable, Input, Output } from './contract.ts'
import { beginCandidacy, electionAt, onElected, onProbe, onProbeReply, onPromise, onRefuse, onTakeOver, tickElection } from './election.ts'
import { stepDown } from './lead-end.ts'
import { beginMove, beginSeal, countCommitted, onAccepted, onHeartbeatReply, tickLead } from './lead.ts'
import type { Message } from './messages.ts'
import { RULES, type Rules } from './rules.ts'
import type { Lead, Replica, Role } from './state.ts'
import { emptyOutput, flushDraft, onPersisted, writeRecord } from './writes.ts'

export type { Replica } from './state.ts'

/**
 * One server's part in one loglet, as its files left it (`contract.ts` says what is wanted of who runs it).
 * @param now monotonic ms; every input's `now` is at or after it
 * @param rules never anything but the default outside the simulator
 */
export function createReplica(config: LogletConfig, durable: Durable, prng: Prng, now: number, rules: Rules = RULES): Replica {
  checkConfig(config)
  const highest = durable.accepted.reduce((ballot, accepted) => Math.max(ballot, accepted.ballot), durable.state.promised)
  const { suspectMs, suspectJitterMs, leaseMs } = config.timers
  // A server that never promised anything can have promised no lease.
  const graceMs = highest === 0 || durable.isUnused === true ? 0 : rules.graceMs(leaseMs)
  const unknown = [...durable.state.unknown, ...durable.unknown].map((range) => ({ ...range }))
  const r: Replica = {
    config,
    rules,
    prng,
    isVoter: config.voters.includes(config.self),
    now,
    role: 'follower',
    promised: highest,
    // A leader that seals leaves no other word of it here than the end itself.
    isSealed: rules.isSealSticky && (durable.state.isSealed || durable.accepted.some(({ batch }) => batch.kind === 'end')),
    promisedAtStart: highest,
    log: new Map(durable.accepted.filter(({ slot }) => slot > durable.base.slot).map((accepted) => [accepted.slot, accepted])),
    logFrom: durable.base.slot + 1,
    tail: durable.base.slot,
    stream: { ballot: highest, tail: durable.base.slot, synced: durable.base.slot },
    unknown,
    unknownOnDisk: unknown,
    leasePromise: { ballot: 0, until: 0 },
    graceUntil: now + graceMs,
    committed: durable.base.slot,
    nextPosition: durable.base.position,
    cacheBytes: 0,
    end: null,
    leader: null,
    heardAt: graceMs === 0 ? now - suspectMs : now,
    suspectAt: now + suspectMs + prng.below(suspectJitterMs + 1),
    seen: Math.max(highest, ballotOf(config.lastRound, 1)),
    election: null,
    lead: null,
    forwarded: new Map(),
    forwardedReads: new Map(),
    nextForwardId: prng.below(2 ** 31) * 2 ** 21,
    sealWaiters: [],
    sealRequestAt: 0,
    draft: { hasState: durable.unknown.length > 0, records: [], after: [] },
    pending: [],
    lastWriteId: 0,
    lastStateWriteId: 0,
    persistedUpTo: 0,
    loopback: [],
    out: emptyOutput(),
  }
  for (const slot of r.log.keys()) r.tail = Math.max(r.tail, slot)
  restoreChosen(r, durable.committed)
  restoreStream(r)
  return r
}

/** What the files know to be chosen is not told again. */
function restoreChosen(r: Replica, committed: number): void {
  for (let slot = r.committed + 1; slot <= committed; slot += 1) {
    const accepted = r.log.get(slot)
    if (accepted === undefined) return
    r.committed = slot
    r.nextPosition += accepted.batch.count
    r.cacheBytes += sizeOf(accepted.batch)
    if (accepted.batch.kind === 'end' && r.rules.isSealSticky) {
      r.end = slot
      r.role = 'sealed'
    }
  }
}

/** The stream of the promised ballot goes on where its records end. */
function restoreStream(r: Replica): void {
  let tail = r.committed
  while (r.log.get(tail + 1)?.ballot === r.promised) tail += 1
  r.stream = { ballot: r.promised, tail, synced: tail }
}

/** Takes one input. Changes `r`; the output is the caller's to carry out before the next input. */
export function step(r: Replica, input: Input): Output {
  r.out = emptyOutput()
  if (input.now > r.now) r.now = input.now
  // Damage found at start is noted in a write of its own, before anything else.
  flushDraft(r)
  take(r, input)
  for (let message = r.loopback.shift(); message !== undefined; message = r.loopback.shift()) onMessage(r, r.config.self, message)
  if (r.end !== null && r.role !== 'sealed') becomeSealed(r)
  if (r.end !== null) answerSeals(r)
  flushDraft(r)
  r.out.wakeAt = wakeAt(r)
  return r.out
}

function take(r: Replica, input: Input): void {
  switch (input.kind) {
    case 'tick':
      return onTick(r)
    case 'message':
      return onMessage(r, input.from, input.message)
    case 'persisted':
      return onWritten(r, input.upTo)
    case 'propose':
      return onPropose(r, input.requestId, input.proposal)
    case 'seal':
      return onSeal(r, input.requestId)
    case 'readIndex':
      return onReadIndex(r, input.requestId)
    case 'moveLeader':
      return r.lead === null ? undefined : beginMove(r, r.lead, input.to)
    case 'campaign':
      return beginCandidacy(r, 0)
    case 'elected':
      return onElected(r, input.ballot)
    case 'socketReset':
      return onSocketReset(r, input.peer)
    case 'dropLease':
      return dropLease(r)
    case 'installed':
      return onInstalled(r, input.slot, input.position)
    case 'loaded':
      return onLoaded(r, input.peer, input.batches)
  }
}

function onMessage(r: Replica, from: number, message: Message): void {
  switch (message.kind) {
    case 'probe':
      return onProbe(r, from, message)
    case 'probeReply':
      return onProbeReply(r, from, message)
    case 'prepare':
      return onPrepare(r, from, message)
    case 'promise':
      return onPromise(r, from, message)
    case 'refuse':
      return onRefused(r, from, message)
    case 'accept':
      return onAccept(r, from, message)
    case 'accepted':
      return onAccepted(r, from, message)
    case 'heartbeat':
      return onHeartbeat(r, from, message)
    case 'heartbeatReply':
      return onHeartbeatReply(r, from, message)
    case 'forward':
      return onForward(r, from, message)
    case 'forwardReply':
      return onForwardReply(r, message)
    case 'read':
      return onRead(r, from, message)
    case 'readReply':
      return onReadReply(r, message)
    case 'sealRequest':
      return r.lead === null || r.role !== 'leader' ? undefined : beginSeal(r, r.lead)
    case 'fetch':
      return onFetch(r, from, message)
    case 'learn':
      return onLearn(r, from, message)
    case 'takeOver':
      return onTakeOver(r, message)
  }
}

function onRefused(r: Replica, from: number, message: Extract<Message, { kind: 'refuse' }>): void {
  onRefuse(r, from, message)
  const { lead } = r
  if (lead === null || message.ballot !== lead.ballot) return
  if (message.promised > lead.ballot) outbid(r, lead)
  // Someone began a seal: it is carried out, in this ballot.
  else if (message.isSealed && r.role === 'leader') beginSeal(r, lead)
}

/**
 * One server promised a higher ballot, perhaps its own, and takes nothing from this leader any more; only a still higher ballot brings it back.
 * Nobody else may begin while those who follow are bound by their lease, so it is this leader's to do, and at once. Not before a majority
 * follows or a heartbeat has passed: the other may have won, whose heartbeat then ends this lead, and two that outbid each other never end.
 */
function outbid(r: Replica, lead: Lead): void {
  if (lead.majorityTick === 0 && lead.tick < 2) return
  stepDown(r, 'higherBallot')
  beginCandidacy(r, 0)
}

function onTick(r: Replica): void {
  tickClients(r)
  if (r.end !== null) return
  if (r.lead !== null) tickLead(r, r.lead)
  else tickElection(r)
}

/** Answers to heartbeats that left before now prove nothing about the time since. */
function dropLease(r: Replica): void {
  if (r.lead === null) return
  r.lead.leaseUntil = 0
  r.lead.sentAt.clear()
}

function onWritten(r: Replica, upTo: number): void {
  const before = r.rules.ackable(r.stream)
  onPersisted(r, upTo)
  if (r.lead !== null) countCommitted(r, r.lead)
  else if (r.stream.synced > before) acknowledge(r, false)
}

function onSocketReset(r: Replica, peer: number): void {
  const progress = r.lead?.peers.get(peer)
  if (progress !== undefined) {
    progress.next = progress.synced + 1
    progress.inFlight = []
    progress.isLoading = false
  }
  if (r.leader !== peer || r.lead !== null) return
  // It does not come back as the leader it was: asks for an election as soon as its lease is over.
  setLeader(r, null)
  r.heardAt = Math.min(r.heardAt, r.now - r.config.timers.suspectMs)
  r.suspectAt = Math.max(r.now, r.leasePromise.until) + r.prng.below(Math.ceil(r.config.timers.suspectJitterMs / 2) + 1)
}

function becomeSealed(r: Replica): void {
  // Written once more, so that this server knows the end after its death without the others: they may be gone from the members by then.
  const end = must(r.log.get(r.committed), `slot ${r.committed}`)
  if (!r.draft.records.some(({ slot }) => slot === end.slot)) writeRecord(r, end)
  stepDown(r, 'sealed')
  r.election = null
  r.role = 'sealed'
  setLeader(r, null)
}

function answerSeals(r: Replica): void {
  for (const requestId of r.sealWaiters.splice(0)) {
    r.out.replies.push({
      kind: 'seal',
      requestId,
      slot: r.committed,
      position: r.nextPosition,
      round: roundOf(Math.max(r.promised, r.seen)),
    })
  }
}

function wakeAt(r: Replica): number {
  const clients = clientsWakeAt(r)
  if (r.end !== null) return clients
  if (r.lead !== null) {
    const { nextHeartbeatAt, moving, majoritySentAt } = r.lead
    const alone = majorityOf(r.config.voters) === 1
    const endAt = alone ? nextHeartbeatAt : majoritySentAt + r.config.timers.leaseMs
    return Math.min(clients, nextHeartbeatAt, endAt, moving?.until ?? nextHeartbeatAt)
  }
  if (r.election !== null) return Math.min(clients, r.election.until, r.election.resendAt)
  return Math.min(clients, r.isVoter ? electionAt(r) : r.suspectAt)
}

/**
 * Whether a read of the state as it is now may be answered without asking anyone. Read the state first, take the time
 * after that, ask this last: a process paused in between must not answer.
 */
export function leaseHolds(r: Replica, now: number): boolean {
  return r.lead !== null && r.role === 'leader' && r.end === null && now < r.lead.leaseUntil
}

/** Whether this server knows all of a sealed loglet by itself, whatever becomes of the others and of this process. */
export function endIsOnDisk(r: Replica): boolean {
  return r.end !== null && r.pending.length === 0
}

export interface Status {
  role: Role
  leader: number | null
  promised: Ballot
  round: number
  committed: number
  tail: number
  isSealed: boolean
  end: number | null
  peers: { server: number; synced: number; answeredTick: number }[]
}

export function statusOf(r: Replica): Status {
  const peers = [...(r.lead?.peers ?? [])].map(([server, { synced, answeredTick }]) => ({ server, synced, answeredTick }))
  const { role, leader, promised, committed, tail, isSealed, end } = r
  return { role, leader, promised, round: roundOf(promised), committed, tail, isSealed, end, peers }
}
