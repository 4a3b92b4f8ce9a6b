import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBIntervalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  DuckDBTypeId,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api'
import { arrayText } from '../../core/scuba/pgwire/array.ts'
import { dateText, intervalText, timestampText, timeText } from '../../core/scuba/pgwire/binary.ts'
import { doubleText, floatText } from '../../core/scuba/pgwire/number-text.ts'

/**
 * A value of the engine in PostgreSQL's text form, of the type that `pgTypeOf` gives for its type: times in UTC, lists of
 * plain values as arrays, whatever else is nested as JSON. A NUL in text, which PostgreSQL cannot have, becomes U+FFFD.
 */
export function pgText(value: DuckDBValue, type?: DuckDBType): string | null {
  if (value === null || value === undefined) return null
  switch (typeof value) {
    case 'string':
      return value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value
    case 'boolean':
      return value ? 't' : 'f'
    case 'bigint':
      return value.toString()
    case 'number':
      return type?.typeId === DuckDBTypeId.FLOAT ? floatText(value) : doubleText(value)
    default:
      return objectText(value, type)
  }
}

function objectText(value: object, type?: DuckDBType): string {
  const instant = microsOf(value)
  if (instant !== null) return instantText(instant)
  if (value instanceof DuckDBDateValue) return value.isFinite ? dateText(value.days) : `${value.days < 0 ? '-' : ''}infinity`
  if (value instanceof DuckDBTimeValue) return timeText(value.micros)
  if (value instanceof DuckDBIntervalValue) return intervalText(value.months, value.days, value.micros)
  if (value instanceof DuckDBBlobValue) return `\\x${Buffer.from(value.bytes).toString('hex')}`
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    const element = type !== undefined && 'valueType' in type ? type.valueType : undefined
    const isNested = value.items.some((item) => isNestedValue(item)) || isNestedType(element)
    return isNested ? JSON.stringify(value.items.map(jsonValue)) : arrayText(value.items.map((item) => pgText(item, element)))
  }
  if (isNestedValue(value)) return JSON.stringify(jsonValue(value as DuckDBValue))
  return String(value)
}

const NESTED_TYPES: ReadonlySet<number> = new Set([
  DuckDBTypeId.LIST,
  DuckDBTypeId.ARRAY,
  DuckDBTypeId.STRUCT,
  DuckDBTypeId.MAP,
  DuckDBTypeId.UNION,
])

const isNestedType = (type: DuckDBType | undefined): boolean => type !== undefined && NESTED_TYPES.has(type.typeId)

const isNestedValue = (value: unknown): boolean =>
  value instanceof DuckDBListValue ||
  value instanceof DuckDBArrayValue ||
  value instanceof DuckDBStructValue ||
  value instanceof DuckDBMapValue

function microsOf(value: object): bigint | null {
  if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue) return value.micros
  if (value instanceof DuckDBTimestampMillisecondsValue) return value.millis * 1000n
  if (value instanceof DuckDBTimestampSecondsValue) return value.seconds * 1_000_000n
  return value instanceof DuckDBTimestampNanosecondsValue ? value.nanos / 1000n : null
}

function instantText(us: bigint): string {
  if (us >= DuckDBTimestampValue.PosInf.micros) return 'infinity'
  return us <= DuckDBTimestampValue.NegInf.micros ? '-infinity' : timestampText(us, '+00')
}

/** As `JSON.stringify` takes it: integers that are no exact numbers as text. */
function jsonValue(value: DuckDBValue): unknown {
  if (typeof value === 'bigint') return value >= -(2n ** 53n) && value <= 2n ** 53n ? Number(value) : value.toString()
  if (value === null || value === undefined || typeof value !== 'object') return value
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(jsonValue)
  if (value instanceof DuckDBStructValue)
    return Object.fromEntries(Object.entries(value.entries).map(([key, inner]) => [key, jsonValue(inner)]))
  if (value instanceof DuckDBMapValue)
    return Object.fromEntries(value.entries.map(({ key, value: inner }) => [pgText(key) ?? '', jsonValue(inner)]))
  return pgText(value)
}
