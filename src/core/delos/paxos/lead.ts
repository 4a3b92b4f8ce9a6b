import { take } from './acceptor.ts'
import { answerAppend, answerRead, setLeader } from './answers.ts'
import type { Ballot } from './ballot.ts'
import { advanceCommitted, positionAfter, sizeOf, sliceOf } from './chosen.ts'
import {
  APPEND_STALL_MS,
  CHUNK_BATCHES_MAX,
  CHUNK_BYTES_MAX,
  IN_FLIGHT_MAX,
  LEASE_MARGIN,
  QUEUE_BATCHES_MAX,
  QUEUE_BYTES_MAX,
  READS_WAITING_MAX,
  WINDOW_BATCHES_MAX,
  WINDOW_BYTES_MAX,
  majorityOf,
} from './config.ts'
import { stepDown } from './lead-end.ts'
import type { Batch, Message } from './messages.ts'
import type { Recovered } from './recovery.ts'
import type { Asker, Lead, Progress, Replica } from './state.ts'
import { send } from './writes.ts'

/** The leader: proposes in slot order, keeps every other server's stream full, counts acknowledgements, holds the lease. */

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>

/** Heartbeats whose sending time is remembered; an answer to an older one counts no more. */
const TICKS_MAX = 128

const EMPTY = new Uint8Array(0)
const filler = (kind: 'noop' | 'end'): Omit<Batch, 'position'> => ({ kind, count: 0, proposerId: 0, seq: 0, payload: EMPTY })

/** Phase 1 is over: proposes again what it found, then an entry of its own; serves when that is chosen. */
export function beginLead(r: Replica, ballot: Ballot, recovered: Recovered, isSealing: boolean): void {
  const peers = new Map<number, Progress>()
  for (const server of [...r.config.voters, ...r.config.learners]) {
    if (server !== r.config.self) peers.set(server, progressFrom(r.committed + 1))
  }
  const lead: Lead = {
    ballot,
    ownSlot: 0,
    peers,
    tick: 0,
    sentAt: new Map(),
    nextHeartbeatAt: r.now,
    majorityTick: 0,
    majoritySentAt: r.now,
    leaseUntil: 0,
    isSealing: isSealing || recovered.suffix.at(-1)?.kind === 'end',
    queue: [],
    queueBytes: 0,
    waiting: new Map(),
    reads: [],
    moving: null,
  }
  r.lead = lead
  r.role = 'recovering'
  setLeader(r, r.config.self)
  for (const batch of recovered.suffix) propose(r, batch ?? filler('noop'))
  const hasEnd = recovered.suffix.at(-1)?.kind === 'end'
  if (!hasEnd || !r.rules.isSealSticky) propose(r, filler(isSealing ? 'end' : 'noop'))
  lead.ownSlot = r.stream.tail
  heartbeat(r, lead)
  flowAll(r, lead)
  r.out.notices.push({ kind: 'leading', ballot })
  countCommitted(r, lead)
}

function progressFrom(next: number): Progress {
  return { synced: 0, next, inFlight: [], sentAtTick: 0, answeredTick: 0, isLoading: false }
}

/** Gives the next slot to a batch. */
function propose(r: Replica, batch: Omit<Batch, 'position'>): number {
  const slot = r.stream.tail + 1
  take(r, { slot, ballot: r.stream.ballot, batch: { ...batch, position: positionAfter(r, slot - 1) } })
  r.stream.tail = slot
  return slot
}

// --- appends

export function enqueue(r: Replica, lead: Lead, asker: Asker, batch: Batch): void {
  if (lead.isSealing) return answerAppend(r, asker, { kind: 'refused', why: 'sealed' })
  if (lead.queue.length >= QUEUE_BATCHES_MAX || lead.queueBytes + sizeOf(batch) > QUEUE_BYTES_MAX) {
    return answerAppend(r, asker, { kind: 'refused', why: 'busy' })
  }
  lead.queue.push({ asker, batch, since: r.now })
  lead.queueBytes += sizeOf(batch)
  pump(r, lead)
}

/** Proposes what waits, as far as the window allows. */
function pump(r: Replica, lead: Lead): void {
  // Also behind an own entry that is not chosen yet: they are chosen in order. Only reads have to wait for it.
  if (lead.isSealing || lead.moving !== null) return
  let underWay = 0
  for (let slot = r.committed + 1; slot <= r.stream.tail; slot += 1) underWay += sizeOf((r.log.get(slot) as { batch: Batch }).batch)
  let proposed = 0
  while (proposed < lead.queue.length && r.stream.tail - r.committed < WINDOW_BATCHES_MAX && underWay < WINDOW_BYTES_MAX) {
    const queued = lead.queue[proposed]
    if (queued === undefined) break
    proposed += 1
    underWay += sizeOf(queued.batch)
    lead.queueBytes -= sizeOf(queued.batch)
    const slot = propose(r, queued.batch)
    lead.waiting.set(slot, { asker: queued.asker, since: queued.since })
  }
  if (proposed === 0) return
  lead.queue.splice(0, proposed)
  flowAll(r, lead)
  countCommitted(r, lead)
}

/** Ends the loglet behind what was proposed; what waits is refused. */
export function beginSeal(r: Replica, lead: Lead): void {
  if (lead.isSealing) return
  lead.isSealing = true
  for (const { asker } of lead.queue.splice(0)) answerAppend(r, asker, { kind: 'refused', why: 'sealed' })
  propose(r, filler('end'))
  flowAll(r, lead)
  countCommitted(r, lead)
}

// --- streams

function flowAll(r: Replica, lead: Lead): void {
  for (const [server, progress] of lead.peers) flow(r, lead, server, progress)
}

/** Sends a server what it lacks, as far as its window allows. A learner gets what is chosen, nothing else. */
function flow(r: Replica, lead: Lead, server: number, progress: Progress): void {
  const last = r.rules.votersOf(r.config).includes(server) ? r.stream.tail : r.committed
  while (progress.next <= last && progress.inFlight.length < IN_FLIGHT_MAX) {
    if (progress.next < r.logFrom) {
      if (!progress.isLoading) r.out.load.push({ peer: server, from: progress.next, bytesMax: CHUNK_BYTES_MAX })
      progress.isLoading = true
      return
    }
    const batches = sliceOf(r, progress.next, last, CHUNK_BATCHES_MAX, CHUNK_BYTES_MAX)
    const lastSlot = progress.next + batches.length - 1
    progress.next = lastSlot + 1
    progress.inFlight.push(lastSlot)
    progress.sentAtTick = lead.tick
    // What was chosen before this ballot goes out in this ballot too: it holds in every one.
    const own = batches.map((accepted) => (accepted.ballot === lead.ballot ? accepted : { ...accepted, ballot: lead.ballot }))
    send(r, server, { kind: 'accept', ballot: lead.ballot, committed: r.committed, isSealing: lead.isSealing, batches: own })
  }
}

function rewind(progress: Progress, tail: number): void {
  progress.next = tail + 1
  progress.inFlight = []
}

export function onAccepted(r: Replica, from: number, message: Of<'accepted'>): void {
  const { lead } = r
  const progress = lead?.peers.get(from)
  if (lead === null || progress === undefined || message.ballot !== lead.ballot) return
  hear(r, progress, message.synced, message.tail)
  if (message.isGap && message.tail + 1 < progress.next) rewind(progress, message.tail)
  flow(r, lead, from, progress)
  countCommitted(r, lead)
}

function hear(r: Replica, progress: Progress, synced: number, tail: number): void {
  if (synced > progress.synced) progress.synced = Math.min(synced, r.stream.tail)
  if (tail >= progress.next) progress.next = Math.min(tail, r.stream.tail) + 1
  while (progress.inFlight[0] !== undefined && progress.inFlight[0] <= tail) progress.inFlight.shift()
}

/** Chosen is what a majority of the voters has on disk in this ballot; the leader's own disk is one of them, no more. */
export function countCommitted(r: Replica, lead: Lead): void {
  const acks = new Map<number, number>([[r.config.self, r.rules.ackable(r.stream)]])
  for (const [server, { synced }] of lead.peers) acks.set(server, synced)
  const ranked = r.rules.tally(acks, r.rules.votersOf(r.config), r.config.self).sort((a, b) => b - a)
  const upTo = ranked[majorityOf(r.config.voters) - 1] ?? 0
  if (upTo <= r.committed) return finishMove(r, lead)
  const before = r.committed
  advanceCommitted(r, upTo)
  for (let slot = before + 1; slot <= r.committed; slot += 1) {
    const waiting = lead.waiting.get(slot)
    const batch = r.out.committed.find((accepted) => accepted.slot === slot)?.batch
    if (waiting === undefined || batch === undefined) continue
    lead.waiting.delete(slot)
    answerAppend(r, waiting.asker, { kind: 'appended', slot, position: batch.position, count: batch.count })
  }
  if (r.role === 'recovering' && r.committed >= lead.ownSlot) r.role = 'leader'
  if (r.end !== null) return announceEnd(r, lead)
  for (const learner of r.config.learners) {
    const progress = lead.peers.get(learner)
    if (progress !== undefined) flow(r, lead, learner, progress)
  }
  finishMove(r, lead)
  pump(r, lead)
}

/** The end is chosen: nobody serves from here on, this server included; the others hear of it at once. */
function announceEnd(r: Replica, lead: Lead): void {
  for (const [server, progress] of lead.peers) {
    flow(r, lead, server, progress)
    send(r, server, { kind: 'accept', ballot: lead.ballot, committed: r.committed, isSealing: true, batches: [] })
  }
  stepDown(r, 'sealed')
}

// --- heartbeats, lease, reads

function heartbeat(r: Replica, lead: Lead): void {
  lead.tick += 1
  lead.sentAt.set(lead.tick, r.now)
  lead.sentAt.delete(lead.tick - TICKS_MAX)
  lead.nextHeartbeatAt = r.now + r.config.timers.heartbeatMs
  // The leader's own acceptor promises the lease like the others.
  r.leasePromise = { ballot: lead.ballot, until: r.now + r.config.timers.leaseMs }
  const { ballot, tick, isSealing } = lead
  for (const server of lead.peers.keys()) {
    send(r, server, { kind: 'heartbeat', ballot, tick, committed: r.committed, isServing: r.role === 'leader', isSealing })
  }
  if (majorityOf(r.config.voters) === 1) countHeartbeats(r, lead)
}

export function onHeartbeatReply(r: Replica, from: number, message: Of<'heartbeatReply'>): void {
  const { lead } = r
  const progress = lead?.peers.get(from)
  if (lead === null || progress === undefined || message.ballot !== lead.ballot) return
  hear(r, progress, message.synced, message.tail)
  if (message.tick > progress.answeredTick) {
    progress.answeredTick = message.tick
    // An accept sent before this heartbeat did not arrive before it: it is lost.
    if (message.tick > progress.sentAtTick && message.tail + 1 < progress.next) rewind(progress, message.tail)
  }
  flow(r, lead, from, progress)
  countHeartbeats(r, lead)
  countCommitted(r, lead)
}

function countHeartbeats(r: Replica, lead: Lead): void {
  const answered = new Map<number, number>([[r.config.self, lead.tick]])
  for (const [server, { answeredTick }] of lead.peers) answered.set(server, answeredTick)
  const ticks = r.rules.tally(answered, r.rules.votersOf(r.config), r.config.self).sort((a, b) => b - a)
  const tick = ticks[majorityOf(r.config.voters) - 1] ?? 0
  if (tick <= lead.majorityTick) return
  lead.majorityTick = tick
  const sentAt = lead.sentAt.get(tick)
  if (sentAt !== undefined) {
    lead.majoritySentAt = sentAt
    const leaseFrom = r.rules.leaseFrom(sentAt, r.now)
    if (lead.moving === null) lead.leaseUntil = Math.max(lead.leaseUntil, leaseFrom + r.config.timers.leaseMs * (1 - LEASE_MARGIN))
  }
  r.heardAt = r.now
  if (r.role !== 'leader') return
  const ready = lead.reads.filter((read) => read.tick <= tick)
  if (ready.length === 0) return
  lead.reads = lead.reads.filter((read) => read.tick > tick)
  for (const { asker } of ready) answerRead(r, asker, { kind: 'readable', slot: r.committed })
  if (lead.reads.some((read) => read.tick > lead.tick)) heartbeat(r, lead)
}

/** One heartbeat for all reads that wait: its answers prove that this server led after they were asked. */
export function readIndex(r: Replica, lead: Lead, asker: Asker): void {
  if (r.role !== 'leader') return answerRead(r, asker, { kind: 'refused', why: 'noLeader' })
  if (lead.reads.length >= READS_WAITING_MAX) return answerRead(r, asker, { kind: 'refused', why: 'busy' })
  const isUnderWay = lead.reads.some(({ tick }) => tick === lead.tick)
  lead.reads.push({ asker, tick: lead.tick + 1 })
  // While one round is under way the next waits for it, or for the regular heartbeat: they stay few under load.
  if (!isUnderWay || majorityOf(r.config.voters) === 1) heartbeat(r, lead)
}

export function tickLead(r: Replica, lead: Lead): void {
  if (r.now - lead.majoritySentAt >= r.config.timers.leaseMs && majorityOf(r.config.voters) > 1) return stepDown(r, 'noMajority')
  if (lead.moving !== null && r.now >= lead.moving.until) {
    lead.moving = null
    pump(r, lead)
  }
  const oldest = Math.min(...[...lead.waiting.values(), ...lead.queue.slice(0, 1)].map(({ since }) => since))
  if (r.now - oldest >= APPEND_STALL_MS) {
    r.out.notices.push({ kind: 'stalled', dump: dumpOf(r, lead) })
    return stepDown(r, 'stalled')
  }
  if (r.now >= lead.nextHeartbeatAt) heartbeat(r, lead)
}

function dumpOf(r: Replica, lead: Lead): string {
  const { role, now, promised, committed, stream, pending, lastWriteId, persistedUpTo } = r
  const { ballot, ownSlot, tick, majorityTick, isSealing, moving } = lead
  return JSON.stringify({
    ...{ role, now, promised, committed, stream, lastWriteId, persistedUpTo, writesUnderWay: pending.length },
    ...{ ballot, ownSlot, tick, majorityTick, isSealing, moving, waiting: lead.waiting.size, queued: lead.queue.length },
    peers: [...lead.peers],
  })
}

// --- handing over

export function beginMove(r: Replica, lead: Lead, to: number): void {
  if (r.role !== 'leader' || lead.isSealing || to === r.config.self || !r.config.voters.includes(to)) return
  lead.moving = { to, until: r.now + r.config.timers.leaseMs }
  finishMove(r, lead)
}

/** When the next leader has everything and nothing is under way: gives the lease up and tells it to begin. */
function finishMove(r: Replica, lead: Lead): void {
  const { moving } = lead
  if (moving === null || r.lead !== lead || r.committed < r.stream.tail) return
  if ((lead.peers.get(moving.to)?.synced ?? 0) < r.committed) return
  send(r, moving.to, { kind: 'accept', ballot: lead.ballot, committed: r.committed, isSealing: false, batches: [] })
  send(r, moving.to, { kind: 'takeOver', released: lead.ballot })
  r.leasePromise = { ballot: 0, until: 0 }
  stepDown(r, 'moved')
}
