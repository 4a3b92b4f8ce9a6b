import type { ReadDb } from '../../contracts/storage.ts'
import type { ApiToken } from './schema.ts'

export interface ApiTokenRow extends Omit<ApiToken, 'scram'> {
  author: string
  /** log time in ms */
  at: number
  /** when it ended; null: it is good */
  ended_at: number | null
  scram: string | null
}

const COLUMNS = 'hash, name, role, author, at, ended_at, scram'

/** Good or ended; null: nobody here gave it. */
export function apiToken(db: ReadDb, hash: string): ApiTokenRow | null {
  return db.get<ApiTokenRow>(`SELECT ${COLUMNS} FROM delos_api_token WHERE hash = ?`, hash) ?? null
}

/** All that are good, by name. */
export function goodTokens(db: ReadDb): ApiTokenRow[] {
  return db.all<ApiTokenRow>(`SELECT ${COLUMNS} FROM delos_api_token WHERE ended_at IS NULL ORDER BY name, at, hash`)
}

/** Those that are good and go by this name, or by an id of this beginning. */
export function tokensCalled(db: ReadDb, which: string): ApiTokenRow[] {
  const good = goodTokens(db)
  const named = good.filter(({ name }) => name === which)
  return named.length > 0 ? named : good.filter(({ hash }) => which.length >= TOKEN_ID_CHARS && hash.startsWith(which))
}

/** Of a hash, by which a token is called where its name does not tell. */
export const TOKEN_ID_CHARS = 8
