import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Leaf } from '../leaf.ts'

/** psql itself, on the owner's socket of a real leaf. */

const hasPsql = ((): boolean => {
  try {
    execFileSync('psql', ['--version'])
    return true
  } catch {
    return false
  }
})()

describe.skipIf(!hasPsql)('psql (wants the program psql, Debian package postgresql-client)', () => {
  const leaf = new Leaf()
  const psql = async (...args: string[]): Promise<{ out: string; err: string }> => {
    const env = { ...process.env, PGHOST: leaf.dir, PGPORT: '5433', PGUSER: 'me', PGDATABASE: 'muster', PGCONNECT_TIMEOUT: '20' }
    const { stdout, stderr } = await promisify(execFile)('psql', ['-X', '-P', 'pager=off', ...args], { env })
    return { out: stdout, err: stderr }
  }
  const ask = async (sql: string): Promise<string> => (await psql('-At', '-c', sql)).out.trim()

  beforeAll(async () => {
    await leaf.start()
    const time = Date.parse('2026-01-02T03:04:05.678Z')
    const rows = Array.from({ length: 3000 }, (_, index) => ({
      time: time + index,
      service: index % 3 === 0 ? 'web' : 'feed',
      status: 200,
      ms: index / 8,
      ok: true,
    }))
    await leaf.client.send('visits', rows)
  }, 60_000)
  afterAll(() => leaf.remove())

  it('lists tables and describes one', async () => {
    expect(await ask('\\dt')).toBe('public|visits|table|muster')
    const described = (await psql('-c', '\\d visits')).out
    for (const line of [
      / time +\| timestamp with time zone/,
      / service +\| text/,
      / status +\| bigint/,
      / ms +\| double precision/,
      / ok +\| boolean/,
    ])
      expect(described).toMatch(line)
  })

  it.each([
    '\\l',
    '\\d',
    '\\d+ visits',
    '\\d vis*',
    '\\df',
    '\\df+',
    '\\dn',
    '\\dn+',
    '\\du',
    '\\dv',
    '\\dv+',
    '\\di',
    '\\dT',
    '\\db',
    '\\dp',
    '\\ds',
    '\\dt+',
    '\\l+',
    '\\dS',
  ])('answers %s without an error', async (command) => {
    expect((await psql('-c', command)).err.replace(/^Did not find any relation.*\n/gm, '')).toBe('')
  })

  it('tells times, numbers and booleans as PostgreSQL does', async () => {
    expect(await ask('select time, status, ms, ok from visits where ms = 0.125')).toBe('2026-01-02 03:04:05.679+00|200|0.125|t')
  })

  it('points at the place of an error in the statement that was typed', async () => {
    const failure = psql('-At', '-c', 'select * from pg_catalog.pg_class c join visitz v on v.x = c.relname::pg_catalog.regclass::text')
    await expect(failure).rejects.toThrow(/there is no table visitz.*\nLINE 1: .*\n {49}\^/s)
  })

  it('looks up names and oids for every row by itself', async () => {
    expect(await ask("select oid::regclass from pg_class where relname in ('visits', 'pg_class') order by 1")).toBe('pg_class\nvisits')
    expect(
      await ask(
        'select count(*) > 1, min(n.nspname) from pg_class c join pg_namespace n on n.oid = c.relnamespace where not pg_table_is_visible(c.oid)',
      ),
    ).toBe('t|information_schema')
    expect(
      await ask(
        "select attname, format_type(t.oid, null) from pg_attribute a join pg_type t on t.oid = a.atttypid where attrelid = 'visits'::regclass and attname in ('ms', 'ok') order by 1",
      ),
    ).toBe('ms|double precision\nok|boolean')
    expect(await ask('select d.datname, pg_get_userbyid(r.oid) from pg_database d, pg_roles r where r.oid = d.datdba')).toBe(
      'muster|muster',
    )
  })

  it('refuses to write', async () => {
    await expect(psql('-c', 'delete from visits')).rejects.toThrow(/DELETE is not permitted/)
    await expect(psql('-c', 'with x as (delete from visits returning 1) select 1')).rejects.toThrow(/ERROR/)
  })

  it('writes rows out by \\copy and reads a large answer by parts', async () => {
    const csv = (await psql('-c', '\\copy (select service, status from visits order by time limit 2) to stdout with (format csv, header)'))
      .out
    expect(csv).toBe('service,status\nweb,200\nfeed,200\n')
    expect((await psql('-At', '-v', 'FETCH_COUNT=100', '-c', 'select ms from visits order by time')).out.split('\n')).toHaveLength(3001)
  })
})
