import { hashText } from '../../kernel/hash.ts'
import { ranked, type Candidate } from './rendezvous.ts'

/** Parts that all series are divided into. A series is in the same one for ever; a shard has some of them. */
export const SERIES_SLOTS = 1024

/** @param series hash in hex */
export const slotOf = (series: string): number => (Number.parseInt(series.slice(0, 4), 16) || 0) % SERIES_SLOTS

/** Slot → the shard it belongs to. A shard more takes its share of the slots and moves no other. */
export const seriesMap = <C extends Candidate>(shards: readonly C[]): (C | undefined)[] =>
  Array.from({ length: SERIES_SLOTS }, (_, slot) => ranked(`series ${slot}`, shards)[0])

/** Lines of one body, divided: which go to which shard, in their order. */
export function divide<C>(body: Uint8Array, slots: Uint16Array, map: readonly (C | undefined)[]): Map<C, Uint8Array[]> {
  const parts = new Map<C, Uint8Array[]>()
  let from = 0
  let at = 0
  for (let line = 0; line < slots.length; line += 1) {
    at = body.indexOf(0x0a, at) + 1
    const shard = map[slots[line] ?? 0]
    // Neighbours that go to the same shard are one piece.
    if (line + 1 < slots.length && map[slots[line + 1] ?? 0] === shard) continue
    if (shard !== undefined) {
      const pieces = parts.get(shard)
      const piece = body.subarray(from, at)
      if (pieces === undefined) parts.set(shard, [piece])
      else pieces.push(piece)
    }
    from = at
  }
  return parts
}

/** Who the shards were, and under which key a body that was divided among them is known on each. */
export interface Division<C> {
  shards: C[]
  key: string
}

/**
 * How a body may have been divided: by the shards of now, and, while one is younger than keys are remembered, by those that were there before
 * it, newest first. A part is known by the body's digest and by who the shards were: the same key always stands for the same rows, and a try
 * under an older map is recognised.
 */
export function divisionsOf<C extends Candidate>(digest: string, shards: readonly C[], nowMs: number, rememberedMs: number): Division<C>[] {
  const joined = [...new Set(shards.map(({ sinceMs }) => sinceMs))].sort((a, b) => b - a)
  const settled = joined.findIndex((sinceMs) => nowMs - sinceMs >= rememberedMs)
  return joined.slice(0, settled < 0 ? joined.length : settled + 1).map((newestMs) => {
    const those = shards.filter(({ sinceMs }) => sinceMs <= newestMs)
    const ids = those
      .map(({ id }) => id)
      .sort()
      .join()
    // A leaf that was alone knew bodies by their digest.
    return { shards: those, key: those.length === 1 ? digest : `${digest}-${hashText(ids).toString(36)}` }
  })
}
