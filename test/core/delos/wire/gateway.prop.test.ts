import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromBase64, toBase64 } from '../../../../src/core/kernel/base64.ts'
import { fromJson, parseJson, toJson } from '../../../../src/core/delos/wire/gateway/json.ts'
import { JsonSplitter } from '../../../../src/core/delos/wire/gateway/json-splitter.ts'
import { METHODS } from '../../../../src/core/delos/wire/methods.ts'
import type { Codec } from '../../../../src/core/kernel/protobuf/codec.ts'
import { anyMessage } from './etcd-proto.ts'

const codecs = Object.values(METHODS).flatMap(({ request, response }) => [request, response] as Codec<unknown>[])

test('every message comes back from its JSON as it was', () => {
  for (const codec of codecs) {
    fc.assert(
      fc.property(anyMessage(codec.schema), (message) => {
        const json = parseJson(JSON.stringify(toJson(codec.schema, message)))
        expect('value' in json && fromJson(codec, json.value)).toEqual({ message })
      }),
      { numRuns: 30 },
    )
  }
})

test('any JSON is a message or refused, and never an exception', () => {
  const names = ['key', 'ID', 'compare', 'success', 'create_request', 'request_put', 'requestPut', 'value', 'version', 'perm', '__proto__']
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ depthSize: 'small' }, fc.jsonValue({ maxDepth: 1 }), fc.array(tie('tree'), { maxLength: 3 }), tie('object')),
    object: fc.dictionary(fc.constantFrom(...names), tie('tree'), { maxKeys: 4 }),
  }))
  fc.assert(
    fc.property(fc.nat(codecs.length - 1), tree, (which, json) => {
      const read = fromJson(codecs[which] as Codec<unknown>, json)
      expect('message' in read || read.error !== '').toBe(true)
    }),
    { numRuns: 3000 },
  )
})

test('the id of a lease may be a number too large for numbers', () => {
  const json = parseJson('{"ID":7587862094532120327,"keys":true}')
  const { request } = METHODS['Lease/LeaseTimeToLive']
  expect('value' in json && fromJson(request, json.value)).toEqual({ message: { ID: 7587862094532120327n, keys: true } })
})

test('base64 is that of every other program', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const text = Buffer.from(bytes).toString('base64')
      expect(toBase64(bytes)).toBe(text)
      expect(fromBase64(text)).toEqual(bytes)
    }),
  )
})

test('objects are found in a body however it is cut, with braces in strings and spaces between', () => {
  const object = fc.dictionary(fc.string({ unit: fc.constantFrom('{', '}', '"', '\\', 'a', 'ü') }), fc.jsonValue({ maxDepth: 2 }))
  fc.assert(
    fc.property(fc.array(object, { maxLength: 4 }), fc.integer({ min: 1, max: 30 }), (objects, size) => {
      const body = new TextEncoder().encode(objects.map((one) => `${JSON.stringify(one)}\n `).join(''))
      const splitter = new JsonSplitter()
      const texts: string[] = []
      for (let at = 0; at < body.length; at += size) texts.push(...splitter.push(body.subarray(at, at + size)))
      expect(texts.map((text) => JSON.parse(text) as unknown)).toEqual(objects.map((one) => JSON.parse(JSON.stringify(one)) as unknown))
      expect(splitter.end()).toBe('')
    }),
  )
})
