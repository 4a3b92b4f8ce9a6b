import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import type { Partial } from '../../../src/core/scuba/merge/partial.ts'
import { PartialFiles } from '../../../src/server/scuba/leaf/partial-files.ts'

const dir = mkdtempSync(join(tmpdir(), 'scuba-partials-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const partial: Partial = {
  rows: [
    {
      key: ['a', null, 1.5, true],
      id: '["a",null,1.5,true]',
      step: 60_000,
      parts: [2n ** 90n, -3, null],
      sketches: [{ codes: [1, 2], weights: [3, 4] }, null],
    },
  ],
  count: 1,
  isCut: false,
  all: [1n, null],
}
const present = new Set(['one', 'two'])
const open = (version = 'v1'): PartialFiles => new PartialFiles(dir, { version, isThere: (name) => present.has(name), hasRoom: () => true })
const files = (...names: string[]): { path: string }[] => names.map((name) => ({ path: `/elsewhere/${name}` }))

test('a partial comes back as it was from the next process, until its segment goes or the engine is another', async () => {
  const first = open()
  // Written in this order, so that it was looked at once the others are there.
  expect(first.put('plan', files('one', 'gone'), partial, 5, 1)).not.toBeNull()
  expect(first.put('plan', files('one'), partial, 5, 1)).not.toBeNull()
  expect(first.put('plan', files('two'), partial, 5, 1)).not.toBeNull()
  expect(first.put('cheap', files('one'), partial, 0.1, 1)).toBeNull()
  await vi.waitFor(() => expect(first.count).toBe(2))
  await vi.waitFor(() => expect(readdirSync(dir)).toHaveLength(3))
  const next = open()
  const [kept] = next.filesOf('plan')
  expect(await next.read(kept ?? '', 2)).toMatchObject({ costMs: 5, partial })
  expect(next.has('another plan')).toBe(false)
  next.dropFiles(['/elsewhere/one'])
  expect([next.count, readdirSync(dir).length]).toEqual([1, 2])
  expect(open().count).toBe(1)
  expect(open('v2').count).toBe(0)
  expect(readdirSync(dir)).toEqual(['index.jsonl'])
})

test('beyond its room what saves least goes first, the room is kept, and what was too large for it is not', async () => {
  const own = mkdtempSync(join(dir, 'room-'))
  const bytesMax = 40_000
  const options = { version: 'v1', isThere: () => true, hasRoom: () => true, bytesMax }
  const kept = new PartialFiles(own, options)
  // Words that do not compress: about a kilobyte each.
  const noise = (bytes: number): Partial => ({ ...partial, rows: [{ ...partial.rows[0]!, key: [randomBytes(bytes).toString('base64')] }] })
  for (let at = 0; at < 60; at += 1) kept.put(`plan ${at}`, files(`s${at}`), noise(1000), at + 2, 1)
  kept.put('large', files('large'), noise(4000), 1000, 1)
  kept.put('last', files('last'), noise(1000), 1000, 1)
  await vi.waitFor(() => expect(kept.has('last')).toBe(true), 10_000)
  expect(kept.has('large')).toBe(false)
  expect(kept.bytes).toBeLessThanOrEqual(bytesMax)
  expect(kept.bytes).toBeGreaterThan(bytesMax * 0.7)
  // Those that cost least are the ones that went.
  const there = Array.from({ length: 60 }, (_, at) => kept.has(`plan ${at}`))
  expect(there.indexOf(true)).toBe(60 - there.filter(Boolean).length)
  const onDisk = readdirSync(own).filter((name) => name !== 'index.jsonl')
  expect(onDisk).toHaveLength(kept.count)
  expect(new PartialFiles(own, options).bytes).toBe(kept.bytes)
})
