import { z } from 'zod'
import { tokenTable } from '../../contracts/one-time-token.ts'
import type { ReadDb } from '../../contracts/storage.ts'

/*
 * Who may speak for a node. An agent of another machine makes a key of its own, and is let in once by a token; from then on its
 * certificate says which node it is, and the key noted here says that it still is.
 */

/** What agents may join by. */
export const nodeTokens = tokenTable('tw_node_token')

/** Tables of admission; `uses` may be more than one for a token that sets up a whole rack. */
export const ADMISSION_TABLES: readonly string[] = [
  nodeTokens.sql,
  `CREATE TABLE tw_node_key (node TEXT PRIMARY KEY, key TEXT NOT NULL, token TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID`,
]

export const nodeNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]{0,62}$/, 'a name of a node is letters a–z, digits, dots and dashes, at most 63')

export interface NodeKeyRow {
  node: string
  /** SHA-256 of its public key, hex */
  key: string
  /** hash of the token it came by */
  token: string
  at: number
}

/** The key that speaks for a node; undefined: it is on a server's own machine, or there is none. */
export function nodeKeyRow(db: ReadDb, node: string): NodeKeyRow | undefined {
  return db.get<NodeKeyRow>('SELECT * FROM tw_node_key WHERE node = ?', node)
}
