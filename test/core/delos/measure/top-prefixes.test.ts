import { describe, expect, test } from 'vitest'
import { prefixOf, TopPrefixes } from '../../../../src/core/delos/measure/top-prefixes.ts'

test.each([
  ['/registry/pods/default/web-1', '/registry/pods/'],
  ['/registry/x', '/registry/'],
  ['app/cfg/a', 'app/cfg/'],
  ['plain', 'plain'],
  ['', ''],
  ['x'.repeat(100), 'x'.repeat(40)],
  [`${'x'.repeat(60)}/y`, 'x'.repeat(40)],
])('%j belongs to %j', (key, prefix) => {
  expect(prefixOf(key)).toBe(prefix)
})

describe('in a stream with more prefixes than are kept', () => {
  test('the frequent ones come out first, with their share, and memory stays bounded', () => {
    const top = new TopPrefixes()
    for (let i = 0; i < 10_000; i += 1) {
      if (i % 2 === 0) top.note('/hot/one/k')
      else if (i % 4 === 1) top.note('/hot/two/k')
      else top.note(`/cold/${i}/k`)
    }
    const [first, second] = top.top(5)
    expect([first?.prefix, second?.prefix]).toEqual(['/hot/one/', '/hot/two/'])
    expect(first?.share).toBeCloseTo(0.5, 1)
    expect(second?.share).toBeCloseTo(0.25, 1)
    expect(top.top(1000).length).toBeLessThanOrEqual(64)
  })

  test('what was hot long ago makes room', () => {
    const top = new TopPrefixes()
    for (let i = 0; i < 1000; i += 1) top.note('/old/a/k')
    for (let i = 0; i < 12; i += 1) top.turn()
    for (let i = 0; i < 10; i += 1) top.note('/new/a/k')
    expect(top.top(1)).toMatchObject([{ prefix: '/new/a/' }])
  })
})

test('without a key there is nothing hot', () => {
  expect(new TopPrefixes().top(5)).toEqual([])
})
