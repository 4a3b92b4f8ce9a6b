import { refuse } from '../../../core/kernel/errors.ts'
import { identifier, literal } from '../../../core/scuba/clickhouse/names.ts'
import { placeOf } from '../../../core/scuba/clickhouse/place.ts'
import { sizeSql } from '../../../core/scuba/clickhouse/rows.ts'
import { addColumnsSql, columnsSql, createTableSql, DURABLE, durableSql, type StoredColumns } from '../../../core/scuba/clickhouse/table.ts'
import type { ColumnTypes } from '../../../core/scuba/rows/columns.ts'
import type { Asking, Connection } from './connection.ts'

/** Long enough for what is looked up beside a question. */
const LOOK_MS = 10_000
/** A table that says whose database it is. */
const OWNER = 'muster_leaf'

/** For what is looked up. */
export const lookingUp = (): Asking => ({ deadlineAtMs: Date.now() + LOOK_MS, signal: undefined })

/** The tables of a database, which is one leaf's alone. */
export class Tables {
  readonly #connection: Connection
  readonly #leaf: string
  /** table → its columns there */
  readonly #columns = new Map<string, StoredColumns>()
  /** tables that were made as durable as the server can */
  readonly #durable = new Set<string>()
  #isOurs = false
  /** whether the server can sync what it inserted before it says so; null: not asked yet */
  #canSync: boolean | null = null

  constructor(connection: Connection, leaf: string) {
    this.#connection = connection
    this.#leaf = leaf
  }

  /** What answers now may be another server than before. */
  forget(): void {
    this.#columns.clear()
    this.#durable.clear()
    this.#isOurs = false
    this.#canSync = null
  }

  /** Two leaves in one database would take each other's seals for what was broken off. */
  async claim(): Promise<void> {
    if (this.#isOurs) return
    const { database } = this.#connection
    await this.#connection.run(`CREATE TABLE IF NOT EXISTS ${identifier(OWNER)} (leaf String) ENGINE = MergeTree ORDER BY leaf`)
    const owners = (await this.#connection.rows(`SELECT leaf FROM ${identifier(OWNER)}`, lookingUp())).map(([leaf]) => String(leaf))
    if (owners.length === 0) await this.#connection.run(`INSERT INTO ${identifier(OWNER)} (leaf) VALUES (${literal(this.#leaf)})`)
    else if (!owners.includes(this.#leaf))
      throw refuse(
        'SCUBA_DOWN',
        `the database ${database} at ${this.#connection.where} is of the leaf ${owners.join(', ')}, not of ${this.#leaf}`,
        {
          hint: 'Give each leaf a database of its own.',
        },
      )
    this.#isOurs = true
  }

  async names(): Promise<string[]> {
    const rows = await this.#connection.rows(
      `SELECT name FROM system.tables WHERE database = ${literal(this.#connection.database)} AND name != ${literal(OWNER)}`,
      lookingUp(),
    )
    return rows.map(([name]) => String(name))
  }

  /** A table with these columns, made if it is not there. */
  async ensure(table: string, columns: ColumnTypes): Promise<StoredColumns> {
    await this.#connection.run(createTableSql(table))
    await this.#makeDurable(table)
    const existing = await this.#readColumns(table, lookingUp())
    // `time` is there from the start, and never missing.
    const { time: _, ...others } = columns
    const missing = addColumnsSql(table, others, existing)
    for (const sql of missing) await this.#connection.run(sql)
    return missing.length === 0 ? existing : this.#readColumns(table, lookingUp())
  }

  /** Known columns; none of a table that is not there. */
  async columnsOf(table: string, asking: Asking): Promise<StoredColumns> {
    return this.#columns.get(table) ?? this.#readColumns(table, asking)
  }

  async #readColumns(table: string, asking: Asking): Promise<StoredColumns> {
    const rows = await this.#connection.rows(columnsSql(literal(this.#connection.database), literal(table)), asking)
    const columns = Object.fromEntries(rows.map(([name, type]) => [String(name), String(type)]))
    if (rows.length > 0) this.#columns.set(table, columns)
    return columns
  }

  /** A share of the table's size: parts hold rows of many seals. */
  async bytesOf(file: string, rows: number): Promise<number> {
    const table = placeOf(file)?.table ?? ''
    const [all, bytes] = ((await this.#connection.rows(sizeSql(this.#connection.database, table), lookingUp()))[0] ?? []).map(Number)
    return Math.max(1, Math.round(((bytes ?? 0) / Math.max(1, all ?? 0)) * rows))
  }

  /** Newer servers sync what was inserted before they say so, if they are told to; 18.16 cannot. */
  async #makeDurable(table: string): Promise<void> {
    if (this.#durable.has(table)) return
    if (this.#canSync === null) {
      const sql = `SELECT count() FROM system.merge_tree_settings WHERE name IN (${DURABLE.map(literal).join(', ')})`
      this.#canSync = Number((await this.#connection.rows(sql, lookingUp()))[0]?.[0]) === DURABLE.length
    }
    if (this.#canSync) await this.#connection.run(durableSql(table))
    this.#durable.add(table)
  }
}
