import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { endChild } from '../../../../src/platform/spawn.ts'
import { eventually } from '../../../support/eventually.ts'
import { Leaf } from '../leaf.ts'

/** psql itself, on the owner's socket of a real leaf. */

/** Debian has it on no path. */
const INITDB = '/usr/lib/postgresql/15/bin/initdb'
const idOf = (flag: '-u' | '-g'): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))

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

  describe.skipIf(!existsSync(INITDB))('beside PostgreSQL itself (wants the program initdb, Debian package postgresql-15)', () => {
    const dir = mkdtempSync(join(tmpdir(), 'scuba-oracle-'))
    // It refuses to run as root.
    const account: { uid?: number; gid?: number } = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : {}
    let server: ChildProcess | null = null
    const oracle = (...args: string[]): string =>
      execFileSync('psql', ['-X', '-P', 'pager=off', '-h', dir, '-p', '5433', '-U', 'muster', '-d', 'muster', ...args], {
        encoding: 'utf8',
        stdio: 'pipe',
      })

    beforeAll(async () => {
      if (account.uid !== undefined) chownSync(dir, account.uid, account.gid ?? account.uid)
      const data = join(dir, 'data')
      execFileSync(INITDB, ['-D', data, '--no-sync', '-A', 'trust', '-U', 'muster', '-E', 'UTF8', '--locale=C'], {
        ...account,
        cwd: dir,
        stdio: 'pipe',
      })
      const options = ['-k', dir, '-c', 'listen_addresses=', '-c', 'fsync=off', '-c', 'TimeZone=UTC', '-p', '5433']
      server = spawn(join(dirname(INITDB), 'postgres'), ['-D', data, ...options], { ...account, cwd: dir, stdio: 'ignore' })
      await eventually('PostgreSQL answers', 60_000, () => oracle('-d', 'template1', '-c', 'create database muster'))
      const columns = await ask(
        "select string_agg(quote_ident(attname) || ' ' || format_type(atttypid, null), ', ' order by attnum) from pg_attribute where attrelid = 'visits'::regclass and attnum > 0",
      )
      oracle('-c', `create table visits (${columns})`)
    }, 120_000)
    afterAll(async () => {
      await endChild(server, 'SIGQUIT')
      rmSync(dir, { recursive: true, force: true })
    })

    it('answers about its catalogue as PostgreSQL does', async () => {
      const asked = [
        ...['\\l muster', '\\dt visits', '\\d visits', '\\df', '\\dn', '\\dT', '\\dv', '\\di', '\\ds', '\\dm'],
        "select table_name, column_name, ordinal_position, data_type, udt_name, is_nullable from information_schema.columns where table_name = 'visits' order by 3",
        "select table_schema, table_name, table_type from information_schema.tables where table_name = 'visits'",
        "select attname, attnum, attlen, attnotnull, atttypmod, format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'visits'::regclass and attnum > 0 order by 2",
        "select relname, relkind, relpersistence, relispartition from pg_class where relname = 'visits'",
        "select oid, typname, typlen, typtype, typcategory, typdelim, typelem, typarray from pg_type where typname in ('bool', 'int8', 'float8', 'text', 'timestamptz', '_text', '_int8') order by 1",
        "select has_table_privilege('visits', 'select'), current_schema(), pg_encoding_to_char(encoding) from pg_database where datname = 'muster'",
      ].flatMap((sql) => ['-c', sql])
      expect((await psql(...asked)).out).toBe(oracle(...asked))
    })
  })
})
