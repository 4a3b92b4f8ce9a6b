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
    /** leaves that hold copies, beside the primary */
    replicas: z.array(z.string()),
  }),
  apply: (db, { shard, epoch, primary, replicas }, { at, position }) => {
    const before = db.get<{ epoch: number; replicas: string }>('SELECT epoch, replicas FROM scuba_shard WHERE id = ?', shard)
    if (before && before.epoch >= epoch) return
    const known = JSON.parse(before?.replicas ?? '{}') as Record<string, number>
    db.run(
      `INSERT INTO scuba_shard (id, epoch, primary_leaf, replicas, since, position) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, primary_leaf = excluded.primary_leaf, replicas = excluded.replicas,
         position = excluded.position`,
      shard,
      epoch,
      primary,
      JSON.stringify(Object.fromEntries(replicas.map((leaf) => [leaf, known[leaf] ?? epoch]))),
      at,
      position,
    )
  },
})
