import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rewriteSql } from '../../../../src/core/scuba/pgwire/rewrite.ts'
import { readStatements } from '../../../../src/core/scuba/pgwire/statements.ts'
import { tokensOf } from '../../../../src/core/scuba/pgwire/tokens.ts'

const session = { user: "o'neil", pid: 7, setting: (name: string) => (name === 'search_path' ? 'public' : undefined) }
const rewritten = (sql: string, literals: string[] = []): string => {
  const result = rewriteSql(sql, session, literals)
  return 'sqlState' in result ? `${result.sqlState} ${result.message}` : result.sql
}

describe('a SELECT of PostgreSQL as the engine takes it', () => {
  it.each([
    ['select status from requests', 'select status from requests'],
    [
      'select \'pg_catalog.pg_class\', "pg_catalog" from t -- pg_catalog.x',
      'select \'pg_catalog.pg_class\', "pg_catalog" from t -- pg_catalog.x',
    ],
    ['select 1 from pg_catalog.pg_class c', 'select 1 from mcat.pg_class c'],
    ['select * from pg_tables, pg_class', 'select * from mcat."pg_tables", mcat."pg_class"'],
    ['select pg_catalog.count(*)', 'select count(*)'],
    ['select pg_get_expr(a, b)', 'select mcat."pg_get_expr"(a, b)'],
    ['select * from public.requests', 'select * from requests'],
    ['select * from muster.public.requests', 'select * from requests'],
    ['select * from information_schema.columns', 'select * from mcat.columns'],
    ["a OPERATOR(pg_catalog.~) '^(x)$' COLLATE pg_catalog.default", "a ~ '(?s).*(?:^(x)$).*' "],
    ["a !~* 'x'", "a !~ '(?is).*(?:x).*'"],
    ["'pg_class'::regclass", `mcat."regclass_oid"('pg_class')`],
    ['c.oid::pg_catalog.regclass::text', 'mcat."regclass_name"(c.oid)::text'],
    ['f(a, b)::regtype', 'mcat."format_type"(f(a, b))'],
    ["'{a,NULL}'::text[]", "['a', NULL]::text[]"],
    ["x = '{0}'", 'x = [0]'],
    ["x = '{a}'", "x = '{a}'"],
    [
      "select to_char(t, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS'), to_date(x, 'DD Mon YY')",
      "select strftime(t, '%Y-%m-%dT%H:%M:%S.%g'), CAST(strptime(x, '%d %b %y') AS DATE)",
    ],
    ["select to_timestamp(x, 'YYYYMMDD'), to_timestamp(1.5)", "select strptime(x, '%Y%m%d'), to_timestamp(1.5)"],
    ["select to_char(n, '999')", '0A000 to_char wants a template for times in quotes, of digits and short names'],
    ["select to_char(t, 'Month')", '0A000 to_char wants a template for times in quotes, of digits and short names'],
    ["select format('%s', a)", '0A000 format is not answered here; put texts together with || or concat'],
    [
      'select a::numeric, b::numeric(10,2), cast(c as numeric), d as numeric',
      'select a::DOUBLE, b::numeric(10,2), cast(c as DOUBLE), d as numeric',
    ],
    ['select every(ok)', 'select bool_and(ok)'],
    ['select * from unnest(a) x', 'select * from unnest(a) x("x")'],
    ['select unnest(a) x', 'select unnest(a) x'],
    ['select current_user', `select mcat."current_user"('o''neil')`],
    ['select pg_backend_pid()', 'select mcat."pg_backend_pid"(7)'],
    ["select current_setting('search_path')", `select mcat."current_setting"('public')`],
    ["select current_setting('nope')", '42704 unrecognized configuration parameter "nope"'],
    ['select * from pg_get_keywords()', 'select * from mcat."pg_get_keywords"'],
  ])('%s', (sql, expected) => expect(rewritten(sql).replaceAll(/ +/g, ' ').trim()).toBe(expected.replaceAll(/ +/g, ' ').trim()))

  it('puts values where parameters are, and nowhere else', () => {
    expect(rewritten('select $1, \'$1\', "$1", $$ $1 $$ -- $1', ["'x'"])).toBe("select 'x', '$1', \"$1\", $$ $1 $$ -- $1")
  })

  it('tells places of the original', () => {
    const sql = 'select 1 from pg_catalog.pg_class c, public.requests where nope = 1'
    const result = rewriteSql(sql, session)
    if ('sqlState' in result) throw new Error(result.message)
    expect(result.originOf(result.sql.indexOf('nope'))).toBe(sql.indexOf('nope'))
    expect(result.originOf(result.sql.indexOf('requests'))).toBe(sql.indexOf('requests'))
  })

  it('cuts any text into words that are the text again', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'ab1 \'"$/*-;:.E\\\n') }),
        (text) =>
          tokensOf(text)
            .map((token) => token.text)
            .join('') === text,
      ),
    )
  })
})

describe('statements', () => {
  it('are told apart by a semicolon outside of quotes, comments and dollars', () => {
    expect(readStatements("select ';'; /* ; /* ; */ */ select $a$;$a$;;").map(({ statement }) => statement.kind)).toEqual([
      'select',
      'select',
    ])
  })

  it.each([
    ['insert into t values (1)', '42501'],
    ['with x as (select 1) select 1; drop table t', '42501'],
    ['copy t from stdin', '42501'],
    ["copy t to '/etc/passwd'", '42501'],
    ['explain select 1', '0A000'],
    ['nonsense', '42601'],
  ])('%s is refused with %s', (sql, sqlState) => expect(readStatements(sql).at(-1)?.statement).toMatchObject({ kind: 'refused', sqlState }))

  it.each([
    ["set statement_timeout to '5s'", { kind: 'set', name: 'statement_timeout', value: '5s', isLocal: false }],
    ['set session time zone utc', { kind: 'set', name: 'TimeZone', value: 'utc' }],
    ["set muster.require = 'partial'", { kind: 'set', name: 'muster.require', value: 'partial' }],
    ['show transaction isolation level', { kind: 'show', name: 'transaction_isolation' }],
    ['fetch forward 20 from c', { kind: 'fetch', name: 'c', rowsMax: 20 }],
    ['declare c no scroll cursor for select 1', { kind: 'declare', name: 'c', sql: 'select 1', isHeld: false }],
    ['copy (select 1) to stdout csv header', { kind: 'copy', sql: 'select 1', format: { isCsv: true, hasHeader: true, delimiter: ',' } }],
    ['copy t (a, b) to stdout', { kind: 'copy', sql: 'SELECT a, b FROM t ' }],
  ])('%s', (sql, expected) => expect(readStatements(sql)[0]?.statement).toMatchObject(expected))
})
