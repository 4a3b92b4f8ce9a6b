import { fromBase64 } from '../../../kernel/base64.ts'
import { refuse, type MusterError } from '../../../kernel/errors.ts'
import { defaultOf } from '../../../kernel/protobuf/defaults.ts'
import type { Field, Schema } from '../../../kernel/protobuf/schema.ts'
import { DECODE } from '../limits.ts'

/**
 * OTLP's JSON ("OTLP/HTTP, JSON Protobuf Encoding"): proto3's mapping with ids in hex, enums as numbers (names are taken too), 64-bit
 * integers as text or number. Unknown names are passed over; a known one of a wrong form refuses the body and says where it stands.
 */

type Values = Record<string, unknown>

/** Bytes that are hex here, not base64. */
const HEX = new Set(['trace_id', 'span_id', 'parent_span_id'])
const DEPTH_MAX = 100

interface Walk {
  itemsLeft: number
  /** names from the top, for what is wrong */
  path: (string | number)[]
}

/** @throws MusterError SCUBA_BODY_INVALID with the path, SCUBA_TOO_LARGE */
export function fromOtlpJson<Message>(schema: Schema<Message>, json: unknown): Message {
  return messageOf(schema, json, { itemsLeft: DECODE.itemsMax, path: [] }) as Message
}

function messageOf(schema: Schema<unknown>, json: unknown, walk: Walk): Values {
  if (json === null || typeof json !== 'object' || Array.isArray(json)) throw wrong(walk, 'an object')
  if (walk.path.length > DEPTH_MAX) throw wrong(walk, `nested at most ${DEPTH_MAX} deep`)
  const into: Values = {}
  for (const { name, camel, field } of namesOf(schema)) {
    const value = (json as Values)[camel] ?? (json as Values)[name] ?? null
    if (value === null) into[name] = defaultOf(field, () => null)
    else {
      walk.path.push(camel)
      into[name] = field.isRepeated ? listOf(name, field, value, walk) : valueOf(name, field, value, walk)
      walk.path.pop()
    }
  }
  return into
}

function listOf(name: string, field: Field<unknown>, value: unknown, walk: Walk): unknown[] {
  if (!Array.isArray(value)) throw wrong(walk, 'an array')
  walk.itemsLeft -= value.length
  if (walk.itemsLeft < 0) throw refuse('SCUBA_TOO_LARGE', `the body holds more than ${DECODE.itemsMax} things`)
  return value.map((one: unknown, i) => {
    walk.path.push(i)
    const read = valueOf(name, field, one, walk)
    walk.path.pop()
    return read
  })
}

function valueOf(name: string, field: Field<unknown>, value: unknown, walk: Walk): unknown {
  switch (field.kind) {
    case 'message':
      return messageOf(field.schema?.() as Schema<unknown>, value, walk)
    case 'text':
    case 'key':
      if (typeof value !== 'string') throw wrong(walk, 'a text')
      return value
    case 'bool':
      if (typeof value !== 'boolean') throw wrong(walk, 'true or false')
      return value
    case 'view':
      return bytesOf(HEX.has(name), value, walk)
    case 'double':
      return doubleOf(value, walk)
    case 'enum': {
      const index = typeof value === 'string' ? field.names.indexOf(value) : value
      if (typeof index !== 'number' || index < 0) throw wrong(walk, 'one of its numbers')
      return index
    }
    case 'int64':
    case 'uint64':
    case 'fixed64':
    case 'sfixed64':
      return integerOf(value, walk)
    case 'int':
    case 'uint':
    case 'uint32':
    case 'sint32':
    case 'fixed32':
      return Number(integerOf(value, walk))
  }
}

function bytesOf(isHex: boolean, value: unknown, walk: Walk): Uint8Array {
  if (typeof value !== 'string') throw wrong(walk, isHex ? 'hex digits' : 'base64')
  if (isHex) {
    if (!/^(?:[0-9a-f]{2}){0,64}$/i.test(value)) throw wrong(walk, 'hex digits')
    return Uint8Array.from({ length: value.length / 2 }, (_, i) => Number.parseInt(value.slice(i * 2, i * 2 + 2), 16))
  }
  const bytes = fromBase64(value)
  if (typeof bytes === 'number') throw wrong(walk, 'base64')
  return bytes
}

const NO_NUMBERS: Record<string, number> = { NaN: Number.NaN, Infinity: Infinity, '-Infinity': -Infinity }

function doubleOf(value: unknown, walk: Walk): number {
  if (typeof value === 'number') return value
  const number = typeof value === 'string' && value !== '' ? (NO_NUMBERS[value] ?? Number(value)) : null
  if (number === null || (Number.isNaN(number) && value !== 'NaN')) throw wrong(walk, 'a number')
  return number
}

/** Digits beyond 2^53 are exact only as text, which is how the protocol has them. */
function integerOf(value: unknown, walk: Walk): bigint {
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 64) return BigInt(value)
  if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return BigInt(value)
  throw wrong(walk, 'an integer')
}

const wrong = ({ path }: Walk, what: string): MusterError => {
  const place = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('')
  return refuse('SCUBA_BODY_INVALID', `${place === '' ? 'the body' : place.slice(1)} is not ${what}`, { details: { path: place } })
}

interface Named {
  name: string
  camel: string
  field: Field<unknown>
}
const known = new Map<Schema<unknown>, Named[]>()

function namesOf(schema: Schema<unknown>): Named[] {
  let names = known.get(schema)
  if (names === undefined) {
    names = Object.entries(schema.fields as Record<string, Field<unknown>>).map(([name, field]) => ({
      name,
      camel: name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      field,
    }))
    known.set(schema, names)
  }
  return names
}
