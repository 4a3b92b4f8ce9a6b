import { expect, test } from 'vitest'
import { toBase64 } from '../../../../src/core/kernel/base64.ts'
import { createPrng } from '../../../../src/core/kernel/prng.ts'
import { HyperLogLog } from '../../../../src/core/scuba/merge/hyperloglog.ts'
import { Caps } from '../../../../src/core/scuba/rows/caps.ts'
import { addColumns, addRetention } from '../../../../src/core/scuba/shards/add-tables.ts'

const column = (name: string, distinct: number | null, bytes: number | null) => ({
  ...{ name, type: 'BIGINT', origin: 'observed' as const, sql: null, broken: null },
  ...{ conflicts: 1, distinct, distinctMax: null, bytes },
})

test('columns of several leaves have their counts added, and as many distinct values as lie between the most and the sum', () => {
  const capped = new Caps().counts
  const head = { table: 't', version: 0, missing: [], columnsMax: 1000, capped: { ...capped, columns: 2 } }
  const added = addColumns([
    { ...head, sinceMs: 5, columns: [column('n', 10, 100), column('only', 3, null)] },
    { ...head, sinceMs: null, columns: [column('n', 7, null)] },
    { ...head, sinceMs: 9, columns: [column('n', 12, 50)] },
  ])
  // Of what is younger everything was counted everywhere.
  expect(added.sinceMs).toBe(9)
  expect(added).toMatchObject({ columnsMax: 1000, capped: { columns: 6 } })
  expect(added.columns).toMatchObject([
    { name: 'n', type: 'BIGINT', conflicts: 3, distinct: 12, distinctMax: 29, bytes: 150 },
    { name: 'only', conflicts: 1, distinct: 3, distinctMax: null, bytes: null },
  ])
})

test('registers of several leaves say how many distinct values they have together; those of two hashes do not', () => {
  const head = { table: 't', version: 0, missing: [], columnsMax: 1000, capped: new Caps().counts, sinceMs: 5 }
  const random = createPrng(11)
  const hashed = new Map<number, number>()
  /** A hash of a value, as the engine has one: a register, and the zeros of the rest. */
  const codeOf = (value: number): number => {
    const rank = hashed.get(value) ?? random.below(1024) * 64 + 1 + Math.clz32(random.below(2 ** 32))
    hashed.set(value, rank)
    return rank
  }
  const leaf = (from: number, to: number, hashedBy: string) => {
    const sketch = new HyperLogLog(1024)
    for (let value = from; value < to; value += 1) sketch.add(codeOf(value))
    return { ...head, hashedBy, columns: [{ ...column('n', to - from, 1), registers: toBase64(sketch.ranks) }] }
  }
  const [n] = addColumns([leaf(0, 6000, 'a'), leaf(3000, 9000, 'a'), leaf(0, 100, 'a')]).columns
  expect(n?.distinct).toBeGreaterThan(9000 * 0.9)
  expect(n?.distinct).toBeLessThan(9000 * 1.1)
  expect(n?.distinctMax).toBeNull()
  expect(n).not.toHaveProperty('registers')
  const two = addColumns([leaf(0, 6000, 'a'), leaf(3000, 9000, 'b')])
  expect(two.columns[0]).toMatchObject({ distinct: 6000, distinctMax: 12_000 })
  expect(two).not.toHaveProperty('hashedBy')
  // Of one that answers alone nothing is left of them.
  expect(addColumns([leaf(0, 6000, 'a')]).columns).toEqual([column('n', 6000, 1)])
})

test('what is kept and what goes is added, and the next to go is the earliest', () => {
  const kept = (table: string, nextMs: number | null, rows: number) => ({
    ...{ table, policy: { days: 30, gb: 100, thin: [] }, segments: 1, rows, bytes: 10, nextMs, held: { segments: 1, rows: 2 } },
    going: [{ what: 'dropped by age' as const, segments: 1, rows, bytes: 10, untilMs: rows }],
  })
  const added = addRetention([
    { nowMs: 1, missing: [], tables: [kept('b', 50, 3)] },
    { nowMs: 2, missing: [], tables: [kept('a', null, 1), kept('b', 40, 4)] },
  ])
  expect(added.tables).toMatchObject([
    { table: 'a', rows: 1, nextMs: null },
    { table: 'b', rows: 7, segments: 2, nextMs: 40, held: { segments: 2, rows: 4 }, going: [{ segments: 2, rows: 7, untilMs: 4 }] },
  ])
})
