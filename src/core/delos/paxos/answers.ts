import type { AppendResult, ReadResult } from './messages.ts'
import type { Asker, Replica } from './state.ts'
import { send } from './writes.ts'

/** Answers go to this server's own runtime, or back to the server that forwarded the request. */

export function answerAppend(r: Replica, asker: Asker, result: AppendResult): void {
  const { origin, requestId } = asker
  if (origin === r.config.self) r.out.replies.push({ kind: 'append', requestId, result })
  else send(r, origin, { kind: 'forwardReply', requestId, result, ballot: r.lead?.ballot ?? 0, committed: r.committed })
}

export function answerRead(r: Replica, asker: Asker, result: ReadResult): void {
  const { origin, requestId } = asker
  if (origin === r.config.self) r.out.replies.push({ kind: 'read', requestId, result })
  else send(r, origin, { kind: 'readReply', requestId, result, ballot: r.lead?.ballot ?? 0, committed: r.committed })
}

/** The server that requests were forwarded to is not, or not known to be, the leader any more. */
export function setLeader(r: Replica, leader: number | null): void {
  if (r.leader === leader) return
  r.leader = leader
  for (const { requestId } of r.forwarded.values()) r.out.replies.push({ kind: 'append', requestId, result: { kind: 'unknown' } })
  for (const { requestId } of r.forwardedReads.values()) {
    r.out.replies.push({ kind: 'read', requestId, result: { kind: 'refused', why: 'noLeader' } })
  }
  r.forwarded.clear()
  r.forwardedReads.clear()
}
