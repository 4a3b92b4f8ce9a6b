import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import type { System } from '../../../src/core/contracts/controller.ts'
import { defineEntry } from '../../../src/core/contracts/entry.ts'
import { refuse } from '../../../src/core/kernel/errors.ts'
import type { ControlLog } from '../../../src/server/state/control-log.ts'
import { openTestLog } from '../../support/log.ts'
import { openStateDb } from '../../../src/server/state/state-db.ts'
import { stateDigest } from '../../../src/server/state/state-digest.ts'

const added = defineEntry({
  type: 'toy.Added',
  body: z.object({ name: z.string(), by: z.number() }),
  apply: (db, body, meta) => {
    db.run(
      'INSERT INTO toy_sum(name, total, position) VALUES (?, ?, ?) ON CONFLICT(name) DO UPDATE SET total = total + excluded.total, position = excluded.position',
      body.name,
      body.by,
      meta.position,
    )
  },
})
/** Each is a row of its own. */
const noted = defineEntry({
  type: 'toy.Noted',
  body: z.object({ text: z.string() }),
  apply: (db, { text }) => {
    db.run('INSERT INTO toy_note(text) VALUES (?)', text)
  },
})
const toy: System = {
  name: 'toy',
  tables: [
    'CREATE TABLE toy_sum (name TEXT PRIMARY KEY, total INTEGER NOT NULL, position INTEGER NOT NULL)',
    'CREATE TABLE toy_note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)',
  ],
  entries: [added, noted],
  operations: [],
  controllers: [],
}

let dir: string
let control: ControlLog
const open = (): Promise<ControlLog> => openTestLog({ folder: join(dir, 'log'), dbFile: join(dir, 'state.db'), systems: [toy] })
const add = (name: string, by: number, applyPlan?: string) =>
  control.submit({ actor: 'user:test', applyPlan }, (db) => ({ entries: [added.of({ name, by })], value: () => total(name, db) }))
const total = (name: string, db = control.db): number =>
  db.get<{ total: number }>('SELECT total FROM toy_sum WHERE name = ?', name)?.total ?? 0
const plan = (name: string, by: number) =>
  control.plan({ actor: 'user:test' }, () => ({ entries: [added.of({ name, by })], value: () => undefined }))

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'muster-control-'))
  control = await open()
})
afterEach(async () => {
  await control.close()
  rmSync(dir, { recursive: true })
})

test('entries of concurrent submissions are applied in order and readable after their answer', async () => {
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => add('a', i)))
  expect(total('a')).toBe((49 * 50) / 2)
  expect(answers.map((answer) => answer.entries[0]?.position)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
  expect(control.read(1, 100)).toHaveLength(50)
})

test('a refused submission changes nothing and leaves those of its batch alone', async () => {
  const refused = control.submit({ actor: 'user:test' }, () => refuse('NOT_FOUND', 'no'))
  const [ok] = await Promise.all([add('a', 1), expect(refused).rejects.toMatchObject({ code: 'NOT_FOUND' })])
  expect(ok.value).toBe(1)
  expect(control.tail()).toBe(2)
})

test('a body that does not fit its schema is a bug and is never logged', async () => {
  await expect(
    control.submit({ actor: 'user:test' }, () => ({ entries: [{ type: 'toy.Added', body: { name: 7 } }], value: () => 0 })),
  ).rejects.toThrow('body of toy.Added')
  expect(control.tail()).toBe(1)
})

test('a plan shows the rows it would change and changes none', async () => {
  await add('a', 1)
  const { changes, id } = await plan('a', 4)
  expect(changes).toMatchObject([{ table: 'toy_sum', op: 'update', before: { total: 1 }, after: { total: 5 } }])
  expect(id).toMatch(/^p2-/)
  expect(total('a')).toBe(1)
  expect(control.tail()).toBe(2)
})

test('a plan applies although the log moved on elsewhere, and is refused when it moved on here', async () => {
  await add('a', 1)
  const first = await plan('a', 4)
  await add('other', 1)
  await add('a', 4, first.id)
  expect(total('a')).toBe(5)
  await expect(add('a', 4, first.id)).rejects.toMatchObject({ code: 'PLAN_STALE' })
  expect(total('a')).toBe(5)
})

test('a plan that touches no row is applied once: not again, not twice at once, nor when the same was done without it', async () => {
  const note = (text: string, applyPlan?: string) =>
    control.submit({ actor: 'user:test', applyPlan }, () => ({ entries: [noted.of({ text })], value: () => undefined }))
  const planned = async (text: string): Promise<string> =>
    (await control.plan({ actor: 'user:test' }, () => ({ entries: [noted.of({ text })], value: () => undefined }))).id
  const notes = (): number => control.db.get<{ n: number }>('SELECT count(*) AS n FROM toy_note')?.n ?? 0
  const stale = { code: 'PLAN_STALE' }

  const once = await planned('a')
  await note('b')
  await note('a', once)
  await expect(note('a', once)).rejects.toMatchObject(stale)
  await control.close()
  control = await open()
  await expect(note('a', once)).rejects.toMatchObject(stale)
  expect(notes()).toBe(2)

  const twice = await planned('c')
  const both = await Promise.allSettled([note('c', twice), note('c', twice)])
  expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  const late = await planned('d')
  await note('d')
  await expect(note('d', late)).rejects.toMatchObject(stale)
  // What is planned anew is meant anew.
  await note('d', await planned('d'))
  expect(notes()).toBe(5)
})

test('a state database that was removed is built again with identical content', async () => {
  for (let i = 0; i < 20; i += 1) await add(`n${i % 3}`, i)
  await control.close()
  const digest = (): string => {
    const db = openStateDb(join(dir, 'state.db'))
    const text = stateDigest(db)
    db.close()
    return text
  }
  const before = digest()
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(dir, `state.db${suffix}`), { force: true })
  control = await open()
  await control.close()
  expect(digest()).toBe(before)
  control = await open()
})

test.each([
  ['is ahead of its log', "UPDATE muster_state SET value = 99 WHERE key IN ('cursor', 'batch')"],
  ['counts other entries than its log', "UPDATE muster_state SET value = 99 WHERE key = 'cursor'"],
])('a state database that %s is thrown away, since the log is the truth', async (_, change) => {
  await add('a', 1)
  await control.close()
  const db = openStateDb(join(dir, 'state.db'))
  db.run(change)
  db.run('UPDATE toy_sum SET total = 7777')
  db.close()
  control = await open()
  expect(total('a')).toBe(1)
  expect(existsSync(join(dir, 'state.db'))).toBe(true)
})
