import { learnCommitted } from './acceptor.ts'
import { answerAppend, answerRead } from './answers.ts'
import { APPEND_STALL_MS } from './config.ts'
import type { Proposal } from './contract.ts'
import { enqueue, beginSeal, readIndex } from './lead.ts'
import { beginCandidacy, electionAt } from './election.ts'
import type { Batch, Message } from './messages.ts'
import type { Replica } from './state.ts'
import { send } from './writes.ts'

/** What the runtime asks for, here or through the leader. */

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>

export function onPropose(r: Replica, requestId: number, proposal: Proposal): void {
  const asker = { origin: r.config.self, requestId }
  const batch: Batch = { kind: 'batch', position: 0, ...proposal }
  if (r.end !== null) return answerAppend(r, asker, { kind: 'refused', why: 'sealed' })
  if (r.lead !== null) return enqueue(r, r.lead, asker, batch)
  if (r.leader === null) return answerAppend(r, asker, { kind: 'refused', why: 'noLeader' })
  r.nextForwardId += 1
  r.forwarded.set(r.nextForwardId, { requestId, since: r.now })
  send(r, r.leader, { kind: 'forward', requestId: r.nextForwardId, batch })
}

export function onForward(r: Replica, from: number, message: Of<'forward'>): void {
  const asker = { origin: from, requestId: message.requestId }
  if (r.lead !== null) enqueue(r, r.lead, asker, message.batch)
  else answerAppend(r, asker, { kind: 'refused', why: r.end === null ? 'noLeader' : 'sealed' })
}

export function onForwardReply(r: Replica, message: Of<'forwardReply'>): void {
  const { result, ballot, committed } = message
  if (ballot === r.stream.ballot) learnCommitted(r, committed)
  const requestId = r.forwarded.get(message.requestId)?.requestId
  if (requestId === undefined) return
  r.forwarded.delete(message.requestId)
  // The network may have doubled the request: that one copy was refused does not say that none was taken.
  r.out.replies.push({ kind: 'append', requestId, result: result.kind === 'refused' ? { kind: 'unknown' } : result })
}

export function onReadIndex(r: Replica, requestId: number): void {
  const asker = { origin: r.config.self, requestId }
  if (r.end !== null) return answerRead(r, asker, { kind: 'refused', why: 'sealed' })
  if (r.lead !== null) return readIndex(r, r.lead, asker)
  if (r.leader === null) return answerRead(r, asker, { kind: 'refused', why: 'noLeader' })
  r.nextForwardId += 1
  r.forwardedReads.set(r.nextForwardId, { requestId, since: r.now })
  send(r, r.leader, { kind: 'read', requestId: r.nextForwardId })
}

export function onRead(r: Replica, from: number, message: Of<'read'>): void {
  const asker = { origin: from, requestId: message.requestId }
  if (r.lead !== null) readIndex(r, r.lead, asker)
  else answerRead(r, asker, { kind: 'refused', why: r.end === null ? 'noLeader' : 'sealed' })
}

export function onReadReply(r: Replica, message: Of<'readReply'>): void {
  if (message.ballot === r.stream.ballot) learnCommitted(r, message.committed)
  const requestId = r.forwardedReads.get(message.requestId)?.requestId
  if (requestId === undefined) return
  r.forwardedReads.delete(message.requestId)
  r.out.replies.push({ kind: 'read', requestId, result: message.result })
}

export function onSeal(r: Replica, requestId: number): void {
  r.sealWaiters.push(requestId)
  if (r.end !== null) return
  if (r.lead !== null && r.role === 'leader') beginSeal(r, r.lead)
  askSeal(r)
}

/** Asks the leader; without one, becomes it. */
function askSeal(r: Replica): void {
  const takesOver = !r.rules.isSealBoundByLease && r.sealRequestAt > 0
  r.sealRequestAt = r.now + r.config.timers.heartbeatMs
  if (r.lead !== null) {
    if (r.role === 'leader') beginSeal(r, r.lead)
    return
  }
  if (r.leader !== null && !takesOver) send(r, r.leader, { kind: 'sealRequest' })
  else if (r.role === 'follower' && (r.now >= electionAt(r) || takesOver)) beginCandidacy(r, 0)
}

/** Requests whose answer got lost end with an unknown outcome. */
export function tickClients(r: Replica): void {
  if (r.sealWaiters.length > 0 && r.end === null && r.now >= r.sealRequestAt) askSeal(r)
  const isOver = ({ since }: { since: number }): boolean => r.now - since >= APPEND_STALL_MS || r.end !== null
  for (const [id, waiting] of r.forwarded) {
    if (!isOver(waiting)) break
    r.forwarded.delete(id)
    r.out.replies.push({ kind: 'append', requestId: waiting.requestId, result: { kind: 'unknown' } })
  }
  for (const [id, waiting] of r.forwardedReads) {
    if (!isOver(waiting)) break
    r.forwardedReads.delete(id)
    r.out.replies.push({ kind: 'read', requestId: waiting.requestId, result: { kind: 'refused', why: 'noLeader' } })
  }
}

export function clientsWakeAt(r: Replica): number {
  let at = r.sealWaiters.length > 0 && r.end === null ? r.sealRequestAt : Number.MAX_SAFE_INTEGER
  for (const waiting of [r.forwarded, r.forwardedReads]) {
    const oldest = waiting.values().next().value
    if (oldest !== undefined) at = Math.min(at, oldest.since + APPEND_STALL_MS)
  }
  return at
}
