import type { ReadDb } from '../../contracts/storage.ts'
import { boardSchema, savedSchema, type Board, type Saved } from './schema.ts'

/** Who put it, when (ms), and at which position of the log. */
export interface SetBy {
  version: number
  setAtMs: number
  setBy: string
}

export type StoredSaved = { query: Saved } & SetBy
export type StoredBoard = { board: Board } & SetBy

interface BodyRow {
  body: string
  version: number
  set_at: number
  set_by: string
}

const setBy = ({ version, set_at, set_by }: BodyRow): SetBy => ({ version, setAtMs: set_at, setBy: set_by })

function rows(db: ReadDb, table: 'scuba_saved' | 'scuba_board'): BodyRow[] {
  return db.all<BodyRow>(`SELECT body, version, set_at, set_by FROM ${table} ORDER BY name`)
}

export function savedQueries(db: ReadDb): StoredSaved[] {
  return rows(db, 'scuba_saved').map((row) => ({ query: savedSchema.parse(JSON.parse(row.body)), ...setBy(row) }))
}

export function boards(db: ReadDb): StoredBoard[] {
  return rows(db, 'scuba_board').map((row) => ({ board: boardSchema.parse(JSON.parse(row.body)), ...setBy(row) }))
}
