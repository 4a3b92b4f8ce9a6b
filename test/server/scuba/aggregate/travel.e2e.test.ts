import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPrng } from '../../../../src/core/kernel/prng.ts'
import { registrySchema } from '../../../../src/core/scuba/registry.ts'
import { Leaf } from '../leaf.ts'

/** Two leaves with 60 rows each, of about 6 kB, and one that is asked and takes 100 rows and 7,000 bytes of them. */
const [asked, second, third] = [new Leaf(), new Leaf(), new Leaf()]
const leaves = [asked, second, third]
const T = Math.floor(Date.now() / 60_000) * 60_000 - 600_000
const random = createPrng(7)
const word = (): string => Array.from({ length: 16 }, () => random.below(2 ** 32).toString(36)).join('')

beforeAll(async () => {
  const limits = ['--limit', 'travelRowsMax=100', '--limit', 'travelBytesMax=7000']
  await Promise.all(leaves.map((leaf) => leaf.start(true, leaf === asked ? limits : [])))
  const known = await Promise.all(leaves.map(async (leaf) => ({ id: (await leaf.client.observed()).leaf, address: `unix:${leaf.socket}` })))
  for (const leaf of leaves) await leaf.client.putRegistry(registrySchema.parse({ version: 1, leaves: known }))
  for (const leaf of leaves) {
    const rows = Array.from({ length: leaf === asked ? 200 : 60 }, (_, at) => ({ time: T + at, n: at, word: word() }))
    await leaf.client.send('events', rows)
    if (leaf !== asked) await leaf.client.send('fewer', rows.slice(0, 45))
  }
}, 60_000)
afterAll(() => Promise.all(leaves.map((leaf) => leaf.remove())))

const ask = (sql: string) => asked.client.query(sql, { deadlineMs: 30_000 })
const left = (): string[] => readdirSync(join(asked.dir, 'tmp')).filter((name) => name.startsWith('away-'))

test('rows of all leaves together are counted, not those of each: more than the limit are refused, and nothing of them stays', async () => {
  await expect(ask('SELECT count(*), max(n) OVER () FROM events GROUP BY n')).rejects.toMatchObject({
    code: 'SCUBA_TOO_LARGE',
    message: expect.stringContaining('more than 100 rows') as string,
  })
  await expect.poll(left).toEqual([])
  // What does not have to travel does not count.
  expect((await ask("SELECT count(*) FROM events WHERE word = 'none'")).rows).toEqual([[0]])
  expect((await asked.client.panel({ table: 'events', calc: ['count'], sinceMs: T, untilMs: T + 1000 })).groups[0]?.values).toEqual({
    count: 320,
  })
})

test('so are their bytes; of fewer rows or columns the answer is whole', async () => {
  // Told by nobody, the one that is asked looks at the others every half a second.
  await expect.poll(async () => (await asked.client.tables()).find(({ name }) => name === 'fewer')?.rows).toBe(90)
  await expect(ask('SELECT min(word), max(n) OVER () FROM fewer GROUP BY n')).rejects.toMatchObject({ code: 'SCUBA_TOO_LARGE' })
  const { rows, coverage } = await ask('SELECT sum(n), count(*) FROM (SELECT n FROM fewer)')
  expect(rows).toEqual([[1980, 90]])
  expect(coverage).toMatchObject({ rows: 1, leaves: 3, missing: [] })
})
