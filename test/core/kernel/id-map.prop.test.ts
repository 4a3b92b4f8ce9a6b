import fc from 'fast-check'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { IdMap } from '../../../src/core/kernel/id-map.ts'

type Step = { kind: 'set' | 'delete' | 'get'; id: number } | { kind: 'clear' }

// Small ids collide; larger ones are those of a connection, and beyond 32 bits.
const anyId = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(2 ** 31 - 1, 2 ** 32 + 1, 2 ** 40 + 1, 2 ** 53 - 1))
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 40, arbitrary: fc.record({ kind: fc.constantFrom('set' as const, 'delete' as const, 'get' as const), id: anyId }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'clear' as const }) },
)

test('it holds what a map does', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 300 }), (steps) => {
      const map = new Map<number, number>()
      const ids = new IdMap<number>()
      steps.forEach((step, n) => {
        if (step.kind === 'clear') {
          map.clear()
          ids.clear()
        } else if (step.kind === 'set') {
          map.set(step.id, n)
          ids.set(step.id, n)
        } else if (step.kind === 'delete') expect(ids.delete(step.id)).toBe(map.delete(step.id))
        else expect(ids.get(step.id)).toBe(map.get(step.id))
        expect(ids.size).toBe(map.size)
      })
      const sorted = [...map].sort(([a], [b]) => a - b)
      expect(ids.ids()).toEqual(sorted.map(([id]) => id))
      expect(ids.values()).toEqual(sorted.map(([, value]) => value))
    }),
  )
})

test('what went through it is garbage for a small collection too, however old it is', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void
  const map = new IdMap<number[]>()
  map.set(1, [])
  // Now it is old.
  collect({ type: 'major' })
  const before = process.memoryUsage().heapUsed
  for (let id = 2; id < 2000; id += 1) {
    map.set(
      id,
      Array.from({ length: 1000 }, () => id),
    )
    if (id > 10) map.delete(id - 10)
    if (id % 500 === 0) collect({ type: 'minor' })
  }
  collect({ type: 'minor' })
  // 16 MB went through it.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(3_000_000)
})
