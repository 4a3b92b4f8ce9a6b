import type { Loglet } from '../../../core/contracts/loglet.ts'
import { decodeRecord, encodeRecord } from '../../../core/delos/paxos/codec.ts'
import type { Durable, Write } from '../../../core/delos/paxos/contract.ts'
import type { Accepted } from '../../../core/delos/paxos/messages.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

/** What this server accepted, in the order it did: a slot may stand there again, with a higher ballot. On segment files. */
export interface Journal {
  /** Resolves once the records are on the disk. */
  write(write: Write): Promise<void>
  /** The newest record of a slot; null if it is not there. */
  read(slot: number): Accepted | null
  close(): Promise<void>
}

const READ_ENTRIES = 4096

/** Reads all of it and gives what the machine starts from. */
export function openJournal(loglet: Loglet, firstPosition: number): { journal: Journal; durable: Omit<Durable, 'state'> } {
  /** by slot, the place of its newest record in the files; 0: none */
  const places: number[] = [0]
  const ballots: number[] = [0]
  let committed = 0
  const note = (accepted: Accepted, place: number): void => {
    const { slot, ballot } = accepted
    if (ballot < (ballots[slot] ?? 0)) return
    while (places.length <= slot) {
      places.push(0)
      ballots.push(0)
    }
    places[slot] = place
    ballots[slot] = ballot
  }
  for (let from = loglet.head(); from < loglet.checkTail();) {
    const entries = loglet.readNext(from, READ_ENTRIES)
    for (const { position, payload } of entries) {
      const record = recordOf(payload, position)
      note(record.accepted, position)
      committed = Math.max(committed, record.committed)
    }
    from += entries.length
  }
  const read = (slot: number): Accepted | null => {
    const place = places[slot] ?? 0
    if (place === 0) return null
    const [entry] = loglet.readNext(place, 1)
    return entry === undefined ? null : recordOf(entry.payload, place).accepted
  }
  // What is known to be chosen but is missing here was not on the disk yet when it was said.
  let whole = 0
  while (whole < committed && (places[whole + 1] ?? 0) > 0) whole += 1
  const last = whole === 0 ? null : read(whole)
  const base = { slot: whole, position: last === null ? firstPosition : last.batch.position + last.batch.count }
  const accepted: Accepted[] = []
  for (let slot = whole + 1; slot < places.length; slot += 1) {
    const found = read(slot)
    if (found !== null) accepted.push(found)
  }
  const journal: Journal = {
    write: async (write) => {
      const first = await loglet.append(write.records.map((accepted) => encodeRecord(accepted, write.committed)))
      for (const [i, accepted] of write.records.entries()) note(accepted, first + i)
    },
    read,
    close: () => loglet.close(),
  }
  return { journal, durable: { accepted, committed: whole, base, unknown: [] } }
}

function recordOf(payload: Uint8Array, place: number): { accepted: Accepted; committed: number } {
  const record = decodeRecord(payload)
  if (record === null)
    throw new MusterError('STATE_NEWER', `record ${place} of the quorum's journal is of a version that this program does not know`)
  return record
}
