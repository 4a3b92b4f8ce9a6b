import type { Effect } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import { LeafDraining } from '../entries/leaves.ts'
import { ShardMoved } from '../entries/shards.ts'
import type { Observed } from '../observed.ts'
import type { StoredShard } from '../registry-state.ts'
import type { KnownLeaf } from './holders.ts'

/** Ends a node's leaf, whose rows are another's by now; its outcome is `LeafLeft`. */
export const END_LEAF = 'scuba.end-leaf'

type Leaving = KnownLeaf & { leaving: NonNullable<KnownLeaf['leaving']> }

export const isLeaving = (leaf: KnownLeaf): leaf is Leaving => leaf.leaving !== null

/**
 * The next step of a leaf that is to go. Copying: until the other one has a copy of all it has, and follows. Draining: it takes no rows any more;
 * what it had unsealed is sealed and copied. Then its shards move.
 */
export function stepOfLeaving(
  leaf: Leaving,
  own: readonly StoredShard[],
  replicas: readonly string[],
  observed: Observed | null,
): Proposal[] {
  const { to, phase, position } = leaf.leaving
  const copy = observed?.copies?.find((one) => one.leaf === to)
  if ((observed?.registryVersion ?? -1) < position || copy?.state !== 'following' || copy.of !== phase) return []
  if (phase === 'copying') return [LeafDraining.of({ leaf: leaf.id })]
  if (copy.waitingBytes > 0) return []
  return own.map(({ id, epoch }) => ShardMoved.of({ shard: id, epoch: epoch + 1, primary: to, replicas: [...replicas] }))
}

/** When the other one has taken all over, the leaf may end. */
export function endOf({ id, node, leaving }: Leaving, shards: readonly StoredShard[], observed: Observed | null): Effect[] {
  const moved = shards.filter(({ primary }) => primary === leaving.to)
  const isDone =
    !shards.some(({ primary }) => primary === id) &&
    moved.length > 0 &&
    moved.every(({ id: shard, position }) => (observed?.registryVersion ?? -1) >= position && observed?.owns?.includes(shard) === true)
  return isDone ? [{ key: `${END_LEAF}/${id}`, kind: END_LEAF, body: { leaf: id, node } }] : []
}
