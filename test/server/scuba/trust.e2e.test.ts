import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { registrySchema } from '../../../src/core/scuba/registry.ts'
import { eventually } from '../../support/eventually.ts'
import { Leaf } from './leaf.ts'

const columns = { id: 'BIGINT', share: 'DOUBLE', name: 'VARCHAR', good: 'BOOLEAN' } as const
const trusted = { version: 1, coerce: true, keys: 'sampled', columns } as const
const tables = { hot: trusted, sealed: trusted, good: trusted, none: trusted, checked: { version: 1, columns } }

const leaf = new Leaf()
beforeAll(async () => {
  await leaf.start()
  await leaf.client.putRegistry(registrySchema.parse({ version: 1, tables }))
})
afterAll(() => leaf.remove())

const NOW = Date.now()
const HOUR = 3_600_000
const rowOf = (id: number): object => ({
  ...{ time: NOW - 8 * HOUR + id * 10, id, share: id / 4, name: `n${id} ${'x'.repeat(80)}`, good: id % 2 === 0 },
})
const lines = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => `${JSON.stringify(rowOf(from + i))}\n`)
/** A body whose middle line is this one: no look at its ends sees it. */
const bodyWith = (from: number, line: string): string => lines(from, 4000).with(2000, `${line}\n`).join('')
const ask = async (sql: string): Promise<unknown> => (await leaf.client.query(sql, { deadlineMs: 60_000 })).rows
const SUMS = 'count(*), count(distinct id), sum(id), sum(share), count(name), sum(good::int), epoch_ms(min(time)), epoch_ms(max(time))'

test('rows of a trusted table are those of any other: hot, after a kill, sealed, plain or compressed', { timeout: 120_000 }, async () => {
  for (const table of ['good', 'checked']) {
    for (let from = 0; from < 12_000; from += 4000) await leaf.client.send(table, lines(from, 4000).join(''))
    const zipped = { 'content-encoding': 'gzip' }
    // Without the end of the last line; over several hours.
    const late = lines(2_000_000, 4000).join('').slice(0, -1)
    expect((await leaf.post(`tables/${table}/rows`, gzipSync(late, { level: 0 }), zipped)).status).toBe(200)
  }
  const same = async (): Promise<void> => {
    expect(await ask(`select ${SUMS} from good`)).toEqual(await ask(`select ${SUMS} from checked`))
    expect(
      await ask('select count(*) from (select * exclude (ingest_time) from good except all select * exclude (ingest_time) from checked)'),
    ).toEqual([[0]])
  }
  await same()
  await leaf.end('SIGKILL')
  await leaf.start()
  await same()
  for (const table of ['good', 'checked']) await leaf.seal(table)
  await same()
  const { segments } = await leaf.client.table('good')
  expect(segments).toBe((await leaf.client.table('checked')).segments)
})

test(
  'a bad line of a hot chunk is found by a question and goes to the quarantine once, also when the leaf is killed',
  { timeout: 120_000 },
  async () => {
    // The receipt counts lines: that one of them is bad is not known yet.
    expect(await leaf.client.send('hot', bodyWith(0, `{"time":${NOW},"id":`))).toMatchObject({ accepted: 4000, quarantined: 0 })
    expect(await leaf.client.send('hot', lines(4000, 4000).join(''))).toMatchObject({ accepted: 4000 })
    const expected = [[7999, 7999]]
    expect(await ask('select count(id), count(name) from hot')).toEqual(expected)
    const bad = `select count(*), max(line), max(text) from muster_quarantine where "table" = 'hot'`
    expect(await ask(bad)).toEqual([[1, 2001, `{"time":${NOW},"id":`]])
    await leaf.end('SIGKILL')
    await leaf.start()
    expect(await ask('select count(id), count(name) from hot')).toEqual(expected)
    expect(await ask(bad)).toEqual([[1, 2001, `{"time":${NOW},"id":`]])
    await leaf.seal('hot')
    expect(await ask('select count(id), count(name) from hot')).toEqual(expected)
    expect(await leaf.client.table('hot')).toMatchObject({ rows: 7999, chunks: 0 })
  },
)

test('what the engine cannot read into a column is found by the seal, and kept beside the column', { timeout: 120_000 }, async () => {
  await leaf.client.send('sealed', bodyWith(0, `{"time":${NOW},"id":"no number"}`))
  await leaf.client.send('sealed', bodyWith(4000, `{"time":${NOW},"id":1,"id":2}`))
  await leaf.seal('sealed')
  await eventually('all is sealed', 60_000, async () => (await leaf.client.table('sealed')).chunks === 0)
  expect(await ask('select count(*), count(id), max("id$str") from sealed')).toEqual([[8000, 7999, 'no number']])
  expect(await ask(`select count(*) from muster_quarantine where "table" = 'sealed'`)).toEqual([[0]])
})

test('a sender that wants to know of bad lines is told', { timeout: 120_000 }, async () => {
  const refused = await leaf.post('tables/none/rows?validate=sync', bodyWith(0, `{"time":${NOW},"id":`), {})
  expect(refused.status).not.toBe(200)
  expect(await leaf.client.table('none')).toMatchObject({ rows: 0 })
})
