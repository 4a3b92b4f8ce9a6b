import type { Shard } from '../registry.ts'

/** What becomes of a copy: it stays one, it is this leaf's own now, or nobody wants it here. */
export type Fate = 'kept' | 'ours' | 'dropped'

/**
 * What the map says of a copy that a leaf holds. What the map does not know stays: a leaf is told of it a moment before or after another.
 * @param epochs of the shards whose rows it was when it became whole; null: it is not whole
 */
export function fateOf(shards: readonly Shard[], leaf: string, of: string, epochs: Readonly<Record<string, number>> | null): Fate {
  const owned = shards.filter(({ primary }) => primary === of)
  const isWanted = owned.some(({ replicas }) => replicas.some(({ id }) => id === leaf))
  if (isWanted || shards.length === 0) return 'kept'
  if (epochs === null) return owned.length > 0 ? 'dropped' : 'kept'
  const moved = Object.entries(epochs).map(([id, epoch]) => shards.find((shard) => shard.id === id && shard.epoch > epoch))
  if (moved.some((shard) => shard === undefined)) return 'kept'
  // The owner's shards go together, so one tells of all.
  return owned.length === 0 && moved.some((shard) => shard?.primary === leaf) ? 'ours' : 'dropped'
}

/** Shards that were a leaf's and are another's, while it has none: what it holds of replicated tables is theirs. */
export function supersededBy(shards: readonly Shard[], leaf: string): Shard[] {
  if (shards.some(({ primary }) => primary === leaf)) return []
  return shards.filter(({ id }) => id === leaf || id.startsWith(`${leaf}.`))
}

/** Whether a leaf's shards are all others', so that it has no rows of its own of what is copied. */
export function isWithoutShards(shards: readonly Shard[], leaf: string): boolean {
  return supersededBy(shards, leaf).length > 0
}
