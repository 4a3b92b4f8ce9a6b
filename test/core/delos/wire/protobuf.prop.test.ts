import fc from 'fast-check'
import type protobuf from 'protobufjs'
import { describe, expect, test } from 'vitest'
import { toJson } from '../../../../src/core/delos/wire/gateway/json.ts'
import { METHODS } from '../../../../src/core/delos/wire/methods.ts'
import { codecOf, decode, tableCodec, type Codec } from '../../../../src/core/kernel/protobuf/codec.ts'
import type { Field, Schema } from '../../../../src/core/kernel/protobuf/schema.ts'
import { LEASE_CHECKPOINT_REQUEST, LEASE_CHECKPOINT_RESPONSE } from '../../../../src/core/delos/wire/protobuf/schemas/lease.ts'
import { WATCH_RESPONSE } from '../../../../src/core/delos/wire/protobuf/schemas/watch.ts'
import { anyMessage, encode, loadEtcdProto } from './etcd-proto.ts'

const root = loadEtcdProto()
const LIKE_JSON = { longs: String, bytes: String, enums: String }

/** Every message that some call sends, and those nested in them. */
function allSchemas(): Schema<unknown>[] {
  const found = new Set<Schema<unknown>>()
  const add = (schema: Schema<unknown>): void => {
    if (found.has(schema)) return
    found.add(schema)
    for (const field of Object.values<Field<unknown>>(schema.fields)) if (field.schema !== null) add(field.schema())
  }
  for (const { request, response } of Object.values(METHODS)) {
    add(request.schema)
    add(response.schema)
  }
  add(LEASE_CHECKPOINT_REQUEST)
  add(LEASE_CHECKPOINT_RESPONSE)
  return [...found]
}

const schemas = allSchemas()
const cases = schemas.map((schema) => [schema.name, schema] as const)

test('the tables name exactly the fields of the proto files, with their numbers', () => {
  for (const schema of schemas) {
    const theirs = Object.values(root.lookupType(schema.name).fields).map(({ name, id }) => [name, id])
    const ours = Object.entries(schema.fields as Record<string, Field<unknown>>).map(([name, { number }]) => [name, number])
    expect(Object.fromEntries(ours), schema.name).toEqual(Object.fromEntries(theirs))
  }
})

test('every call of the proto files is there, with its messages and its kind', () => {
  const theirs: Record<string, unknown> = {}
  for (const name of ['KV', 'Watch', 'Lease', 'Cluster', 'Maintenance', 'Auth', 'Lock', 'Election']) {
    const pkg = name === 'Lock' ? 'v3lockpb' : name === 'Election' ? 'v3electionpb' : 'etcdserverpb'
    for (const method of root.lookupService(`${pkg}.${name}`).methodsArray) {
      method.resolve()
      theirs[`/${pkg}.${name}/${method.name}`] = [
        method.resolvedRequestType?.fullName.slice(1),
        method.resolvedResponseType?.fullName.slice(1),
        method.requestStream === true || method.responseStream === true ? 'streaming' : 'unary',
      ]
    }
  }
  const ours = Object.values(METHODS).map((one) => [one.path, [one.request.schema.name, one.response.schema.name, one.kind]] as const)
  expect(Object.fromEntries(ours)).toEqual(theirs)
})

describe.each(cases)('%s', (_name, schema) => {
  const type: protobuf.Type = root.lookupType(schema.name)
  const codec = codecOf(schema)

  test('what we encode, protobufjs reads as the same message', () => {
    fc.assert(
      fc.property(anyMessage(schema), (message) => {
        const read = type.toObject(type.decode(encode(codec, message)), LIKE_JSON)
        expect(read).toEqual(toJson(schema, message))
      }),
      { numRuns: 40 },
    )
  })

  test('what protobufjs encodes, we read as the same message', () => {
    fc.assert(
      fc.property(anyMessage(schema), (message) => {
        const bytes = type.encode(type.fromObject(toJson(schema, message))).finish()
        expect(decode(codec, new Uint8Array(bytes))).toEqual(message)
      }),
      { numRuns: 40 },
    )
  })

  test('fields that nobody knows are passed over', () => {
    fc.assert(
      fc.property(anyMessage(schema), fc.uint8Array({ maxLength: 20 }), (message, bytes) => {
        // Numbers 1000 to 1003, of every wire type, a group among them.
        const unknown = [0xc0, 0x3e, 0x96, 0x01, 0xc9, 0x3e, 1, 2, 3, 4, 5, 6, 7, 8, 0xd2, 0x3e, bytes.length, ...bytes]
        const group = [0xdb, 0x3e, 0x08, 0x01, 0xdc, 0x3e, 0xdd, 0x3e, 1, 2, 3, 4]
        expect(decode(codec, Uint8Array.from([...unknown, ...encode(codec, message), ...group]))).toEqual(message)
      }),
      { numRuns: 10 },
    )
  })
})

test('the codecs written by hand do what the tables say', () => {
  const tuned = schemas.filter(
    (schema) => codecOf(schema).read.toString() !== tableCodec(schema).read.toString() || isWrittenByHand(schema),
  )
  expect(tuned.length).toBeGreaterThan(10)
  for (const schema of tuned) {
    const [hand, table] = [codecOf(schema), tableCodec(schema)]
    fc.assert(
      fc.property(anyMessage(schema), (message) => {
        const bytes = encode(table, message)
        expect(encode(hand, message)).toEqual(bytes)
        expect(decode(hand, bytes)).toEqual(decode(table, bytes))
      }),
      { numRuns: 60 },
    )
  }
})

test('a list of events that goes to many watches is written for each of them as for the first', () => {
  const [hand, table] = [codecOf(WATCH_RESPONSE), tableCodec(WATCH_RESPONSE)]
  const response = anyMessage(WATCH_RESPONSE)
  fc.assert(
    fc.property(response, response, (one, other) => {
      // By turns with another list, which is none of it.
      for (const message of [one, one, { ...one, watch_id: 7 }, other, { ...one, fragment: true }, one, { ...other, events: [] }, other])
        expect(encode(hand, message)).toEqual(encode(table, message))
    }),
    { numRuns: 200 },
  )
})

const isWrittenByHand = (schema: Schema<unknown>): boolean => codecOf(schema).write.toString() !== tableCodec(schema).write.toString()

test('any bytes are a message or refused, and never an exception', () => {
  const codecs = schemas.map((schema): Codec<unknown> => codecOf(schema))
  fc.assert(
    fc.property(fc.nat(codecs.length - 1), fc.uint8Array({ maxLength: 80 }), (which, bytes) => {
      const codec = codecs[which] as Codec<unknown>
      const message = decode(codec, bytes)
      // What was read can be written again, and is then read the same.
      if (message !== null) expect(decode(codec, encode(codec, message))).toEqual(message)
    }),
    { numRuns: 5000 },
  )
})

test('a message cut short is refused unless the cut falls between two fields', () => {
  const { request } = METHODS['KV/Put']
  const bytes = encode(request, {
    key: 'key',
    value: Uint8Array.of(1, 2, 3),
    lease: 300n,
    prev_kv: true,
    ignore_value: false,
    ignore_lease: false,
  })
  const whole = [0, 5, 10, 13, 15]
  for (let end = 0; end <= bytes.length; end += 1)
    expect(decode(request, bytes.subarray(0, end)) !== null, `${end}`).toBe(whole.includes(end))
})

test('a transaction nested a hundred times and more is refused', () => {
  const { request } = METHODS['KV/Txn']
  const nest = (times: number): Uint8Array => {
    let message = request.make()
    for (let i = 0; i < times; i += 1) {
      message = {
        ...request.make(),
        success: [{ request_range: null, request_put: null, request_delete_range: null, request_txn: message }],
      }
    }
    return encode(request, message)
  }
  expect(decode(request, nest(40))).not.toBeNull()
  expect(decode(request, nest(60))).toBeNull()
})

test('of a oneof the last one on the wire wins', () => {
  const { request } = METHODS['Watch/Watch']
  const [create, cancel] = [Uint8Array.of(0x0a, 0x00), Uint8Array.of(0x12, 0x02, 0x08, 0x05)]
  expect(decode(request, Uint8Array.from([...create, ...cancel]))).toMatchObject({ create_request: null, cancel_request: { watch_id: 5 } })
})
