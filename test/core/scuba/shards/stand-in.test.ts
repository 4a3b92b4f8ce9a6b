import { expect, test } from 'vitest'
import { shardSchema } from '../../../../src/core/scuba/registry.ts'
import { askAgainMs, standInsOf, whyNotWhole } from '../../../../src/core/scuba/shards/stand-in.ts'

const peer = (id: string): { id: string; address: string } => ({ id, address: `unix:/${id}` })
const shard = (id: string, primary: string, replicas: string[], epoch = 1): ReturnType<typeof shardSchema.parse> =>
  shardSchema.parse({ id, primary, replicas: replicas.map(peer), epoch, sinceMs: 0 })
const following = [
  { leaf: 'b', seq: 9, tables: ['events'] },
  { leaf: 'c', seq: 8, tables: ['events', 'other'] },
]

test('a copy stands in when the map names it for all shards of the leaf and the leaf said that it follows with that table', () => {
  const shards = [shard('a', 'a', ['b', 'c'], 3), shard('x', 'a', ['c'], 2), shard('b', 'b', ['a'])]
  expect(standInsOf(shards, 'a', 'events', following)).toMatchObject([
    { peer: { id: 'c' }, copy: { leaf: 'a', epochs: { a: 3, x: 2 }, seq: 8 } },
  ])
  expect(standInsOf(shards, 'a', 'unheard', following)).toEqual([])
  expect(standInsOf(shards, 'a', 'events', [])).toEqual([])
  expect(standInsOf(shards, 'd', 'events', following)).toEqual([])
})

test('a copy that is older, of another epoch or not there is not whole', () => {
  const asked = { leaf: 'a', epochs: { a: 3 }, seq: 8 }
  expect(whyNotWhole({ epochs: { a: 3 }, seq: 8 }, asked)).toBeNull()
  expect(whyNotWhole({ epochs: { a: 3 }, seq: 7 }, asked)).toContain('behind')
  expect(whyNotWhole({ epochs: { a: 2 }, seq: 9 }, asked)).toContain('epoch')
  expect(whyNotWhole({ epochs: { a: 4 }, seq: 9 }, asked)).toContain('epoch')
  expect(whyNotWhole(null, asked)).toContain('not whole')
  expect(whyNotWhole({ epochs: { a: 3 }, seq: 9 }, { ...asked, epochs: {} })).toContain('epoch')
})

test('a copy is asked after what 19 of 20 answers take, and never later than a share of the deadline', () => {
  expect(askAgainMs([], 5000)).toBe(1500)
  expect(askAgainMs([1, 2, 3], 5000)).toBe(1500)
  const times = Array.from({ length: 20 }, (_, at) => (at + 1) * 10)
  expect(askAgainMs(times, 5000)).toBe(190)
  expect(askAgainMs(times, 500)).toBe(150)
  expect(askAgainMs(times.fill(2), 5000)).toBe(50)
})
