import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { viewSql, type ViewFile } from '../../../src/core/scuba/plan/view.ts'
import { fitColumns } from '../../../src/core/scuba/raw/fit.ts'
import { rawFileName } from '../../../src/core/scuba/raw/read.ts'
import { RowScanner, type Scan } from '../../../src/core/scuba/raw/scan.ts'
import { ColumnSet } from '../../../src/core/scuba/rows/columns.ts'
import { parseBatch } from '../../../src/server/scuba/leaf/batch.ts'

const dir = mkdtempSync(join(tmpdir(), 'scuba-raw-'))
let connection: DuckDBConnection
beforeAll(async () => {
  connection = await (await DuckDBInstance.create(':memory:')).connect()
})
afterAll(() => {
  connection.disconnectSync()
  rmSync(dir, { recursive: true, force: true })
})

const NOW = 1_750_000_000_000
let files = 0

async function rowsOf(columns: ColumnSet, file: ViewFile): Promise<Record<string, unknown>[]> {
  const { sql } = viewSql({ columns: columns.toJSON(), files: [file] })
  const reader = await connection.runAndReadAll(sql)
  return reader.getRowObjectsJson().map((row) => ({ ...row, _rest: typeof row['_rest'] === 'string' ? JSON.parse(row['_rest']) : null }))
}

/** What a body is when it is parsed, and when it is kept as it is; raw is null when it cannot be kept so. */
async function bothWays(body: Buffer, timeField: string | null): Promise<{ parsed: unknown[]; raw: unknown[] | null; scan: Scan | null }> {
  const columns = new ColumnSet()
  const shape = { timeField, mode: 'open', coerce: false, check: () => [] } as const
  const batch = parseBatch(body, columns, NOW, false, shape)
  const path = join(dir, `${(files += 1)}.ndjson`)
  writeFileSync(path, batch.payload)
  const bounds = { minUs: batch.minUs, maxUs: batch.maxUs, rows: batch.rows }
  const parsed = batch.rows === 0 ? [] : await rowsOf(columns, { path, kind: 'chunk', ...bounds })
  const own = new ColumnSet()
  const scan = new RowScanner(timeField).scan(body, NOW)
  if (scan === null || !fitColumns(scan, own, true, NOW)) return { parsed, raw: null, scan }
  expect(batch.quarantinedCount).toBe(0)
  expect(own.toJSON()).toEqual(columns.toJSON())
  expect({ rows: scan.rows, minUs: scan.minUs, maxUs: scan.maxUs }).toEqual(bounds)
  expect(scan.hours).toEqual(batch.hours)
  const rawPath = join(dir, rawFileName('t', (files += 1), NOW, 'none'))
  writeFileSync(rawPath, body)
  return { parsed, raw: await rowsOf(own, { path: rawPath, kind: 'raw', raw: { shape: scan.shape, encoding: 'none' }, ...bounds }), scan }
}

const whole = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.constantFrom(0, 1, 9_007_199_254_740_991))
const fraction = fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0))
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('007', '1e5', 'true', '"', '\\', '\n', '\u0001', '😀', ''),
)
const list = fc.array(fc.oneof(whole, text, fc.boolean(), fc.constant(null), fc.array(whole, { maxLength: 2 })), { maxLength: 3 })
const key = fc.oneof(
  fc.constantFrom('a', 'b', 'c', 'd.e', 'größe', 'a b', "it's", '"q"', '~x/y', 'filename'),
  fc.string({ minLength: 1, maxLength: 5 }),
)
const isoTime = fc.date({ min: new Date('1971-01-01'), max: new Date(NOW), noInvalidDate: true }).map((date) => date.toISOString())
const msTime = fc.integer({ min: 1, max: NOW })

type Kind = fc.Arbitrary<unknown>
/** Rows of one table: each key has its kind of value, or null, or is missing. */
const table: fc.Arbitrary<Record<string, unknown>[]> = fc
  .record({
    keys: fc.dictionary(
      key,
      fc.constantFrom<Kind>(whole, fraction, fc.oneof(whole, fraction), text, fc.boolean(), list, fc.constant(null)),
      { maxKeys: 6 },
    ),
    members: fc.dictionary(fc.constantFrom('x', 'y', 'p.q', 'z~/'), fc.constantFrom<Kind>(whole, fraction, text, fc.boolean(), list), {
      maxKeys: 3,
    }),
    time: fc.constantFrom<[string, Kind]>(
      ['time', msTime],
      ['ts', msTime.map((ms) => ms / 1000)],
      ['timestamp', isoTime],
      ['@timestamp', msTime.map((ms) => ms * 1000)],
      ['when', isoTime],
    ),
    hasTime: fc.boolean(),
    hasMembers: fc.boolean(),
  })
  .chain(({ keys, members, time, hasTime, hasMembers }) => {
    const inner = fc.record(members, { requiredKeys: [] })
    const row = fc.record(
      { ...keys, ...(hasMembers ? { o: fc.oneof(inner, fc.record({ deep: inner })) } : {}), ...(hasTime ? { [time[0]]: time[1] } : {}) },
      { requiredKeys: (hasTime ? [time[0]] : []) as never[] },
    )
    return fc.array(row, { minLength: 1, maxLength: 8 })
  })

test('rows kept as they came in are the same table as rows that were parsed', { timeout: 120_000 }, async () => {
  let kept = 0
  let tried = 0
  await fc.assert(
    fc.asyncProperty(
      table,
      fc.constantFrom('', ' ', '\t'),
      fc.constantFrom('\n', '\r\n'),
      fc.constantFrom(null, 'when', 'ts', 'a'),
      async (rows, space, end, timeField) => {
        const body = Buffer.from(
          rows
            .map((row) => JSON.stringify(row).replaceAll(/^\{|\}$/g, (brace) => (brace === '{' ? `{${space}` : `${space}}`)) + end)
            .join(''),
        )
        const { parsed, raw } = await bothWays(body, timeField)
        tried += 1
        if (raw === null) return
        kept += 1
        expect(raw).toEqual(parsed)
      },
    ),
    { numRuns: 150 },
  )
  // Else the rule would be tested on nothing.
  expect(kept / tried).toBeGreaterThan(0.4)
})

test('a body with more new columns than a minute may bring, or a text that is to be cut, is parsed', () => {
  const columns = new ColumnSet()
  const fits = (row: Record<string, unknown>, atMs: number): boolean => {
    const scan = new RowScanner().scan(Buffer.from(`${JSON.stringify(row)}\n`), atMs)
    return scan !== null && fitColumns(scan, columns, true, atMs)
  }
  const wide = (from: number, count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`c${from + i}`, i]))
  expect([fits(wide(0, 101), NOW), fits(wide(0, 100), NOW), fits({ more: 1 }, NOW + 1000), fits({ more: 1 }, NOW + 60_000)]).toEqual([
    ...[false, true, false, true],
  ])
  expect(fits({ more: 1, text: 'x'.repeat(65_537) }, NOW + 60_000)).toBe(false)
})

test("a table's own time is read from its key alone, and its bodies stay as they came in", async () => {
  const body = Buffer.from('{"when":"2025-06-01T00:00:00Z","ts":5,"a":1}\n{"when":"2025-06-01T00:00:01Z","ts":6,"a":2}\n')
  const { parsed, raw } = await bothWays(body, 'when')
  expect(raw).toEqual(parsed)
  expect(raw).toMatchObject([{ time: '2025-06-01 00:00:00', ts: '5', a: '1' }, { ts: '6' }])
})

test("values of a coercing table are what the engine's typed reading makes of them, and beside their column where it cannot", async () => {
  const edges: unknown[] = [
    ...[
      0.5,
      1.5,
      2.5,
      -0.5,
      -1.5,
      -2.5,
      1e3,
      1e300,
      0,
      2,
      -1,
      true,
      false,
      '007',
      '-007',
      '1.5',
      ' 7 ',
      '\t7\n',
      '1e3',
      '1_000',
      '0x1F',
      '0b11',
    ],
    ...[
      '+5',
      'abc',
      '',
      'TRUE',
      't',
      'F',
      'yes',
      'No',
      'on',
      'y',
      '1',
      '0',
      '.5',
      '5.',
      '-',
      '-.5',
      '1E+2',
      '1e',
      '00',
      '-00.5',
      'tRuE',
      ' true',
    ],
    ...[
      '0.5',
      '1,5',
      '\uff11',
      '-0',
      '-0x1',
      '0X1f',
      '1.',
      '.',
      'e5',
      '1e-3',
      '--1',
      '1 2',
      '0b2',
      '-0b1',
      '00.5',
      '\u00a07',
      '\v7',
      ' 7',
      ' 007',
      ' -7',
      '\t.5',
      ' 1e3',
      '7\n',
      ' 0x1f',
      '\r-007',
    ],
  ]
  const value = fc.oneof(fraction, fc.integer(), fc.boolean(), fc.float({ noNaN: true, noDefaultInfinity: true }).map(String))
  const types = { i: 'BIGINT', d: 'DOUBLE', b: 'BOOLEAN' } as const
  const shape = { timeField: null, mode: 'open', coerce: true, check: () => [] } as const
  for (const sample of [...edges, ...fc.sample(value, 60)]) {
    for (const [name, type] of Object.entries(types)) {
      const line = `${JSON.stringify({ time: NOW, [name]: sample })}\n`
      const path = join(dir, `${(files += 1)}.ndjson`)
      writeFileSync(path, line)
      const sql = `SELECT ${name} FROM read_json(['${path}'], format='newline_delimited', records=true, columns={${name}: '${type}'})`
      const engine = await connection.runAndReadAll(sql).then(
        (reader) => reader.getRowObjectsJS()[0]?.[name],
        () => null,
      )
      const columns = new ColumnSet()
      columns.declare({ [name]: type }, [], null)
      const { payload } = parseBatch(Buffer.from(line), columns, NOW, false, shape)
      const row = JSON.parse(payload.toString('utf8')) as Record<string, unknown>
      const isBeyond = typeof engine === 'bigint' && !Number.isSafeInteger(Number(engine))
      const wanted = typeof engine === 'bigint' ? Number(engine) : engine
      if (wanted === null || isBeyond) expect(row, `${type} of ${line}`).toMatchObject({ [`${name}$str`]: String(sample) })
      else expect(row[name] === wanted, `${type} of ${line}: ${String(row[name])}, and the engine's ${String(wanted)}`).toBe(true)
    }
  }
})
