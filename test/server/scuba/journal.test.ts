import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { createLogger } from '../../../src/platform/logger.ts'
import { Journal } from '../../../src/server/scuba/leaf/journal.ts'

const dir = mkdtempSync(join(tmpdir(), 'muster-wal-'))
afterEach(() => rmSync(dir, { recursive: true, force: true }))

test('a file that is ended while batches are written fails none of them, and holds each once', async () => {
  const journal = new Journal(dir, createLogger(null))
  const batch = (seq: number) => ({
    header: { seq, table: 't', rows: 1, minUs: 0, maxUs: 0, at: 0 },
    payload: new Uint8Array(100).fill(seq),
  })
  const done: Promise<void>[] = []
  for (let seq = 1; seq <= 60; seq += 1) {
    done.push(journal.append([batch(seq)], true))
    // At every moment of a write.
    if (seq % 3 === 0) done.push(new Promise((resolve) => setTimeout(resolve, seq % 7)).then(() => journal.roll()))
  }
  await Promise.all(done)
  await journal.close()
  const found: number[] = []
  expect(new Journal(dir, createLogger(null)).replay(({ header }) => found.push(header.seq))).toBe(0)
  expect(found).toEqual(Array.from({ length: 60 }, (_, i) => i + 1))
})
