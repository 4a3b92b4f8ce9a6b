import type { DuckDBConnection, DuckDBDataChunk, DuckDBInstance, DuckDBPreparedStatement, DuckDBType } from '@duckdb/node-api'
import type { EngineReply, EngineRequest, EngineStatement } from '../../core/scuba/engine-protocol.ts'
import { catalogueSql, refillSql } from '../../core/scuba/pgwire/catalogue/fill.ts'
import { stream, type Streamed } from './engine-stream.ts'
import { pgText } from './pg-text.ts'

/** Bytes of rows in one message to the leaf; a row more is in it at most. */
const BATCH_BYTES = 512 * 1024

type Open = Extract<EngineRequest, { op: 'open' }>
type Fetch = Extract<EngineRequest, { op: 'fetch' }>
type Good = Extract<EngineReply, { ok: true }>

interface Cursor extends Streamed {
  connection: DuckDBConnection
  types: DuckDBType[]
  chunk: DuckDBDataChunk | null
  /** of {@link chunk}: rows that were given */
  given: number
}

/** Statements whose rows are taken bit by bit, and the catalogue that they may read. */
export class EngineCursors {
  readonly #instance: DuckDBInstance
  readonly #cursors = new Map<number, Cursor>()
  #catalogue: Promise<string> = Promise.resolve('')

  constructor(instance: DuckDBInstance) {
    this.#instance = instance
  }

  connectionOf(cursor: number): DuckDBConnection | undefined {
    return this.#cursors.get(cursor)?.connection
  }

  /** @param connection becomes the cursor's; to be closed by the caller only if this rejects */
  async open(request: Open, connection: DuckDBConnection, isStopped: () => boolean): Promise<Good> {
    await this.prepare(request, connection)
    const streamed = await stream(connection, request.sql)
    const { result } = streamed
    const cursor: Cursor = { ...streamed, connection, types: result.columnTypes(), chunk: null, given: 0 }
    const first = await batch(cursor, request.rowsMax, isStopped)
    this.#cursors.set(request.id, cursor)
    const names = result.columnNames()
    return {
      id: request.id,
      ok: true,
      columns: cursor.types.map((type, index) => ({ name: names[index] ?? '', type: nameOf(type) })),
      ...first,
    }
  }

  async fetch({ id, cursor, rowsMax }: Fetch, isStopped: () => boolean): Promise<Good> {
    const state = this.#cursors.get(cursor)
    // The leaf keeps no cursor of an engine that died: this can only be one that it closed.
    if (!state) throw new Error('Invalid Input Error: the cursor is closed')
    return { id, ok: true, columns: [], ...(await batch(state, rowsMax, isStopped)) }
  }

  close(cursor: number): void {
    const state = this.#cursors.get(cursor)
    this.#cursors.delete(cursor)
    state?.connection.interrupt()
    state?.connection.disconnectSync()
  }

  async describe(statement: EngineStatement, connection: DuckDBConnection): Promise<Pick<Good, 'columns' | 'parameters'>> {
    await this.prepare(statement, connection)
    const prepared = await connection.prepare(statement.sql)
    try {
      return {
        columns: Array.from({ length: prepared.columnCount }, (_, index) => ({
          name: prepared.columnName(index),
          type: typeOrNull(() => prepared.columnType(index)) ?? 'VARCHAR',
        })),
        parameters: parameterTypes(prepared),
      }
    } finally {
      prepared.destroySync()
    }
  }

  /** Makes views and catalogue as the statement needs them. Temporary views belong to the connection alone. */
  async prepare({ views, catalogue }: EngineStatement, connection: DuckDBConnection): Promise<void> {
    if (catalogue !== undefined) await this.#refill(catalogue)
    for (const { name, sql } of views) await connection.run(`CREATE TEMP VIEW "${name}" AS ${sql}`)
  }

  /** One after the other; a failure leaves what was there and is tried again by the next. */
  #refill({ version, path }: { version: string; path: string }): Promise<string> {
    const before = this.#catalogue.catch(() => '')
    const now = before.then(async (known) => {
      if (known === version) return version
      const connection = await this.#instance.connect()
      try {
        await connection.run('BEGIN')
        if (known === '' && !(await hasCatalogue(connection))) for (const sql of catalogueSql()) await connection.run(sql)
        for (const sql of refillSql(path)) await connection.run(sql)
        await connection.run('COMMIT')
      } finally {
        connection.disconnectSync()
      }
      return version
    })
    this.#catalogue = now
    return now
  }
}

async function hasCatalogue(connection: DuckDBConnection): Promise<boolean> {
  const reader = await connection.runAndReadAll("SELECT count(*) FROM duckdb_schemas() WHERE schema_name = 'mcat'")
  return Number(reader.value(0, 0)) > 0
}

/** Up to so many rows, and about {@link BATCH_BYTES}. */
async function batch(cursor: Cursor, rowsMax: number, isStopped: () => boolean): Promise<{ rows: (string | null)[][]; isDone: boolean }> {
  const rows: (string | null)[][] = []
  let bytes = 0
  while (rows.length < rowsMax && bytes < BATCH_BYTES) {
    if (cursor.chunk === null || cursor.given >= cursor.chunk.rowCount) {
      cursor.chunk = await cursor.result.fetchChunk()
      cursor.given = 0
      if (cursor.chunk === null || cursor.chunk.rowCount === 0) {
        await cursor.check(isStopped)
        return { rows, isDone: true }
      }
    }
    const values = cursor.chunk.getRowValues(cursor.given)
    cursor.given += 1
    const row = values.map((value, index) => pgText(value, cursor.types[index]))
    for (const text of row) bytes += (text?.length ?? 0) + 4
    rows.push(row)
  }
  return { rows, isDone: false }
}

/** By number; a number that the statement leaves out is null. */
function parameterTypes(prepared: DuckDBPreparedStatement): (string | null)[] {
  const types: (string | null)[] = []
  for (let index = 1; index <= prepared.parameterCount; index += 1)
    types[Number(prepared.parameterName(index)) - 1] = typeOrNull(() => prepared.parameterType(index))
  return Array.from(types, (type) => type ?? null)
}

/** Its name as SQL writes it; what JSON text is known as. */
const nameOf = (type: DuckDBType): string => type.alias ?? String(type)

/** The engine throws where a parameter's type follows from nothing. */
function typeOrNull(read: () => DuckDBType): string | null {
  try {
    return nameOf(read())
  } catch {
    return null
  }
}
