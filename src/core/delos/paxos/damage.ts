import type { SlotRange } from './messages.ts'

/** Slots about which a server may conclude nothing, because their records are damaged. */

export function isUnknown(ranges: readonly SlotRange[], slot: number): boolean {
  return ranges.some(({ from, to }) => slot >= from && (to === null || slot <= to))
}

/** The ranges without `slot`, which was written again. */
export function withoutSlot(ranges: readonly SlotRange[], slot: number): SlotRange[] {
  return ranges.flatMap((range) => {
    const { from, to } = range
    if (slot < from || (to !== null && slot > to)) return [range]
    const rest: SlotRange[] = []
    if (from < slot) rest.push({ from, to: slot - 1 })
    if (to === null || to > slot) rest.push({ from: slot + 1, to })
    return rest
  })
}

/** The ranges without all slots up to `slot`. */
export function withoutSlotsTo(ranges: readonly SlotRange[], slot: number): SlotRange[] {
  return ranges.flatMap(({ from, to }) => (to !== null && to <= slot ? [] : [{ from: Math.max(from, slot + 1), to }]))
}
