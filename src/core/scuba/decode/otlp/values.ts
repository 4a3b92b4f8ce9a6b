import { toBase64 } from '../../../kernel/base64.ts'
import { DECODE } from '../limits.ts'
import { numberOf, type Row, type Scalar } from '../rows.ts'
import type { AnyValue, KeyValue } from './messages.ts'

/** Attributes as columns: maps become dotted names, arrays JSON text, bytes base64; the last of equal names wins, empty values are left out. */
export function columnsOf(attributes: readonly KeyValue[]): Row {
  const row: Row = {}
  for (const { key, value } of attributes.slice(0, DECODE.valueItemsMax)) put(row, key, value, 1)
  return row
}

function put(row: Row, name: string, value: AnyValue | null, depth: number): void {
  if (value === null || name === '') return
  if (value.kvlist_value !== null && depth < DECODE.nestingMax) {
    for (const one of value.kvlist_value.values.slice(0, DECODE.valueItemsMax)) put(row, `${name}.${one.key}`, one.value, depth + 1)
    return
  }
  const scalar = scalarOf(value)
  if (scalar !== null) row[name] = scalar
}

/** A value as one scalar: arrays and maps as JSON text; null: it is empty. */
export function scalarOf(value: AnyValue): Scalar | null {
  const plain = plainOf(value, 1)
  return plain === null || typeof plain !== 'object' ? plain : JSON.stringify(plain)
}

/** A value as JSON has it; 64-bit integers that no number holds, and what is no number, as text. */
function plainOf(value: AnyValue | null, depth: number): Scalar | null | object {
  if (value === null) return null
  if (value.string_value !== null) return value.string_value
  if (value.bool_value !== null) return value.bool_value
  if (value.int_value !== null) return integerOf(value.int_value)
  if (value.double_value !== null) return numberOf(value.double_value)
  if (value.bytes_value !== null) return toBase64(value.bytes_value)
  if (depth > DECODE.nestingMax * 2) return '…'
  const { array_value: array, kvlist_value: map } = value
  if (array !== null) return array.values.slice(0, DECODE.valueItemsMax).map((one) => plainOf(one, depth + 1))
  if (map !== null)
    return Object.fromEntries(map.values.slice(0, DECODE.valueItemsMax).map(({ key, value: inner }) => [key, plainOf(inner, depth + 1)]))
  return null
}

export function integerOf(value: bigint): Scalar {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : String(value)
}

const DIGITS = '0123456789abcdef'

/** Lower-case hex of an id; null for an empty one or one of zeros, which is none. */
export function hexId(bytes: Uint8Array): string | null {
  let text = ''
  let isZero = true
  for (const byte of bytes.subarray(0, 64)) {
    text += (DIGITS[byte >> 4] as string) + (DIGITS[byte & 15] as string)
    if (byte !== 0) isZero = false
  }
  return isZero ? null : text
}
