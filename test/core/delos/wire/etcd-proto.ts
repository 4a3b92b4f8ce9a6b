import { join } from 'node:path'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import { ByteWriter } from '../../../../src/core/kernel/protobuf/byte-writer.ts'
import { byteString } from '../../../../src/core/kernel/protobuf/byte-string.ts'
import type { Codec } from '../../../../src/core/kernel/protobuf/codec.ts'
import type { Field, Schema } from '../../../../src/core/kernel/protobuf/schema.ts'

const PROTO = join(import.meta.dirname, '../../../fixtures/etcd')

/** etcd's proto files as protobufjs reads them, the oracle; and what etcd 3.7's `rpc.proto` has more. */
export function loadEtcdProto(): protobuf.Root {
  const root = new protobuf.Root()
  root.resolvePath = (_origin, target) => join(PROTO, target.replace(/^.*\//, ''))
  root.loadSync(['rpc.proto', 'kv.proto', 'auth.proto', 'v3lock.proto', 'v3election.proto'], { keepCase: true })
  const rpc = root.lookup('etcdserverpb') as protobuf.Namespace
  rpc.add(new protobuf.Type('RangeStreamResponse').add(new protobuf.Field('range_response', 1, 'RangeResponse')))
  root.lookupService('etcdserverpb.KV').add(new protobuf.Method('RangeStream', 'rpc', 'RangeRequest', 'RangeStreamResponse', false, true))
  return root
}

export function encode<Message>(codec: Codec<Message>, message: Message): Uint8Array {
  const writer = new ByteWriter(64)
  codec.write(writer, message)
  return writer.take()
}

/** Any message of this schema, nested ones up to a depth. */
export function anyMessage<Message>(schema: Schema<Message>, depth = 3): fc.Arbitrary<Message> {
  const fields = Object.entries(schema.fields as Record<string, Field<unknown>>)
  const oneofs = [...new Set(fields.map(([, { oneof }]) => oneof).filter((name) => name !== ''))]
  const plain = fields.filter(([, { oneof }]) => oneof === '').map(([name, field]) => [name, anyField(field, depth)] as const)
  const unions = oneofs.map((union) => {
    const members = fields.filter(([, { oneof }]) => oneof === union)
    const none = Object.fromEntries(members.map(([name]) => [name, null]))
    const canNest = depth > 0 || members.every(([, { kind }]) => kind !== 'message')
    const some = members.map(([name, field]) => anyValue(field, depth - 1).map((value) => ({ ...none, [name]: value })))
    return canNest ? fc.oneof(fc.constant(none), ...some) : fc.constant(none)
  })
  return fc.tuple(fc.record(Object.fromEntries(plain)), ...unions).map(([own, ...chosen]) => Object.assign({}, own, ...chosen) as Message)
}

function anyField(field: Field<unknown>, depth: number): fc.Arbitrary<unknown> {
  if (field.isRepeated)
    return depth > 0 || field.kind !== 'message' ? fc.array(anyValue(field, depth - 1), { maxLength: 3 }) : fc.constant([])
  if (field.isOptional) return depth > 0 ? fc.option(anyValue(field, depth - 1), { nil: null }) : fc.constant(null)
  return fc
    .oneof(anyValue(field, depth - 1), fc.constant(undefined))
    .chain((value) => (value === undefined ? anyDefault(field, depth) : fc.constant(value)))
}

function anyDefault(field: Field<unknown>, depth: number): fc.Arbitrary<unknown> {
  if (field.kind === 'message') return anyMessage(field.schema?.() as Schema<unknown>, depth - 1)
  return fc.constant({ key: '', text: '', view: new Uint8Array(0), bool: false, int64: 0n, uint64: 0n }[field.kind as string] ?? 0)
}

function anyValue(field: Field<unknown>, depth: number): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case 'key':
      return fc.uint8Array({ maxLength: 200 }).map((bytes) => byteString(bytes))
    case 'text':
      return fc.string({ unit: 'grapheme', maxLength: 60 })
    case 'view':
      return fc.uint8Array({ maxLength: 300 })
    case 'bool':
      return fc.boolean()
    case 'int':
      return fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -2, max: 300 }))
    case 'uint':
      return fc.oneof(fc.maxSafeNat(), fc.nat(300))
    case 'uint32':
    case 'fixed32':
      return fc.integer({ min: 0, max: 0xffff_ffff })
    case 'sint32':
      return fc.integer()
    case 'double':
      return fc.double()
    case 'sfixed64':
    case 'int64':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    case 'fixed64':
    case 'uint64':
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
    case 'enum':
      return fc.nat(field.names.length - 1)
    case 'message':
      return anyMessage(field.schema?.() as Schema<unknown>, depth)
  }
}
