import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { typeChange } from '../declared/compatibility.ts'
import { declarationSchema } from '../declared/declaration.ts'
import { columnTypeSchema } from '../registry.ts'
import type { ColumnType } from '../rows/columns.ts'

/** Drops and renamings that a leaf which was away is still told. */
const JOBS_MAX = 200

/** A table was declared: the first time, or anew in place of the declaration before. */
export const TableDeclared = defineEntry({
  type: 'scuba.TableDeclared',
  body: z.object({ declaration: declarationSchema, version: z.int().positive() }),
  apply: (db, { declaration, version }, { position, at, actor }) => {
    db.run(
      `INSERT INTO scuba_table (name, declaration, version, set_at, set_by) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET declaration = excluded.declaration, version = excluded.version, set_at = excluded.set_at, set_by = excluded.set_by`,
      declaration.table,
      canonicalJson(declaration),
      version,
      at,
      actor,
    )
    db.run(`UPDATE scuba_column SET origin = 'observed' WHERE tbl = ?`, declaration.table)
    for (const [name, { type }] of Object.entries(declaration.columns)) setColumn(db, declaration.table, name, type, 'declared', position)
  },
})

/** The table and its rows are gone; rows that come in later begin a new one. */
export const TableDropped = defineEntry({
  type: 'scuba.TableDropped',
  body: z.object({ table: z.string() }),
  apply: (db, { table }, { position }) => {
    for (const sql of [
      'DELETE FROM scuba_table WHERE name = ?',
      'DELETE FROM scuba_column WHERE tbl = ?',
      'DELETE FROM scuba_derived WHERE tbl = ?',
      'DELETE FROM scuba_retention WHERE tbl = ?',
      'DELETE FROM scuba_lost_segment WHERE tbl = ?',
      `DELETE FROM scuba_quota WHERE kind = 'table' AND name = ?`,
    ])
      db.run(sql, table)
    addJob(db, position, table, null)
  },
})

/** The table, its rows and all that is declared of it have another name; rows that come in under the old one begin a new table. */
export const TableRenamed = defineEntry({
  type: 'scuba.TableRenamed',
  body: z.object({ table: z.string(), to: z.string() }),
  apply: (db, { table, to }, { position }) => {
    db.run(
      `UPDATE scuba_table SET name = ?, declaration = CASE WHEN declaration IS NULL THEN NULL ELSE json_set(declaration, '$.table', ?) END WHERE name = ?`,
      to,
      to,
      table,
    )
    for (const owned of ['scuba_column', 'scuba_derived', 'scuba_retention', 'scuba_hold', 'scuba_lost_segment'])
      db.run(`UPDATE ${owned} SET tbl = ? WHERE tbl = ?`, to, table)
    db.run(`UPDATE scuba_quota SET name = ? WHERE kind = 'table' AND name = ?`, to, table)
    addJob(db, position, table, to)
  },
})

/** Columns that rows brought: new ones, and those that a fraction made DOUBLE. */
export const ColumnsObserved = defineEntry({
  type: 'scuba.ColumnsObserved',
  body: z.object({ table: z.string(), columns: z.record(z.string(), columnTypeSchema) }),
  apply: (db, { table, columns }, { position, at }) => {
    db.run(
      'INSERT INTO scuba_table (name, observed_at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET observed_at = excluded.observed_at',
      table,
      at,
    )
    for (const [name, type] of Object.entries(columns)) setColumn(db, table, name, type, 'observed', position)
  },
})

/** What a declaration says stands over what rows bring. A type that older files do not have is remembered as such. */
function setColumn(db: Db, table: string, name: string, type: ColumnType, origin: 'declared' | 'observed', position: number): void {
  const known = db.get<{ type: ColumnType; origin: string; is_retyped: number }>(
    'SELECT type, origin, is_retyped FROM scuba_column WHERE tbl = ? AND name = ?',
    table,
    name,
  )
  if (known?.origin === 'declared' && origin === 'observed') return
  const isRetyped = known !== undefined && (known.is_retyped === 1 || typeChange(known.type, type) === 'breaking')
  db.run(
    `INSERT INTO scuba_column (tbl, name, type, origin, is_retyped, position) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (tbl, name) DO UPDATE SET type = excluded.type, origin = excluded.origin, is_retyped = excluded.is_retyped, position = excluded.position`,
    table,
    name,
    type,
    origin,
    isRetyped ? 1 : 0,
    position,
  )
}

function addJob(db: Db, id: number, table: string, to: string | null): void {
  db.run('INSERT INTO scuba_table_job (id, tbl, to_tbl) VALUES (?, ?, ?)', id, table, to)
  db.run('DELETE FROM scuba_table_job WHERE id NOT IN (SELECT id FROM scuba_table_job ORDER BY id DESC LIMIT ?)', JOBS_MAX)
}
