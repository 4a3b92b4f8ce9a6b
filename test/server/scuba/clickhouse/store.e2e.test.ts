import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeClickHouse } from '../../../../src/server/scuba/clickhouse/settings.ts'
import { ClickHouseServer, noClickHouse } from '../../../support/clickhouse.ts'
import { Leaf } from '../leaf.ts'

const T = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 3_600_000

describe.skipIf(noClickHouse !== null)(`segments in ClickHouse${noClickHouse === null ? '' : ` (skipped: ${noClickHouse})`}`, () => {
  const server = new ClickHouseServer()
  const leaf = new Leaf()
  beforeAll(async () => {
    await server.start()
    writeClickHouse(leaf.dir, server.url)
    await leaf.start()
  })
  afterAll(async () => {
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

  test('what is sealed is in ClickHouse, what is not is with the leaf, and a question is answered from both', async () => {
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
  })
})
