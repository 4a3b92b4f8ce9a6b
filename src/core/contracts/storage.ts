/** What SQLite holds. Booleans are 0 or 1, structured values JSON text. */
export type SqlValue = string | number | bigint | null | Uint8Array

export type Row = Record<string, SqlValue>

/** Reading side of the state database. Synchronous; statements are cached by their text. */
export interface ReadDb {
  /** The first row, or undefined. */
  get<R = Row>(sql: string, ...params: SqlValue[]): R | undefined
  all<R = Row>(sql: string, ...params: SqlValue[]): R[]
}

/** What a machine's `apply` writes through. */
export interface Db extends ReadDb {
  /** Runs one statement; gives the number of changed rows. */
  run(sql: string, ...params: SqlValue[]): number
}
