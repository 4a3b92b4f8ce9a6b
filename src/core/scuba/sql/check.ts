import { refuse, type MusterError } from '../../kernel/errors.ts'
import { isTableName, nearNames } from '../names.ts'

/**
 * What a user's SQL may be, decided on the engine's own parse tree (`json_serialize_sql`, which takes SELECT only): one
 * statement; tables of the registry; the table functions below; no function that reads files, settings or the catalogue.
 */

const TABLE_FUNCTIONS = new Set(['range', 'generate_series', 'unnest'])

/** Kinds of table reference that are let through; anything a later engine adds is refused until looked at. */
const TABLE_REFS = new Set(['BASE_TABLE', 'SUBQUERY', 'JOIN', 'TABLE_FUNCTION', 'EMPTY', 'EXPRESSION_LIST'])

const QUERY_NODES = new Set(['SELECT_NODE', 'SET_OPERATION_NODE', 'RECURSIVE_CTE_NODE', 'CTE_NODE'])

/** Beginnings of functions that look outside of the rows. */
const FORBIDDEN_PREFIXES = [
  'read_',
  'write_',
  'duckdb_',
  'pg_',
  'pragma_',
  'sqlite_',
  'parquet_',
  'glob',
  'getenv',
  'set_config',
  'sniff_',
  'query',
  'json_execute',
  'json_serialize_',
  'json_deserialize_',
  'which_secret',
  'has_',
  'enable_',
  'disable_',
  'force_',
  'checkpoint',
  'seq_scan',
  'test_',
  'arrow_',
  'icu_calendar',
  'storage_',
  'add_parquet',
  'to_substrait',
  'from_substrait',
  'repeat_row',
  'error',
  'sleep',
  'current_setting',
  'current_schema',
  'current_database',
  'current_catalog',
  'current_query',
  'current_connection',
  'in_search_path',
  'nextval',
  'currval',
  'getvariable',
  'txid_current',
  'inet_',
  'session_user',
  'user',
  'col_description',
  'obj_description',
  'shobj_description',
  'format_pg_type',
]

export interface CheckedSql {
  /** registered tables it reads, each once */
  tables: string[]
  /** it reads or calls something of PostgreSQL's catalogue, schema `mcat` */
  hasCatalogue: boolean
}

/** Names of schema `mcat` that a statement may use; it has none that is not asked by PostgreSQL's protocol. */
export interface CatalogueNames {
  relations: ReadonlySet<string>
  functions: ReadonlySet<string>
}

const NO_CATALOGUE: CatalogueNames = { relations: new Set(), functions: new Set() }
const CATALOGUE_SCHEMA = 'mcat'

type Node = Record<string, unknown>

/**
 * Walks the serialised tree.
 * @param tree the parsed JSON of `json_serialize_sql(text)`
 * @param known the registered tables
 * @returns SCUBA_SQL with the position in the text, or SCUBA_TABLE_UNKNOWN with near names
 */
export function checkSql(
  tree: unknown,
  text: string,
  known: ReadonlySet<string>,
  catalogue: CatalogueNames = NO_CATALOGUE,
): CheckedSql | MusterError {
  const root = tree as { error?: boolean; error_message?: string; position?: string; statements?: unknown[] }
  if (root.error) {
    const position = root.position === undefined ? null : Number(root.position)
    const message = root.error_message ?? 'it cannot be parsed'
    const isOther = message.startsWith('Only SELECT')
    return refuseSql(isOther ? 'only SELECT statements are answered' : message, text, position, isOther ? 'forbidden' : 'syntax')
  }
  if (root.statements?.length !== 1) return refuseSql('exactly one statement is answered', text, null)
  const walker = new Walker(text, known, catalogue)
  walker.visit(root.statements[0], new Set())
  return walker.refusal ?? { tables: [...walker.tables].sort(), hasCatalogue: walker.hasCatalogue }
}

class Walker {
  readonly tables = new Set<string>()
  hasCatalogue = false
  refusal: MusterError | null = null
  readonly #text: string
  readonly #known: ReadonlySet<string>
  readonly #catalogue: CatalogueNames

  constructor(text: string, known: ReadonlySet<string>, catalogue: CatalogueNames) {
    this.#text = text
    this.#known = known
    this.#catalogue = catalogue
  }

  /** @param scope names of the common table expressions that are visible here, lower case */
  visit(value: unknown, scope: ReadonlySet<string>): void {
    if (this.refusal !== null || value === null || typeof value !== 'object') return
    if (Array.isArray(value)) {
      for (const item of value) this.visit(item, scope)
      return
    }
    const node = value as Node
    const inner = this.#commonTables(node, scope)
    this.#look(node, inner)
    for (const [key, child] of Object.entries(node)) if (key !== 'cte_map') this.visit(child, inner)
  }

  /** Common table expressions of a query node; each may read itself (recursive) and those before it. */
  #commonTables(node: Node, scope: ReadonlySet<string>): ReadonlySet<string> {
    const map = (node['cte_map'] as { map?: { key?: unknown; value?: unknown }[] } | undefined)?.map
    if (!map || map.length === 0) return scope
    const visible = new Set(scope)
    for (const { key, value } of map) {
      const name = String(key).toLowerCase()
      // A name such as 'x.parquet' could be looked up as a file where the expression is not visible.
      if (!isTableName(name)) this.#refuse(`the name ${JSON.stringify(key)} of a common table expression must be a plain word`, null)
      visible.add(name)
      this.visit(value, visible)
    }
    return visible
  }

  #look(node: Node, scope: ReadonlySet<string>): void {
    const type = node['type']
    if (typeof type !== 'string') return
    const position = locationOf(node)
    if (typeof node['function_name'] === 'string') return this.#function(node, position)
    if ('cte_map' in node && !QUERY_NODES.has(type)) return this.#refuse(`${type} is not answered here`, position)
    if (!('sample' in node && 'alias' in node) || 'class' in node) return
    if (!TABLE_REFS.has(type))
      return this.#refuse(`${type === 'SHOW_REF' ? 'DESCRIBE, SHOW and SUMMARIZE are' : `${type} is`} not answered here`, position)
    if (type === 'BASE_TABLE') this.#table(node, scope, position)
    if (type === 'TABLE_FUNCTION') {
      const name = String((node['function'] as Node | undefined)?.['function_name'] ?? '').toLowerCase()
      if (!TABLE_FUNCTIONS.has(name)) this.#refuse(`the table function ${name} is not allowed`, position, 'forbidden')
    }
  }

  #table(node: Node, scope: ReadonlySet<string>, position: number | null): void {
    const name = String(node['table_name'])
    const lower = name.toLowerCase()
    if (this.#catalogue.relations.has(lower) && node['schema_name'] === CATALOGUE_SCHEMA && node['catalog_name'] === '') {
      this.hasCatalogue = true
      return
    }
    if (node['schema_name'] !== '' || node['catalog_name'] !== '') return this.#refuse('tables have no schema here', position)
    if (node['at_clause'] !== null && node['at_clause'] !== undefined) return this.#refuse('AT is not answered here', position)
    if (scope.has(lower)) return
    if (this.#known.has(lower)) {
      this.tables.add(lower)
      return
    }
    const near = nearNames(name, this.#known)
    this.refusal = refuse(
      'SCUBA_TABLE_UNKNOWN',
      `there is no table ${name}${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`,
      {
        details: { table: name, near, position },
      },
    )
  }

  #function(node: Node, position: number | null): void {
    const name = String(node['function_name'])
    const schema = String(node['schema'] ?? '')
    const lower = name.toLowerCase()
    if (schema === CATALOGUE_SCHEMA && (node['catalog'] ?? '') === '' && this.#catalogue.functions.has(lower)) {
      this.hasCatalogue = true
      return
    }
    if (schema !== '' && schema !== 'main') return this.#refuse('functions have no schema here', position)
    if (FORBIDDEN_PREFIXES.some((prefix) => lower.startsWith(prefix)))
      this.#refuse(`the function ${name} is not allowed`, position, 'forbidden')
  }

  #refuse(message: string, position: number | null, refused: 'forbidden' | 'unsupported' = 'unsupported'): void {
    this.refusal ??= refuseSql(message, this.#text, position, refused)
  }
}

/** The engine prints 2^64 − 1 where it knows no position. */
function locationOf(node: Node): number | null {
  const location = node['query_location']
  return typeof location === 'number' && location < 1e15 ? location : null
}

/** SCUBA_SQL, with line and column when the offset is known. */
export function refuseSql(
  message: string,
  text: string,
  position: number | null,
  refused: 'syntax' | 'forbidden' | 'unsupported' = 'unsupported',
): MusterError {
  if (position === null) return refuse('SCUBA_SQL', message, { details: { refused } })
  const before = text.slice(0, position).split('\n')
  const line = before.length
  const column = (before.at(-1)?.length ?? 0) + 1
  return refuse('SCUBA_SQL', `${message} (line ${line}, column ${column})`, { details: { position, line, column, refused } })
}
