import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger } from '../../../src/platform/logger.ts'
import { MarkDigests, UNREADABLE, type StateMark } from '../../../src/server/state/mark-digests.ts'
import { openStateDb, type OpenDb } from '../../../src/server/state/state-db.ts'
import { stateDigest } from '../../../src/server/state/state-digest.ts'
import { eventually } from '../../support/eventually.ts'

let dir: string
let db: OpenDb
let marks: MarkDigests
let found: StateMark[]
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'muster-marks-'))
  db = openStateDb(join(dir, 'state.db'))
  db.raw.exec('CREATE TABLE row (n INTEGER PRIMARY KEY, text TEXT NOT NULL)')
  marks = new MarkDigests({ dbFile: join(dir, 'state.db'), every: 10, log: createLogger(null) })
  found = []
  marks.onMark((mark) => void found.push(mark))
})
afterEach(() => {
  marks.drop()
  db.close()
  rmSync(dir, { recursive: true })
})

const ROWS = 30_000
const fill = (): void => {
  db.raw.exec(
    `INSERT INTO row WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ${ROWS}) SELECT i, 'text of ' || i || printf('%.100c', 'x') FROM n`,
  )
}

test('a digest is of the state at its mark, though it is written to while it is computed', async () => {
  fill()
  const then = stateDigest(db)
  marks.applied(10)
  for (let n = 0; found.length === 0; n += 1) {
    db.run('UPDATE row SET text = ? WHERE n = ?', 'later', 1 + (n % ROWS))
    // One at a time: this mark has none.
    if (n === 0) marks.applied(20)
    await new Promise((resolve) => setTimeout(resolve, 1))
    expect(n).toBeLessThan(60_000)
  }
  expect(found).toEqual([{ position: 10, digest: Number.parseInt(then, 16), rows: ROWS }])
  expect(stateDigest(db)).not.toBe(then)
  // What it held is free again: all of the write-ahead log goes into the database.
  expect(db.raw.pragma('wal_checkpoint(TRUNCATE)')).toEqual([{ busy: 0, log: 0, checkpointed: 0 }])
  expect(statSync(join(dir, 'state.db-wal')).size).toBe(0)
})

test('only at a mark, only when somebody listens, and not after it was given up', async () => {
  fill()
  marks.applied(11)
  marks.applied(20)
  marks.drop()
  const deaf = new MarkDigests({ dbFile: join(dir, 'state.db'), every: 10, log: createLogger(null) })
  deaf.applied(10)
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(found).toEqual([])
  expect([marks.reach(1), marks.reach(10), marks.reach(11)]).toEqual([10, 1, 10])
  marks.applied(30)
  await eventually('the next one', 10_000, () => found.length === 1)
})

test('a database that is damaged so that it cannot be read has a digest that no other one has', async () => {
  fill()
  db.raw.pragma('wal_checkpoint(TRUNCATE)')
  const fd = openSync(join(dir, 'state.db'), 'r+')
  const size = statSync(join(dir, 'state.db')).size
  for (let at = 16_384; at < size; at += 4096) writeSync(fd, Buffer.alloc(4096, 0xaa), 0, 4096, at)
  closeSync(fd)
  marks.applied(10)
  await eventually('it is told', 10_000, () => found.length === 1)
  expect(found).toEqual([{ position: 10, digest: UNREADABLE, rows: 0 }])
})
