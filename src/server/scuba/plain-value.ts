import type { PlainValue } from '../../core/scuba/wire-types.ts'

/**
 * An engine's value as plain JSON: times as ms since the epoch, integers beyond 2^53 as text, NaN and infinities as null,
 * bytes as hex, intervals in words.
 */
export function plainValue(value: unknown): PlainValue {
  if (value === null || value === undefined) return null
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) ? value : null
    case 'bigint':
      return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString()
    default:
      return plainObject(value)
  }
}

function plainObject(value: object): PlainValue {
  if (value instanceof Date) return value.getTime()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(plainValue)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plainValue(inner)]))
}
