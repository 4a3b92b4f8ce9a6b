/** A node of the engine's parse tree, as `json_serialize_sql` gives it. */
export type Node = Record<string, unknown>

/** What an expression may be made of so that it gives the same of each row, whenever it is asked: no query, window, list or chance. */
const CLASSES = new Set([
  ...['CONSTANT', 'PARAMETER', 'COLUMN_REF', 'FUNCTION', 'COMPARISON', 'CONJUNCTION'],
  ...['OPERATOR', 'CASE', 'CAST', 'BETWEEN'],
])
const SCALARS = new Set([
  ...['+', '-', '*', '/', '//', '%', '||', '~~', '!~~', '~~*', '!~~*', '~~~', '^@'],
  ...['abs', 'ceil', 'ceiling', 'floor', 'round', 'trunc', 'sign', 'sqrt', 'mod', 'greatest', 'least'],
  ...[
    'lower',
    'upper',
    'trim',
    'ltrim',
    'rtrim',
    'left',
    'right',
    'length',
    'strlen',
    'substring',
    'substr',
    'replace',
    'concat',
    'reverse',
  ],
  ...['contains', 'starts_with', 'prefix', 'suffix', 'ends_with', 'split_part', 'regexp_matches', 'regexp_extract', 'regexp_replace'],
  ...['like_escape', 'not_like_escape', 'ilike_escape', 'not_ilike_escape', 'instr', 'strpos', 'position', 'md5', 'hash'],
  ...['date_trunc', 'time_bucket', 'date_part', 'datepart', 'epoch', 'epoch_ms', 'epoch_us', 'make_timestamp', 'to_timestamp', 'strftime'],
  ...['year', 'month', 'day', 'hour', 'minute', 'second', 'dayofweek', 'isodow', 'week', 'quarter', 'date_diff', 'datediff'],
  ...['to_seconds', 'to_minutes', 'to_hours', 'to_days', 'to_weeks', 'to_months', 'to_years', 'if', 'ifnull', 'nullif'],
])

/** Whether a node itself, without what it is made of, may stand in such an expression. */
export function isPlain(node: Node): boolean {
  if (!CLASSES.has(String(node['class']))) return false
  if (node['class'] === 'CAST') return isPlainType(node['cast_type'])
  return node['class'] !== 'FUNCTION' || (SCALARS.has(functionOf(node)) && isPlainCall(node))
}

/** The name of a function that is called without schema, lower case; empty of anything else. */
export const functionOf = (node: Node): string =>
  node['class'] === 'FUNCTION' && (node['schema'] ?? '') === '' && (node['catalog'] ?? '') === ''
    ? String(node['function_name']).toLowerCase()
    : ''

/** A call with nothing but arguments. */
export const isPlainCall = (node: Node): boolean => isBlank(node['filter']) && hasNoOrder(node) && node['distinct'] !== true

export const hasNoOrder = (node: Node): boolean => isBlank((node['order_bys'] as Node | undefined)?.['orders'])

export const isBlank = (value: unknown): boolean => value === null || value === undefined || (Array.isArray(value) && value.length === 0)

const TYPES = new Set([
  ...['BOOLEAN', 'TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT', 'UTINYINT', 'USMALLINT', 'UINTEGER', 'UBIGINT'],
  ...['DOUBLE', 'DECIMAL', 'VARCHAR', 'DATE', 'TIMESTAMP', 'TIMESTAMP WITH TIME ZONE', 'INTERVAL'],
])
const isPlainType = (type: unknown): boolean => TYPES.has(String((type as Node | undefined)?.['id']))

/** The same node with each expression in it replaced. */
export function mapNodes(node: Node, replace: (child: Node) => Node): Node {
  const mapped = (value: unknown): unknown => {
    if (value === null || typeof value !== 'object') return value
    if (Array.isArray(value)) return value.map(mapped)
    const inner = value as Node
    return typeof inner['class'] === 'string' ? replace(inner) : mapNodes(inner, replace)
  }
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, mapped(value)]))
}

/** Whether a predicate holds for any node of a tree. */
export function hasNode(value: unknown, is: (node: Node) => boolean): boolean {
  if (value === null || typeof value !== 'object') return false
  if (!Array.isArray(value) && is(value as Node)) return true
  return Object.values(value).some((child) => hasNode(child, is))
}

/** Two with the same text mean the same: places in the statement and names that were given do not count. */
export const textOf = (node: unknown): string =>
  JSON.stringify(node, (key, value: unknown) => (key === 'alias' ? undefined : placeless(key, value)))

/** For `JSON.stringify`: the engine does not take back all places that it gives. */
export const placeless = (key: string, value: unknown): unknown => (key === 'query_location' ? undefined : value)

/** A number of which digits were lost when the tree was read. */
export function isBent(node: Node): boolean {
  const { type, value } = node['class'] === 'CONSTANT' ? (node['value'] as Node) : {}
  const isFraction = (type as Node | undefined)?.['id'] === 'DOUBLE'
  return !isFraction && [value, ...Object.values(value ?? {})].some((part) => typeof part === 'number' && !Number.isSafeInteger(part))
}

export const columnNode = (name: string, alias = ''): Node => ({ class: 'COLUMN_REF', type: 'COLUMN_REF', alias, column_names: [name] })

export const numberNode = (value: number): Node => ({
  ...{ class: 'CONSTANT', type: 'VALUE_CONSTANT', alias: '' },
  value: { type: { id: 'INTEGER', type_info: null }, is_null: false, value },
})

export const castNode = (child: Node, type: string): Node => ({
  ...{ class: 'CAST', type: 'OPERATOR_CAST', alias: '', child },
  ...{ cast_type: { id: type, type_info: null }, try_cast: false },
})

export const callNode = (name: string, children: readonly Node[], isDistinct = false): Node => ({
  ...{ class: 'FUNCTION', type: 'FUNCTION', alias: '', function_name: name, schema: '', children, filter: null },
  ...{ order_bys: { type: 'ORDER_MODIFIER', orders: [] }, distinct: isDistinct, is_operator: false, export_state: false, catalog: '' },
})

export const firstNotNull = (...children: Node[]): Node => ({ class: 'OPERATOR', type: 'OPERATOR_COALESCE', alias: '', children })
