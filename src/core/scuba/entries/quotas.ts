import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { quotaKindSchema, quotaSchema } from '../quota/quota.ts'

/** So many bytes a second may come in with a token or for a table, from now on: new, or instead of what was set. */
export const QuotaSet = defineEntry({
  type: 'scuba.QuotaSet',
  body: quotaSchema,
  apply: (db, { kind, name, bytesPerSecond, burstBytes }, { at, actor }) => {
    db.run(
      `INSERT INTO scuba_quota (kind, name, bytes_per_second, burst_bytes, set_at, set_by) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (kind, name) DO UPDATE SET bytes_per_second = excluded.bytes_per_second, burst_bytes = excluded.burst_bytes,
         set_at = excluded.set_at, set_by = excluded.set_by`,
      kind,
      name,
      bytesPerSecond,
      burstBytes,
      at,
      actor,
    )
  },
})

export const QuotaRemoved = defineEntry({
  type: 'scuba.QuotaRemoved',
  body: z.object({ kind: quotaKindSchema, name: z.string() }),
  apply: (db, { kind, name }) => {
    db.run('DELETE FROM scuba_quota WHERE kind = ? AND name = ?', kind, name)
  },
})
