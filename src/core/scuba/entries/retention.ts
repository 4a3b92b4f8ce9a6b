import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { retentionPolicySchema } from '../retention/policy.ts'

/** How long a table is kept; null: as any other. */
export const RetentionSet = defineEntry({
  type: 'scuba.RetentionSet',
  body: z.object({ table: z.string(), policy: retentionPolicySchema.nullable() }),
  apply: (db, { table, policy }, { at, actor }) => {
    db.run(
      `INSERT INTO scuba_retention (tbl, policy, set_at, set_by) VALUES (?, ?, ?, ?)
       ON CONFLICT (tbl) DO UPDATE SET policy = excluded.policy, set_at = excluded.set_at, set_by = excluded.set_by`,
      table,
      policy === null ? null : canonicalJson(policy),
      at,
      actor,
    )
  },
})

/** A leaf's note of its own, by which it concludes each once. */
const noted = { leaf: z.string(), note: z.int().positive(), atMs: z.int().nonnegative() }

/** A leaf dropped or thinned segments of a table, as its retention says. */
export const RetentionApplied = defineEntry({
  type: 'scuba.RetentionApplied',
  body: z.object({
    table: z.string(),
    what: z.enum(['dropped', 'thinned']),
    /** disk: before their time, because it was filling up */
    reason: z.enum(['age', 'space', 'disk', '']),
    segments: z.int().nonnegative(),
    /** rows and bytes that are gone */
    rows: z.int().nonnegative(),
    bytes: z.int(),
    ...noted,
  }),
  notable: ({ table, reason, segments, rows, leaf }) =>
    reason === 'disk'
      ? {
          ...{ system: 'scuba', kind: 'evicted', target: table, service: null },
          text: `${rows} rows in ${segments} segments of table ${table} went before their time: the disk of leaf ${leaf} is filling up`,
        }
      : null,
  apply: (db, { table, what, reason, rows, bytes, leaf, note, atMs }) => {
    db.run(
      `INSERT INTO scuba_retention (tbl, applied_at, applied_what, applied_rows, applied_bytes) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (tbl) DO UPDATE SET applied_at = excluded.applied_at, applied_what = excluded.applied_what,
         applied_rows = applied_rows + excluded.applied_rows, applied_bytes = applied_bytes + excluded.applied_bytes`,
      table,
      atMs,
      reason === '' ? what : `${what} by ${reason}`,
      rows,
      bytes,
    )
    concludeNote(db, leaf, note)
  },
})

/** Rows were erased on somebody's word. The condition may itself name a person, so only its digest is kept. */
export const RowsErased = defineEntry({
  type: 'scuba.RowsErased',
  body: z.object({
    table: z.string(),
    /** SHA-256 of the condition as it was written, hex */
    predicateSha256: z.string(),
    rows: z.int().nonnegative(),
    segments: z.int().nonnegative(),
    by: z.string(),
    ...noted,
  }),
  apply: (db, { leaf, note }) => concludeNote(db, leaf, note),
})

function concludeNote(db: Db, leaf: string, note: number): void {
  db.run('UPDATE scuba_leaf SET notes_through = max(notes_through, ?) WHERE id = ?', note, leaf)
}

/** Rows of a time stay, whatever retention says. Its id is the position of this entry. */
export const HoldSet = defineEntry({
  type: 'scuba.HoldSet',
  body: z.object({
    table: z.string().nullable(),
    fromMs: z.int().nonnegative(),
    toMs: z.int().nonnegative(),
    sev: z.int().positive().nullable(),
    reason: z.string().min(1).max(500),
  }),
  apply: (db, { table, fromMs, toMs, sev, reason }, { position, at, actor }) => {
    db.run(
      'INSERT INTO scuba_hold (id, tbl, from_ms, to_ms, sev, reason, set_at, set_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      position,
      table,
      fromMs,
      toMs,
      sev,
      reason,
      at,
      actor,
    )
  },
})

export const HoldReleased = defineEntry({
  type: 'scuba.HoldReleased',
  body: z.object({ id: z.int().positive() }),
  apply: (db, { id }) => {
    db.run('DELETE FROM scuba_hold WHERE id = ?', id)
  },
})
