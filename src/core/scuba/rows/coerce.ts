import type { ColumnType } from './columns.ts'

const INTEGER = /^(?:-?\d+|0x[\da-f]+|0b[01]+)$/i
const NUMBER = /^-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i
/** Nothing but a zero may begin with one; behind a minus it may. */
const LEADING_ZERO = /^0\d/
const BEGIN_SPACE = /^[ \t\n\v\f\r]+/
/** The engine allows it behind integers alone. */
const END_SPACE = /[ \t\n\v\f\r]+$/
const TRUE = new Set(['true', 't', 'yes'])
const FALSE = new Set(['false', 'f', 'no'])

/**
 * A value brought into its column's type as the engine's typed reading of JSON does it: 1.5 in a BIGINT column is 2 and 2.5 is 2,
 * `true` is 1, any number but 0 is true, texts are read where they are such a value. Null: it is none, and stands beside the column.
 */
export function coerced(value: string | number | boolean, type: ColumnType): number | boolean | null {
  switch (type) {
    case 'BIGINT':
      return safe(typeof value === 'string' ? integerOf(value) : roundedEven(Number(value)))
    case 'DOUBLE':
      return finite(typeof value === 'string' ? numberOf(value) : Number(value))
    case 'BOOLEAN':
      return typeof value === 'string' ? booleanOf(value.toLowerCase()) : Number(value) !== 0
    case 'VARCHAR':
    case 'TIMESTAMP':
      return null
  }
}

const safe = (value: number): number | null => (Number.isSafeInteger(value) ? value + 0 : null)
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)

/** To the nearest integer, of two as near to the even one. */
function roundedEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  return rest === 0.5 ? floor + (Math.abs(floor) % 2) : Math.round(value)
}

function integerOf(text: string): number {
  const trimmed = text.replace(BEGIN_SPACE, '').replace(END_SPACE, '')
  return INTEGER.test(trimmed) && !LEADING_ZERO.test(trimmed) ? Number(trimmed) : NaN
}

function numberOf(text: string): number {
  const begun = text.replace(BEGIN_SPACE, '')
  return NUMBER.test(begun) && !LEADING_ZERO.test(begun) ? Number(begun) : NaN
}

function booleanOf(text: string): boolean | null {
  return TRUE.has(text) ? true : FALSE.has(text) ? false : null
}
