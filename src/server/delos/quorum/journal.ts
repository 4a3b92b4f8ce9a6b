import type { Loglet } from '../../../core/contracts/loglet.ts'
import { decodeRecord, encodeRecords } from '../../../core/delos/paxos/codec.ts'
import type { Durable, Write } from '../../../core/delos/paxos/contract.ts'
import { isUnknown } from '../../../core/delos/paxos/damage.ts'
import { slotsOfLost, type LostRecords, type PlacedRecord } from '../../../core/delos/paxos/lost-records.ts'
import type { Accepted } from '../../../core/delos/paxos/messages.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import type { Gap } from '../../../core/delos/log/repair.ts'
import { NO_BASE, readBase, writeBase, type JournalBase } from './journal-base.ts'

/** What this server accepted, in the order it did: a slot may stand there again, with a higher ballot. On segment files. */
export interface Journal {
  /** Resolves once the records are on the disk. */
  write(write: Write): Promise<void>
  /** The newest record of a slot; null if it is not there, or no longer. */
  read(slot: number): Accepted | null
  /** Where it begins: slots up to `slot` are gone. */
  base(): { slot: number; position: number }
  /**
   * Begins after `slot`, which and all before it are chosen and stand somewhere else; `position` is that of the next entry. Segment files of which
   * nothing is needed any more go. Resolves once it is on the disk.
   */
  rebase(slot: number, position: number): Promise<void>
  close(): Promise<void>
}

const READ_ENTRIES = 4096

/** The newest record of each slot above the base: the place where it stands, and its ballot. */
class Places {
  #first: number
  #places: number[] = []
  #ballots: number[] = []

  constructor(baseSlot: number) {
    this.#first = baseSlot + 1
  }

  get lastSlot(): number {
    return this.#first + this.#places.length - 1
  }

  note({ slot, ballot }: Accepted, place: number): void {
    const at = slot - this.#first
    if (at < 0 || ballot < (this.#ballots[at] ?? 0)) return
    while (this.#places.length <= at) {
      this.#places.push(0)
      this.#ballots.push(0)
    }
    this.#places[at] = place
    this.#ballots[at] = ballot
  }

  /** 0: none */
  of(slot: number): number {
    return this.#places[slot - this.#first] ?? 0
  }

  /** Forgets slots up to `slot`. */
  drop(slot: number): void {
    const count = slot + 1 - this.#first
    if (count <= 0) return
    this.#places.splice(0, count)
    this.#ballots.splice(0, count)
    this.#first = slot + 1
  }

  /** The first place that one of these records stands at; null: there are none. */
  least(): number | null {
    let least: number | null = null
    for (const place of this.#places) if (place > 0 && (least === null || place < least)) least = place
    return least
  }
}

/** Reads what is there of it and gives what the machine starts from. `dir` is where its base is kept. */
export function openJournal(
  loglet: Loglet & { gaps: readonly Gap[] },
  dir: string,
  firstPosition: number,
): { journal: Journal; durable: Omit<Durable, 'state'> } {
  let base = readBase(dir) ?? NO_BASE(firstPosition)
  const places = new Places(base.slot)
  const { committed, lost } = readAll(loglet, base, (accepted, place) => places.note(accepted, place))
  const unknown = lost.flatMap((each) => slotsOfLost(each, base.slot, places.lastSlot, (slot) => places.of(slot)))

  const read = (slot: number): Accepted | null => {
    const place = places.of(slot)
    if (place === 0) return null
    const [entry] = loglet.readNext(place, 1)
    return entry === undefined ? null : recordOf(entry.payload, place).accepted
  }
  // What is known to be chosen but is missing here was not on the disk yet when it was said, or it is damaged.
  let whole = base.slot
  while (whole < committed && places.of(whole + 1) > 0 && !isUnknown(unknown, whole + 1)) whole += 1
  const last = whole === base.slot ? null : read(whole)
  const next = last === null ? base.position : last.batch.position + last.batch.count
  // The end of a sealed loglet is given, though it is known to be chosen: by nothing else is it known that nothing may follow.
  const start = { slot: last?.batch.kind === 'end' ? whole - 1 : whole, position: next }
  const accepted: Accepted[] = []
  for (let slot = start.slot + 1; slot <= places.lastSlot; slot += 1) {
    const found = read(slot)
    if (found !== null) accepted.push(found)
  }

  /** First what says where it begins, then the files: a crash between the two leaves more than is needed. */
  const begin = async (slot: number, position: number): Promise<void> => {
    if (slot <= base.slot) return
    places.drop(slot)
    const next = { slot, position, place: places.least() ?? loglet.checkTail() }
    base = next
    await writeBase(dir, next)
    await loglet.prefixTrim(next.place)
  }
  const journal: Journal = {
    write: async (write) => {
      // Copied before it returns.
      const first = await loglet.append(encodeRecords(write.records, write.committed))
      for (const [i, one] of write.records.entries()) places.note(one, first + i)
    },
    read,
    base: () => ({ slot: base.slot, position: base.position }),
    rebase: begin,
    close: () => loglet.close(),
  }
  return { journal, durable: { accepted, committed: whole, base: start, unknown } }
}

/** Gives each readable record, and which are lost: damaged ones, and files that are missing at the beginning. */
function readAll(
  loglet: Loglet & { gaps: readonly Gap[] },
  base: JournalBase,
  note: (accepted: Accepted, place: number) => void,
): { committed: number; lost: LostRecords[] } {
  let committed = 0
  let before: PlacedRecord | null = null
  const lost: LostRecords[] = []
  const gaps = joined([...(loglet.head() > base.place ? [{ from: base.place, to: loglet.head() - 1 }] : []), ...loglet.gaps])
  for (let from = loglet.head(); from < loglet.checkTail();) {
    const gap = gaps.find((one) => one.from <= from && from <= one.to)
    if (gap !== undefined) {
      from = gap.to + 1
      continue
    }
    const end = gaps.find((one) => one.from > from)?.from ?? Number.POSITIVE_INFINITY
    const entries = loglet.readNext(from, Math.min(READ_ENTRIES, end - from))
    for (const { position: place, payload } of entries) {
      const record = recordOf(payload, place)
      const { slot, ballot } = record.accepted
      const placed = { place, slot, ballot, committed: record.committed }
      for (const { from: first, to } of gaps) {
        if (to === place - 1) lost.push({ from: first, to, before, after: placed })
      }
      note(record.accepted, place)
      before = placed
      committed = Math.max(committed, record.committed)
    }
    from += entries.length
  }
  const last = gaps.at(-1)
  if (last !== undefined && last.to === loglet.checkTail() - 1) lost.push({ from: last.from, to: last.to, before, after: null })
  return { committed, lost }
}

/** Gaps in order, those that touch as one, those without a place left out. */
function joined(gaps: readonly { from: number; to: number }[]): { from: number; to: number }[] {
  const whole: { from: number; to: number }[] = []
  for (const { from, to } of gaps) {
    const last = whole.at(-1)
    if (to < from) continue
    if (last !== undefined && from <= last.to + 1) last.to = Math.max(last.to, to)
    else whole.push({ from, to })
  }
  return whole
}

function recordOf(payload: Uint8Array, place: number): { accepted: Accepted; committed: number } {
  const record = decodeRecord(payload)
  if (record === null)
    throw new MusterError('STATE_NEWER', `record ${place} of the quorum's journal is of a version that this program does not know`)
  return record
}
