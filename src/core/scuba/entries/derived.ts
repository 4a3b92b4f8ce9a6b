import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'

/** A derived column was put: new, or instead of the one of its name. Its version is the position of this entry. */
export const DerivedSet = defineEntry({
  type: 'scuba.DerivedSet',
  body: z.object({ table: z.string(), name: z.string(), sql: z.string() }),
  apply: (db, { table, name, sql }, { position, at, actor }) => {
    db.run(
      `INSERT INTO scuba_derived (tbl, name, sql, version, set_at, set_by) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (tbl, name) DO UPDATE SET sql = excluded.sql, version = excluded.version, set_at = excluded.set_at, set_by = excluded.set_by`,
      table,
      name,
      sql,
      position,
      at,
      actor,
    )
  },
})

export const DerivedRemoved = defineEntry({
  type: 'scuba.DerivedRemoved',
  body: z.object({ table: z.string(), name: z.string() }),
  apply: (db, { table, name }) => {
    db.run('DELETE FROM scuba_derived WHERE tbl = ? AND name = ?', table, name)
  },
})
