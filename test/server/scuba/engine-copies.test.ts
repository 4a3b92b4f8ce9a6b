import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EngineCopies } from '../../../src/server/scuba/engine-copies.ts'

const dir = mkdtempSync(join(tmpdir(), 'engine-copies-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const copy = (name: string): { name: string; path: string } => ({ name, path: join(dir, name) })

let instance: DuckDBInstance
let copies: EngineCopies

beforeAll(async () => {
  instance = await DuckDBInstance.create(':memory:')
  copies = new EngineCopies(instance, 2)
  const connection = await instance.connect()
  for (const name of ['a-1', 'b-1', 'c-1']) await copies.make(connection, 'SELECT range AS n FROM range(10)', copy(name).path)
  connection.disconnectSync()
})

async function attached(): Promise<string[]> {
  const connection = await instance.connect()
  const reader = await connection.runAndReadAll("SELECT database_name FROM duckdb_databases() WHERE database_name LIKE '%-1' ORDER BY 1")
  connection.disconnectSync()
  return reader.getRows().map(([name]) => String(name))
}

test('what is made is closed, with nothing beside it, and says which texts have many values', async () => {
  const connection = await instance.connect()
  const path = join(dir, 'texts')
  const rows = "SELECT CASE WHEN i % 100 = 0 THEN 'x' END AS few, 's' || i % 5 AS some, 'user-' || hash(i) AS many FROM range(50000) t(i)"
  writeFileSync(path, 'half of an earlier one')
  expect(await copies.make(connection, rows, path)).toEqual({ rows: 50_000, manyValued: ['many'] })
  await expect(copies.make(connection, 'SELECT no_such', join(dir, 'none'))).rejects.toThrow('no_such')
  connection.disconnectSync()
  expect(readdirSync(dir).filter((name) => name.endsWith('.wal'))).toEqual([])
  expect(await attached()).toEqual([])
})

test('those that nobody reads stay attached up to a number, the ones used last; those that are read always', async () => {
  const release = await copies.use([copy('a-1'), copy('b-1'), copy('c-1')])
  expect(await attached()).toEqual(['a-1', 'b-1', 'c-1'])
  release()
  await expect.poll(attached).toEqual(['b-1', 'c-1'])
  // Used again while it is being detached, it is attached again.
  const again = await Promise.all([copies.use([copy('a-1')]), copies.use([copy('b-1')]), copies.use([copy('a-1')])])
  for (const one of again) one()
  await expect.poll(attached).toEqual(['a-1', 'b-1'])
})

test('one that is forgotten is detached by its last reader, also while a transaction is open that read it', async () => {
  const first = await copies.use([copy('a-1')])
  const second = await copies.use([copy('a-1')])
  const connection = await instance.connect()
  await connection.run('BEGIN')
  await connection.run('SELECT sum(n) FROM "a-1".main.copied')
  copies.forget(['a-1', 'never-1'])
  first()
  expect(await attached()).toContain('a-1')
  second()
  await expect.poll(attached).not.toContain('a-1')
  await connection.run('COMMIT')
  connection.disconnectSync()
})

test('a file that is none, or gone, fails the question and leaves no name taken', async () => {
  writeFileSync(copy('broken-1').path, 'no database')
  for (const name of ['broken-1', 'gone-1']) {
    await expect(copies.use([copy('b-1'), copy(name)])).rejects.toThrow()
    await expect(copies.use([copy(name)])).rejects.toThrow(/broken-1|gone-1/)
  }
  ;(await copies.use([copy('b-1')]))()
  expect(await attached()).toEqual(expect.arrayContaining(['b-1']))
})
