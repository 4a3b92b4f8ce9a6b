import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ColumnSet } from '../../../src/core/scuba/rows/columns.ts'
import { normaliseRow } from '../../../src/core/scuba/rows/normalise.ts'
import { microseconds, rowTime } from '../../../src/core/scuba/rows/time.ts'

const NOW = 1_750_000_000_000

test("any JSON object becomes one flat line whose every value is of its column's type, and no name stands in it twice", () => {
  const key = fc.oneof(fc.constantFrom('a', 'A', 'b', 'a.b', 'time', '_rest', 'a$str', '', 'ts'), fc.string({ maxLength: 6 }))
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.string(),
      fc.integer(),
      fc.double(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4 }),
    ),
  })).value
  const rows = fc.array(fc.dictionary(key, value, { maxKeys: 6 }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(rows, (batch) => {
      const columns = new ColumnSet()
      const lines = batch.map((row) => normaliseRow(JSON.parse(JSON.stringify(row)) as Record<string, unknown>, columns, NOW))
      const types = columns.toJSON()
      for (const row of lines) {
        if (typeof row === 'string') throw new Error(row)
        const names: string[] = []
        JSON.parse(row.line, function (name: string, inner: unknown) {
          if (name !== '' || this !== undefined) names.push(name)
          return inner
        })
        expect(row.line).not.toMatch(/[\n\r]/)
        const parsed = JSON.parse(row.line) as Record<string, unknown>
        const keys = [...row.line.matchAll(/[{,]("(?:[^"\\]|\\.)*"):/g)].map((match) => match[1])
        expect(keys.length).toBeGreaterThanOrEqual(2)
        expect(new Set(Object.keys(parsed).map((name) => name.toLowerCase())).size).toBe(Object.keys(parsed).length)
        for (const [name, inner] of Object.entries(parsed)) {
          const type = types[name]
          expect(type, name).toBeDefined()
          if (type === 'VARCHAR') expect(typeof inner).toBe('string')
          else if (type === 'BOOLEAN') expect(typeof inner).toBe('boolean')
          else expect(typeof inner).toBe('number')
          if (type === 'BIGINT') expect(Number.isSafeInteger(inner)).toBe(true)
        }
      }
    }),
    { numRuns: 300 },
  )
})

test('a value that does not fit its column is kept beside it, what has no column is kept in _rest', () => {
  const columns = new ColumnSet()
  const line = (row: Record<string, unknown>): Record<string, unknown> => {
    const normal = normaliseRow(row, columns, NOW)
    return typeof normal === 'string' ? { refused: normal } : (JSON.parse(normal.line) as Record<string, unknown>)
  }
  expect(line({ a: 1, b: true, 'x.y': 1, x: { y: 2 } })).toMatchObject({ a: 1, b: true, 'x.y': 1, _rest: '{"x.y":2}' })
  expect(line({ a: 'one', b: 'yes', A: 5 })).toMatchObject({ a$str: 'one', b$str: 'yes', _rest: '{"A":5}' })
  expect(line({ a: 1.5, list: [1] })).toMatchObject({ a: 1.5, _rest: '{"list":[1]}' })
  expect(columns.toJSON()).toMatchObject({ a: 'DOUBLE', b: 'BOOLEAN' })
  expect(line(JSON.parse('{"a":1e400,"c":-1e400}') as Record<string, unknown>)).toMatchObject({ a$str: 'Infinity', c$str: '-Infinity' })
  expect(line({ 'new\nline': 1, '\u0000': 2, '\ud800': 3, ['k'.repeat(300)]: 4 })).toMatchObject({
    _rest: expect.stringContaining('kkk') as string,
  })
})

test('times are read by their size, as ISO 8601, and a clock far ahead is not believed', () => {
  expect(microseconds(1_700_000_000)).toBe(1.7e15)
  expect(microseconds(1_700_000_000_123)).toBe(1_700_000_000_123_000)
  expect(microseconds(1_700_000_000_123_456)).toBe(1_700_000_000_123_456)
  expect(microseconds(1_700_000_000_123_456_000)).toBe(1_700_000_000_123_456)
  expect(microseconds('nonsense')).toBeNull()
  fc.assert(
    fc.property(fc.date({ min: new Date('1970-01-01T00:00:00Z'), max: new Date('2200-01-01T00:00:00Z'), noInvalidDate: true }), (date) => {
      expect(microseconds(date.toISOString())).toBe(date.getTime() * 1000)
    }),
  )
  expect(microseconds('2024-02-29T12:00:00+02:00')).toBe(Date.UTC(2024, 1, 29, 10) * 1000)
  expect(rowTime({ time: NOW + 3_600_000 }, NOW, 600_000)).toMatchObject({ timeUs: NOW * 1000, source: 'ahead', key: 'time' })
  expect(rowTime({ '@timestamp': '2020-01-01T00:00:00Z' }, NOW, 600_000)).toMatchObject({ source: 'row', key: '@timestamp' })
  expect(rowTime({}, NOW, 600_000)).toMatchObject({ timeUs: NOW * 1000, source: 'ingest', key: null })
})

test('what is beyond the bounds of a table is kept in _rest or cut, and counted', () => {
  const columns = new ColumnSet()
  const line = (row: Record<string, unknown>, atMs = NOW): Record<string, unknown> => {
    const normal = normaliseRow(row, columns, atMs)
    return typeof normal === 'string' ? { refused: normal } : (JSON.parse(normal.line) as Record<string, unknown>)
  }
  const wide = (from: number, count: number): Record<string, number> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`c${from + i}`, 1]))
  const inRest = (row: Record<string, unknown>): number => Object.keys(JSON.parse(String(row['_rest'] ?? '{}')) as object).length
  expect(inRest(line(wide(0, 130)))).toBe(30)
  expect(inRest(line(wide(100, 10), NOW + 59_999))).toBe(10)
  expect(inRest(line(wide(100, 10), NOW + 60_000))).toBe(0)
  // A clock that goes back begins a new minute: the old one might last for hours.
  expect(inRest(line(wide(110, 100), NOW - 3_600_000))).toBe(0)
  expect(columns.caps.counts).toMatchObject({ newColumns: 40, columns: 0 })
  for (let minute = 2; minute < 12; minute += 1) line(wide(minute * 100 + 10, 100), NOW + minute * 60_000)
  expect(columns.size).toBe(1000)
  expect(columns.caps.counts.columns).toBeGreaterThan(0)
  expect(line({ C0: 1, ['k'.repeat(300)]: 4 })).toHaveProperty('_rest')
  expect(columns.caps.counts).toMatchObject({ names: 1, spellings: 1 })
  expect(columns.caps.takeNew().map(([cap]) => cap)).toEqual(expect.arrayContaining(['columns', 'newColumns', 'names', 'spellings']))
  expect(columns.caps.takeNew()).toEqual([])
})

test('a text has at most 64 KiB in UTF-8: a longer one is cut between characters, marked and counted', () => {
  const columns = new ColumnSet()
  const kept = (text: string): string => {
    const normal = normaliseRow({ text }, columns, NOW)
    return typeof normal === 'string' ? normal : String((JSON.parse(normal.line) as { text: string }).text)
  }
  for (const [unit, bytes] of [
    ['x', 1],
    ['\u00e9', 2],
    ['\u20ac', 3],
    ['\u{1f600}', 4],
  ] as const) {
    const whole = unit.repeat(Math.floor(65_536 / bytes))
    expect(kept(whole)).toBe(whole)
    expect(kept(`${whole}${unit}`)).toBe(`${whole}\u2026`)
  }
  expect(columns.caps.counts.values).toBe(4)
  expect(kept('\ud800')).toBe('\ufffd')
})
