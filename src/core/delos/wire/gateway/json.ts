import { byteString, bytesOf } from '../../../kernel/protobuf/byte-string.ts'
import type { Codec } from '../../../kernel/protobuf/codec.ts'
import { defaultOf } from '../../../kernel/protobuf/defaults.ts'
import type { Field, Schema } from '../../../kernel/protobuf/schema.ts'
import { fromBase64, toBase64 } from '../../../kernel/base64.ts'

/**
 * Messages as the JSON of etcd's gateway: proto3's JSON mapping under the names of the proto file, bytes as base64, 64-bit integers as
 * strings, enums by name, and everything at its default left out.
 */

type Values = Record<string, unknown>

export function toJson<Message>(schema: Schema<Message>, message: Message): Values {
  const json: Values = {}
  for (const [name, field] of fieldsOf(schema)) {
    const value = (message as Values)[name]
    if (value === null || value === undefined) continue
    if (field.isRepeated) {
      const values = value as readonly unknown[]
      if (values.length > 0) json[name] = values.map((one) => valueToJson(field, one))
    } else if (field.isOptional || field.kind === 'message' || !isDefault(value)) json[name] = valueToJson(field, value)
  }
  return json
}

/** The text of `toJson`, in pieces: each is that of a message in which no other is repeated, as a pair, or less. */
export function* jsonPieces<Message>(schema: Schema<Message>, message: Message): Generator<string, void> {
  if (!isLong(schema)) {
    yield JSON.stringify(toJson(schema, message))
    return
  }
  yield '{'
  let comma = ''
  for (const [name, field] of fieldsOf(schema)) {
    const value = (message as Values)[name]
    if (value === null || value === undefined) continue
    if (field.kind !== 'message') {
      const one = JSON.stringify(toJson<unknown>({ name: schema.name, fields: { [name]: field } }, { [name]: value }))
      if (one === '{}') continue
      yield comma + one.slice(1, -1)
    } else {
      const nested = field.schema?.() as Schema<unknown>
      const values = field.isRepeated ? (value as readonly unknown[]) : [value]
      if (values.length === 0) continue
      yield `${comma}${JSON.stringify(name)}:${field.isRepeated ? '[' : ''}`
      for (const [i, each] of values.entries()) {
        if (i > 0) yield ','
        yield* jsonPieces(nested, each)
      }
      if (field.isRepeated) yield ']'
    }
    comma = ','
  }
  yield '}'
}

const long = new Map<unknown, boolean>()

/** Whether messages are repeated in it, at any depth. */
function isLong(schema: Schema<unknown>): boolean {
  const known = long.get(schema)
  if (known !== undefined) return known
  // Until it is known: a message that holds itself is long for another reason, if it is.
  long.set(schema, false)
  const found = fieldsOf(schema).some(([, { kind, isRepeated, schema: nested }]) => {
    return kind === 'message' && (isRepeated || isLong(nested?.() as Schema<unknown>))
  })
  long.set(schema, found)
  return found
}

function valueToJson(field: Field<unknown>, value: unknown): unknown {
  switch (field.kind) {
    case 'key':
      return toBase64(bytesOf(value as string))
    case 'view':
      return toBase64(value as Uint8Array)
    case 'int':
    case 'uint':
    case 'int64':
    case 'uint64':
    case 'fixed64':
    case 'sfixed64':
      return String(value)
    case 'enum':
      return field.names[value as number] ?? value
    case 'message':
      return toJson(field.schema?.() as Schema<unknown>, value)
    case 'text':
    case 'bool':
    case 'uint32':
    case 'sint32':
    case 'fixed32':
    case 'double':
      return value
  }
}

const isDefault = (value: unknown): boolean =>
  value === '' || value === 0 || value === 0n || value === false || (value instanceof Uint8Array && value.length === 0)

/** What a text of JSON says. Integers too large for a number, as ids of leases are, come as the string of their digits. */
export function parseJson(text: string): { value: unknown } | { error: string } {
  try {
    return { value: /\d{16}/.test(text) ? JSON.parse(text, exactly) : JSON.parse(text) }
  } catch (error) {
    // The text is the caller's; what is wrong with it is the answer.
    return { error: (error as Error).message }
  }
}

/** ECMAScript's "JSON.parse source text access". */
function exactly(_key: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === 'number' && !Number.isSafeInteger(value) && context?.source !== undefined ? context.source : value
}

/**
 * A message from JSON, or what is wrong with it in the words of Go's `encoding/json`, which etcd's clients see. Names may be the proto
 * file's or in camel case; unknown ones are passed over.
 */
export function fromJson<Message>(codec: Codec<Message>, json: unknown): { message: Message } | { error: string } {
  const errors: string[] = []
  const message = codec.make()
  if (json !== null) fill(codec.schema, json, message as Values, errors)
  const [error] = errors
  return error === undefined ? { message } : { error }
}

function fill(schema: Schema<unknown>, json: unknown, into: Values, errors: string[]): void {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return wrong(json, 'map[string]json.RawMessage', errors)
  for (const [name, field] of fieldsOf(schema)) {
    const value = (json as Values)[name] ?? (json as Values)[camelCase(name)]
    if (value === undefined || value === null) continue
    if (!field.isRepeated) {
      for (const other of othersOf(schema, field)) into[other] = null
      into[name] = valueFromJson(field, value, errors)
    } else if (Array.isArray(value)) into[name] = value.map((one) => valueFromJson(field, one, errors))
    else wrong(value, '[]json.RawMessage', errors)
  }
}

const othersOf = (schema: Schema<unknown>, { oneof }: Field<unknown>): string[] =>
  oneof === ''
    ? []
    : fieldsOf(schema)
        .filter(([, other]) => other.oneof === oneof)
        .map(([name]) => name)

function valueFromJson(field: Field<unknown>, value: unknown, errors: string[]): unknown {
  switch (field.kind) {
    case 'key':
    case 'view': {
      const bytes = bytesFromJson(value, errors)
      return field.kind === 'view' ? bytes : byteString(bytes)
    }
    case 'text':
      if (typeof value !== 'string') wrong(value, 'string', errors)
      return value
    case 'bool':
      if (typeof value !== 'boolean') wrong(value, 'bool', errors)
      return value
    case 'enum':
      return enumFromJson(field, value, errors)
    case 'message': {
      const schema = field.schema?.() as Schema<unknown>
      const nested = emptyOf(schema)
      fill(schema, value, nested, errors)
      return nested
    }
    case 'int':
    case 'uint':
    case 'uint32':
    case 'sint32':
    case 'fixed32':
      return Number(integerFromJson(field, value, errors))
    case 'double':
      if (typeof value !== 'number') wrong(value, 'float64', errors)
      return value
    case 'int64':
    case 'uint64':
    case 'fixed64':
    case 'sfixed64':
      return integerFromJson(field, value, errors)
  }
}

function bytesFromJson(value: unknown, errors: string[]): Uint8Array {
  if (typeof value === 'string') {
    const bytes = fromBase64(value)
    if (typeof bytes !== 'number') return bytes
    errors.push(`illegal base64 data at input byte ${bytes}`)
  } else wrong(value, '[]uint8', errors)
  return new Uint8Array(0)
}

/** A number, or its digits as a string. */
function integerFromJson(field: Field<unknown>, value: unknown, errors: string[]): bigint {
  const isSigned = ['int', 'int64', 'sint32', 'sfixed64'].includes(field.kind)
  const bits = field.kind.endsWith('32') ? 32 : 64
  const type = `${isSigned ? '' : 'u'}int${bits}`
  if (typeof value !== 'string' && typeof value !== 'number') wrong(value, type, errors)
  else {
    const digits = String(value).trim()
    if (digits === '') errors.push('unexpected end of JSON input')
    else if (!/^-?\d/.test(digits)) errors.push(`invalid character '${digits[0]}' looking for beginning of value`)
    else {
      const integer = /^-?\d{1,20}$/.test(digits) ? BigInt(digits) : null
      if (integer !== null && integer === (isSigned ? BigInt.asIntN(bits, integer) : BigInt.asUintN(bits, integer))) return integer
      errors.push(`json: cannot unmarshal number ${digits} into Go value of type ${type}`)
    }
  }
  return 0n
}

function enumFromJson({ names, enumName }: Field<unknown>, value: unknown, errors: string[]): number {
  if (typeof value === 'number' && Number.isInteger(value)) return value
  const index = typeof value === 'string' ? names.indexOf(value) : -1
  if (index >= 0) return index
  if (typeof value === 'string') errors.push(`unknown value ${JSON.stringify(value)} for enum ${enumName}`)
  else if (typeof value === 'number') errors.push(`json: cannot unmarshal number ${value} into Go value of type ${enumName}`)
  else wrong(value, enumName, errors)
  return 0
}

function wrong(value: unknown, type: string, errors: string[]): void {
  const kind = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value === 'boolean' ? 'bool' : typeof value
  errors.push(`json: cannot unmarshal ${kind} into Go value of type ${type}`)
}

/** A message at its defaults; like a codec's `make`, without one. */
function emptyOf(schema: Schema<unknown>): Values {
  const empty: Values = {}
  for (const [name, field] of fieldsOf(schema)) empty[name] = defaultOf(field, emptyOf)
  return empty
}

const fieldsOf = (schema: Schema<unknown>): [string, Field<unknown>][] => Object.entries(schema.fields)

const camelCase = (name: string): string => name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
