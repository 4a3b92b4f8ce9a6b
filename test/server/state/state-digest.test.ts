import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openStateDb, type OpenDb } from '../../../src/server/state/state-db.ts'
import { digestInSlices, stateDigest } from '../../../src/server/state/state-digest.ts'

let dir: string
let dbs: OpenDb[]
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'muster-state-digest-'))
  dbs = []
})
afterEach(() => {
  for (const db of dbs) db.close()
  rmSync(dir, { recursive: true })
})

function open(...statements: string[]): OpenDb {
  const db = openStateDb(join(dir, `${dbs.length}.db`))
  dbs.push(db)
  db.raw.exec('CREATE TABLE muster_state (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID')
  db.raw.exec('CREATE TABLE one (name TEXT PRIMARY KEY, n INTEGER, x BLOB); CREATE TABLE two (name TEXT, n INTEGER, x BLOB)')
  for (const statement of statements) db.raw.exec(statement)
  return db
}
const A = "INSERT INTO one VALUES ('a', 1, NULL)"
const B = "INSERT INTO one VALUES ('b', 2, x'00ff')"

test('the same rows have the same digest, whatever order they came in and whatever came and went', () => {
  const one = stateDigest(open(A, B))
  expect(stateDigest(open(B, A))).toBe(one)
  expect(stateDigest(open(B, "INSERT INTO one VALUES ('c', 3, NULL)", A, "DELETE FROM one WHERE name = 'c'"))).toBe(one)
  expect(one).toMatch(/^[0-9a-f]{12}$/)
})

test('how far a server is by its own account is no part of it', () => {
  expect(stateDigest(open(A, "INSERT INTO muster_state VALUES ('schema', 7)"))).toBe(stateDigest(open(A)))
})

test.each([
  ['a value', [A, "INSERT INTO one VALUES ('b', 3, x'00ff')"]],
  ['a byte', [A, "INSERT INTO one VALUES ('b', 2, x'00fe')"]],
  ['a type', [A, "INSERT INTO one VALUES ('b', '2x', x'00ff')"]],
  ['values that changed places', ["INSERT INTO one VALUES ('a', 2, NULL)", "INSERT INTO one VALUES ('b', 1, x'00ff')"]],
  ['a row that is missing', [A]],
  ['a row that is there twice', [A, B, "INSERT INTO one VALUES ('b2', 2, x'00ff')"]],
  ['a row in another table', [A, B.replace('one', 'two')]],
])('%s makes another one', (_what, statements) => {
  expect(stateDigest(open(...statements))).not.toBe(stateDigest(open(A, B)))
})

test('it may be left in the middle, and the database closed', () => {
  const db = open(
    `INSERT INTO one WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT 'r' || i, i, NULL FROM n`,
  )
  const slices = digestInSlices(db.raw)
  expect(slices.next()).toEqual({ done: false, value: undefined })
  slices.return({ digest: 0, rows: 0 })
  expect(db.get('SELECT count(*) AS n FROM one')).toEqual({ n: 1000 })
})
