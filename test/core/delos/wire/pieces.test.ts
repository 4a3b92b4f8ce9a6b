import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonPieces, toJson } from '../../../../src/core/delos/wire/gateway/json.ts'
import type * as m from '../../../../src/core/delos/wire/messages.ts'
import { METHODS } from '../../../../src/core/delos/wire/methods.ts'
import { pairsLength } from '../../../../src/core/delos/wire/pair-bytes.ts'
import { codecOf, type Codec } from '../../../../src/core/kernel/protobuf/codec.ts'
import { piecesOf } from '../../../../src/core/delos/wire/protobuf/pieces.ts'
import {
  DELETE_RANGE_RESPONSE,
  RANGE_RESPONSE,
  RANGE_STREAM_RESPONSE,
  TXN_RESPONSE,
} from '../../../../src/core/delos/wire/protobuf/schemas/kv.ts'
import { anyMessage, encode } from './etcd-proto.ts'

/** Lengths around the bounds of varints and of pieces. */
const LENGTHS = [0, 1, 24, 25, 127, 128, 16_383, 16_384, 70_000, 300_000]
const INTS = [0, 1, 127, 128, 16_384, 2 ** 31, 2 ** 35 + 1, 2 ** 53 - 1]
const LEASES = [0n, 1n, 2n ** 53n, 2n ** 56n - 1n, 2n ** 56n, 2n ** 62n, -1n]

const anyPair: fc.Arbitrary<m.KeyValue> = fc.record({
  key: fc.constantFrom(...[0, 1, 127, 128, 20_000]).map((length) => 'ÿ'.repeat(length)),
  create_revision: fc.constantFrom(...INTS),
  mod_revision: fc.constantFrom(...INTS),
  version: fc.constantFrom(...INTS),
  value: fc.constantFrom(...LENGTHS).map((length) => new Uint8Array(length).fill(length)),
  lease: fc.constantFrom(...LEASES),
})
const anyPairs = fc.array(anyPair, { maxLength: 12 })
const headers = anyMessage(codecOf(RANGE_RESPONSE).schema.fields.header.schema?.() as never) as fc.Arbitrary<m.ResponseHeader>
const anyRange: fc.Arbitrary<m.RangeResponse> = fc.record({ header: headers, kvs: anyPairs, more: fc.boolean(), count: fc.nat() })
const anyDeletion: fc.Arbitrary<m.DeleteRangeResponse> = fc.record({ header: headers, deleted: fc.nat(), prev_kvs: anyPairs })
const none: m.ResponseOp = { response_range: null, response_put: null, response_delete_range: null, response_txn: null }
const anyTxn = (depth: number): fc.Arbitrary<m.TxnResponse> => {
  const ops: fc.Arbitrary<m.ResponseOp>[] = [
    fc.constant(none),
    anyRange.map((one) => ({ ...none, response_range: one })),
    anyDeletion.map((one) => ({ ...none, response_delete_range: one })),
    fc.record({ header: headers, prev_kv: fc.option(anyPair, { nil: null }) }).map((one) => ({ ...none, response_put: one })),
  ]
  if (depth > 0) ops.push(anyTxn(depth - 1).map((one) => ({ ...none, response_txn: one })))
  return fc.record({ header: headers, succeeded: fc.boolean(), responses: fc.array(fc.oneof(...ops), { maxLength: 4 }) })
}

function inPieces<Message>(codec: Codec<Message>, any: fc.Arbitrary<Message>): void {
  let long = 0
  fc.assert(
    fc.property(any, (message) => {
      const whole = encode(codec, message)
      const pieces = codec.pieces?.(message) ?? null
      if (pieces === null) {
        expect(whole.length).toBeLessThanOrEqual(262_144)
        return
      }
      long += 1
      expect(pieces.length).toBe(whole.length)
      const made: Uint8Array[] = []
      for (let piece = pieces.next(); piece !== null; piece = pieces.next()) made.push(piece)
      // A piece, and in a txn what a put tells of its key in one go.
      for (const piece of made) expect(piece.length).toBeLessThan(400_000)
      expect(Buffer.compare(Buffer.concat(made), whole)).toBe(0)
    }),
    { numRuns: 40 },
  )
  expect(long).toBeGreaterThan(3)
}

test('a long range is, piece by piece, what it is as a whole', () => inPieces(codecOf(RANGE_RESPONSE), anyRange))
test('so is a part of a stream of keys, of which the last alone has a header', () =>
  inPieces(
    codecOf(RANGE_STREAM_RESPONSE),
    fc.record({ one: anyRange, isLast: fc.boolean() }).map(({ one, isLast }) => ({
      range_response: { ...one, header: isLast ? one.header : null },
    })),
  ))
test('so is a long deletion', () => inPieces(codecOf(DELETE_RANGE_RESPONSE), anyDeletion))
test('so is a long txn, at any depth', () => inPieces(codecOf(TXN_RESPONSE), anyTxn(2)))

test('the length of pairs is what their encoding takes', () => {
  const codec = codecOf(RANGE_RESPONSE)
  const header = { cluster_id: 0n, member_id: 0n, revision: 0, raft_term: 0 }
  fc.assert(
    fc.property(anyPairs, (kvs) => {
      expect(encode(codec, { header, kvs, more: false, count: 0 }).length - 2).toBe(pairsLength(kvs))
    }),
  )
})

test('the JSON of every message is, piece by piece, what it is as a whole', () => {
  for (const { response } of Object.values(METHODS)) {
    const { schema } = response as Codec<unknown>
    fc.assert(
      fc.property(anyMessage(schema), (message) => {
        expect([...jsonPieces(schema, message)].join('')).toBe(JSON.stringify(toJson(schema, message)))
      }),
      { numRuns: 10 },
    )
  }
})

test('of a short answer no parts are made: each would leave a buffer behind, and those bring on collections of the whole heap', () => {
  const short = { kvs: [{ key: 'a', create_revision: 1, mod_revision: 1, version: 1, value: new Uint8Array(256), lease: 0n }] }
  const asked: object[] = []
  const partsOf = (message: object): [] => {
    asked.push(message)
    return []
  }
  expect(piecesOf(short, partsOf)).toBe(null)
  expect(asked).toEqual([])
  const long = { kvs: short.kvs.map((pair) => ({ ...pair, value: new Uint8Array(300_000) })) }
  expect(piecesOf(long, partsOf)?.length).toBe(0)
  expect(asked).toEqual([long])
})
