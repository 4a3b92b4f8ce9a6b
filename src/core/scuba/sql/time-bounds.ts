import { hasNode, isPlain, type Node } from './nodes.ts'

/** Rows of which `time` is, against a moment that does not depend on the row. */
export interface Bound {
  op: '>=' | '>' | '<' | '<='
  /** the moment; may read the clock */
  moment: Node
}

const OPS: Record<string, Bound['op']> = {
  COMPARE_GREATERTHANOREQUALTO: '>=',
  COMPARE_GREATERTHAN: '>',
  COMPARE_LESSTHAN: '<',
  COMPARE_LESSTHANOREQUALTO: '<=',
}
const MIRRORED: Record<Bound['op'], Bound['op']> = { '>=': '<=', '>': '<', '<': '>', '<=': '>=' }

/** Functions that are the same all over one statement. */
const CLOCKS = new Set(['now', 'today', 'current_date', 'get_current_timestamp', 'current_timestamp', 'transaction_timestamp'])

/** The column that a node is; null: none. */
type ColumnOf = (node: Node) => string | null

/** Divides a condition into bounds of `time` and all else that has to hold. */
export function timeBounds(where: Node | null, columnOf: ColumnOf): { bounds: Bound[]; rest: Node[] } {
  const bounds: Bound[] = []
  const rest: Node[] = []
  for (const condition of conjuncts(where)) {
    const found = boundsOf(condition, columnOf)
    if (found === null) rest.push(condition)
    else bounds.push(...found)
  }
  return { bounds, rest }
}

/** The inverse: all of these hold. */
export const conjunction = (conditions: readonly Node[]): Node =>
  conditions.length === 1 && conditions[0]
    ? conditions[0]
    : { class: 'CONJUNCTION', type: 'CONJUNCTION_AND', alias: '', children: conditions }

function conjuncts(condition: Node | null): Node[] {
  if (!condition) return []
  return condition['type'] === 'CONJUNCTION_AND' ? (condition['children'] as Node[]).flatMap(conjuncts) : [condition]
}

function boundsOf(condition: Node, columnOf: ColumnOf): Bound[] | null {
  const isTime = (node: Node): boolean => columnOf(node) === 'time'
  const isMoment = (node: Node): boolean => !hasNode(node, (inner) => isExpression(inner) && !isOfNoRow(inner, columnOf))
  if (condition['type'] === 'COMPARE_BETWEEN') {
    const { input, lower, upper } = condition as Record<string, Node>
    if (!input || !lower || !upper || !isTime(input) || !isMoment(lower) || !isMoment(upper)) return null
    return [
      { op: '>=', moment: lower },
      { op: '<=', moment: upper },
    ]
  }
  const op = OPS[String(condition['type'])]
  const { left, right } = condition as Record<string, Node>
  if (op === undefined || !left || !right) return null
  if (isTime(left) && isMoment(right)) return [{ op, moment: right }]
  return isTime(right) && isMoment(left) ? [{ op: MIRRORED[op], moment: left }] : null
}

const isExpression = (node: Node): boolean => typeof node['class'] === 'string'

/** `current_timestamp` without brackets stands in the tree as a column would. */
const isOfNoRow = (node: Node, columnOf: ColumnOf): boolean =>
  node['class'] === 'COLUMN_REF' ? columnOf(node) === null && isClock(node) : isPlain(node) || isClock(node)

function isClock(node: Node): boolean {
  if (node['class'] === 'FUNCTION') return CLOCKS.has(String(node['function_name']).toLowerCase())
  const path = node['class'] === 'COLUMN_REF' ? (node['column_names'] as string[]) : []
  return path.length === 1 && CLOCKS.has(String(path[0]).toLowerCase())
}

/** Whether it is another moment each time. */
export const readsClock = (node: Node): boolean => hasNode(node, isClock)
