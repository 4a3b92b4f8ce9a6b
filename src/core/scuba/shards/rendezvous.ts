import { xxh32 } from '../../kernel/hash.ts'

const encoder = new TextEncoder()

/** A shard, as far as it matters to which rows go there. */
export interface Candidate {
  id: string
  /** ms, when it was first there to be chosen */
  sinceMs: number
}

/**
 * Shards for a key, the one that it belongs to first: highest random weight (Thaler and Ravishankar, "Using name-based mappings to
 * increase hit rates", 1998). A shard more takes its share of the keys and moves no other.
 */
export function ranked<C extends Candidate>(key: string, shards: readonly C[]): C[] {
  const weight = ({ id }: C): number => xxh32(encoder.encode(`${key}\0${id}`))
  return shards
    .map((shard) => ({ shard, weight: weight(shard) }))
    .sort((a, b) => b.weight - a.weight || (a.shard.id < b.shard.id ? -1 : 1))
    .map(({ shard }) => shard)
}

/**
 * Where a key may be known already: its shard and, while that one is younger than keys are remembered, those that the key belonged to before
 * it was there.
 */
export function mayKnow<C extends Candidate>(order: readonly C[], nowMs: number, rememberedMs: number): C[] {
  const old = order.findIndex(({ sinceMs }) => nowMs - sinceMs >= rememberedMs)
  return order.slice(0, old < 0 ? order.length : old + 1)
}

/** How much a leaf has to do, and what room it has. */
export interface Load {
  /** not sealed yet */
  backlogBytes: number
  /** of its disk */
  freeBytes: number
}

/** The better of two: less to do, then more room. */
export function better<L extends { load: Load }>(a: L, b: L): L {
  if (a.load.backlogBytes !== b.load.backlogBytes) return a.load.backlogBytes < b.load.backlogBytes ? a : b
  return a.load.freeBytes >= b.load.freeBytes ? a : b
}
