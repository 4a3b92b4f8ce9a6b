import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SpanIndex } from '../../../../../src/core/delos/kv/watch/span-index.ts'

const key = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 4 })
const span = fc.record({ from: key, to: fc.option(key) })

test('the spans found for a key are those that hold it, whatever was added and removed before', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ span, isRemoved: fc.boolean() }), { maxLength: 400 }),
      fc.array(key, { minLength: 5 }),
      (steps, keys) => {
        const index = new SpanIndex<number>()
        steps.forEach(({ span: one }, i) => index.add(one, i))
        steps.forEach(({ span: one, isRemoved }, i) => isRemoved && index.remove(one, i))
        for (const wanted of keys) {
          const found: number[] = []
          index.visit(wanted, (item) => found.push(item))
          const expected = steps.flatMap(({ span: { from, to }, isRemoved }, i) =>
            !isRemoved && from <= wanted && (to === null || wanted < to) ? [i] : [],
          )
          expect(found.sort((a, b) => a - b)).toEqual(expected)
        }
      },
    ),
    { numRuns: 60 },
  )
})
