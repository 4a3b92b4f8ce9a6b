import { isRefusal, type MusterError } from '../../kernel/errors.ts'
import { quoteName } from '../names.ts'
import { findColumn } from '../plan/calc.ts'
import { checkSql, refuseSql } from './check.ts'

/** A statement in which an expression of a user stands where it can be looked at. */
export const expressionSql = (expression: string, table: string): string => `SELECT (${expression}\n) FROM ${quoteName(table)}`

export interface CheckedExpression {
  /** columns of the table that it reads, as the table spells them */
  columns: string[]
  /** it looks into tables itself, so it cannot be worked out file by file */
  hasQuery: boolean
  /** those it looks into, and its own */
  tables: string[]
}

/** The expression's own node in the parse tree of {@link expressionSql}. */
export const expressionNode = (tree: unknown): unknown =>
  ((tree as { statements?: { node?: Node }[] }).statements?.[0]?.node?.['select_list'] as Node[] | undefined)?.[0]

type Node = Record<string, unknown>

/**
 * Whether an expression is one expression over the table's columns, decided on the engine's parse tree of {@link expressionSql}:
 * no bracket of it closes what it did not open, and it calls no function that {@link checkSql} refuses.
 * @returns SCUBA_SQL, SCUBA_COLUMN_UNKNOWN, SCUBA_TABLE_UNKNOWN
 */
export function checkExpression(
  tree: unknown,
  expression: string,
  table: string,
  columns: readonly string[],
  known: ReadonlySet<string>,
): CheckedExpression | MusterError {
  const text = expressionSql(expression, table)
  const checked = checkSql(tree, text, known)
  if (isRefusal(checked)) return checked
  const select = (tree as { statements: { node: Node }[] }).statements[0]?.node ?? {}
  const from = (select['from_table'] ?? {}) as Node
  const list = (select['select_list'] ?? []) as Node[]
  const isAlone =
    select['type'] === 'SELECT_NODE' &&
    list.length === 1 &&
    list[0]?.['alias'] === '' &&
    from['type'] === 'BASE_TABLE' &&
    from['table_name'] === table &&
    from['alias'] === '' &&
    isEmpty(select['where_clause']) &&
    isEmpty(select['having']) &&
    isEmpty(select['qualify']) &&
    isEmpty(select['sample']) &&
    isEmpty(select['group_expressions']) &&
    isEmpty(select['modifiers']) &&
    isEmpty((select['cte_map'] as { map?: unknown } | undefined)?.map)
  if (!isAlone) return refuseSql(`${JSON.stringify(expression)} is not one condition or value`, text, null)
  const seen = look(list[0], { table, names: new Set(), hasQuery: false, hasLambda: false, hasStar: false })
  if (seen.hasStar) return { columns: [...columns], hasQuery: seen.hasQuery, tables: checked.tables }
  const found: string[] = []
  for (const name of seen.names) {
    const column = findColumn(name, columns)
    if (typeof column === 'string') found.push(column)
    // A lambda's own names and an inner query's columns are none of ours; the engine knows them.
    else if (!seen.hasLambda && !seen.hasQuery) return column
  }
  return { columns: [...new Set(found)], hasQuery: seen.hasQuery, tables: checked.tables }
}

/** Names of columns, lower case, that a statement reads of whatever table; `hasStar`: it reads all. */
export function readNames(tree: unknown): { names: Set<string>; hasStar: boolean } {
  const seen = look(tree, { table: '', names: new Set(), hasQuery: false, hasLambda: false, hasStar: false }, true)
  return { names: seen.names, hasStar: seen.hasStar }
}

const isEmpty = (value: unknown): boolean => value === null || value === undefined || (Array.isArray(value) && value.length === 0)

interface Seen {
  table: string
  names: Set<string>
  hasQuery: boolean
  hasLambda: boolean
  hasStar: boolean
}

/** @param isEvery every part of a name, lower case, not only the one that is the column */
function look(value: unknown, seen: Seen, isEvery = false): Seen {
  if (value === null || typeof value !== 'object') return seen
  if (Array.isArray(value)) {
    for (const item of value) look(item, seen, isEvery)
    return seen
  }
  const node = value as Node
  if (node['class'] === 'COLUMN_REF') {
    const [first, second] = node['column_names'] as string[]
    if (isEvery) for (const part of node['column_names'] as string[]) seen.names.add(part.toLowerCase())
    else if (first !== undefined) seen.names.add(second !== undefined && first.toLowerCase() === seen.table ? second : first)
  }
  if (node['class'] === 'SUBQUERY') seen.hasQuery = true
  if (node['class'] === 'LAMBDA') seen.hasLambda = true
  if (node['class'] === 'STAR') seen.hasStar = true
  for (const child of Object.values(node)) look(child, seen, isEvery)
  return seen
}
