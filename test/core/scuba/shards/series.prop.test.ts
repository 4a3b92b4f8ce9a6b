import fc from 'fast-check'
import { expect, test } from 'vitest'
import { divide, divisionsOf, seriesMap, SERIES_SLOTS, slotOf } from '../../../../src/core/scuba/shards/series.ts'

const shards = ['a', 'b', 'c', 'd'].map((id) => ({ id, sinceMs: 0 }))

test('every shard has its share of the series, and one more moves none between the others', () => {
  const map = seriesMap(shards)
  for (const shard of shards) expect(map.filter((one) => one === shard).length).toBeGreaterThan(SERIES_SLOTS / 4 - 80)
  const late = { id: 'e', sinceMs: 5 }
  seriesMap([...shards, late]).forEach((shard, slot) => expect([late, map[slot]]).toContain(shard))
  expect(slotOf('ffff000000000000')).toBe(1023)
})

test('divided lines are those that came, each once, in their order and where its series belongs', () => {
  const map = seriesMap(shards)
  const line = fc.tuple(
    fc.integer({ min: 0, max: SERIES_SLOTS - 1 }),
    fc.string().map((text) => JSON.stringify({ text })),
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 60 }), (lines) => {
      const body = new TextEncoder().encode(lines.map(([, text]) => `${text}\n`).join(''))
      const parts = divide(
        body,
        Uint16Array.from(lines, ([slot]) => slot),
        map,
      )
      for (const shard of shards) {
        const own = lines.flatMap(([slot, text]) => (map[slot] === shard ? [`${text}\n`] : []))
        expect(Buffer.concat(parts.get(shard) ?? []).toString()).toBe(own.join(''))
      }
    }),
  )
})

test('a body may have been divided by each map of the last day, and is known by another key for each', () => {
  const [day, now] = [86_400_000, 10 * 86_400_000]
  const alone = [{ id: 'a', sinceMs: 0 }]
  expect(divisionsOf('x', alone, now, day)).toEqual([{ shards: alone, key: 'x' }])
  const grown = [...alone, { id: 'b', sinceMs: now - 2000 }, { id: 'c', sinceMs: now - 1000 }]
  const divisions = divisionsOf('x', grown, now, day)
  expect(divisions.map((division) => division.shards.map(({ id }) => id))).toEqual([['a', 'b', 'c'], ['a', 'b'], ['a']])
  expect(new Set(divisions.map(({ key }) => key)).size).toBe(3)
  expect(divisions[2]?.key).toBe('x')
  expect(divisionsOf('x', grown, now + day, day).map(({ key }) => key)).toEqual([divisions[0]?.key])
})
