import { once } from 'node:events'
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeAuthority, makeKey, makeRequest, newSerial, signRequest } from '../../../../src/platform/certificates.ts'
import { freePort } from '../../../../src/platform/free-port.ts'
import { LIMITS } from '../../../../src/core/scuba/limits.ts'
import { verifierOf } from '../../../../src/server/scuba/leaf/pg/scram-tools.ts'
import { Leaf } from '../leaf.ts'

const hasPsql = spawnSync('psql', ['--version']).status === 0

/** A key and its certificate, as the server writes them for the leaf. */
async function tlsFile(path: string): Promise<string> {
  const times = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 3_600_000 }
  const key = makeKey()
  const names = { name: 'leaf', names: ['127.0.0.1'], uri: 'muster:test', serial: newSerial() }
  const certificate = await signRequest(await makeAuthority({ name: 'test', ...times }), await makeRequest(key, 'leaf'), {
    ...names,
    ...times,
  })
  writeFileSync(path, `${certificate}${key}`)
  return path
}

/** node-postgres against a real leaf, by TCP with a token's verifier. */

describe("a client of PostgreSQL's protocol", () => {
  const leaf = new Leaf()
  const password = 'muster_secret'
  let port = 0
  const first = Date.parse('2026-01-02T03:04:05.678Z')
  const open: pg.Client[] = []
  const connect = async (options: pg.ClientConfig = {}): Promise<pg.Client> => {
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'grafana', password, database: 'muster', ...options })
    client.on('error', () => undefined)
    await client.connect()
    open.push(client)
    return client
  }

  beforeAll(async () => {
    port = await freePort('127.0.0.1')
    const tls = await tlsFile(join(leaf.dir, 'tls.pem'))
    const access = { listen: { host: '127.0.0.1', port }, tls, logins: [{ name: 'grafana', verifier: verifierOf(password) }] }
    writeFileSync(join(leaf.dir, 'postgres.json'), JSON.stringify(access))
    await leaf.start()
    const rows = Array.from({ length: 5000 }, (_, index) => ({
      time: first + index,
      service: `s${index % 5}`,
      status: index,
      ms: index / 8,
      ok: index % 2 === 0,
    }))
    await leaf.client.send('visits', [...rows, { time: first - 1, service: 'a\0b', status: -1, ms: 0, ok: true }])
  }, 60_000)
  afterAll(async () => {
    await Promise.all(open.map((client) => client.end().catch(() => undefined)))
    await leaf.remove()
  })

  it('logs in with the name and secret of a token, and not with another', async () => {
    await connect()
    await expect(connect({ password: 'wrong' })).rejects.toMatchObject({ code: '28P01' })
    await expect(connect({ user: 'nobody' })).rejects.toMatchObject({ code: '28P01' })
  })

  it('logs in over TLS, and a secret that is wrong is wrong there, too', async () => {
    const ssl = { rejectUnauthorized: false }
    const client = await connect({ ssl })
    expect((client as unknown as { connection: { stream: { encrypted?: boolean } } }).connection.stream.encrypted).toBe(true)
    expect((await client.query('select count(*) as n from visits')).rows).toEqual([{ n: '5001' }])
    await expect(connect({ ssl, password: 'wrong' })).rejects.toMatchObject({ code: '28P01' })
  })

  it.skipIf(!hasPsql)('logs in with sslmode=require (wants the program psql, Debian package postgresql-client)', () => {
    const at = `host=127.0.0.1 port=${port} user=grafana dbname=muster sslmode=require`
    const env = { ...process.env, PGPASSWORD: password }
    const said = execFileSync('psql', ['-X', '-At', at, '-c', '\\conninfo', '-c', 'select count(*) from visits'], { encoding: 'utf8', env })
    expect(said).toMatch(/SSL connection \(protocol: TLSv1\.[23]/)
    expect(said).toMatch(/^5001$/m)
  })

  it('holds no more than a bounded part of an answer for a client that stops reading, and goes on with others', async () => {
    const client = await connect()
    const { pid } = await leaf.client.health()
    const residentMb = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
    const before = residentMb()
    const { stream } = (client as unknown as { connection: { stream: Socket } }).connection
    // A gigabyte, of which a page is read.
    const asked = client.query("select range, repeat('x', 1000) from range(1000000)").catch((error: unknown) => error)
    await once(stream, 'data')
    stream.pause()
    await sleep(1500)
    expect(residentMb() - before).toBeLessThan(100)
    const other = await connect()
    expect((await other.query('select count(*) as n from visits')).rows).toEqual([{ n: '5001' }])
    stream.destroy()
    expect(await asked).toBeInstanceOf(Error)
  })

  it('gets values of their types, with parameters of inferred types', async () => {
    const client = await connect()
    const { rows } = await client.query(
      'select time, service, status, ms, ok, null as none from visits where status = $1 and service like $2 limit $3',
      [3, 's%', 10],
    )
    expect(rows).toEqual([{ time: new Date(first + 3), service: 's3', status: '3', ms: 0.375, ok: false, none: null }])
    const named = { name: 'by-service', text: 'select count(*), max(ms) from visits where service = any($1)' }
    for (const services of [['s0'], ['s0', 's1'], []])
      expect((await client.query({ ...named, values: [services] })).rows[0].count).toBe(String(services.length * 1000))
  })

  it('gets binary values, and a NUL as U+FFFD', async () => {
    const client = await connect()
    const { rows } = await client.query({
      text: 'select service, status, ok from visits where status < $1',
      values: [0],
      binary: true,
    } as pg.QueryConfig)
    expect(rows).toEqual([{ service: 'a\uFFFDb', status: expect.anything(), ok: true }])
  })

  it('takes values for what they are, whatever stands in them', async () => {
    const client = await connect()
    const text = '\'; drop table visits; -- $1 \\ " é'
    expect((await client.query('select $1::text as said, count(*) from visits where service = $1', [text])).rows).toEqual([
      { said: text, count: '0' },
    ])
  })

  it('is told the place and the SQLSTATE of what is wrong, and goes on', async () => {
    const client = await connect()
    const failures: [string, string][] = [
      ['select nope from visits', '42703'],
      ['select 1 from nope', '42P01'],
      ['select 1 +', '42601'],
      ['select nope(1)', '42883'],
      ["select read_csv('/etc/passwd')", '42501'],
      ["select * from read_parquet('x')", '42501'],
      ['select * from duckdb_settings()', '42501'],
      ['select * from mcat.source', '0A000'],
      ['select mcat.duckdb_tables()', '0A000'],
      ["select 'x'::bigint", '22P02'],
      ['create table x (y int)', '42501'],
      ['set nope = 1', '42704'],
    ]
    for (const [sql, code] of failures) await expect(client.query(sql), sql).rejects.toMatchObject({ code })
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  it('stops a statement by a cancel request within a moment', async () => {
    const client = await connect()
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number }
    const slow = client.query('select count(*) from range(1000000) a, range(1000000) b where a.range <> b.range * 3')
    await new Promise((resolve) => setTimeout(resolve, 300))
    const request = Buffer.alloc(16)
    for (const [index, value] of [16, 80_877_102, processID, secretKey].entries()) request.writeInt32BE(value, index * 4)
    createConnection(port, '127.0.0.1').end(request)
    await expect(slow).rejects.toMatchObject({ code: '57014', message: 'canceling statement due to user request' })
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  it('has its statement stopped by its timeout', async () => {
    const client = await connect({ options: '-c statement_timeout=200ms' })
    expect((await client.query('show statement_timeout')).rows).toEqual([{ statement_timeout: '200ms' }])
    await expect(
      client.query('select count(*) from range(1000000) a, range(1000000) b where a.range <> b.range * 3'),
    ).rejects.toMatchObject({ code: '57014' })
  })

  it('fails on in a transaction that failed, until it ends', async () => {
    const client = await connect()
    await client.query('begin')
    await expect(client.query('select nope')).rejects.toMatchObject({ code: '42703' })
    await expect(client.query('select 1')).rejects.toMatchObject({ code: '25P02' })
    expect((await client.query('commit')).command).toBe('ROLLBACK')
    await client.query('select 1')
  })

  it('reads a cursor by parts, and it ends with its transaction', async () => {
    const client = await connect()
    await client.query('begin')
    await client.query('declare c cursor for select status from visits where status >= 0 order by 1')
    expect((await client.query('fetch 2 from c')).rows).toEqual([{ status: '0' }, { status: '1' }])
    expect((await client.query('move 4000 in c')).rowCount).toBe(4000)
    expect((await client.query('fetch all from c')).rows).toHaveLength(998)
    await client.query('commit')
    await expect(client.query('fetch 1 from c')).rejects.toMatchObject({ code: '34000' })
  })

  it('has the same columns, types and texts from parts of files as over all rows', async () => {
    const client = await connect()
    const asIs = { getTypeParser: () => (value: unknown) => value } as unknown as pg.CustomTypesConfig
    const asked = async (text: string, binary = false): Promise<unknown> => {
      const { fields, rows } = await client.query({ text, types: asIs, rowMode: 'array', binary } as pg.QueryArrayConfig)
      const types = fields.map(({ name, dataTypeID, dataTypeModifier, dataTypeSize }) => [name, dataTypeID, dataTypeModifier, dataTypeSize])
      return { types, rows: rows.map((row) => row.map((value) => (Buffer.isBuffer(value) ? value.toString('hex') : value))) }
    }
    const statements = [
      'select count(*) as n, count(status) as c, sum(status) as s, min(ms) as lo, max(ms) as hi from visits',
      'select service, min(time) as t, max(service) as m, bool_and(ok) as b, count(distinct status) as d from visits group by 1 order by 1',
      'select service as "Service", sum(status) filter (where ok) as s from visits where status > 7 and service <> \'s3\' group by service order by s desc limit 2',
      'select status % 3 as k, count(*) * 2 + 1 as n, sum(status) / 7.5 as q from visits group by k having count(*) > 10 order by k',
      `select date_trunc('second', time) as t, count(*) as n from visits where time >= '2026-01-02T03:04:06Z' and time < '2026-01-02 03:04:09' group by 1 order by 1`,
      'select count(*) as n, sum(status) as s, max(service) as m from visits where status > 1000000',
      'select cast(sum(status) as bigint) as n, true as yes, 1.50 as price from visits',
    ]
    for (const sql of statements) {
      for (const binary of [false, true]) expect(await asked(sql, binary), sql).toEqual(await asked(`select * from (${sql}) q`, binary))
      const { tier, tables } = await leaf.client.explain({ sql })
      expect([tier, tables[0]?.filesKnown === tables[0]?.filesAfterPruning || sql.includes('date_trunc')], sql).toEqual(['A', true])
    }
    expect((await client.query('select count(*), sum(status) from visits')).rows).toEqual([{ count: '5001', sum: '12497499' }])
    const { fields } = await client.query('select service, sum(status) from visits where ms > $1 group by 1', [600])
    expect(fields.map(({ name, dataTypeID }) => [name, dataTypeID])).toEqual([
      ['service', 25],
      ['sum', 1700],
    ])
    await client.query('begin')
    await client.query('declare p cursor for select service, count(*) as n from visits group by 1 order by 1')
    expect((await client.query('fetch 2 from p')).rows).toEqual([
      { service: 'a\uFFFDb', n: '1' },
      { service: 's0', n: '1000' },
    ])
    expect((await client.query('fetch all from p')).rows).toHaveLength(4)
    await client.query('commit')
    await expect(client.query('select sum(service) from visits')).rejects.toMatchObject({ code: '42883' })
    await expect(client.query("select count(*) from visits where status = 'x'::bigint")).rejects.toMatchObject({ code: '22P02' })
  })

  it('is closed when it speaks nonsense, and nothing else happens', async () => {
    const client = await connect()
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\0\0\0\x08\0\x03\0\0', '\x7f\xff\xff\xff']) {
      const said = await new Promise<string>((resolve) => {
        const socket = createConnection(port, '127.0.0.1')
        let all = ''
        socket.on('data', (part) => (all += part.toString('latin1'))).on('close', () => resolve(all))
        socket.write(Buffer.from(bytes, 'latin1'))
      })
      expect(said).toMatch(/FATAL/)
    }
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  it('has as many statements running and waiting as any user, and others pass it', async () => {
    const clients = await Promise.all(Array.from({ length: LIMITS.userRunningMax + LIMITS.userWaitingMax + 1 }, () => connect()))
    const slow = clients.map((client) =>
      client.query('select count(*) from range(1000000) a, range(1000000) b where a.range <> b.range * 3').catch(({ code }) => code),
    )
    expect(await Promise.race(slow)).toBe('53300')
    expect((await leaf.client.query('SELECT 1', {}, undefined, { user: 'other' })).rows).toEqual([[1]])
    for (const client of clients) (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy()
    expect((await Promise.all(slow)).filter((code) => code === '53300')).toHaveLength(1)
  })
})
