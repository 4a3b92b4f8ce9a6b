import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/core/scuba/limits.ts'
import { Travelled } from '../../../src/core/scuba/travel.ts'

test('an answer is refused from the first row beyond its bounds, of rows or of bytes, and not before', () => {
  const few = new Travelled()
  for (let row = 0; row < 3; row += 1) few.add([1, null])
  expect([few.tooMuch(3), few.tooMuch(2)]).toEqual([null, 'the answer has more than 2 rows'])
  const large = new Travelled()
  const text = 'x'.repeat(1024 * 1024)
  for (let row = 0; row < LIMITS.travelBytesMax / text.length - 1; row += 1) large.add([text])
  expect(large.tooMuch()).toBeNull()
  large.add([text])
  expect(large.tooMuch()).toBe('the answer is more than 256 MB')
})
