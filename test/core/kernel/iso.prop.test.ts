import { test } from 'vitest'
import fc from 'fast-check'
import { isoText } from '../../../src/core/kernel/iso.ts'

test('an instant is written as every other program writes it', () => {
  fc.assert(
    fc.property(fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 }), (ms) => isoText(ms) === new Date(ms).toISOString()),
    { numRuns: 2000 },
  )
})
