import { quoteName, quoteText } from '../names.ts'
import type { PlainValue } from '../wire-types.ts'

/** Words that mean something else in SQL where a column could stand. */
const RESERVED = new Set(
  'all and any as asc case cast check column constraint default desc distinct else end except false for from full group having in inner into is join left like limit not null offset on or order primary qualify references right select some table then to true union unique user using when where window with'.split(
    ' ',
  ),
)

/** A column in a condition, in quotes only where it needs them. */
export function columnText(column: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(column) && !RESERVED.has(column) ? column : quoteName(column)
}

/** The condition that a column has a value, or has not: also where it is NULL. */
export function conditionOf(column: string, value: PlainValue, isNot = false): string {
  const name = columnText(column)
  if (value === null) return `${name} IS ${isNot ? 'NOT ' : ''}NULL`
  const text =
    typeof value === 'number' || typeof value === 'boolean'
      ? String(value)
      : quoteText(typeof value === 'string' ? value : JSON.stringify(value))
  return isNot ? `${name} IS DISTINCT FROM ${text}` : `${name} = ${text}`
}

/** The conditions that make a group. */
export function groupConditions(by: readonly string[], key: Readonly<Record<string, PlainValue>>): string[] {
  return by.map((column) => conditionOf(column, key[column] ?? null))
}

export function withCondition(where: readonly string[] | undefined, condition: string): string[] {
  return [...new Set([...(where ?? []), condition])]
}

/** A text of any length where there is room for a line or two. */
export const clipped = (text: string, charactersMax = 120): string =>
  text.length > charactersMax ? `${text.slice(0, charactersMax)}…` : text

/** A value as people read it: NULL is `∅`, an empty text `""`. */
export function plainText(value: PlainValue | undefined): string {
  if (value === null || value === undefined) return '∅'
  if (value === '') return '""'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
