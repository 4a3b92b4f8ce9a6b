import type { ColumnType, ColumnTypes } from '../rows/columns.ts'
import type { PlainValue } from '../wire-types.ts'
import { literal } from './names.ts'

type Node = Record<string, unknown>

/** What a condition may look at. */
export interface ConditionScope {
  /** columns whose values ClickHouse has as they are */
  types: ColumnTypes
  columnSql: (name: string, type: ColumnType) => string
  params: Readonly<Record<string, PlainValue>>
}

/** SQL that is 1 where a condition is true, and SQL that is 1 where it is false; where it is NULL both are 0. */
interface Truth {
  isTrue: string
  isFalse: string
}

/**
 * A condition of the engine's dialect, by its parse tree, as one of ClickHouse that is 1 where it is true and 0 otherwise. Written
 * with two values throughout: `NULL AND 0` is NULL to 18.16 and 0 to newer versions.
 * @param node of the engine's parse tree
 * @returns null when it has a form whose meaning may differ; the engine has to look at the rows then
 */
export function conditionSql(node: unknown, scope: ConditionScope): string | null {
  return node === null || typeof node !== 'object' ? null : (truth(node as Node, scope)?.isTrue ?? null)
}

function truth(node: Node, scope: ConditionScope): Truth | null {
  const children = (): (Truth | null)[] => (node['children'] as Node[]).map((child) => truth(child, scope))
  switch (node['type']) {
    case 'CONJUNCTION_AND':
      return joined(children(), 'AND')
    case 'CONJUNCTION_OR':
      return joined(children(), 'OR')
    case 'OPERATOR_NOT': {
      const [inner] = children()
      return inner ? { isTrue: inner.isFalse, isFalse: inner.isTrue } : null
    }
    case 'OPERATOR_IS_NULL':
    case 'OPERATOR_IS_NOT_NULL': {
      const [value] = (node['children'] as Node[]).map((child) => operand(child, scope))
      if (!value?.isColumn) return null
      const [is, isNot] = [`isNull(${value.sql})`, `isNotNull(${value.sql})`]
      return node['type'] === 'OPERATOR_IS_NULL' ? { isTrue: is, isFalse: isNot } : { isTrue: isNot, isFalse: is }
    }
    case 'COMPARE_BETWEEN': {
      const [input, lower, upper] = ['input', 'lower', 'upper'].map((name) => operand(node[name] as Node, scope))
      return joined([compared('>=', input, lower), compared('<=', input, upper)], 'AND')
    }
    case 'COMPARE_IN':
    case 'COMPARE_NOT_IN':
      return within(node, scope)
    case 'FUNCTION':
      return like(node, scope)
    case 'COLUMN_REF': {
      const value = operand(node, scope)
      return value?.kind === 'boolean' ? known(`${value.sql} = 1`) : null
    }
    default: {
      const operator = COMPARISONS[String(node['type'])]
      if (operator === undefined) return null
      return compared(operator, operand(node['left'] as Node, scope), operand(node['right'] as Node, scope))
    }
  }
}

const COMPARISONS: Readonly<Record<string, string>> = {
  COMPARE_EQUAL: '=',
  COMPARE_NOTEQUAL: '!=',
  COMPARE_LESSTHAN: '<',
  COMPARE_LESSTHANOREQUALTO: '<=',
  COMPARE_GREATERTHAN: '>',
  COMPARE_GREATERTHANOREQUALTO: '>=',
}

/** Of an expression that is 1, 0 or NULL. */
const known = (sql: string): Truth => ({ isTrue: `ifNull(${sql}, 0)`, isFalse: `ifNull(not(${sql}), 0)` })

function joined(parts: readonly (Truth | null)[], word: 'AND' | 'OR'): Truth | null {
  const all = parts.filter((part) => part !== null)
  if (all.length < parts.length) return null
  const other = word === 'AND' ? 'OR' : 'AND'
  return {
    isTrue: `(${all.map(({ isTrue }) => isTrue).join(` ${word} `)})`,
    isFalse: `(${all.map(({ isFalse }) => isFalse).join(` ${other} `)})`,
  }
}

interface Operand {
  sql: string
  kind: 'number' | 'text' | 'boolean'
  isColumn: boolean
}

const KINDS: Readonly<Partial<Record<ColumnType, Operand['kind']>>> = {
  BIGINT: 'number',
  DOUBLE: 'number',
  VARCHAR: 'text',
  BOOLEAN: 'boolean',
}

/** A column, a constant or a parameter; anything else is the engine's. */
function operand(node: Node | undefined, scope: ConditionScope): Operand | null {
  switch (node?.['type']) {
    case 'COLUMN_REF': {
      const wanted = (node['column_names'] as string[]).at(-1)?.toLowerCase()
      const [name, type] = Object.entries(scope.types).find(([column]) => column.toLowerCase() === wanted) ?? []
      const kind = type && KINDS[type]
      return name === undefined || type === undefined || kind === undefined
        ? null
        : { sql: scope.columnSql(name, type), kind, isColumn: true }
    }
    case 'VALUE_CONSTANT':
      return constant(node['value'] as Node)
    case 'VALUE_PARAMETER': {
      const value = scope.params[String(node['identifier'])]
      if (typeof value === 'number') return number(String(value))
      if (typeof value === 'string') return { sql: literal(value), kind: 'text', isColumn: false }
      return typeof value === 'boolean' ? { sql: value ? '1' : '0', kind: 'boolean', isColumn: false } : null
    }
    case 'FUNCTION': {
      const children = node['children'] as Node[]
      const [inner] = children.map((child) => operand(child, scope))
      const isMinus = node['function_name'] === '-' && children.length === 1 && inner?.kind === 'number' && !inner.isColumn
      return isMinus ? number(inner.sql.startsWith('-') ? inner.sql.slice(1) : `-${inner.sql}`) : null
    }
    default:
      return null
  }
}

function constant({ type, is_null: isNull, value }: Node): Operand | null {
  if (isNull === true) return null
  const { id, type_info: info } = type as { id: string; type_info: { scale?: number } | null }
  switch (id) {
    case 'VARCHAR':
      return { sql: literal(String(value)), kind: 'text', isColumn: false }
    case 'BOOLEAN':
      return { sql: value === true ? '1' : '0', kind: 'boolean', isColumn: false }
    case 'INTEGER':
    case 'BIGINT':
    case 'DOUBLE':
      return number(String(value))
    case 'DECIMAL':
      return number(scaled(String(value), info?.scale ?? 0))
    default:
      return null
  }
}

/** Whole numbers that a double has not exactly are compared in other ways by the two engines. */
function number(text: string): Operand | null {
  const value = Number(text)
  const isGood = Number.isFinite(value) && (Number.isSafeInteger(value) || !/^-?\d+$/.test(text))
  return isGood ? { sql: text, kind: 'number', isColumn: false } : null
}

/** A decimal as it was written: `15` with one place behind the point is 1.5. */
function scaled(digits: string, scale: number): string {
  if (scale === 0) return digits
  const sign = digits.startsWith('-') ? '-' : ''
  const padded = digits.slice(sign.length).padStart(scale + 1, '0')
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`
}

function compared(operator: string, left: Operand | null | undefined, right: Operand | null | undefined): Truth | null {
  if (!left || !right || left.kind !== right.kind || !(left.isColumn || right.isColumn)) return null
  return known(`${left.sql} ${operator} ${right.sql}`)
}

function within(node: Node, scope: ConditionScope): Truth | null {
  const [input, ...list] = (node['children'] as Node[]).map((child) => operand(child, scope))
  if (!input?.isColumn || list.length === 0) return null
  const values = list.flatMap((value) => (value && !value.isColumn && value.kind === input.kind ? [value.sql] : []))
  if (values.length < list.length) return null
  // ClickHouse says 0 of a NULL, and 1 of NULL NOT IN.
  const has = `(isNotNull(${input.sql}) AND ${input.sql} IN (${values.join(', ')}))`
  const hasNot = `(isNotNull(${input.sql}) AND ${input.sql} NOT IN (${values.join(', ')}))`
  return node['type'] === 'COMPARE_IN' ? { isTrue: has, isFalse: hasNot } : { isTrue: hasNot, isFalse: has }
}

/** LIKE with `%` at its ends only, which needs no pattern. */
function like(node: Node, scope: ConditionScope): Truth | null {
  const name = node['function_name']
  if (name !== '~~' && name !== '!~~') return null
  const [text, pattern] = node['children'] as [Node, Node]
  const value = operand(text, scope)
  const constantOf =
    pattern['type'] === 'VALUE_CONSTANT' ? (pattern['value'] as Node)['value'] : scope.params[String(pattern['identifier'])]
  if (!value?.isColumn || value.kind !== 'text' || typeof constantOf !== 'string') return null
  const match = /^(%?)([^%_\\]*)(%?)$/s.exec(constantOf)
  if (!match) return null
  const [, before = '', wanted = '', after = ''] = match
  const is = known(likeSql(value.sql, before !== '', literal(wanted), after !== ''))
  return name === '~~' ? is : { isTrue: is.isFalse, isFalse: is.isTrue }
}

function likeSql(value: string, isOpenBefore: boolean, wanted: string, isOpenAfter: boolean): string {
  if (wanted === "''" && (isOpenBefore || isOpenAfter)) return `${value} >= ''`
  if (isOpenBefore && isOpenAfter) return `position(${value}, ${wanted}) > 0`
  if (isOpenBefore) return `endsWith(${value}, ${wanted})`
  return isOpenAfter ? `startsWith(${value}, ${wanted})` : `${value} = ${wanted}`
}
