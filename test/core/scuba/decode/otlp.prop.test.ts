import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isRefusal } from '../../../../src/core/kernel/errors.ts'
import { decodeOtlp, type Signal } from '../../../../src/core/scuba/decode/otlp/decode.ts'
import { encoded, rowsOf } from './oracle.ts'

const SIGNALS: Signal[] = ['logs', 'metrics', 'traces']

const value: fc.Arbitrary<object> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.record({ stringValue: fc.string({ unit: 'grapheme' }) }),
    fc.record({ boolValue: fc.boolean() }),
    fc.record({ intValue: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String) }),
    fc.record({ doubleValue: fc.double({ noNaN: true, noDefaultInfinity: true }) }),
    fc.record({ arrayValue: fc.record({ values: fc.array(tie('value'), { maxLength: 3 }) }) }),
    fc.record({ kvlistValue: fc.record({ values: fc.array(fc.record({ key: fc.string(), value: tie('value') }), { maxLength: 3 }) }) }),
  ),
})).value
const attributes = fc.array(fc.record({ key: fc.string({ unit: 'grapheme', maxLength: 8 }), value }), { maxLength: 5 })
const nanos = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String)
const logs = fc.record({
  resourceLogs: fc.array(
    fc.record({
      resource: fc.record({ attributes }),
      scopeLogs: fc.array(
        fc.record({
          scope: fc.record({ name: fc.string(), version: fc.string(), attributes }),
          logRecords: fc.array(fc.record({ timeUnixNano: nanos, severityNumber: fc.nat(24), body: value, attributes }), { maxLength: 4 }),
        }),
        { maxLength: 2 },
      ),
    }),
    { maxLength: 2 },
  ),
})

test('what another encoder writes is read as the same rows from bytes and from JSON', () => {
  fc.assert(
    fc.property(logs, (message) => {
      const binary = rowsOf(decodeOtlp('logs', 'protobuf', encoded('ExportLogsServiceRequest', message)))
      expect(rowsOf(decodeOtlp('logs', 'json', Buffer.from(JSON.stringify(message))))).toEqual(binary)
      expect(binary).toHaveLength(message.resourceLogs.flatMap((one) => one.scopeLogs.flatMap((each) => each.logRecords)).length)
    }),
    { numRuns: 60 },
  )
})

test('any bytes are rows or one refusal that says at which byte, and so is any message cut short', () => {
  const garbage = fc.uint8Array({ maxLength: 400 })
  const cut = fc.tuple(logs, fc.double({ min: 0, max: 1, noNaN: true })).map(([message, share]) => {
    const bytes = encoded('ExportLogsServiceRequest', message)
    return bytes.subarray(0, Math.floor(bytes.length * share))
  })
  fc.assert(
    fc.property(
      fc.oneof(garbage, cut),
      fc.constantFrom(...SIGNALS),
      fc.constantFrom('json', 'protobuf' as const),
      (bytes, signal, encoding) => {
        const read = decodeOtlp(signal, encoding, bytes)
        if (!isRefusal(read)) return
        expect(read.code).toBe('SCUBA_BODY_INVALID')
        if (encoding === 'json') return
        const { atByte } = read.details as { atByte: number }
        expect(atByte).toBeGreaterThanOrEqual(0)
        expect(atByte).toBeLessThanOrEqual(bytes.length)
      },
    ),
    { numRuns: 300 },
  )
})

test('a short body that stands for too much is refused, and so is one nested too deep', () => {
  const empty = new Uint8Array(2_200_000)
  for (let i = 0; i < empty.length; i += 2) empty[i] = 0x0a
  expect(decodeOtlp('logs', 'protobuf', empty)).toMatchObject({ code: 'SCUBA_TOO_LARGE' })
  const records = Array.from({ length: 3000 }, () => ({}))
  const large = { key: 'k', value: { stringValue: 'x'.repeat(50_000) } }
  const message = { resourceLogs: [{ resource: { attributes: [large] }, scopeLogs: [{ logRecords: records }] }] }
  expect(decodeOtlp('logs', 'protobuf', encoded('ExportLogsServiceRequest', message))).toMatchObject({ code: 'SCUBA_TOO_LARGE' })
  // The other encoder does not go so deep: each field around what is there already.
  const inField = (number: number, inner: number[]): number[] => [
    (number << 3) | 2,
    ...(inner.length < 128 ? [inner.length] : [(inner.length & 127) | 128, inner.length >> 7]),
    ...inner,
  ]
  let nested: number[] = []
  for (let i = 0; i < 120; i += 1) nested = inField(5, inField(1, nested))
  const deep = [5, 2, 2, 1].reduce((inner, number) => inField(number, inner), nested)
  expect(decodeOtlp('logs', 'protobuf', Uint8Array.from(deep))).toMatchObject({ code: 'SCUBA_BODY_INVALID' })
})
