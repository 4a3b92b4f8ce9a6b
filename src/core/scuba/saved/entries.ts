import { z } from 'zod'
import { defineEntry, type EntryMeta } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { boardSchema, savedSchema } from './schema.ts'

export const SAVED_TABLES: readonly string[] = ['scuba_saved', 'scuba_board'].map(
  (table) => `CREATE TABLE ${table} (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    version INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    set_by TEXT NOT NULL
  ) WITHOUT ROWID`,
)

function put(db: Db, table: 'scuba_saved' | 'scuba_board', body: { name: string }, { position, at, actor }: EntryMeta): void {
  db.run(
    `INSERT INTO ${table} (name, body, version, set_at, set_by) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET body = excluded.body, version = excluded.version, set_at = excluded.set_at, set_by = excluded.set_by`,
    body.name,
    canonicalJson(body),
    position,
    at,
    actor,
  )
}

/** A question was saved under its name: new, or instead of the one of that name. */
export const SavedSet = defineEntry({
  type: 'scuba.SavedSet',
  body: z.object({ query: savedSchema }),
  apply: (db, { query }, meta) => put(db, 'scuba_saved', query, meta),
})

export const SavedRemoved = defineEntry({
  type: 'scuba.SavedRemoved',
  body: z.object({ name: z.string() }),
  apply: (db, { name }) => void db.run('DELETE FROM scuba_saved WHERE name = ?', name),
})

/** A board was put: new, or instead of the one of that name. */
export const BoardSet = defineEntry({
  type: 'scuba.BoardSet',
  body: z.object({ board: boardSchema }),
  apply: (db, { board }, meta) => put(db, 'scuba_board', board, meta),
})

export const BoardRemoved = defineEntry({
  type: 'scuba.BoardRemoved',
  body: z.object({ name: z.string() }),
  apply: (db, { name }) => void db.run('DELETE FROM scuba_board WHERE name = ?', name),
})

export const savedEntries = [SavedSet, SavedRemoved, BoardSet, BoardRemoved] as const
