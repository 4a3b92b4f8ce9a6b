/** Names of an answer's columns as PostgreSQL gives them, from the engine's parse tree: of `count(*)` `count`, of `1 + 1` `?column?`. */

import { PG_NAMES } from './engine-names.ts'

type Node = Record<string, unknown>

const TYPE_NAMES: Record<string, string> = {
  VARCHAR: 'text',
  INTEGER: 'int4',
  BIGINT: 'int8',
  SMALLINT: 'int2',
  DOUBLE: 'float8',
  FLOAT: 'float4',
  BOOLEAN: 'bool',
  DECIMAL: 'numeric',
  DATE: 'date',
  TIME: 'time',
  TIMESTAMP: 'timestamptz',
  'TIMESTAMP WITH TIME ZONE': 'timestamptz',
  INTERVAL: 'interval',
  UINTEGER: 'oid',
}

/** @param engineNames what the engine calls them: kept where a `*` stands for several */
export function columnNames(tree: unknown, engineNames: readonly string[]): string[] {
  const list = selectList((tree as { statements?: { node?: Node }[] }).statements?.[0]?.node)
  const star = list.findIndex((item) => item['class'] === 'STAR')
  if (star < 0) return list.length === engineNames.length ? list.map(nameOfItem) : [...engineNames]
  const last = list.findLastIndex((item) => item['class'] === 'STAR')
  const behind = list.slice(last + 1).map(nameOfItem)
  const middle = engineNames.slice(star, engineNames.length - behind.length)
  return [...list.slice(0, star).map(nameOfItem), ...middle, ...behind].slice(0, engineNames.length)
}

function selectList(node: Node | undefined): Node[] {
  for (let at = node; at !== undefined;) {
    if (Array.isArray(at['select_list'])) return at['select_list'] as Node[]
    at = (at['left'] ?? at['child']) as Node | undefined
  }
  return []
}

function nameOfItem(item: Node): string {
  const alias = item['alias']
  return typeof alias === 'string' && alias !== '' ? alias : (implied(item) ?? '?column?')
}

/** FigureColname of PostgreSQL's parser. */
function implied(item: Node): string | null {
  switch (item['class']) {
    case 'COLUMN_REF':
      return String((item['column_names'] as unknown[] | undefined)?.at(-1) ?? '?column?')
    case 'FUNCTION':
    case 'WINDOW':
      return item['is_operator'] === true ? null : pgName(String(item['function_name'] ?? '?column?'))
    case 'CAST': {
      const inner = implied(item['child'] as Node)
      const type = String((item['cast_type'] as Node | undefined)?.['id'] ?? '')
      return inner ?? TYPE_NAMES[type] ?? type.toLowerCase()
    }
    case 'CASE': {
      const last = implied((item['else_expr'] ?? {}) as Node)
      return last ?? 'case'
    }
    case 'SUBQUERY':
      return item['subquery_type'] === 'EXISTS' ? 'exists' : subqueryName(item['subquery'] as Node | undefined)
    case 'OPERATOR':
      return item['type'] === 'OPERATOR_COALESCE' ? 'coalesce' : item['type'] === 'ARRAY_CONSTRUCTOR' ? 'array' : null
    default:
      return null
  }
}

const pgName = (name: string): string => (Object.hasOwn(PG_NAMES, name) ? (PG_NAMES[name] ?? name) : name)

function subqueryName(statement: Node | undefined): string | null {
  const [only] = selectList(statement?.['node'] as Node | undefined)
  return only === undefined ? null : nameOfItem(only)
}
