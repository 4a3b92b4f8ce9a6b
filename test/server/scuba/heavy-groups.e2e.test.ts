import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openEngine, writeSegments } from '../../../bench/lib/scuba-store.ts'
import { Leaf } from './leaf.ts'

const dir = mkdtempSync(join(tmpdir(), 'scuba-heavy-'))
const leaf = new Leaf(dir)
const ROWS = 1_050_000
const untilMs = Math.floor(Date.now() / 60_000) * 60_000
const range = { sinceMs: untilMs - 7_200_000, untilMs }

beforeAll(async () => {
  const engine = await openEngine(2)
  await writeSegments(engine, dir, 'events', { rows: ROWS, fromMs: untilMs - 3_600_000, everyUs: 3400 })
  engine.closeSync()
  await leaf.start()
}, 120_000)
afterAll(async () => {
  await leaf.remove()
  rmSync(dir, { recursive: true, force: true })
})

test(
  'the best of hundreds of thousands of groups are those that grouping all rows gives, and are said to be exact',
  { timeout: 120_000 },
  async () => {
    for (const [by, where] of [
      [['user_id'], undefined],
      [['user_id', 'service'], "status = 200 OR region = 'eu-west'"],
      [['user_id'], undefined],
    ] as const) {
      const panel = { table: 'events', calc: ['count', 'avg:latency_ms'], by: [...by], top: 8, ...range, ...(where ? { where } : {}) }
      const answer = await leaf.client.panel({ ...panel, deadlineMs: 60_000 })
      const keys = by.join(', ')
      const { rows } = await leaf.client.query(
        `SELECT ${keys}, sum(sample_rate) AS n, count(*) OVER () FROM events WHERE ${where ?? 'true'} GROUP BY ${keys} ORDER BY n DESC, ${keys} LIMIT 8`,
        { ...range, deadlineMs: 60_000 },
      )
      expect(answer.groups.map(({ key, values }) => [...by.map((name) => key[name]), values['count']])).toEqual(
        rows.map((row) => [...row.slice(0, by.length), Number(row[by.length])]),
      )
      expect(answer.accuracy['count']).toEqual({ exact: true, errorMax: 0 })
      const groups = Number(rows[0]?.[by.length + 1])
      expect(Math.abs(answer.groupCount - groups)).toBeLessThan(groups * 0.06)
    }
  },
)

test('groups that are all alike are ranked as before, with a bound', { timeout: 120_000 }, async () => {
  const { groups, groupCount } = await leaf.client.panel({
    table: 'events',
    calc: ['count'],
    by: ['span_id'],
    top: 3,
    ...range,
    deadlineMs: 60_000,
  })
  expect(groups.length).toBe(3)
  expect(groupCount).toBeGreaterThan(ROWS / 3)
})
