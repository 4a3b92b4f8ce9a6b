import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPrng } from '../../../../src/core/kernel/prng.ts'
import { KeyIndex } from '../../../../src/core/delos/kv/key-index.ts'
import { KeyRanges } from '../../../../src/core/delos/kv/key-ranges.ts'
import { NO_BYTES, tombstone, type KeyHistory } from '../../../../src/core/delos/kv/version.ts'

function historyOf(key: string, isDeleted: boolean): KeyHistory {
  const live = { key, create_revision: 2, mod_revision: 2, version: 1, value: NO_BYTES, lease: 0n, sub: 0, isDeleted: false }
  const latest = isDeleted ? tombstone(key, 2, 0) : live
  return { key, versions: [latest], latest, chunk: null }
}

describe('the index of keys', () => {
  test('visits and counts a range as a sorted list would, over many chunks, after any adding and removing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), fc.boolean(), (seed, isAdopting) => {
        const prng = createPrng(seed)
        const model = new Map<string, boolean>()
        const key = (): string => String(prng.below(4000)).padStart(prng.below(2) * 5, '0')
        let index = new KeyIndex()
        const isAscending = prng.below(3) === 0
        for (let i = 0; i < 1500; i += 1) {
          const one = isAscending ? String(i).padStart(5, '0') : key()
          if (prng.below(4) === 0) {
            index.remove(one)
            model.delete(one)
          } else if (!model.has(one)) {
            const isDeleted = prng.below(5) === 0
            index.add(historyOf(one, isDeleted))
            model.set(one, isDeleted)
          }
        }
        if (isAdopting) {
          index = new KeyIndex()
          index.adopt(new Map([...model].map(([one, isDeleted]) => [one, historyOf(one, isDeleted)])))
        }
        expect([...index].map((history) => history.key)).toEqual([...model.keys()].sort())
        for (let i = 0; i < 20; i += 1) {
          const [from, to] = [key(), prng.below(4) === 0 ? null : key()]
          const expected = [...model.keys()].sort().filter((one) => one >= from && (to === null || one < to))
          const visited: string[] = []
          index.visit(from, to, (history) => visited.push(history.key) > 0)
          expect(visited).toEqual(expected)
          expect(index.countLive(from, to)).toBe(expected.filter((one) => model.get(one) === false).length)
        }
        expect(index.size).toBe(model.size)
      }),
      { numRuns: 40 },
    )
  })
})

describe('a union of ranges', () => {
  const end = 6
  const place = fc.integer({ min: 0, max: end })
  const letters = 'abcdefg'

  test('holds a range exactly if it holds each of its keys', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(place, fc.option(place)), { maxLength: 5 }), place, fc.option(place), (spans, from, to) => {
        const ranges = new KeyRanges()
        for (const [a, b] of spans) ranges.add({ from: letters[a] as string, to: b === null ? null : (letters[b] as string) })
        const isIn = (key: number): boolean => spans.some(([a, b]) => a <= key && (b === null || key < b))
        for (let key = 0; key <= end; key += 1) expect(ranges.hasKey(letters[key] as string)).toBe(isIn(key))
        if (to !== null && to <= from) return
        const isEndless = spans.some(([, b]) => b === null)
        const keys = Array.from({ length: (to ?? end + 1) - from }, (_, i) => from + i)
        const expected = keys.every(isIn) && (to !== null || isEndless)
        expect(ranges.hasSpan({ from: letters[from] as string, to: to === null ? null : (letters[to] as string) })).toBe(expected)
      }),
      { numRuns: 500 },
    )
  })
})
