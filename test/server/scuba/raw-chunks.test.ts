import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { RawChunks, type RawBatch } from '../../../src/server/scuba/leaf/raw-chunks.ts'

const dir = mkdtempSync(join(tmpdir(), 'scuba-raw-chunks-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const batchOf = (rows: number): RawBatch => ({
  parts: [Buffer.from('{"a":1}\n'.repeat(rows))],
  form: { shape: { time: null, objects: [], arrays: [] }, encoding: 'none' },
  ...{ rows, minUs: 0, maxUs: 1, hours: new Map([[0, rows]]), onTrust: false },
})

test('each chunk counts exactly the rows it holds, also when a group of batches took longer than a chunk may be open', async () => {
  const raw = new RawChunks('t', dir)
  const closed = []
  let seq = 0
  for (let group = 0; group < 6; group += 1) {
    const nowMs = group * 700
    closed.push(...(await raw.beginGroup(nowMs)))
    const written = []
    for (let i = 0; i < 3; i += 1) {
      const batch = batchOf(1 + seq)
      written.push({ batch, place: await raw.write(batch, (seq += 1), nowMs + i * 900), seq })
    }
    await raw.sync()
    for (const { batch, place, seq: number } of written) raw.accept(batch, place, number)
  }
  closed.push(...(await raw.closeAll()))
  expect(closed.length).toBeGreaterThan(2)
  for (const { path, bytes } of closed) expect(readFileSync(path, 'utf8')).toHaveLength(bytes)
  expect(closed.map(({ path }) => readFileSync(path, 'utf8').split('\n').length - 1)).toEqual(closed.map(({ rows }) => rows))
  expect(closed.reduce((sum, { rows }) => sum + rows, 0)).toBe((18 * 19) / 2)
})

test('what was given up holds the rows that counted, and no others', async () => {
  const raw = new RawChunks('given-up', dir)
  const batch = batchOf(5)
  raw.accept(batch, await raw.write(batch, 1, 0), 1)
  await raw.write(batchOf(7), 2, 0)
  const [chunk] = await raw.giveUp()
  expect(readFileSync(chunk?.path ?? '', 'utf8')).toBe('{"a":1}\n'.repeat(5))
  expect(chunk).toMatchObject({ rows: 5, throughSeq: 1 })
})
