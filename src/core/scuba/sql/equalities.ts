import type { PlainValue } from '../wire-types.ts'

/** A column that must equal a text for a row to be in the answer. */
export interface Equality {
  column: string
  value: string
}

type Node = Record<string, unknown>

/**
 * Conditions `column = 'text'` that every row of the only table of a statement fulfils, from the engine's parse tree: those of the
 * outermost WHERE, joined by AND. None when the statement reads more than one table, or the table more than once: the conditions
 * would hold for one reading of it only.
 * @param params values of `$name`
 */
export function equalitiesOf(tree: unknown, params: Readonly<Record<string, PlainValue>>): Equality[] {
  return conditionsOf(tree).flatMap((condition) => equality(condition, params))
}

/** All conditions that every row of the only table of a statement fulfils, as {@link equalitiesOf} has them. */
export function conditionsOf(tree: unknown): Node[] {
  const node = ((tree as { statements?: { node?: Node }[] }).statements ?? [])[0]?.node
  if (node?.['type'] !== 'SELECT_NODE' || countTables(tree) !== 1) return []
  const from = node['from_table'] as Node
  // With names of its own for the columns, or a sample of the rows, other rows are meant.
  if (from['type'] !== 'BASE_TABLE' || (from['column_name_alias'] as unknown[]).length > 0 || from['sample'] !== null) return []
  return conjuncts(node['where_clause'])
}

function countTables(value: unknown): number {
  if (value === null || typeof value !== 'object') return 0
  const own = (value as Node)['type'] === 'BASE_TABLE' ? 1 : 0
  return Object.values(value).reduce((sum: number, child) => sum + countTables(child), own)
}

function conjuncts(condition: unknown): Node[] {
  const node = condition as Node | null | undefined
  if (!node) return []
  if (node['type'] === 'CONJUNCTION_AND') return (node['children'] as unknown[]).flatMap(conjuncts)
  return [node]
}

function equality(condition: Node, params: Readonly<Record<string, PlainValue>>): Equality[] {
  if (condition['type'] !== 'COMPARE_EQUAL') return []
  const sides = [condition['left'], condition['right']] as Node[]
  const column = sides.find((side) => side['type'] === 'COLUMN_REF')
  const other = sides.find((side) => side !== column)
  const name = (column?.['column_names'] as string[] | undefined)?.at(-1)
  const value = other && constant(other, params)
  return name !== undefined && typeof value === 'string' ? [{ column: name, value }] : []
}

function constant(node: Node, params: Readonly<Record<string, PlainValue>>): unknown {
  if (node['type'] === 'VALUE_CONSTANT') return (node['value'] as Node)['value']
  if (node['type'] === 'VALUE_PARAMETER') return params[String(node['identifier'])]
  return undefined
}
