import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RowScanner } from '../../../src/core/scuba/raw/scan.ts'
import { takeOnTrust } from '../../../src/core/scuba/raw/trust.ts'

const NOW = 1_750_000_000_000
const filler = 'x'.repeat(200)
const DECLARED = { id: 'BIGINT', filler: 'VARCHAR' } as const
const bodyOf = (times: readonly unknown[], key = 'time'): Buffer =>
  Buffer.from(Array.from({ length: 600 }, (_, id) => `${JSON.stringify({ [key]: times[id % times.length], id, filler })}\n`).join(''))

test('what is taken on trust has the rows, bounds and hours that looking through it gives', () => {
  // Seconds, milliseconds, microseconds; none with a fraction.
  const time = fc.oneof(fc.integer({ min: 0, max: NOW / 1000 }), fc.integer({ min: 0, max: NOW }), fc.integer({ min: 0, max: NOW * 1000 }))
  fc.assert(
    fc.property(fc.array(time, { minLength: 1, maxLength: 50 }), fc.constantFrom('time', 'ts', '@timestamp'), (times, key) => {
      const body = bodyOf(times, key)
      const full = new RowScanner().scan(body, NOW)
      const trusted = takeOnTrust(new RowScanner(), body, DECLARED, NOW)
      // Microseconds of long ago are milliseconds ahead.
      expect(trusted === null).toBe(full === null)
      if (trusted) expect({ ...trusted, samples: undefined }).toEqual({ ...full, columns: undefined, samples: undefined })
    }),
    { numRuns: 100 },
  )
})

test('nothing is taken on trust whose lines do not all begin with a time, or that shows a key nobody declared', () => {
  const take = (body: Buffer): unknown => takeOnTrust(new RowScanner(), body, DECLARED, NOW)
  expect(take(bodyOf([NOW]))).not.toBeNull()
  expect(take(bodyOf([NOW + 3_600_000]))).toBeNull()
  const far = Array.from({ length: 600 }, () => NOW)
  expect(take(bodyOf(far.with(400, NOW + 3_600_000)))).toBeNull()
  expect(take(bodyOf([1.5]))).toBeNull()
  expect(take(bodyOf([NOW], 'other'))).toBeNull()
  expect(take(Buffer.from(bodyOf([NOW]).toString().replace('"id":400', '"id":400}\n{"id":1').replace('"id"', '"id"')))).toBeNull()
  expect(take(Buffer.from(bodyOf([NOW]).toString().replaceAll('filler', 'undeclared')))).toBeNull()
  expect(takeOnTrust(new RowScanner(), bodyOf([NOW]).subarray(0, 500), DECLARED, NOW)).toBeNull()
})
