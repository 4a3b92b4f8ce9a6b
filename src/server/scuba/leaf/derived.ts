import { isRefusal } from '../../../core/kernel/errors.ts'
import { viewSql } from '../../../core/scuba/plan/view.ts'
import type { ColumnType, ColumnTypes } from '../../../core/scuba/rows/columns.ts'
import { checkSql } from '../../../core/scuba/sql/check.ts'
import { quoteName } from '../../../core/scuba/names.ts'
import type { Engine } from './engine.ts'
import type { Store } from './store.ts'
import type { TableTail } from './table.ts'

export interface CheckedDerived {
  name: string
  sql: string
  type: ColumnType
}

interface Known {
  registryVersion: number
  columnsVersion: number
  good: CheckedDerived[]
  broken: { column: string; reason: string }[]
}

/**
 * The derived columns of tables as far as the engine takes them: each is checked on the columns there are, once per version of
 * both. One that it does not take is left out of its table, and said in `scuba columns`: it must not break queries of others.
 */
export class DerivedColumns {
  readonly #store: Store
  readonly #engine: Engine
  readonly #known = new Map<string, Known>()

  constructor(store: Store, engine: Engine) {
    this.#store = store
    this.#engine = engine
  }

  async of(table: string): Promise<readonly CheckedDerived[]> {
    return (await this.#look(table)).good
  }

  /** Those that are known to be good, by name; {@link of} makes them known. */
  types(table: string): ColumnTypes {
    return Object.fromEntries((this.#known.get(table)?.good ?? []).map(({ name, type }) => [name, type]))
  }

  broken(): { table: string; column: string; reason: string }[] {
    return [...this.#known].flatMap(([table, { broken }]) => broken.map((each) => ({ table, ...each })))
  }

  /** The type of an expression over a table's columns. @throws SCUBA_SQL, SCUBA_COLUMN_UNKNOWN, SCUBA_TABLE_UNKNOWN */
  async check(table: string, sql: string): Promise<ColumnType> {
    return this.#typeOf(table, this.#store.tail(table).columns.toJSON(), sql)
  }

  async #look(table: string): Promise<Known> {
    const { current } = this.#store.registry
    const declared = Object.entries(current.derived[table] ?? {})
    const tail = this.#store.tails().find(({ name }) => name === table)
    if (declared.length === 0 || !tail) {
      this.#known.delete(table)
      return { registryVersion: current.version, columnsVersion: 0, good: [], broken: [] }
    }
    const known = this.#known.get(table)
    if (known?.registryVersion === current.version && known.columnsVersion === tail.columns.version) return known
    const fresh = await this.#checkAll(tail, declared, current.version)
    this.#known.set(table, fresh)
    return fresh
  }

  async #checkAll(tail: TableTail, declared: readonly [string, { sql: string }][], registryVersion: number): Promise<Known> {
    const fresh: Known = { registryVersion, columnsVersion: tail.columns.version, good: [], broken: [] }
    const columns = tail.columns.toJSON()
    for (const [name, { sql }] of declared) {
      if (tail.columns.find(name)) {
        fresh.broken.push({ column: name, reason: 'rows brought a column of this name' })
        continue
      }
      try {
        fresh.good.push({ name, sql, type: await this.#typeOf(tail.name, columns, sql) })
      } catch (error) {
        // An engine that is away says nothing about the expression.
        if (!isRefusal(error) || error.exit === 6) throw error
        fresh.broken.push({ column: name, reason: error.message })
      }
    }
    return fresh
  }

  async #typeOf(table: string, columns: ColumnTypes, expression: string): Promise<ColumnType> {
    const sql = `SELECT (${expression}\n) AS value FROM ${quoteName(table)} LIMIT 0`
    const checked = checkSql(await this.#engine.parse(sql), sql, new Set([table]))
    if (isRefusal(checked)) throw checked
    const views = [{ name: table, sql: viewSql({ columns, files: [] }).sql }]
    const { columns: answer } = await this.#engine.run({ sql, views, params: {}, deadlineMs: 5000 })
    return columnType(answer[0]?.type ?? 'VARCHAR')
  }
}

/** The column type that holds what the engine gives; the view casts to it. */
function columnType(type: string): ColumnType {
  if (/^(TINY|SMALL|BIG|U?TINY|USMALL|U)?INT(EGER)?$|^UINTEGER$/.test(type)) return 'BIGINT'
  if (/^(DOUBLE|FLOAT|REAL|DECIMAL|HUGEINT|UHUGEINT|UBIGINT)/.test(type)) return 'DOUBLE'
  if (type === 'BOOLEAN') return 'BOOLEAN'
  return type.startsWith('TIMESTAMP') || type === 'DATE' ? 'TIMESTAMP' : 'VARCHAR'
}
