import { civilOf } from '../../kernel/civil.ts'
import { arrayText, parseArray } from './array.ts'
import { doubleText, floatText } from './number-text.ts'
import { elementOfArray, PG_TYPES } from './types.ts'

/** The binary forms of PostgreSQL's types (its `…_send` and `…_recv` functions), from and to the text forms. */

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/** 2000-01-01, from which PostgreSQL counts. */
const EPOCH_DAYS = 10_957
const DAY_US = 86_400_000_000n

/** @param text the value in the text form; one that is not of its type is sent as text, which no client takes for something else */
export function binaryValue(oid: number, text: string): Uint8Array {
  const element = elementOfArray(oid)
  if (element !== undefined) return arrayBytes(element.oid, parseArray(text) ?? [])
  switch (oid) {
    case PG_TYPES.bool.oid:
      return new Uint8Array([text === 't' ? 1 : 0])
    case PG_TYPES.int2.oid:
      return sized(2, (view) => view.setInt16(0, Number(text)))
    case PG_TYPES.int4.oid:
    case PG_TYPES.date.oid:
      return sized(4, (view) => view.setInt32(0, oid === PG_TYPES.date.oid ? daysOf(text) - EPOCH_DAYS : Number(text)))
    case PG_TYPES.oid.oid:
      return sized(4, (view) => view.setUint32(0, Number(text)))
    case PG_TYPES.int8.oid:
      return sized(8, (view) => view.setBigInt64(0, BigInt(text)))
    case PG_TYPES.float4.oid:
      return sized(4, (view) => view.setFloat32(0, Number(text)))
    case PG_TYPES.float8.oid:
      return sized(8, (view) => view.setFloat64(0, Number(text)))
    case PG_TYPES.timestamptz.oid:
    case PG_TYPES.timestamp.oid:
      return sized(8, (view) => view.setBigInt64(0, instantOf(text)))
    case PG_TYPES.time.oid:
      return sized(8, (view) => view.setBigInt64(0, timeOf(text)))
    case PG_TYPES.interval.oid:
      return intervalBytes(text)
    case PG_TYPES.numeric.oid:
      return numericBytes(text)
    case PG_TYPES.uuid.oid:
      return hexBytes(text.replaceAll('-', ''))
    case PG_TYPES.bytea.oid:
      return hexBytes(text.slice(2))
    default:
      return encoder.encode(text)
  }
}

/**
 * The text of a value that a client sent in the binary form.
 * @throws RangeError or TypeError when it is not of that form
 * @returns null for a type whose binary form is not taken
 */
export function textOfBinary(oid: number, bytes: Uint8Array): string | null {
  const element = elementOfArray(oid)
  if (element !== undefined) return textOfArray(element.oid, bytes)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  switch (oid) {
    case PG_TYPES.bool.oid:
      return view.getUint8(0) === 0 ? 'f' : 't'
    case PG_TYPES.int2.oid:
      return String(view.getInt16(0))
    case PG_TYPES.int4.oid:
      return String(view.getInt32(0))
    case PG_TYPES.oid.oid:
      return String(view.getUint32(0))
    case PG_TYPES.int8.oid:
      return String(view.getBigInt64(0))
    case PG_TYPES.float4.oid:
      return floatText(view.getFloat32(0))
    case PG_TYPES.float8.oid:
      return doubleText(view.getFloat64(0))
    case PG_TYPES.date.oid:
      return isoOf(BigInt(view.getInt32(0)) * DAY_US).slice(0, 10)
    case PG_TYPES.timestamptz.oid:
    case PG_TYPES.timestamp.oid:
      return isoOf(view.getBigInt64(0))
    case PG_TYPES.uuid.oid:
      return hexOf(bytes.subarray(0, 16)).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
    case PG_TYPES.bytea.oid:
      return `\\x${hexOf(bytes)}`
    case PG_TYPES.numeric.oid:
      return textOfNumeric(view)
    case 0:
    case PG_TYPES.text.oid:
    case PG_TYPES.varchar.oid:
    case PG_TYPES.json.oid:
      return decoder.decode(bytes)
    default:
      return null
  }
}

function sized(length: number, write: (view: DataView) => void): Uint8Array {
  const view = new DataView(new ArrayBuffer(length))
  write(view)
  return new Uint8Array(view.buffer)
}

/** Dimensions, whether there are NULLs, the elements' type; per dimension its length and lower bound; then length and bytes of each. */
function arrayBytes(elementOid: number, elements: readonly (string | null)[]): Uint8Array {
  const values = elements.map((element) => (element === null ? null : binaryValue(elementOid, element)))
  const bodyBytes = values.reduce((sum, value) => sum + 4 + (value?.length ?? 0), 0)
  const isEmpty = values.length === 0
  return sized((isEmpty ? 12 : 20) + bodyBytes, (view) => {
    view.setInt32(0, isEmpty ? 0 : 1)
    view.setInt32(4, values.includes(null) ? 1 : 0)
    view.setInt32(8, elementOid)
    if (isEmpty) return
    view.setInt32(12, values.length)
    view.setInt32(16, 1)
    let at = 20
    for (const value of values) {
      view.setInt32(at, value?.length ?? -1)
      new Uint8Array(view.buffer).set(value ?? [], at + 4)
      at += 4 + (value?.length ?? 0)
    }
  })
}

function textOfArray(elementOid: number, bytes: Uint8Array): string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const dimensions = view.getInt32(0)
  if (dimensions === 0) return '{}'
  if (dimensions !== 1 || view.getInt32(8) !== elementOid) return null
  const count = view.getInt32(12)
  if (count < 0 || count * 4 > bytes.length) throw new RangeError('an array that is longer than its value')
  const elements: (string | null)[] = []
  for (let index = 0, at = 20; index < count; index += 1) {
    const length = view.getInt32(at)
    at += 4
    if (length < 0) {
      elements.push(null)
      continue
    }
    if (at + length > bytes.length) throw new RangeError('an element that is longer than its array')
    const text = textOfBinary(elementOid, bytes.subarray(at, at + length))
    if (text === null) return null
    elements.push(text)
    at += length
  }
  return arrayText(elements)
}

/** Days since 1970 of `YYYY-MM-DD`, also with ` BC` behind. */
function daysOf(text: string): number {
  const [, year, month, day, bc] = /^(\d+)-(\d+)-(\d+)( BC)?/.exec(text) ?? []
  return Math.round(civilMs(bc === undefined ? Number(year) : 1 - Number(year), Number(month), Number(day)) / 86_400_000)
}

/** µs since 2000 of `YYYY-MM-DD HH:MM:SS[.ffffff][+00]`, which is UTC whatever stands behind. */
function instantOf(text: string): bigint {
  if (text === 'infinity') return 0x7fff_ffff_ffff_ffffn
  if (text === '-infinity') return -0x8000_0000_0000_0000n
  const [, date, time, bc] = /^(\S+) ([\d:.]+)\S*( BC)?$/.exec(text) ?? []
  return BigInt(daysOf(`${date ?? ''}${bc ?? ''}`) - EPOCH_DAYS) * DAY_US + timeOf(time ?? '0:0:0')
}

function timeOf(text: string): bigint {
  const [, sign, hours, minutes, seconds, fraction] = /^(-?)(\d+):(\d+):(\d+)(?:\.(\d+))?/.exec(text) ?? []
  const whole = BigInt(hours ?? 0) * 3600n + BigInt(minutes ?? 0) * 60n + BigInt(seconds ?? 0)
  const us = whole * 1_000_000n + BigInt((fraction ?? '').padEnd(6, '0').slice(0, 6))
  return sign === '-' ? -us : us
}

/** `Date.UTC` without its century of two digits. */
function civilMs(year: number, month: number, day: number): number {
  // Days from civil: Hinnant, "chrono-Compatible Low-Level Date Algorithms".
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return (era * 146_097 + dayOfEra - 719_468) * 86_400_000
}

/** Text of µs since 2000. */
function isoOf(us: bigint): string {
  return timestampText(us + BigInt(EPOCH_DAYS) * DAY_US)
}

/** `YYYY-MM-DD HH:MM:SS[.ffffff]` of µs since 1970, as PostgreSQL writes it; years before 1 end with ` BC`. */
export function timestampText(us: bigint, zone = ''): string {
  const days = floorDiv(us, DAY_US)
  const { date, bc } = dateParts(Number(days))
  return `${date} ${timeText(us - days * DAY_US)}${zone}${bc}`
}

/** `YYYY-MM-DD` of days since 1970. */
export function dateText(days: number): string {
  const { date, bc } = dateParts(days)
  return `${date}${bc}`
}

/** `HH:MM:SS[.ffffff]` */
export function timeText(us: bigint): string {
  const seconds = us / 1_000_000n
  const two = (value: bigint): string => String(value).padStart(2, '0')
  const fraction = String(us % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '')
  return `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}${fraction === '' ? '' : `.${fraction}`}`
}

/** `1 year 2 mons 3 days 04:05:06` */
export function intervalText(months: number, days: number, us: bigint): string {
  const parts = [
    unit(Math.trunc(months / 12), 'year'),
    unit(months % 12, 'mon'),
    unit(days, 'day'),
    us === 0n ? '' : `${us < 0n ? '-' : ''}${timeText(us < 0n ? -us : us)}`,
  ].filter((part) => part !== '')
  return parts.length === 0 ? '00:00:00' : parts.join(' ')
}

const unit = (count: number, name: string): string => (count === 0 ? '' : `${count} ${name}${count === 1 ? '' : 's'}`)
const floorDiv = (a: bigint, b: bigint): bigint => (a >= 0n ? a / b : -((b - 1n - a) / b))

function dateParts(days: number): { date: string; bc: string } {
  const { year, month, day } = civilOf(days)
  const two = (value: number): string => String(value).padStart(2, '0')
  const shown = String(year > 0 ? year : 1 - year).padStart(4, '0')
  return { date: `${shown}-${two(month)}-${two(day)}`, bc: year > 0 ? '' : ' BC' }
}

/** µs, days, months */
function intervalBytes(text: string): Uint8Array {
  const count = (name: string): number => Number(new RegExp(`(-?\\d+) ${name}s?`).exec(text)?.[1] ?? 0)
  const time = /-?\d+:\d+:\d+(?:\.\d+)?/.exec(text)?.[0]
  return sized(16, (view) => {
    view.setBigInt64(0, time === undefined ? 0n : timeOf(time))
    view.setInt32(8, count('day'))
    view.setInt32(12, count('year') * 12 + count('mon'))
  })
}

const NUMERIC_NEGATIVE = 0x4000
const NUMERIC_NAN = 0xc000

/** Count of groups of four digits, weight of the first, sign, digits behind the point; the groups. */
function numericBytes(text: string): Uint8Array {
  const [, minus, whole, fraction] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? []
  if (whole === undefined) return numericOf([], 0, NUMERIC_NAN, 0)
  const scale = fraction?.length ?? 0
  const left = whole.padStart(Math.ceil(whole.length / 4) * 4, '0')
  const digits = left + (fraction ?? '').padEnd(Math.ceil(scale / 4) * 4, '0')
  const groups = Array.from({ length: digits.length / 4 }, (_, index) => Number(digits.slice(index * 4, index * 4 + 4)))
  let weight = left.length / 4 - 1
  while (groups[0] === 0) {
    groups.shift()
    weight -= 1
  }
  while (groups.at(-1) === 0) groups.pop()
  return numericOf(groups, groups.length === 0 ? 0 : weight, minus === '-' && groups.length > 0 ? NUMERIC_NEGATIVE : 0, scale)
}

function numericOf(groups: readonly number[], weight: number, sign: number, scale: number): Uint8Array {
  return sized(8 + groups.length * 2, (view) => {
    view.setInt16(0, groups.length)
    view.setInt16(2, weight)
    view.setUint16(4, sign)
    view.setInt16(6, scale)
    groups.forEach((group, index) => view.setInt16(8 + index * 2, group))
  })
}

function textOfNumeric(view: DataView): string {
  const count = view.getInt16(0)
  const weight = view.getInt16(2)
  const sign = view.getUint16(4)
  const scale = view.getInt16(6)
  if (sign === NUMERIC_NAN) return 'NaN'
  if (count < 0 || scale < 0 || Math.abs(weight) > 1000) throw new RangeError('a numeric out of its bounds')
  const group = (index: number): string => (index < 0 || index >= count ? '0000' : String(view.getInt16(8 + index * 2)).padStart(4, '0'))
  let whole = ''
  for (let index = 0; index <= weight; index += 1) whole += group(index)
  let fraction = ''
  for (let index = weight + 1; fraction.length < scale; index += 1) fraction += group(index)
  const text = whole.replace(/^0+(?=\d)/, '') || '0'
  return `${sign === NUMERIC_NEGATIVE ? '-' : ''}${text}${scale === 0 ? '' : `.${fraction.slice(0, scale)}`}`
}

const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
const hexBytes = (hex: string): Uint8Array =>
  Uint8Array.from({ length: hex.length >> 1 }, (_, index) => Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16))
