import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'

/** From now on a shard is of this leaf; whoever holds it by an older epoch takes no rows for it any more. */
export const ShardMoved = defineEntry({
  type: 'scuba.ShardMoved',
  body: z.object({
    shard: z.string(),
    /** grows with each move */
    epoch: z.int().positive(),
    primary: z.string(),
    replicas: z.array(z.string()),
  }),
  apply: (db, { shard, epoch, primary, replicas }, { at }) => {
    db.run(
      `INSERT INTO scuba_shard (id, epoch, primary_leaf, replicas, since) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, primary_leaf = excluded.primary_leaf, replicas = excluded.replicas
         WHERE excluded.epoch > scuba_shard.epoch`,
      shard,
      epoch,
      primary,
      JSON.stringify(replicas),
      at,
    )
  },
})
