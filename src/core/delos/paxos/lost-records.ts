import type { Ballot } from './ballot.ts'
import type { SlotRange } from './messages.ts'

/** A record of an acceptor's files, and where it stands among them. */
export interface PlacedRecord {
  /** counts the records, in the order they were written */
  place: number
  slot: number
  ballot: Ballot
  /** every slot up to here was known to be chosen when it was written */
  committed: number
}

/** Records `from` to `to` of the files cannot be read; the readable ones next to them, if there are. */
export interface LostRecords {
  from: number
  to: number
  before: PlacedRecord | null
  after: PlacedRecord | null
}

/**
 * Which slots a server may know nothing or too little of because of lost records: any that one of them may have been of, unless
 * a later record of that slot is there.
 * - Between two records of one ballot's stream that are as many slots apart as records are lost, it is those slots.
 * - Else an acceptor wrote only slots above what it knew to be chosen; there is no upper end.
 * @param newest place of the newest readable record of a slot; 0: none
 * @param baseSlot nothing up to here is needed
 * @param lastSlot the highest slot with a readable record
 */
export function slotsOfLost(lost: LostRecords, baseSlot: number, lastSlot: number, newest: (slot: number) => number): SlotRange[] {
  const { from, to, before, after } = lost
  if (to < from) return []
  const isOneStream = before !== null && after !== null && before.ballot === after.ballot && after.slot - before.slot === to - from + 2
  const first = Math.max(baseSlot, isOneStream ? before.slot : (before?.committed ?? 0)) + 1
  const last = isOneStream ? after.slot - 1 : lastSlot
  const ranges: SlotRange[] = []
  for (let slot = first; slot <= last; slot += 1) {
    if (newest(slot) > to) continue
    const open = ranges.at(-1)
    if (open?.to === slot - 1) open.to = slot
    else ranges.push({ from: slot, to: slot })
  }
  if (!isOneStream) ranges.push({ from: Math.max(first, lastSlot + 1), to: null })
  return ranges
}
