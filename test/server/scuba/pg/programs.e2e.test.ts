import { execFile, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../../../src/platform/free-port.ts'
import { verifierOf } from '../../../../src/server/scuba/leaf/pg/scram-tools.ts'
import { Leaf } from '../leaf.ts'

/** What programs ask that people work with: database browsers, drivers of Python and Java. */

const FIXTURES = join(import.meta.dirname, '../../../fixtures/pg')
const JDBC = '/usr/share/java/postgresql.jar'
const PYTHON = '/usr/bin/python3'
const hasPsycopg = spawnSync(PYTHON, ['-c', 'import psycopg2']).status === 0
const hasJdbc = existsSync(JDBC) && spawnSync('java', ['-version']).status === 0 && spawnSync('javac', ['-version']).status === 0
const run = async (command: string, ...args: string[]): Promise<string> =>
  (await promisify(execFile)(command, args, { timeout: 90_000 })).stdout

describe("programs that speak PostgreSQL's protocol", () => {
  const leaf = new Leaf()
  let port = 0
  let client: pg.Client

  beforeAll(async () => {
    port = await freePort('127.0.0.1')
    const access = { listen: { host: '127.0.0.1', port }, tls: null, logins: [{ name: 'grafana', verifier: verifierOf('muster_secret') }] }
    writeFileSync(join(leaf.dir, 'postgres.json'), JSON.stringify(access))
    await leaf.start()
    const time = Date.parse('2026-01-02T03:04:05.678Z')
    const rows = Array.from({ length: 3000 }, (_, at) => ({
      ...{ time: time + at, service: at % 3 === 0 ? 'web' : 'feed', status: 200, ms: at / 8, ok: true },
    }))
    await leaf.client.send('visits', rows)
    client = new pg.Client({ host: leaf.dir, port: 5433, user: 'me', database: 'muster' })
    await client.connect()
  }, 60_000)
  afterAll(async () => {
    await client.end()
    await leaf.remove()
  })

  it('answers all that database browsers ask of the catalogue', async () => {
    const statements = readFileSync(join(FIXTURES, 'browser.sql'), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('--'))
    expect(statements.length).toBeGreaterThan(50)
    const failed: string[] = []
    const rows = new Map<string, Record<string, unknown>[]>()
    for (const sql of statements) {
      const answer = await client.query(sql).catch((error: unknown) => failed.push(`${sql}: ${String(error)}`))
      if (typeof answer === 'object') rows.set(sql, answer.rows as Record<string, unknown>[])
    }
    expect(failed).toEqual([])
    const of = (part: string): Record<string, unknown>[] => [...rows].find(([sql]) => sql.includes(part))?.[1] ?? []
    expect(of('WHERE NOT a.attisdropped AND c.relkind').map(({ attname }) => attname)).toEqual(
      expect.arrayContaining(['time', 'service', 'status', 'ms', 'ok']),
    )
    expect(of('pg_get_partkeydef').map(({ relname, relkind }) => [relname, relkind])).toContainEqual(['visits', 'r'])
    expect(of('n.*, d.description FROM pg_catalog.pg_namespace').map(({ nspname }) => nspname)).toContain('public')
    expect(of('WHERE datallowconn AND NOT datistemplate')).toMatchObject([{ datname: 'muster' }])
    expect(of('SELECT current_schema(), session_user')).toEqual([{ current_schema: 'public', session_user: 'me' }])
    expect(of('SHOW search_path')).toHaveLength(1)
    expect(of('count(*) FROM public.visits')).toEqual([{ count: '3000' }])
    expect(of('OFFSET 10 LIMIT 5')).toHaveLength(5)
  })

  it('has functions of PostgreSQL over times, numbers and texts, with its values', async () => {
    const answers: [string, unknown][] = [
      ["to_char(time, 'YYYY-MM-DD HH24:MI:SS.MS')", '2026-01-02 03:04:05.678'],
      [`to_char(time, 'Dy, DD Mon YYYY"T"HH12 AM')`, 'Fri, 02 Jan 2026T03 AM'],
      ["to_date('02.01.2026', 'DD.MM.YYYY')::text", '2026-01-02'],
      ["to_timestamp('20260102 0304', 'YYYYMMDD HH24MI')", new Date('2026-01-02T03:04:00Z')],
      ["date_bin('5 minutes', time, '2000-01-01')", new Date('2026-01-02T03:00:00Z')],
      ['clock_timestamp() >= statement_timestamp()', true],
      ['0.00123456::numeric', 0.00123456],
      ['cast(123456789.25 as numeric)', 123_456_789.25],
      ['round(1.005::numeric(10, 3), 2)::text', '1.01'],
      ["initcap('hello world')", 'Hello World'],
      ["json_build_object('a', 1)", { a: 1 }],
    ]
    for (const [expression, wanted] of answers) {
      const { rows } = await client.query(`select ${expression} as x from visits order by time limit 1`)
      expect((rows[0] as { x: unknown }).x, expression).toEqual(wanted)
    }
    expect((await client.query('select every(ok) as x, json_agg(status) is null as y from visits')).rows).toEqual([{ x: true, y: false }])
    for (const sql of ["select format('%s', 1)", "select to_char(12, '99')", "select to_char(now(), 'Month')"])
      await expect(client.query(sql), sql).rejects.toMatchObject({ code: '0A000' })
  })

  it.skipIf(!hasPsycopg)('answers psycopg2 (wants its Debian package python3-psycopg2)', async () => {
    expect(JSON.parse(await run(PYTHON, join(FIXTURES, 'client.py'), leaf.dir))).toEqual({
      ...{ version: 150_000, encoding: 'UTF8', types: [1184, 25, 20, 701, 16, 23] },
      row: ['2026-01-02 03:04:05.678000+00:00', 'web', '200', '0.0', 'True', 'None'],
      values: ['3000', '600000', '187.4375', '0', '1 day, 0:00:00', '1.23456', '[1, 2]', "{'a': 1}"],
      ...{ in: 3000, parts: 3000, session: 1 },
      groups: [
        { service: 'feed', n: 2000 },
        { service: 'web', n: 1000 },
      ],
      errors: ['42703', '42501', '42P01', '0A000'],
      copy: 'service,status\nweb,200\nfeed,200\n',
    })
  })

  it.skipIf(!hasJdbc)(
    "answers PostgreSQL's driver for Java (wants the Debian packages libpostgresql-jdbc-java and a JDK)",
    async () => {
      const url = `jdbc:postgresql://127.0.0.1:${port}/muster?user=grafana&password=muster_secret`
      const said = (await run('java', '-cp', JDBC, join(FIXTURES, 'Metadata.java'), url)).trim().split('\n')
      expect(said).toEqual([
        'PostgreSQL 63 public muster true',
        ...['schemas 3', 'catalogs 1', 'tables 1', 'columns 9', 'primary keys 0', 'imported keys 0', 'exported keys 0', 'indexes 0'],
        ...['procedures 0', 'functions 0', 'function columns 0', 'best row 0', 'user types 0', 'types true', 'privileges true'],
        ...Array.from({ length: 7 }, () => 'prepared 3'),
        ...['parts 3000', 'any 1000'],
        ...['time timestamptz', 'service text', 'status int8', 'ms float8', 'ok bool'],
      ])
    },
    120_000,
  )
})
