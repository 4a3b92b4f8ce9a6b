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
