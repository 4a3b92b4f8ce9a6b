import type { Output } from './contract.ts'
import type { Accepted, Message } from './messages.ts'
import type { Replica } from './state.ts'

/** What goes to disk together in one step, and what waits for it. */

export function emptyOutput(): Output {
  return { persist: [], send: [], replies: [], committed: [], load: [], notices: [], wakeAt: Number.MAX_SAFE_INTEGER }
}

export function send(r: Replica, to: number, message: Message): void {
  if (to === r.config.self) r.loopback.push(message)
  else r.out.send.push({ to, message })
}

export function writeState(r: Replica): void {
  r.draft.hasState = true
}

export function writeRecord(r: Replica, accepted: Accepted): void {
  r.draft.records.push(accepted)
}

/** Sends when the promise and the seal as they are now are on disk; at once if they are. */
export function sendPromised(r: Replica, to: number, message: Message): void {
  if (!r.rules.promiseWaitsForDisk) return send(r, to, message)
  if (r.draft.hasState) r.draft.after.push({ to, message })
  else if (r.lastStateWriteId > r.persistedUpTo) r.pending.find(({ id }) => id === r.lastStateWriteId)?.after.push({ to, message })
  else send(r, to, message)
}

/** Gives out what this step has to write. */
export function flushDraft(r: Replica): void {
  const { hasState, records, after } = r.draft
  if (!hasState && records.length === 0) return
  r.lastWriteId += 1
  if (hasState) r.lastStateWriteId = r.lastWriteId
  const state = hasState ? { promised: r.promised, isSealed: r.isSealed, unknown: r.unknownOnDisk } : null
  r.out.persist.push({ id: r.lastWriteId, state, records, committed: r.committed })
  r.pending.push({ id: r.lastWriteId, hasState, ballot: r.stream.ballot, tail: r.stream.tail, after })
  r.draft = { hasState: false, records: [], after: [] }
}

/** Everything up to write `upTo` is on disk. */
export function onPersisted(r: Replica, upTo: number): void {
  r.persistedUpTo = Math.max(r.persistedUpTo, upTo)
  while (r.pending[0] !== undefined && r.pending[0].id <= upTo) {
    const write = r.pending.shift()
    if (write === undefined) break
    if (write.ballot === r.stream.ballot) r.stream.synced = Math.max(r.stream.synced, write.tail)
    for (const { to, message } of write.after) send(r, to, message)
  }
  if (r.pending.length === 0 && r.unknown.length + r.unknownOnDisk.length > 0 && r.unknown !== r.unknownOnDisk) {
    r.unknownOnDisk = r.unknown
    writeState(r)
  }
}
