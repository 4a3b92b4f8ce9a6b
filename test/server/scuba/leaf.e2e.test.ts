import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPrng } from '../../../src/core/kernel/prng.ts'
import { histBucket } from '../../../src/core/scuba/live/aggregate.ts'
import { program } from '../../support/program.ts'
import { eventually } from '../../support/eventually.ts'
import { Leaf } from './leaf.ts'

const leaf = new Leaf()
beforeAll(() => leaf.start())
afterAll(() => leaf.remove())

const refusalOf = async (promise: Promise<unknown>): Promise<{ code: string; exit: number; message: string; details?: unknown }> => {
  const outcome = await promise.then(
    () => null,
    (error: unknown) => error,
  )
  expect(outcome).not.toBeNull()
  return outcome as { code: string; exit: number; message: string; details?: unknown }
}

/** A raw request, for what the client would not send. */
const raw = (
  path: string,
  body: Buffer | string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: { error?: { code: string }; accepted?: number } }> =>
  new Promise((resolve, reject) => {
    const sent = request({ socketPath: leaf.socket, method: 'POST', path, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => (text += part))
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as { error?: { code: string } } }))
    })
    sent.once('error', reject)
    sent.end(body)
  })

describe('taking rows in', () => {
  test('a table appears with its first row, and its rows are in the next answer', async () => {
    const receipt = await leaf.client.send('first_rows', [{ a: 1, b: 'x', nested: { c: true } }])
    expect(receipt).toMatchObject({ accepted: 1, quarantined: 0, duplicate: false, ack: 'fsync' })
    expect((await leaf.client.query('select a, b, "nested.c" from first_rows')).rows).toEqual([[1, 'x', true]])
  })

  test('lines that cannot become rows go to the quarantine with their reason and are counted; the others are kept', async () => {
    const receipt = await leaf.client.send('mixed', '{"a":1}\n{"a":\n[2]\n{"a":3}\n"text"')
    expect(receipt).toMatchObject({ accepted: 2, quarantined: 3 })
    expect(receipt.firstErrors.map(({ line }) => line)).toEqual([2, 3, 5])
    const kept = await leaf.client.query(`select line, reason, text from muster_quarantine where "table" = 'mixed' order by line`)
    expect(kept.rows.map(([line, , text]) => [line, text])).toEqual([
      [2, '{"a":'],
      [3, '[2]'],
      [5, '"text"'],
    ])
  })

  test('the same key with the same bytes is added once, with other bytes it is refused', async () => {
    await leaf.client.send('keyed', '{"a":1}', { key: 'one' })
    expect(await leaf.client.send('keyed', '{"a":1}', { key: 'one' })).toMatchObject({ duplicate: true, accepted: 1 })
    expect(await refusalOf(leaf.client.send('keyed', '{"a":2}', { key: 'one' }))).toMatchObject({ code: 'SCUBA_KEY_REUSED', exit: 5 })
    // The same key sent twice at once must not slip through between check and commit.
    const both = await Promise.all([
      leaf.client.send('keyed', '{"a":3}', { key: 'two' }),
      leaf.client.send('keyed', '{"a":3}', { key: 'two' }),
    ])
    expect(both.map(({ duplicate }) => duplicate).toSorted((a, b) => Number(a) - Number(b))).toEqual([false, true])
    expect((await leaf.client.query('select a from keyed order by a')).rows).toEqual([[1], [3]])
  })

  test('gzip is inflated; what is not UTF-8, not NDJSON or of an unknown encoding is refused whole', async () => {
    const path = '/v1/scuba/tables/packed/rows'
    expect(await raw(path, gzipSync('{"a":1}\n{"a":2}\n'), { 'content-encoding': 'gzip' })).toMatchObject({
      status: 200,
      body: { accepted: 2 },
    })
    expect(await raw(path, 'no gzip', { 'content-encoding': 'gzip' })).toMatchObject({
      status: 400,
      body: { error: { code: 'SCUBA_ROWS_INVALID' } },
    })
    expect(await raw(path, '{}', { 'content-encoding': 'br' })).toMatchObject({ status: 400 })
    expect(await raw(path, Buffer.from([0x7b, 0xff, 0x7d]))).toMatchObject({ status: 400 })
    expect(await raw(path, 'a,b\n1,2')).toMatchObject({ status: 400 })
    expect(await raw('/v1/scuba/tables/Not-A-Name/rows', '{}')).toMatchObject({ status: 400, body: { error: { code: 'USAGE' } } })
    expect((await leaf.client.query('select count(*) from packed')).rows).toEqual([[2]])
  })

  test('a tail gives each new row once it is durable', async () => {
    const all: Record<string, unknown>[] = []
    const stop = new AbortController()
    const done = leaf.client.tail('tailed', (row) => all.push(row as Record<string, unknown>), stop.signal)
    await eventually('it is open', 30_000, async () => {
      await leaf.client.send('tailed', [{ probe: 1 }])
      return all.length > 0
    })
    const seen = (): unknown[] => all.filter((row) => 'a' in row)
    await leaf.client.send('tailed', [
      { time: 1_700_000_000_000, a: 1 },
      { time: 1_700_000_000_001, a: 2 },
    ])
    await eventually('both are there', 30_000, () => seen().length >= 2)
    stop.abort()
    await done
    expect(seen()).toMatchObject([
      { a: 1, time: 1_700_000_000_000 },
      { a: 2, time: 1_700_000_000_001 },
    ])
  })
})

describe('rows that trap an engine', () => {
  const rows = [
    { n: 1, mixed: 1, text: 'a', 'x.y': 1, big: 1 },
    { n: 1.5, mixed: 'one', text: 7, x: { y: 2 }, big: 1.5e19 },
    { n: -0.25, mixed: true, text: false, N: 3, list: [1, { a: 1 }], big: 0.5 },
    { mixed: null, text: 'é\u0000\ud800"\n', mixed$str: 'mine', '': 1, __proto__x: 1, ['__proto__']: 4 },
    { mixed: { deep: { a: { b: { c: { d: 1 } } } } }, _rest: 'no', ingest_time: 5 },
  ]

  test('conflicting types keep both values, and answers before and after sealing are the same', async () => {
    await leaf.client.send('traps', rows)
    const sql = 'select n, mixed, "mixed$str", text, "x.y", big, _rest from traps order by time, n nulls last, mixed nulls last, text'
    const before = await leaf.client.query(sql)
    await leaf.seal('traps')
    const after = await leaf.client.query(sql)
    expect(after.coverage).toMatchObject({ segments: 1, chunks: 0 })
    expect(after.rows).toEqual(before.rows)
    expect(before.rows.map(([n, mixed, side]) => [n, mixed, side])).toEqual(
      expect.arrayContaining([
        [1, 1, null],
        [1.5, null, 'one'],
        [-0.25, null, 'true'],
      ]),
    )
  })

  test('names that mean something to SQL, JSON or paths are columns like any other, hot and sealed', async () => {
    const names = [`it's`, 'q"x', 'a/b', '$x', '%', 'ключ', ' ', 'select', '*', '[0]', 'a,b', '{', '\\', '@', '-- x', 'rowid', 'filename']
    await leaf.client.send('odd_names', `${JSON.stringify(Object.fromEntries(names.map((name, i) => [name, i])))}\n{"huge":1e400}`)
    const sql = `select ${names.map((name) => `"${name.replaceAll('"', '""')}"`).join(', ')} from odd_names where "select" is not null`
    expect((await leaf.client.query(sql)).rows).toEqual([names.map((_, i) => i)])
    await leaf.seal('odd_names')
    expect((await leaf.client.query(sql)).rows).toEqual([names.map((_, i) => i)])
    expect((await leaf.client.query('select "huge$str" from odd_names where "select" is null')).rows).toEqual([['Infinity']])
  })

  test('a column that only some files have is NULL in the others, and a widened one reads from all', async () => {
    await leaf.client.send('widened', [{ a: 1 }])
    await leaf.seal('widened')
    await leaf.client.send('widened', [{ a: 2.5, b: 'new' }])
    await leaf.seal('widened')
    await leaf.client.send('widened', [{ a: 4, c: true }])
    expect((await leaf.client.query('select a, b, c from widened order by a')).rows).toEqual([
      [1, null, null],
      [2.5, 'new', null],
      [4, null, true],
    ])
    expect((await leaf.client.table('widened')).columns).toMatchObject({ a: 'DOUBLE', b: 'VARCHAR', c: 'BOOLEAN' })
  })

  test('values come out as plain JSON: big integers as text, times in ms, decimals and NaN without surprises', async () => {
    const {
      rows: [row],
      columns,
    } = await leaf.client.query(
      `select 9007199254740993::bigint, 1.50::decimal(9,2), timestamp '2024-01-02 03:04:05', 'nan'::double, [1, 2], {'a': 1::bigint}, 12::hugeint`,
    )
    expect(row).toEqual(['9007199254740993', 1.5, Date.UTC(2024, 0, 2, 3, 4, 5), null, [1, 2], { a: 1 }, 12])
    expect(columns[2]?.type).toBe('TIMESTAMP')
  })
})

describe('SQL that is refused', () => {
  const secret = (): string => join(leaf.dir, 'outside.csv')

  test('an unknown table or column is exit 3 with near names; a syntax error says where', async () => {
    await leaf.client.send('near_names', [{ latency_ms: 1 }])
    expect(await refusalOf(leaf.client.query('select * from near_name'))).toMatchObject({
      code: 'SCUBA_TABLE_UNKNOWN',
      exit: 3,
      details: { near: ['near_names'], position: 14 },
    })
    expect(await refusalOf(leaf.client.query('select latency from near_names'))).toMatchObject({
      code: 'SCUBA_COLUMN_UNKNOWN',
      exit: 3,
      details: { near: expect.arrayContaining(['latency_ms']) as string[] },
    })
    expect(await refusalOf(leaf.client.query('select 1,\n  from from near_names'))).toMatchObject({
      code: 'SCUBA_SQL',
      exit: 2,
      details: { line: 2 },
    })
    expect(await refusalOf(leaf.client.query(`select latency_ms + 'x'::date from near_names`))).toMatchObject({ code: 'SCUBA_SQL' })
  })

  test.each([
    ['a file as a table', () => `select * from '${secret()}'`],
    ['a file inside of a subquery', () => `select (select max(a) from read_csv('${secret()}'))`],
    ['a file inside of a common table expression', () => `with t as (select * from read_text('/etc/passwd')) select * from t`],
    [
      'a common table expression named like a file, read where it is not visible',
      () => `select * from (with "${secret()}" as (select 1) select * from "${secret()}") a, "${secret()}" b`,
    ],
    ['a scalar function that reads files', () => `select getenv('HOME')`],
    ['a setting', () => `select current_setting('memory_limit')`],
    ['the catalogue', () => 'select * from duckdb_settings()'],
    ['the catalogue by schema', () => 'select * from information_schema.tables'],
    ['text as SQL', () => `select * from query('select 1')`],
    ['two statements', () => 'select 1; select 2'],
    ['a change', () => 'create table x as select 1'],
    ['an export', () => `copy (select 1) to '${secret()}.out'`],
    ['a setting changed', () => `set memory_limit = '99GB'`],
    ['an extension', () => 'install httpfs'],
    ['a description', () => 'describe near_names'],
  ])('%s', async (_what, sql) => {
    writeFileSync(secret(), 'a\n1\n')
    const refusal = await refusalOf(leaf.client.query(sql()))
    expect(['SCUBA_SQL', 'SCUBA_TABLE_UNKNOWN']).toContain(refusal.code)
    expect(existsSync(`${secret()}.out`)).toBe(false)
  })

  test('a condition of a panel cannot leave its table either', async () => {
    await leaf.client.send('near_names', [{ latency_ms: 1 }])
    for (const where of [`1 = (select count(*) from read_csv('${secret()}'))`, '1) union select * from (select 1', `true) --`]) {
      expect((await refusalOf(leaf.client.panel({ table: 'near_names', calc: ['count'], where }))).code).toMatch(/^SCUBA_SQL$/)
    }
  })

  test('a query that takes too long is interrupted at its deadline and leaves the engine usable', async () => {
    const started = Date.now()
    expect(
      await refusalOf(
        leaf.client.query('select count(*) from range(200000) a, range(200000) b where a.range * b.range % 7 = 3', { deadlineMs: 200 }),
      ),
    ).toMatchObject({ code: 'SCUBA_DEADLINE' })
    // Of a query of minutes.
    expect(Date.now() - started).toBeLessThan(10_000)
    expect((await leaf.client.query('select 1')).rows).toEqual([[1]])
  })

  test('an answer that breaks off among its rows is refused, never cut: at the deadline, and by a value that cannot be', async () => {
    const whole = 90_000
    const wide = `select range, ${Array.from({ length: 30 }, (_, i) => `range * ${i} as c${i}`).join(', ')} from range(${whole})`
    for (const deadlineMs of [50, 100, 200, 400, 30_000]) {
      const outcome = await leaf.client.query(wide, { deadlineMs }).then(
        ({ rows }) => rows.length,
        (error: unknown) => (error as { code: string }).code,
      )
      expect([whole, 'SCUBA_DEADLINE']).toContain(outcome)
    }
    const refusal = await refusalOf(
      leaf.client.query(`select 1,\n  cast(if(range = 80000, 'seven', '7') as integer) as n from range(${whole})`),
    )
    expect(refusal).toMatchObject({ code: 'SCUBA_SQL', details: { line: 2, column: 3 } })
    expect(refusal.message).toContain("Could not convert string 'seven'")
  })

  test('an answer over the limit is refused, never cut', async () => {
    expect(await refusalOf(leaf.client.query('select * from range(200000)'))).toMatchObject({ code: 'SCUBA_TOO_LARGE' })
    const large = "select repeat('x', 60000) from range(5000)"
    expect(await refusalOf(leaf.client.query(large, { deadlineMs: 60_000 }))).toMatchObject({ code: 'SCUBA_TOO_LARGE' })
  })
})

test('an engine that dies costs a query some time, no row: it is restarted and asked again', { timeout: 120_000 }, async () => {
  await leaf.client.send('survives', [{ a: 1 }])
  const { enginePid } = await leaf.client.health()
  const slow = leaf.client.query('select count(*) from range(1000) a, range(100000) b where a.range + b.range < 0', { deadlineMs: 60_000 })
  await sleep(50)
  process.kill(enginePid ?? 0, 'SIGKILL')
  expect((await slow).rows).toEqual([[0]])
  expect((await leaf.client.query('select a from survives')).rows).toEqual([[1]])
  expect((await leaf.client.health()).enginePid).not.toBe(enginePid)
})

test('the live aggregate equals the same questions asked in SQL, also after the rows were sealed and the leaf was killed', async () => {
  const random = createPrng(3)
  const from = Math.floor(Date.now() / 1000) * 1000 - 30_000
  const events = Array.from({ length: 20_000 }, (_, i) => ({
    time: from + Math.floor(i * 1.4),
    service: i % 5 === 0 ? 'other' : 'live',
    arm: random.below(10) === 0 ? 'canary' : 'primary',
    version: `v${random.below(2)}`,
    status: random.below(30) === 0 ? 503 : 200,
    latency_ms: random.below(4000) / 10,
    user: random.below(20) === 0 ? '' : `u${random.below(700)}`,
    trace: `t${random.below(100)}`,
    sample_rate: 1 + random.below(3),
  }))
  await leaf.client.send('requests', events.slice(0, 12_000))
  await leaf.seal('requests')
  await leaf.client.send('requests', events.slice(12_000))

  const check = async (): Promise<void> => {
    const answer = await leaf.client.live({ table: 'requests', service: 'live', fromMs: from + 5000 })
    expect(answer).toMatchObject({ coverage: 1, isUsersExact: true, isFailingUsersCut: false })
    const where = `service = 'live' and time >= make_timestamp(${(from + 5000) * 1000})`
    const person = `coalesce(nullif("user", ''), trace)`
    const counts = await leaf.client.query(
      `select epoch_us(time) // 1000000 s, arm, version, sum(sample_rate), coalesce(sum(sample_rate) filter (status >= 500), 0) from requests where ${where} group by all order by all`,
    )
    const rows = answer.buckets.map(({ second, arm, version, requests, failing }) => [second, arm, version, requests, failing])
    expect(rows.sort((a, b) => String(a).localeCompare(String(b)))).toEqual(counts.rows.sort((a, b) => String(a).localeCompare(String(b))))
    const users = await leaf.client.query(`select arm, count(distinct ${person}) from requests where ${where} group by 1`)
    expect(answer.users).toEqual(Object.fromEntries(users.rows))
    const failing = await leaf.client.query(
      `select ${person} p, arm, epoch_us(min(time)) // 1000 from requests where ${where} and status >= 500 group by all order by 3, 1, 2`,
    )
    const order = (list: unknown[][]): unknown[][] => list.sort((a, b) => String(a).localeCompare(String(b)))
    expect(order(answer.failingUsers.map(({ user, arm, firstMs }) => [user, arm, firstMs]))).toEqual(order(failing.rows))
    const hist: Record<number, number> = {}
    for (const { hist: part } of answer.buckets)
      for (const [bucket, n] of Object.entries(part)) hist[Number(bucket)] = (hist[Number(bucket)] ?? 0) + n
    const expected: Record<number, number> = {}
    for (const event of events) {
      if (event.service !== 'live' || event.time < from + 5000) continue
      const bucket = histBucket(event.latency_ms)
      expected[bucket] = (expected[bucket] ?? 0) + event.sample_rate
    }
    expect(hist).toEqual(expected)
  }
  await check()
  await leaf.end('SIGKILL')
  await leaf.start()
  for (let i = 0; i < 100 && (await leaf.client.live({ table: 'requests', service: 'live', fromMs: from })).coverage < 1; i += 1)
    await sleep(20)
  await check()
})

test('the live aggregate says how much of the asked range it knows', async () => {
  const answer = await leaf.client.live({ table: 'requests', service: 'nobody', fromMs: Date.now() - 1000 })
  expect(answer).toMatchObject({ buckets: [], users: {}, failingUsers: [], hotToMs: 0 })
})

test('a second leaf on the same folder is refused, and the first goes on', { timeout: 60_000 }, async () => {
  const { spawn } = await import('node:child_process')
  const [command, file] = program('server/scuba/leaf-main')
  const second = spawn(command, [file, '--dir', leaf.dir, '--socket', join(leaf.dir, 'second.sock')], { stdio: 'ignore' })
  expect(await new Promise((resolve) => second.once('exit', resolve))).toBe(5)
  expect((await leaf.client.health()).pid).toBeGreaterThan(0)
  expect(readdirSync(leaf.dir)).not.toContain('second.sock')
})
