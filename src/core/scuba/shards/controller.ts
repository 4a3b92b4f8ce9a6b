import type { Controller } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { ShardMoved } from '../entries/shards.ts'
import type { Observed, RegistrySoft } from '../observed.ts'
import { storedShards, storedTables, type StoredShard } from '../registry-state.ts'
import { chooseSuccessor } from './promote.ts'
import { holders, staying, type KnownLeaf } from './holders.ts'
import { endOf, isLeaving, stepOfLeaving } from './leave.ts'
import { planReplicas, type Holder } from './replicas.ts'

export const SHARDS = 'scuba.shards'

/**
 * Who has which rows. Each leaf gets a shard of its own; while a table asks for copies each gets leaves that hold them. The shards of a lost
 * leaf go to one that holds a whole copy; without such a one it keeps them, because its rows are nowhere else.
 */
export const shardController: Controller<RegistrySoft | undefined> = {
  name: SHARDS,
  wakes: ['scuba.Leaf', 'scuba.Table', 'scuba.Shard'],
  decide: (db, _now, soft) => {
    const leaves = holders(db)
    const shards = storedShards(db)
    const observed = observedBy(soft)
    const count = copiesWanted(db) - 1
    const entries = leaves.flatMap((leaf): Proposal[] => {
      const own = shards.filter(({ primary }) => primary === leaf.id)
      if (own.length === 0) return leaf.isLost || isLeaving(leaf) ? [] : firstShard(leaf, shards, observed(leaf.id))
      // One that is leaving has copies of tables that nobody else would set aside when it is back.
      const successor = leaf.isLost && !isLeaving(leaf) ? chooseSuccessor(leaf.id, own, staying(leaves), observed) : null
      const primary = leaves.find(({ id }) => id === successor) ?? leaf
      const replicas = replicasOf(primary, leaves, shards, count)
      const misplaced = own.filter((shard) => shard.primary !== primary.id || !isSame(Object.keys(shard.replicas), replicas))
      if (misplaced.length > 0 || !isLeaving(leaf))
        return misplaced.map(({ id, epoch }) => ShardMoved.of({ shard: id, epoch: epoch + 1, primary: primary.id, replicas }))
      const target = leaves.find(({ id }) => id === leaf.leaving.to)
      return target ? stepOfLeaving(leaf, own, replicasOf(target, leaves, shards, count), observed(leaf.id)) : []
    })
    return { entries, wakeAt: null }
  },
  effects: (db, _now, soft) => {
    const shards = storedShards(db)
    return holders(db)
      .filter(isLeaving)
      .flatMap((leaf) => endOf(leaf, shards, observedBy(soft)(leaf.leaving.to)))
  },
}

const observedBy =
  (soft: RegistrySoft | undefined) =>
  (leaf: string): Observed | null =>
    soft?.leaf === leaf ? soft.observed : (soft?.peers?.find((peer) => peer.leaf === leaf)?.observed ?? null)

/** All shards of a leaf have their copies in the same places: what it has is copied as one. One that is leaving has one where it goes. */
function replicasOf(primary: KnownLeaf, leaves: readonly KnownLeaf[], shards: readonly StoredShard[], count: number): string[] {
  const kept = shards.filter((shard) => shard.primary === primary.id).flatMap(({ replicas }) => Object.keys(replicas))
  const to = primary.leaving?.to
  const wanted = to === undefined ? [...new Set(kept)] : [to, ...kept.filter((leaf) => leaf !== to)]
  return planReplicas(primary, staying(leaves), wanted, to === undefined ? count : Math.max(1, count))
}

/** A leaf whose shards went to another gets a new one once it works by the map that says so: until then its rows are the other's, too. */
function firstShard({ id }: Holder, shards: readonly StoredShard[], observed: Observed | null): Proposal[] {
  const former = shards.filter((shard) => shard.id === id || shard.id.startsWith(`${id}.`))
  const knowsMap = former.every(({ position }) => (observed?.registryVersion ?? -1) >= position)
  if (!knowsMap) return []
  const shard = former.length === 0 ? id : `${id}.${former.length + 1}`
  return [ShardMoved.of({ shard, epoch: 1, primary: id, replicas: [] })]
}

const isSame = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((leaf) => b.includes(leaf))

/** As many as the table that asks for most: what has copies has them all in the same places. */
function copiesWanted(db: ReadDb): number {
  return storedTables(db).reduce((most, { declaration }) => Math.max(most, declaration?.replicas ?? 1), 1)
}
