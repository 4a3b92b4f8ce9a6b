import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { registrySchema } from '../../../../src/core/scuba/registry.ts'
import { writeClickHouse } from '../../../../src/server/scuba/clickhouse/settings.ts'
import { Chdb, hasNoChdb } from '../../../support/chdb.ts'
import { ClickHouseServer, noClickHouse } from '../../../support/clickhouse.ts'
import { eventually } from '../../../support/eventually.ts'
import { Leaf } from '../leaf.ts'

const T = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 3_600_000

const KINDS = [
  { kind: 'ClickHouse 18.16', no: noClickHouse, make: () => new ClickHouseServer() },
  { kind: 'the newest ClickHouse (chdb)', no: hasNoChdb, make: () => new Chdb() },
].map((each) => ({ ...each, name: each.no === null ? each.kind : `${each.kind} (skipped: ${each.no})` }))

describe.each(KINDS)('segments in $name', ({ no, make }) => {
  let server: ClickHouseServer | Chdb
  let leaf: Leaf
  beforeAll(async () => {
    if (no !== null) return
    server = make()
    leaf = new Leaf()
    await server.start()
    writeClickHouse(leaf.dir, server.url)
    await leaf.start()
  })
  afterAll(async () => {
    if (no !== null) return
    await leaf.remove()
    await server.remove()
  })

  const rows = (count: number, from = 0): Record<string, unknown>[] =>
    Array.from({ length: count }, (_, i) => ({
      time: T + (from + i) * 100,
      service: i % 7 === 0 ? null : `s${i % 5}`,
      'http.status': i % 11 === 0 ? 500 : 200,
      ms: i / 3,
      ok: i % 2 === 0,
      note: `a "quoted"\tline\n\\N ${i % 3}`,
      n: from + i,
    }))

  test.skipIf(no !== null)(
    'what is sealed is in ClickHouse, what is not is with the leaf, and a question is answered from both',
    async () => {
      await leaf.client.send('events', rows(1000))
      await leaf.seal('events')
      expect(await server.ask('SELECT count(), uniqExact(_seg) FROM events')).toBe('1000\t1')
      await leaf.client.send('events', rows(500, 1000))
      const panel = await leaf.client.panel({
        table: 'events',
        calc: ['count', 'sum:n', 'avg:ms', 'max:n', 'p90:ms', 'distinct:note', 'ratio("http.status" >= 500)'],
        by: ['service'],
        where: "ok OR service = 's1'",
        sinceMs: T,
        untilMs: T + 3_600_000,
      })
      expect(panel.coverage.missing).toEqual([])
      const counts = new Map(panel.groups.map(({ key, values }) => [key['service'], values]))
      const wanted = [...rows(1000), ...rows(500, 1000)].filter(({ ok, service }) => ok === true || service === 's1')
      const of = (service: unknown): Record<string, unknown>[] => wanted.filter((row) => row['service'] === service)
      for (const service of [null, 's0', 's1', 's2', 's3', 's4']) {
        expect(counts.get(service)?.['count'], String(service)).toBe(of(service).length)
        expect(counts.get(service)?.['sum:n']).toBe(of(service).reduce((sum, { n }) => sum + Number(n), 0))
        expect(counts.get(service)?.['distinct:note']).toBe(new Set(of(service).map(({ note }) => note)).size)
      }
      const answer = await leaf.client.query(
        `SELECT count(*), sum(n), count(DISTINCT note), max("time") FROM events WHERE service = 's1'`,
        {},
      )
      const s1 = [...rows(1000), ...rows(500, 1000)].filter(({ service }) => service === 's1')
      expect(answer.rows[0]?.slice(0, 3)).toEqual([s1.length, s1.reduce((sum, { n }) => sum + Number(n), 0), 3])
      const text = await leaf.client.query(`SELECT note FROM events WHERE n = 1 AND ok = false`, {})
      expect(text.rows).toEqual([['a "quoted"\tline\n\\N 1']])
    },
  )
  test.skipIf(no !== null)('a column that widens, odd names and every kind of value come back as they went in', async () => {
    const odd = { 'a.b': 1, 'with `tick` "and" quote\\': 'x', _seg: 'mine', yes: true, late: '2026-01-02T03:04:05Z', list: [1, 'two'] }
    await leaf.client.send('odd', [{ time: T, number: 9007199254740991, ...odd }])
    await leaf.seal('odd')
    await leaf.client.send('odd', [{ time: T + 1, number: 1.5 }, { time: T + 2 }])
    await leaf.seal('odd')
    await leaf.client.send('odd', [{ time: T + 3, number: -0.1, ...odd }])
    const sql = 'SELECT number, "a.b", "with `tick` ""and"" quote\\", _seg, yes, late, _rest FROM odd ORDER BY time'
    const same = [1, 'x', 'mine', true, '2026-01-02T03:04:05Z', '{"list":[1,"two"]}']
    const none = [null, null, null, null, null, null]
    const { rows: found } = await leaf.client.query(sql, {})
    expect(found).toEqual([
      [9007199254740991, ...same],
      [1.5, ...none],
      [null, ...none],
      [-0.1, ...same],
    ])
    const panel = await leaf.client.panel({
      ...{ table: 'odd', calc: ['sum:number', 'count', 'distinct:_seg'], by: ['yes', '_seg'], where: 'yes OR _seg IS NULL' },
      ...{ sinceMs: T, untilMs: T + 1000, stepMs: 1 },
    })
    expect(panel.groups.map(({ key, values }) => [key['yes'], key['_seg'], values['count'], values['distinct:_seg']])).toEqual([
      [true, 'mine', 2, 1],
      [null, null, 2, 0],
    ])
  })

  test.skipIf(no !== null)('rows that are erased are gone there, too, whatever the condition, and verify counts the seals', async () => {
    await leaf.client.send('gone', rows(300))
    await leaf.seal('gone')
    await leaf.client.send('gone', rows(100, 300))
    await leaf.seal('gone')
    const erase = async (where: string): Promise<unknown> =>
      (await leaf.post('do/scuba.row.erase', JSON.stringify({ table: 'gone', where }))).answer
    const left = async (): Promise<unknown> =>
      (await leaf.client.query('SELECT count(*), count(*) FILTER (WHERE n = 7), count(*) FILTER (WHERE n = 301) FROM gone', {})).rows[0]
    expect(await erase('n = 7')).toMatchObject({ rows: 1, segments: 1 })
    expect(await left()).toEqual([399, 0, 1])
    // One that ClickHouse has no words for: what it was in becomes a file of the leaf.
    expect(await erase('n % 1000 = 301')).toMatchObject({ rows: 1, segments: 1 })
    expect(await left()).toEqual([398, 0, 0])
    const verified = await leaf.post('do/scuba.segment.verify', JSON.stringify({ table: 'gone' }))
    expect(verified.answer).toMatchObject({ checked: 2, lost: [] })
    await eventually('erased seals are gone from ClickHouse', 60_000, async () => (await server.ask('SELECT count() FROM gone')) === '299')
  })

  test.skipIf(no !== null)(
    'old rows are thinned there as files are: traces stay whole, and what stays has the weight of what went',
    async () => {
      const dayMs = 86_400_000
      const old = (count: number): Record<string, unknown>[] =>
        Array.from({ length: count }, (_, i) => ({ time: T - 10 * dayMs + i, n: i, ...(i % 2 === 0 ? {} : { trace_id: `t${i % 500}` }) }))
      await leaf.client.send('thinned', old(10_000))
      await leaf.seal('thinned')
      const policy = { days: 30, gb: 100, thin: [{ afterDays: 7, keepOneIn: 10 }] }
      await leaf.client.putRegistry(registrySchema.parse({ version: 1, retention: { thinned: policy } }))
      const sql = `SELECT count(*), count(trace_id), sum(sample_rate), string_agg(DISTINCT trace_id, ' ' ORDER BY trace_id),
      string_agg(DISTINCT trace_id, ' ' ORDER BY trace_id) FILTER (md5_number_lower(trace_id) % 10 = 0) FROM thinned`
      await eventually('they are thinned', 60_000, async () => Number((await leaf.client.query(sql, {})).rows[0]?.[0]) < 10_000)
      const [[count, traced, weight, traces, wanted] = []] = (await leaf.client.query(sql, {})).rows
      expect(traces).toBe(wanted)
      expect(Number(traced)).toBe(20 * String(wanted).split(' ').length)
      expect(Number(weight)).toBe(10 * Number(count))
      // 5,000 rows without a trace, of which a tenth stays: 500, give or take seven deviations.
      expect(Math.abs(Number(count) - Number(traced) - 500)).toBeLessThan(150)
      await eventually('the rest is gone', 60_000, async () => (await server.ask('SELECT count() FROM thinned')) === String(count))
    },
  )
})
