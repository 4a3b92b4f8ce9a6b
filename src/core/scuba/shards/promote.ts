import type { Observed } from '../observed.ts'
import type { StoredShard } from '../registry-state.ts'
import type { Holder } from './replicas.ts'

/**
 * The leaf that takes a lost one's shards over; null: none can. It says that its copy has been whole since it became one, so that every batch
 * acknowledged by `replicas` is in it; and the lost leaf said last that the copy was following, so that nothing it acknowledged earlier is left behind.
 */
export function chooseSuccessor(
  lost: string,
  shards: readonly StoredShard[],
  leaves: readonly Holder[],
  observed: (leaf: string) => Observed | null,
): string | null {
  const followed = new Set((observed(lost)?.copies ?? []).filter(({ state }) => state === 'following').map(({ leaf }) => leaf))
  const able = leaves.flatMap(({ id, isLost }) => {
    const held = isLost ? undefined : observed(id)?.holds?.find(({ of }) => of === lost)
    if (held === undefined || !followed.has(id)) return []
    const isWhole = shards.every(({ id: shard, replicas }) => {
      const since = replicas[id]
      return since !== undefined && (held.epochs[shard] ?? 0) >= since
    })
    return isWhole ? [{ id, seq: held.seq }] : []
  })
  return able.sort((a, b) => b.seq - a.seq || (a.id < b.id ? -1 : 1))[0]?.id ?? null
}
