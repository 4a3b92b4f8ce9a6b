import type { Shard } from '../registry.ts'

/** Head of a batch that another leaf sent on: which shard it is for, and by which epoch. */
export const SHARD_HEAD = 'x-muster-shard'

export const shardHead = ({ id, epoch }: Pick<Shard, 'id' | 'epoch'>): string => `${id} ${epoch}`

type Owned = Pick<Shard, 'id' | 'epoch' | 'primary'> & { leaving?: Shard['leaving'] }

/**
 * Why a leaf must not take a batch; null: it may. By the map it was told last, which it keeps over a crash, it takes rows of shards that are its own, of
 * the same epoch as the sender's; what is sent to it alone while any shard is its own.
 * @param head of a batch that was sent on
 */
export function fenceProblem(shards: readonly Owned[], leaf: string, head: string | undefined): string | null {
  const [id = leaf, epoch] = head?.split(' ') ?? []
  if (shards.some((shard) => shard.primary === leaf && shard.leaving === 'draining'))
    return 'this leaf is leaving, and gives what it has to another one'
  if (head === undefined && shards.some(({ primary }) => primary === leaf)) return null
  const shard = shards.find((one) => one.id === id)
  // A leaf that was told of no map yet is alone; one that is sent rows of a shard it does not know has to be told first.
  if (shard === undefined) return head === undefined ? null : `this leaf knows no shard ${id} yet`
  if (shard.primary !== leaf) return `shard ${id} is of leaf ${shard.primary} since epoch ${shard.epoch}`
  if (epoch !== undefined && Number(epoch) !== shard.epoch) return `shard ${id} has epoch ${shard.epoch}, not ${epoch}`
  return null
}
