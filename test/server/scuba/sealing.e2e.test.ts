import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { crc32 } from 'node:zlib'
import { decodeManifest, foldManifest, type TableManifest } from '../../../src/core/scuba/wal/manifest.ts'
import { registrySchema } from '../../../src/core/scuba/registry.ts'
import { Leaf } from './leaf.ts'
import { eventually } from '../../support/eventually.ts'

const leaf = new Leaf()
beforeAll(() => leaf.start())
afterAll(() => leaf.remove())

const manifestOf = (table: string): TableManifest | undefined =>
  foldManifest(decodeManifest(readFileSync(join(leaf.dir, 'manifest')), crc32).records).get(table)

test(
  'small segments become one with the same rows; the manifest holds the digest of every file, and no other file stays',
  { timeout: 60_000 },
  async () => {
    for (let i = 0; i < 8; i += 1) {
      await leaf.client.send('many', [{ i, ...(i % 3 === 0 ? { odd: `x${i}` } : {}) }])
      await leaf.seal('many')
    }
    const rowsOf = async (): Promise<unknown> => (await leaf.client.query('select i, odd from many order by i')).rows
    const before = await rowsOf()
    await eventually('one segment', 20_000, async () => (await leaf.client.table('many')).segments === 1)
    expect(await rowsOf()).toEqual(before)
    const segments = [...(manifestOf('many')?.segments.values() ?? [])]
    expect(segments).toMatchObject([{ rows: 8 }])
    for (const { file, sha256, bytes } of segments) {
      const content = readFileSync(join(leaf.dir, 'segments', file))
      expect([createHash('sha256').update(content).digest('hex'), content.length]).toEqual([sha256, bytes])
    }
    await eventually(
      'one file and no chunk',
      20_000,
      () => readdirSync(join(leaf.dir, 'segments')).length === 1 && readdirSync(join(leaf.dir, 'chunks')).length === 0,
    )
  },
)

test(
  'while rows come in and are sealed and compacted, every answer holds each acknowledged batch wholly and once',
  { timeout: 60_000 },
  async () => {
    const BATCH = 7
    let sent = 0
    let acknowledged = 0
    let isOver = false
    const sender = (async () => {
      while (!isOver) {
        sent += BATCH
        await leaf.client.send(
          'steady',
          Array.from({ length: BATCH }, (_, i) => ({ id: sent - i })),
        )
        acknowledged += BATCH
      }
    })()
    const sealer = (async () => {
      while (!isOver) {
        await sleep(30)
        if (acknowledged > 0) await leaf.seal('steady')
      }
    })()
    const answers: { before: number; rows: unknown[]; after: number }[] = []
    while (acknowledged === 0) await sleep(5)
    // However busy the machine is, enough of them to see something.
    for (const end = Date.now() + 2000; Date.now() < end || answers.length < 6;) {
      const before = acknowledged
      const {
        rows: [row],
      } = await leaf.client.query('select count(*), count(distinct id), max(id) from steady')
      answers.push({ before, rows: row ?? [], after: sent })
    }
    isOver = true
    await Promise.all([sender, sealer])
    for (const {
      before,
      rows: [count, distinct, max],
      after,
    } of answers) {
      expect([count, distinct]).toEqual([max, max])
      expect(Number(count) % BATCH).toBe(0)
      expect(Number(count)).toBeGreaterThanOrEqual(before)
      expect(Number(count)).toBeLessThanOrEqual(after)
    }
    expect((await leaf.client.query('select count(*) from steady')).rows).toEqual([[acknowledged]])
  },
)

test('retention drops the oldest segments, first by age, then by size, and keeps the rest', { timeout: 60_000 }, async () => {
  const now = Date.now()
  const keeping = (version: number, policy: { days: number; gb: number }) => registrySchema.parse({ version, retention: { aging: policy } })
  for (const days of [40, 20, 3, 0]) {
    await leaf.client.send('aging', [{ time: now - days * 86_400_000, days }])
    await leaf.seal('aging')
  }
  const daysOf = async (): Promise<unknown[]> => (await leaf.client.query('select days from aging order by 1')).rows.flat()
  await leaf.client.putRegistry(keeping(1, { days: 10, gb: 100 }))
  await eventually('both days', 20_000, async () => (await daysOf()).length === 2)
  expect(await daysOf()).toEqual([0, 3])
  const bytes = Math.max(...[...(manifestOf('aging')?.segments.values() ?? [])].map((segment) => segment.bytes))
  await leaf.client.putRegistry(keeping(2, { days: 10, gb: (bytes * 1.5) / 1e9 }))
  await eventually('only the newer day', 20_000, async () => (await daysOf()).length === 1)
  expect(await daysOf()).toEqual([0])
})

test('a lost segment is never silently absent: answers say what is missing', { timeout: 60_000 }, async () => {
  await leaf.client.send('holed', [{ a: 1 }, { a: 2 }])
  await leaf.seal('holed')
  await leaf.client.send('holed', [{ a: 3 }])
  await leaf.end('SIGKILL')
  for (const file of manifestOf('holed')?.segments.keys() ?? []) rmSync(join(leaf.dir, 'segments', file))
  await leaf.start()
  const answer = await leaf.client.query('select a from holed')
  expect(answer.rows).toEqual([[3]])
  expect(answer.coverage.rows).toBeCloseTo(1 / 3)
  expect(answer.coverage.missing).toEqual(['holed: 2 rows of segments that are lost'])
})

test('keys are recognised after their rows were sealed and their journal is gone', { timeout: 60_000 }, async () => {
  await leaf.client.send('keyed', '{"a":1}', { key: 'k' })
  await leaf.client.send('keyed', 'no object\n'.replace('no', '{'), { key: 'only a bad line' })
  const before = readdirSync(join(leaf.dir, 'journal'))
  expect(before.length).toBeGreaterThan(0)
  for (const { name } of await leaf.client.tables()) await leaf.seal(name)
  await eventually('an emptied journal', 20_000, () => !readdirSync(join(leaf.dir, 'journal')).some((file) => before.includes(file)))
  await leaf.end('SIGKILL')
  await leaf.start()
  expect(await leaf.client.send('keyed', '{"a":1}', { key: 'k' })).toMatchObject({ duplicate: true })
  expect((await leaf.client.query('select a from keyed')).rows).toEqual([[1]])
})
