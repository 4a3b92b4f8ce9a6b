import type { Controller } from '../../contracts/controller.ts'
import { ShardMoved } from '../entries/shards.ts'

export const SHARDS = 'scuba.shards'

/** Gives each leaf that has joined a shard of its own. One that is lost keeps it: its rows are there, and nobody else has them. */
export const shardController: Controller<unknown> = {
  name: SHARDS,
  wakes: ['scuba.Leaf'],
  decide: (db) => {
    const without = db.all<{ id: string }>(
      `SELECT id FROM scuba_leaf WHERE state = 'present' AND NOT EXISTS (SELECT 1 FROM scuba_shard WHERE primary_leaf = scuba_leaf.id) ORDER BY id`,
    )
    return { entries: without.map(({ id }) => ShardMoved.of({ shard: id, epoch: 1, primary: id, replicas: [] })), wakeAt: null }
  },
}
