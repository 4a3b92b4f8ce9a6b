import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isRefusal } from '../../../../src/core/kernel/errors.ts'
import { codedSql, codesOfAll } from '../../../../src/core/scuba/plan/codes.ts'
import { partialPlan, planPanel } from '../../../../src/core/scuba/plan/panel.ts'
import { partialSql, usefulCodes } from '../../../../src/core/scuba/plan/sources.ts'
import { viewSql, type ViewFile } from '../../../../src/core/scuba/plan/view.ts'
import type { ColumnTypes } from '../../../../src/core/scuba/rows/columns.ts'

const TYPES: ColumnTypes = { time: 'TIMESTAMP', service: 'VARCHAR', ms: 'DOUBLE', n: 'BIGINT', sample_rate: 'BIGINT' }
/** Before and after 1970; values of every sign and size, and those that are none. */
const ROWS = `SELECT make_timestamp(i * 7_654_321 - 4_000_000_000) AS "time", 's' || (i % 3)::VARCHAR AS service,
  CASE i % 11 WHEN 0 THEN NULL WHEN 1 THEN 0 WHEN 2 THEN 'nan'::DOUBLE WHEN 3 THEN 'infinity'::DOUBLE WHEN 4 THEN -exp(i % 50)
    WHEN 5 THEN 5e-324 WHEN 6 THEN -1.7e308 ELSE exp((i % 1000) / 100.0 - 3) END::DOUBLE AS ms,
  (i % 17 - 3)::BIGINT AS n, (1 + i % 4)::BIGINT AS sample_rate FROM range(3000) r(i)`

const dir = mkdtempSync(join(tmpdir(), 'muster-codes-'))
let engine: DuckDBConnection
let file: ViewFile

beforeAll(async () => {
  engine = await (await DuckDBInstance.create(':memory:')).connect()
  const { sql, codes } = codedSql(ROWS, TYPES)
  const path = join(dir, 'coded.parquet')
  await engine.run(`COPY (${sql}) TO '${path}' (FORMAT parquet)`)
  file = { path, kind: 'segment', minUs: -4_000_000_000, maxUs: 19_000_000_000, rows: 3000, codes }
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

async function partials(request: { calc: string[]; stepMs?: number; by?: string[] }, isStored: boolean): Promise<string[]> {
  const plan = planPanel({ table: 't', sinceMs: -4_000_000, untilMs: 19_000_000, ...request }, TYPES, 0)
  if (isRefusal(plan)) throw plan
  const partial = partialPlan(plan, 'all')
  const codes = isStored ? codesOfAll([file], usefulCodes(partial)) : []
  const { sql } = viewSql({ columns: TYPES, files: [file], codes })
  const asked = partialSql(partial, [{ files: [file], codes, from: sql }])
  // Whether they are read at all is what this is about.
  if (isStored) expect(asked.includes('epoch_us("time")') && asked.includes('ln(')).toBe(false)
  const answer = await engine.runAndReadAll(
    `SELECT * REPLACE (list_sort(list_zip(codes, weights)) AS codes, NULL AS weights) FROM (${asked})`,
  )
  return answer
    .getRowsJson()
    .map((row) => JSON.stringify(row))
    .sort()
}

test.each([
  { calc: ['count', 'avg:ms'], stepMs: 10_000 },
  { calc: ['count'], stepMs: 60_000, by: ['service'] },
  { calc: ['sum:n'], stepMs: 3_600_000 },
  { calc: ['p50:ms', 'count'], by: ['service'] },
  { calc: ['heatmap:ms'], stepMs: 300_000 },
])('partials by stored codes are those by rows: %o', async (request) => {
  const stored = await partials(request, true)
  expect(stored.length).toBeGreaterThan(0)
  expect(stored).toEqual(await partials(request, false))
})

test('codes are of use only where the step is made of them and every file has them', () => {
  const plan = planPanel({ table: 't', calc: ['p99:ms'], stepMs: 1500, sinceMs: 0, untilMs: 60_000 }, TYPES, 0)
  if (isRefusal(plan)) throw plan
  const useful = usefulCodes(partialPlan(plan, 'all'))
  expect(useful).toEqual(['\u0001bucket ms'])
  expect(codesOfAll([file, { ...file, codes: undefined }], useful)).toEqual([])
})

test('a column whose type was another one, and more numbers than a few, have no codes', () => {
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`d${at}`, 'DOUBLE' as const]))
  expect(codedSql('SELECT 1', { ms: 'DOUBLE', n: 'BIGINT' }, ['ms']).codes).toEqual(['\u0001tick'])
  expect(codedSql('SELECT 1', many).codes).toHaveLength(9)
})
