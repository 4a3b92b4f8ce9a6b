import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { declarationSchema } from '../../../src/core/scuba/declared/declaration.ts'
import { scubaDerivedPut, scubaDerivedRm } from '../../../src/core/scuba/operations/derived.ts'
import { scubaQuarantineDrop, scubaQuarantineList, scubaQuarantineReplay } from '../../../src/core/scuba/operations/quarantine.ts'
import {
  scubaErase,
  scubaHoldPut,
  scubaHoldRm,
  scubaRetentionPut,
  scubaRetentionShow,
} from '../../../src/core/scuba/operations/retention.ts'
import { scubaQuotaList, scubaQuotaPut, scubaQuotaRm } from '../../../src/core/scuba/operations/quotas.ts'
import { scubaCompact, scubaSegmentList, scubaVerify } from '../../../src/core/scuba/operations/segments.ts'
import { scubaColumnList, scubaTableDrop, scubaTablePut, scubaTableRename } from '../../../src/core/scuba/operations/tables.ts'
import { scubaTableShow } from '../../../src/core/scuba/operations.ts'
import { eventually } from '../../support/eventually.ts'
import { ScubaServer } from './scuba-server.ts'

const server = new ScubaServer()
beforeAll(() => server.start(), 60_000)
afterAll(() => server.remove())

const TIMEOUT = { timeout: 60_000 }
const DAY_MS = 86_400_000
const declared = (table: string, columns: object, more: object = {}) => declarationSchema.parse({ table, columns, ...more })
const rowsOf = async (sql: string): Promise<unknown[][]> => (await server.client.query(sql)).rows
const bodiesOf = (type: string): unknown[] => server.entries.filter((entry) => entry.type === `scuba.${type}`).map(({ body }) => body)
/** The server has heard of the table's rows. */
const known = (table: string): Promise<unknown> =>
  eventually(`${table} is known`, 20_000, () => bodiesOf('ColumnsObserved').some((body) => (body as { table: string }).table === table))
const confirm = (name: string) => ({ 'x-muster-confirm': name })

test(
  'rows of a declared table are held to it: rules refuse or warn, a strict table has no other columns, and types stand',
  TIMEOUT,
  async () => {
    const put = await server.ask(scubaTablePut, {
      declaration: declared(
        'orders',
        {
          status: { type: 'BIGINT', required: true, range: [100, 599] },
          state: { type: 'VARCHAR', enum: ['new', 'paid'], on_fail: 'warn' },
          due: { type: 'TIMESTAMP' },
        },
        { mode: 'strict', time_field: 'when' },
      ),
    })
    expect(put).toMatchObject({ version: 1, verdict: 'new' })
    await eventually('the leaf knows', 20_000, async () => (await server.client.tables()).some(({ name }) => name === 'orders'))
    const receipt = await server.client.send('orders', [
      { status: 200, state: 'new', when: '2026-11-20T10:00:00Z', due: 1_700_000_000 },
      { status: 99 },
      { state: 'new' },
      { status: 200, state: 'odd', when: 1_795_000_000 },
      { status: 200, other: 1 },
      { status: 200.5 },
    ])
    expect(receipt).toMatchObject({ accepted: 3, quarantined: 3, warned: 1 })
    expect(receipt.firstErrors.map(({ reason }) => reason)).toEqual([
      'status: 99 is less than 100',
      'status: is missing',
      '"other" is no declared column',
    ])
    expect(await rowsOf(`select status, "status$str", state, epoch_ms(due) from orders order by status nulls last, state`)).toEqual([
      [200, null, 'new', 1_700_000_000_000],
      [200, null, 'odd', null],
      [null, '200.5', null, null],
    ])
    expect(await rowsOf(`select epoch_ms(time) from orders where state = 'new'`)).toEqual([[Date.parse('2026-11-20T10:00:00Z')]])
    expect(await server.ask(scubaTableShow, { table: 'orders' })).toMatchObject({ version: 1, declaration: { mode: 'strict' } })
  },
)

test(
  'a breaking declaration is refused unless it is meant; then old values that do not fit stand beside, in no answer bent',
  TIMEOUT,
  async () => {
    await server.client.send('codes', [{ code: '7' }, { code: 'x9' }, { code: '007' }])
    await server.seal('codes')
    await server.client.send('codes', [{ code: '8' }])
    const declaration = declared('codes', { code: { type: 'BIGINT' } })
    await expect(server.ask(scubaTablePut, { declaration })).rejects.toMatchObject({ code: 'SCUBA_SCHEMA_BREAKING', exit: 5 })
    expect(await server.ask(scubaTablePut, { declaration, newVersion: true })).toMatchObject({ verdict: 'breaking', version: 1 })
    await eventually('the leaf knows', 20_000, async () => (await server.client.table('codes')).columns['code'] === 'BIGINT')
    await server.client.send('codes', [{ code: 9 }, { code: 'late' }])
    const want = [
      [7, null],
      [8, null],
      [9, null],
      [null, '007'],
      [null, 'late'],
      [null, 'x9'],
    ]
    const ask = 'select code, "code$str" from codes order by code nulls last, 2'
    expect(await rowsOf(ask)).toEqual(want)
    await server.seal('codes')
    expect(await rowsOf(ask)).toEqual(want)
    await server.killLeaf()
    await eventually('it answers the same after its death', 30_000, async () => {
      expect(await rowsOf(ask)).toEqual(want)
      return true
    })
    expect(await rowsOf('select code + 1 from codes where code = 9')).toEqual([[10]])
  },
)

test('a derived column is a column to queries and panels, and one the engine cannot take breaks no other query', TIMEOUT, async () => {
  await server.client.send('hits', [
    { ms: 5, path: '/a/1' },
    { ms: 900, path: '/b/2' },
  ])
  await known('hits')
  await server.ask(scubaDerivedPut, { table: 'hits', name: 'area', sql: `split_part(path, '/', 2)` })
  await server.ask(scubaDerivedPut, { table: 'hits', name: 'wrong', sql: 'no_such_function(ms)' })
  await eventually('it is there', 20_000, async () => (await rowsOf('select area from hits order by 1').catch(() => [])).length === 2)
  expect(await rowsOf('select area, count(*) from hits group by 1 order by 1')).toEqual([
    ['a', 1],
    ['b', 1],
  ])
  const panel = await server.client.panel({ table: 'hits', calc: ['count'], by: ['area'] })
  expect(panel.groups.map(({ key }) => key['area'])).toEqual(['a', 'b'])
  const { columns } = await server.ask(scubaColumnList, { table: 'hits' })
  expect(columns.find(({ name }) => name === 'ms')).toMatchObject({ distinct: 2, distinctMax: null })
  expect(columns.filter(({ origin }) => origin === 'derived')).toMatchObject([
    { name: 'area', type: 'VARCHAR', broken: null },
    { name: 'wrong', broken: expect.stringContaining('no_such_function') as string },
  ])
  await expect(server.ask(scubaDerivedPut, { table: 'hits', name: 'MS', sql: '1' })).rejects.toMatchObject({ code: 'SCUBA_SCHEMA_INVALID' })
  await server.ask(scubaDerivedRm, { table: 'hits', name: 'area' })
  await eventually('it is gone', 20_000, async () => (await rowsOf('select area from hits').catch(() => null)) === null)
})

test('a held time outlives retention; released, it goes, and the log tells once what went', TIMEOUT, async () => {
  const now = Date.now()
  for (const days of [20, 12, 0]) {
    await server.client.send('held', [{ time: now - days * DAY_MS, days }])
    await server.seal('held')
  }
  await known('held')
  const hold = await server.ask(scubaHoldPut, {
    table: 'held',
    fromMs: now - 21 * DAY_MS,
    toMs: now - 19 * DAY_MS,
    reason: 'a look',
  })
  await expect(server.ask(scubaHoldPut, { fromMs: 1, toMs: 2, sev: 7 })).rejects.toMatchObject({ code: 'NOT_FOUND', exit: 3 })
  await server.ask(scubaRetentionPut, { table: 'held', days: 10 })
  const daysOf = async (): Promise<unknown[]> => (await rowsOf('select days from held order by 1')).flat()
  await eventually('what is not held goes', 20_000, async () => (await daysOf()).length === 2)
  expect(await daysOf()).toEqual([0, 20])
  const { tables } = await server.ask(scubaRetentionShow, { table: 'held' })
  expect(tables).toMatchObject([{ table: 'held', policy: { days: 10 }, going: [], held: { segments: 1, rows: 1 } }])
  await expect(server.ask(scubaTableDrop, { table: 'held' }, confirm('held'))).rejects.toMatchObject({ code: 'SCUBA_HELD', exit: 4 })
  await expect(server.ask(scubaErase, { table: 'held', where: 'days = 20' }, confirm('held'))).rejects.toMatchObject({ code: 'SCUBA_HELD' })
  await server.ask(scubaHoldRm, { id: hold.id })
  await eventually('the rest goes', 20_000, async () => (await daysOf()).length === 1)
  await eventually('both are told', 20_000, () => bodiesOf('RetentionApplied').length === 2)
  expect(bodiesOf('RetentionApplied')).toMatchObject([
    { table: 'held', what: 'dropped', reason: 'age', segments: 1, rows: 1 },
    { table: 'held', what: 'dropped', reason: 'age', segments: 1, rows: 1 },
  ])
})

test('thinning keeps whole traces and the weight of all rows', TIMEOUT, async () => {
  const time = Date.now() - 8 * DAY_MS
  const rows = Array.from({ length: 4000 }, (_, i) => ({ time: time + i, trace_id: `t${Math.floor(i / 4)}`, i }))
  await server.client.send('thin', rows)
  await server.client.send(
    'plain',
    Array.from({ length: 4000 }, (_, i) => ({ time: time + i, i })),
  )
  for (const table of ['thin', 'plain']) {
    await server.seal(table)
    await known(table)
    await server.ask(scubaRetentionPut, { table, thin: [{ afterDays: 7, keepOneIn: 10 }] })
  }
  for (const table of ['thin', 'plain']) {
    await eventually(`${table} is thin`, 20_000, async () => Number((await rowsOf(`select count(*) from ${table}`))[0]?.[0]) < 1000)
    const [weight] = (await rowsOf(`select sum(sample_rate) from ${table}`))[0] ?? []
    // 4,000 rows in 1,000 traces, or alone: a tenth of them has a deviation of 38, or 60, rows of weight 10 each.
    expect(Math.abs(Number(weight) - 4000)).toBeLessThan(2000)
  }
  expect(await rowsOf('select distinct count(*) from thin group by trace_id')).toEqual([[4]])
  const before = await rowsOf('select count(*), sum(sample_rate) from thin')
  await server.ask(scubaRetentionPut, { table: 'thin', days: 25 })
  expect(await rowsOf('select count(*), sum(sample_rate) from thin')).toEqual(before)
})

test(
  'a changed byte is found by verify: the segment is not read, answers say so, the log too, and a copy put back is read again',
  TIMEOUT,
  async () => {
    await server.client.send('fragile', [{ a: 1 }, { a: 2 }])
    await server.seal('fragile')
    await server.client.send('fragile', [{ a: 3 }])
    expect(await server.ask(scubaVerify, { table: 'fragile' })).toMatchObject({ checked: 1, lost: [], found: 0 })
    const { segments } = await server.ask(scubaSegmentList, { table: 'fragile' })
    const path = join(server.paths.scuba, 'segments', String(segments[0]?.file))
    const bytes = readFileSync(path)
    const broken = Buffer.from(bytes)
    broken[20] = (broken[20] ?? 0) ^ 1
    writeFileSync(path, broken)
    expect(await server.ask(scubaVerify, { table: 'fragile' })).toMatchObject({ lost: [{ rows: 2 }] })
    const isPartial = async (): Promise<void> => {
      const answer = await server.client.query('select a from fragile')
      expect(answer.rows).toEqual([[3]])
      expect(answer.coverage.rows).toBeCloseTo(1 / 3)
    }
    await isPartial()
    await eventually('it is told', 20_000, () => bodiesOf('SegmentLost').length === 1)
    expect(server.entries.find(({ type }) => type === 'scuba.SegmentLost')?.notable).toMatchObject({
      kind: 'segment-lost',
      target: 'fragile',
    })
    await server.killLeaf()
    await eventually('it is still not read', 30_000, () => isPartial().then(() => true))
    writeFileSync(path, bytes)
    expect(await server.ask(scubaVerify, { table: 'fragile' })).toMatchObject({ lost: [], found: 1 })
    expect(await rowsOf('select a from fragile order by a')).toEqual([[1], [2], [3]])
    await eventually('it is settled', 20_000, () => bodiesOf('SegmentSettled').length === 1)
    expect(bodiesOf('SegmentLost').length).toBe(1)
  },
)

test(
  'erased rows are in no file and no answer, a plan says how many, and the log keeps a digest and not the condition',
  TIMEOUT,
  async () => {
    await server.client.send('people', [{ name: 'anna' }, { name: 'ben' }, { other: 1 }])
    await server.seal('people')
    await server.client.send('people', [{ name: 'anna' }, { name: 'cleo' }])
    const input = { table: 'people', where: `name = 'anna'` }
    expect(await server.ask(scubaErase, input, { 'x-muster-plan': '1' })).toMatchObject({ rows: 2 })
    expect(await rowsOf('select count(*) from people')).toEqual([[5]])
    await expect(server.ask(scubaErase, input)).rejects.toMatchObject({ code: 'CONFIRM_REQUIRED' })
    await expect(
      server.ask(scubaErase, { table: 'people', where: `name in (select name from orders)` }, confirm('people')),
    ).rejects.toMatchObject({
      code: expect.stringMatching(/^SCUBA_/) as string,
    })
    expect(await server.ask(scubaErase, input, confirm('people'))).toMatchObject({ rows: 2, segments: 2 })
    expect(await rowsOf('select name from people order by 1')).toEqual([['ben'], ['cleo'], [null]])
    await eventually('it is told', 20_000, () => bodiesOf('RowsErased').length === 2)
    expect(JSON.stringify(server.entries)).not.toContain('anna')
    const folders = ['segments', 'chunks', 'journal'].map((name) => join(server.paths.scuba, name))
    await eventually('no file holds the name', 20_000, () =>
      folders.every((dir) => readdirSync(dir).every((file) => !readFileSync(join(dir, file)).includes('anna'))),
    )
  },
)

test('quarantined lines are rows once after the table was mended, however often they are replayed', TIMEOUT, async () => {
  await server.ask(scubaTablePut, { declaration: declared('parcels', { kg: { type: 'DOUBLE', range: [0, 10] } }) })
  await eventually('the leaf knows', 20_000, async () => (await server.client.tables()).some(({ name }) => name === 'parcels'))
  await server.client.send('parcels', [{ kg: 5 }, { kg: 50 }, { kg: 5000 }, { kg: 20 }])
  const { reasons } = await server.ask(scubaQuarantineList, { table: 'parcels' })
  expect(reasons).toMatchObject([{ table: 'parcels', reason: 'kg', lines: 3, example: expect.stringContaining('kg') as string }])
  expect(await server.ask(scubaQuarantineReplay, { table: 'parcels' })).toMatchObject({ replayed: 0, failed: 3 })
  await server.ask(scubaTablePut, { declaration: declared('parcels', { kg: { type: 'DOUBLE', range: [0, 100] } }) })
  await eventually('they can be replayed', 20_000, async () => {
    const plan = await server.ask(scubaQuarantineReplay, { table: 'parcels' }, { 'x-muster-plan': '1' })
    return plan.replayed === 2
  })
  expect(await rowsOf('select count(*) from parcels')).toEqual([[1]])
  const both = await Promise.all([0, 1].map(() => server.ask(scubaQuarantineReplay, { table: 'parcels' })))
  expect(both[0]).toMatchObject({ replayed: 2, failed: 1 })
  expect(await rowsOf('select kg from parcels order by kg')).toEqual([[5], [20], [50]])
  expect(await server.ask(scubaQuarantineReplay, { table: 'parcels' })).toMatchObject({ replayed: 0, failed: 1 })
  expect(await server.ask(scubaQuarantineDrop, { table: 'parcels' })).toMatchObject({ dropped: 1 })
  expect((await server.ask(scubaQuarantineList, { table: 'parcels' })).reasons).toEqual([])
})

test('a renamed table has its rows under the new name, a dropped one none, and both stay so after a restart', TIMEOUT, async () => {
  await server.client.send('before', '{"a":1}', { key: 'k' })
  await server.seal('before')
  await server.client.send('before', [{ a: 2 }])
  await server.client.send('doomed', [{ a: 1 }])
  await server.seal('doomed')
  await server.client.send('doomed', [{ a: 2 }])
  await known('before')
  await known('doomed')
  await server.ask(scubaTableRename, { table: 'before', to: 'after' })
  await expect(server.ask(scubaTableDrop, { table: 'doomed' }, confirm('other'))).rejects.toMatchObject({ code: 'CONFIRM_REQUIRED' })
  await server.ask(scubaTableDrop, { table: 'doomed' }, confirm('doomed'))
  const names = async (): Promise<string[]> => (await server.client.tables()).map(({ name }) => name)
  await eventually('both are done', 20_000, async () => (await names()).includes('after') && !(await names()).includes('doomed'))
  const isSo = async (): Promise<void> => {
    expect(await rowsOf('select a from after order by a')).toEqual([[1], [2]])
    expect((await names()).filter((name) => ['before', 'doomed'].includes(name))).toEqual([])
  }
  await isSo()
  expect(await server.client.send('after', '{"a":1}', { key: 'k' })).toMatchObject({ duplicate: true })
  await server.killLeaf()
  await eventually('it is so after its death', 30_000, () => isSo().then(() => true))
  await server.client.send('doomed', [{ b: 3 }])
  expect(await rowsOf('select * exclude (time, ingest_time, time_source, time_original, _rest) from doomed')).toEqual([[3]])
  await server.killLeaf()
  await eventually('a job is done once', 30_000, async () => (await rowsOf('select b from doomed')).length === 1)
})

test('small segments become one when a person asks', TIMEOUT, async () => {
  for (const a of [1, 2, 3]) {
    await server.client.send('bits', [{ a, service: `s${3 - a}` }])
    await server.seal('bits')
  }
  await server.client.send('bits', [{ a: 4, service: 's9' }])
  expect(await server.ask(scubaCompact, { table: 'bits' })).toMatchObject({ before: 4, after: 1, rows: 4 })
  expect((await rowsOf('select a from bits')).flat()).toEqual([3, 2, 1, 4])
  const files = (await server.ask(scubaSegmentList, { table: 'bits' })).segments
  expect(files).toMatchObject([{ rows: 4, lost: null, thinned: 1 }])
  rmSync(join(server.paths.scuba, 'segments', String(files[0]?.file)))
  expect(await server.ask(scubaVerify, { table: 'bits' })).toMatchObject({ lost: [{ reason: 'the file is not there' }] })
})

test(
  "beyond a quota senders are told when to come again, muster's own rows come in all the same, and the leaf keeps to it alone",
  TIMEOUT,
  async () => {
    await server.client.send('loud', [{ a: 1 }])
    await known('loud')
    const quota = { kind: 'table', name: 'loud' } as const
    const kept = (...names: string[]) =>
      eventually(
        'the leaf knows',
        20_000,
        async () => [(await server.client.health()).quotas?.map(({ name }) => name)].flat().join() === names.join(),
      )
    await server.ask(scubaQuotaPut, { ...quota, bytesPerSecond: 1000, burstBytes: 10_000 })
    await kept('loud')
    const body = JSON.stringify({ text: 'x'.repeat(30_000) })
    await server.client.send('loud', body)
    const refused = await server.post('/v1/scuba/tables/loud/rows', body, { 'content-type': 'application/x-ndjson' })
    expect(refused).toMatchObject({ status: 429, answer: { error: { code: 'SCUBA_QUOTA', exit: 6 } } })
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(10)
    await server.client.send('muster_probe', body)
    expect(await server.ask(scubaQuotaList, {})).toMatchObject({
      quotas: [{ ...quota, refusedRequests: 1, refusedBytes: body.length, takenBytes: expect.any(Number) as number }],
    })
    await server.ask(scubaQuotaRm, quota)
    await kept()
    await server.client.send('loud', body)

    await server.client.send('metrics', [{ a: 1 }])
    await known('metrics')
    await server.ask(scubaQuotaPut, { kind: 'table', name: 'metrics', bytesPerSecond: 0.1, burstBytes: 1 })
    await kept('metrics')
    await server.client.send('metrics', [{ a: 1 }])
    // Before it is decoded: Prometheus would drop what is answered with 429.
    const write = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' }
    expect(await server.post('/api/v1/write', 'x', write)).toMatchObject({
      status: 503,
      headers: { 'retry-after': expect.any(String) as string },
    })
    // What another leaf took in was held to its quotas there.
    expect(await server.post('/v1/scuba/tables/metrics/rows', '{"a":2}', { 'x-muster-actor': 'server' })).toMatchObject({ status: 200 })
    await server.killLeaf()
    await eventually('a new leaf keeps to it by what it was told before', 30_000, async () => {
      await server.client.send('metrics', [{ a: 3 }])
      return true
    })
    await expect(server.client.send('metrics', [{ a: 4 }])).rejects.toMatchObject({ code: 'SCUBA_QUOTA' })
    await server.ask(scubaQuotaRm, { kind: 'table', name: 'metrics' })
  },
)
