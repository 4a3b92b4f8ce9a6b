import { expect, test } from 'vitest'
import { ConfigReaders, READER_KEPT_MS, READERS_MAX } from '../../../../src/core/delos/config/readers.ts'

test('a reader has the version it was given last, since it was given it first', () => {
  const readers = new ConfigReaders()
  readers.note('web', 'b', 1, 1000)
  readers.note('web', 'a', 1, 2000)
  readers.note('web', 'b', 1, 3000)
  readers.note('web', 'b', 2, 4000)
  readers.note('web', 'b', 2, 5000)
  readers.note('api', 'b', 7, 6000)
  expect(readers.of('web', 6000)).toEqual([
    { reader: 'a', version: 1, sinceMs: 2000, lastMs: 2000 },
    { reader: 'b', version: 2, sinceMs: 4000, lastMs: 5000 },
  ])
  expect(readers.of('none', 6000)).toEqual([])
})

test('who has not read for a day is forgotten', () => {
  const readers = new ConfigReaders()
  readers.note('web', 'a', 1, 0)
  readers.note('web', 'b', 1, 10)
  readers.note('web', 'a', 1, 20)
  expect(readers.of('web', READER_KEPT_MS + 15).map(({ reader }) => reader)).toEqual(['a'])
  expect(readers.of('web', READER_KEPT_MS + 21)).toEqual([])
})

test('more readers than the bound push out those that read longest ago, of the configuration that has the most', () => {
  const readers = new ConfigReaders()
  readers.note('api', 'kept', 1, 0)
  for (let i = 0; i < READERS_MAX; i += 1) readers.note('web', `host-${i}`, 1, i)
  const left = readers.of('web', READERS_MAX)
  expect(left.length).toBeLessThan(READERS_MAX)
  expect(left.some(({ reader }) => reader === `host-${READERS_MAX - 1}`)).toBe(true)
  expect(left.some(({ reader }) => reader === 'host-0')).toBe(false)
  expect(readers.of('api', READERS_MAX)).toHaveLength(1)
})
