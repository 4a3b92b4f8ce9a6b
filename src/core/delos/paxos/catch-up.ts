import { acknowledge, take } from './acceptor.ts'
import { advanceCommitted, sliceOf } from './chosen.ts'
import { withoutSlotsTo } from './damage.ts'
import { CHUNK_BATCHES_MAX, CHUNK_BYTES_MAX } from './config.ts'
import { stepDown } from './lead-end.ts'
import type { Accepted, Message } from './messages.ts'
import type { Replica } from './state.ts'
import { send, writeState } from './writes.ts'

/** What is chosen is told to who lacks it, without a leader: what is chosen stays so. */

/** Sends chosen batches from `from` on, one chunk; those no longer in memory are asked from the files first. */
export function teach(r: Replica, to: number, from: number): void {
  if (from > r.committed) return
  if (from < r.logFrom) {
    r.out.load.push({ peer: to, from, bytesMax: CHUNK_BYTES_MAX })
    return
  }
  const batches = sliceOf(r, from, r.committed, CHUNK_BATCHES_MAX, CHUNK_BYTES_MAX)
  send(r, to, { kind: 'learn', batches, committed: r.committed })
}

/** The files gave what `teach` asked for. */
export function onLoaded(r: Replica, peer: number, batches: Accepted[]): void {
  const progress = r.lead?.peers.get(peer)
  if (progress !== undefined) progress.isLoading = false
  if (batches.length === 0) r.out.notices.push({ kind: 'needsSnapshot', peer })
  else send(r, peer, { kind: 'learn', batches, committed: r.committed })
}

export function onFetch(r: Replica, from: number, message: Extract<Message, { kind: 'fetch' }>): void {
  teach(r, from, message.from)
}

export function onLearn(r: Replica, from: number, message: Extract<Message, { kind: 'learn' }>): void {
  const { batches } = message
  if (r.lead !== null) {
    // A leader knows what is chosen up to its own ballot; above it, it leads no more.
    if (!batches.some(({ ballot }) => r.lead !== null && ballot > r.lead.ballot)) return
    stepDown(r, 'higherBallot')
  }
  for (const accepted of batches) {
    if (accepted.slot !== r.committed + 1) continue
    const mine = r.log.get(accepted.slot)
    // A higher ballot here holds the same batch: it was proposed after the choice.
    if (mine === undefined || mine.ballot < accepted.ballot) take(r, accepted)
    advanceCommitted(r, accepted.slot)
    if (r.end !== null) return
  }
  if (r.committed < message.committed && batches.length > 0) send(r, from, { kind: 'fetch', from: r.committed + 1 })
}

/** What a snapshot holds is chosen: this server's log begins after it. */
export function onInstalled(r: Replica, slot: number, position: number): void {
  // Who leads knows all that is chosen.
  if (slot <= r.committed || r.lead !== null) return
  for (const known of [...r.log.keys()]) if (known <= slot) r.log.delete(known)
  r.committed = slot
  r.nextPosition = position
  r.logFrom = slot + 1
  r.cacheBytes = 0
  r.tail = Math.max(r.tail, slot)
  r.stream.tail = Math.max(r.stream.tail, slot)
  r.stream.synced = Math.max(r.stream.synced, slot)
  if (r.unknown.length > 0) {
    r.unknown = withoutSlotsTo(r.unknown, slot)
    r.unknownOnDisk = r.unknown
    writeState(r)
  }
  acknowledge(r, true)
}
