import { expect, test } from 'vitest'
import { addUp } from '../../../../src/core/scuba/shards/add-up.ts'
import { fenceProblem, shardHead } from '../../../../src/core/scuba/shards/fence.ts'
import { better, mayKnow, ranked } from '../../../../src/core/scuba/shards/rendezvous.ts'

const DAY_MS = 86_400_000
const shards = ['a', 'b', 'c', 'd'].map((id) => ({ id, sinceMs: 0 }))
const keys = Array.from({ length: 4000 }, (_, n) => `batch-${n}`)
const owner = (key: string, of: typeof shards): string | undefined => ranked(key, of)[0]?.id

test('keys are spread evenly, and a shard more takes its share and moves no other key', () => {
  const counts = new Map<string | undefined, number>()
  for (const key of keys) counts.set(owner(key, shards), (counts.get(owner(key, shards)) ?? 0) + 1)
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(120)
  const more = [...shards, { id: 'e', sinceMs: 0 }]
  for (const key of keys) if (owner(key, more) !== 'e') expect(owner(key, more)).toBe(owner(key, shards))
})

test('while a shard is young, those that had its keys before are asked whether they know one', () => {
  const now = 10 * DAY_MS
  const young = [...shards, { id: 'e', sinceMs: now - 1000 }, { id: 'f', sinceMs: now - 500 }]
  for (const key of keys) {
    const asked = mayKnow(ranked(key, young), now, DAY_MS).map(({ id }) => id)
    // Who had the key before any of the young ones was there is the last to be asked.
    expect(asked.at(-1)).toBe(owner(key, shards))
    expect(asked[0]).toBe(owner(key, young))
  }
  expect(mayKnow(ranked('x', young), now + 2 * DAY_MS, DAY_MS)).toHaveLength(1)
})

test('the better of two has less to do, and with the same to do more room', () => {
  const leaf = (backlogBytes: number, freeBytes: number): { load: { backlogBytes: number; freeBytes: number } } => ({
    load: { backlogBytes, freeBytes },
  })
  const [idle, busy, roomy] = [leaf(0, 10), leaf(5, 1000), leaf(0, 20)]
  expect(better(idle, busy)).toBe(idle)
  expect(better(idle, roomy)).toBe(roomy)
})

test('a leaf takes rows of its own shards by the epoch that it knows, and none once its shard has moved', () => {
  const own = { id: 'a', epoch: 2, primary: 'a', sinceMs: 0 }
  const moved = { id: 'a', epoch: 3, primary: 'b', sinceMs: 0 }
  expect(fenceProblem([], 'a', undefined)).toBeNull()
  expect(fenceProblem([own], 'a', undefined)).toBeNull()
  expect(fenceProblem([own], 'a', shardHead(own))).toBeNull()
  expect(fenceProblem([own], 'a', 'a 1')).toContain('epoch 2')
  expect(fenceProblem([own], 'a', 'a 3')).toContain('epoch 2')
  expect(fenceProblem([moved], 'a', undefined)).toContain('leaf b')
  expect(fenceProblem([moved], 'a', 'a 2')).toContain('leaf b')
  expect(fenceProblem([moved], 'b', 'a 3')).toBeNull()
  expect(fenceProblem([], 'b', 'a 3')).toContain('no shard a')
})

test('what an operation gave on several leaves is one answer', () => {
  expect(
    addUp([
      { table: 't', rows: 2, hasMore: false, lost: [1], elapsedMs: 5 },
      { table: 't', rows: 3, hasMore: true, lost: [2, 3], elapsedMs: 9 },
    ]),
  ).toEqual({ table: 't', rows: 5, hasMore: true, lost: [1, 2, 3], elapsedMs: 9 })
})
