import { expect, test } from 'vitest'
import { normaliseRow } from '../../../../src/core/scuba/rows/normalise.ts'
import { ColumnSet } from '../../../../src/core/scuba/rows/columns.ts'
import { asItCame, mayGoBack, takenThrough } from '../../../../src/core/scuba/shards/aside.ts'

test('how far the rows are another leaf’s is what the newest taking over before the move says', () => {
  const taken = [
    { of: 'a', epochs: { a: 1 }, seq: 10 },
    { of: 'a', epochs: { a: 3 }, seq: 30 },
    { of: 'b', epochs: { a: 4 }, seq: 99 },
    { of: 'a', epochs: { 'a.2': 1 }, seq: 50 },
  ]
  expect(takenThrough('a', 'a@2', taken, true)).toBe(10)
  expect(takenThrough('a', 'a@4', taken, true)).toBe(30)
  expect(takenThrough('a', 'a@9+a.2@2', taken, true)).toBe(50)
  expect(takenThrough('a', 'a@9+a.2@2+a.3@2', taken, true)).toBeNull()
  expect(takenThrough('c', 'a@4', taken, true)).toBeNull()
  expect(takenThrough('a', 'a@1', taken, true)).toBeNull()
})

test('while a leaf does not say what it took, a taking over that may be an older one is not believed', () => {
  const taken = [{ of: 'a', epochs: { a: 1 }, seq: 10 }]
  expect(takenThrough('a', 'a@2', taken, false)).toBe(10)
  expect(takenThrough('a', 'a@3', taken, false)).toBeNull()
  expect(takenThrough('a', 'a@3', taken, true)).toBe(10)
})

test('by itself only what has a key that is still remembered goes back', () => {
  const batch = { seq: 1, table: 't', rows: 1, minUs: 0, maxUs: 0, atMs: 0, key: 'k' }
  const day = 86_400_000
  expect(mayGoBack(batch, 1000, day)).toBe(true)
  expect(mayGoBack({ ...batch, key: null }, 1000, day)).toBe(false)
  expect(mayGoBack(batch, day, day)).toBe(false)
})

test('a row that is taken in again as it came becomes the same row', () => {
  const receivedMs = 1_790_000_000_000
  const rows: Record<string, unknown>[] = [
    { n: 1 },
    { time: receivedMs - 5000, n: 2, text: 'x' },
    { time: receivedMs + 3_600_000, n: 3 },
    { ts: '2026-01-01T00:00:00Z', n: 'no number', nested: { deep: { er: true } }, list: [1, 2] },
    { n: 4, price: 1.5, text: 7 },
  ]
  const shape = { timeField: null, mode: 'open', coerce: false } as const
  const columns = new ColumnSet()
  const lines = rows.map((row) => normaliseRow(row, columns, receivedMs, shape))
  const again = new ColumnSet()
  for (const line of lines) {
    if (typeof line === 'string') throw new Error(line)
    const back = normaliseRow(JSON.parse(asItCame(line.line, null)) as Record<string, unknown>, again, receivedMs, shape)
    expect(typeof back === 'string' ? back : JSON.parse(back.line)).toEqual(JSON.parse(line.line))
  }
  // A table with a time of its own name.
  const [, second] = rows
  const named = normaliseRow({ when: receivedMs - 7000, n: 1 }, new ColumnSet(), receivedMs, { ...shape, timeField: 'when' })
  expect(second).toBeDefined()
  if (typeof named === 'string') throw new Error(named)
  expect(JSON.parse(asItCame(named.line, 'when'))).toEqual({ when: (receivedMs - 7000) * 1000, n: 1 })
})
