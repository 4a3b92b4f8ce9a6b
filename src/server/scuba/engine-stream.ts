import type { DuckDBConnection, DuckDBResult } from '@duckdb/node-api'

export interface Streamed {
  result: DuckDBResult
  /**
   * To be asked after the last row. @throws what the rows broke off of: they are not all then
   * @param isStopped whether the statement was interrupted: then nobody wants to know more
   */
  check: (isStopped: () => boolean) => Promise<void>
}

type Params = Record<string, string | number | boolean | null>

/**
 * Begins a statement whose rows are taken bit by bit. The engine (1.5.5) ends rows that break off in their middle (stopped, a value that cannot be
 * cast, a file that is gone) as it ends whole ones, without a word. But a transaction around them is aborted then, and that can be seen.
 * @param connection in no transaction; the one that is begun is left open
 */
export async function stream(connection: DuckDBConnection, sql: string, params?: Params): Promise<Streamed> {
  await connection.run('BEGIN')
  const result = await connection.stream(sql, params)
  const check = async (isStopped: () => boolean): Promise<void> => {
    const isWhole = await connection.run('SELECT 1').then(
      () => true,
      () => false,
    )
    if (isWhole) return
    if (!isStopped()) await failAgain(connection, sql, params)
    throw new Error('the engine broke off while it read the rows')
  }
  return { result, check }
}

/** Carries the statement out without keeping its rows, for what it fails of. */
async function failAgain(connection: DuckDBConnection, sql: string, params?: Params): Promise<void> {
  await connection.run('ROLLBACK')
  try {
    await connection.run(`EXPLAIN ANALYZE\n${sql}`, params)
  } catch (error) {
    throw new Error(withoutFirstLine((error as Error).message), { cause: error })
  }
}

/** The place that a message shows, as it is in a text that has a line less in front. */
function withoutFirstLine(message: string): string {
  return message.replace(/LINE (\d+): (.*)\n( *)\^/, (_, line: string, shown: string, gap: string) => {
    const head = `LINE ${Number(line) - 1}: `
    return `${head}${shown}\n${' '.repeat(gap.length - `LINE ${line}: `.length + head.length)}^`
  })
}
