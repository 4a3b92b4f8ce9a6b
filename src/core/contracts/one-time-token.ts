import { z } from 'zod'
import type { EntryMeta } from './entry.ts'
import type { Db, ReadDb } from './storage.ts'

/*
 * Tokens by which servers join a cluster and agents a fleet: each good for so many uses and so long. Their secret is nowhere but with whom it
 * was given to; the log and the tables have its hash.
 */

/** SHA-256, hex: of a token's secret, or of a public key */
export const hashSchema = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 is 64 hexadecimal digits')

/** A token was made; `until`: log time in ms. */
export const tokenIssuedSchema = z.object({ hash: hashSchema, uses: z.int().min(1), until: z.int() })

const TTL_MIN_MS = 1000
const TTL_MAX_MS = 30 * 86_400_000
/** How long a token is remembered after its time: so long it is told apart from one that never was. */
const TOKEN_MEMORY_MS = 7 * 86_400_000

/** What is asked of a new token. */
export function tokenLimits(usesMax: number) {
  return {
    /** how long it is good for */
    ttlMs: z.int().min(TTL_MIN_MS).max(TTL_MAX_MS).default(3_600_000),
    /** how many may join by it */
    uses: z.int().min(1).max(usesMax).default(1),
  }
}

/** What whoever asked for it is told, once. */
export const tokenAnswerSchema = z.object({
  /** `muster1.<cluster>.<address>.<fingerprint>.<secret>`, of agents with a prefix */
  token: z.string(),
  /** first 8 digits of its hash: by which the log's entries are found */
  id: z.string(),
  uses: z.int(),
  /** ms since the epoch */
  until: z.int(),
  /** `HOST:PORT` that whoever joins has to reach */
  address: z.string(),
})

export interface OneTimeToken {
  hash: string
  uses: number
  used: number
  /** log time, ms */
  until: number
  author: string
  at: number
}

/** Of a table of such tokens: the statement that makes it, and who reads and writes it. */
export function tokenTable(table: string) {
  return {
    sql: `CREATE TABLE ${table} (
    hash TEXT PRIMARY KEY, uses INTEGER NOT NULL, used INTEGER NOT NULL, until INTEGER NOT NULL, author TEXT NOT NULL, at INTEGER NOT NULL
  ) WITHOUT ROWID`,
    issue: (db: Db, { hash, uses, until }: z.output<typeof tokenIssuedSchema>, meta: EntryMeta): void => {
      db.run(`DELETE FROM ${table} WHERE until < ?`, meta.at - TOKEN_MEMORY_MS)
      db.run(
        `INSERT OR REPLACE INTO ${table} (hash, uses, used, until, author, at) VALUES (?, ?, 0, ?, ?, ?)`,
        hash,
        uses,
        until,
        meta.actor,
        meta.at,
      )
    },
    use: (db: Db, hash: string): void => {
      db.run(`UPDATE ${table} SET used = used + 1 WHERE hash = ?`, hash)
    },
    /** Undefined: it was never given, or is forgotten. */
    read: (db: ReadDb, hash: string): OneTimeToken | undefined => db.get<OneTimeToken>(`SELECT * FROM ${table} WHERE hash = ?`, hash),
  }
}
