import { appendFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPrng } from '../../../src/core/kernel/prng.ts'
import { registrySchema } from '../../../src/core/scuba/registry.ts'
import { SLOW_BODIES } from '../../../src/server/scuba/leaf/slow-senders.ts'
import { Leaf } from './leaf.ts'

const leaf = new Leaf()
beforeAll(() => leaf.start())
afterAll(() => leaf.remove())

const filler = 'x'.repeat(300)
/** Rows enough that a leaf does not parse them. */
const large = (first: number, more: (id: number) => object = () => ({})): string =>
  Array.from({ length: 1000 }, (_, i) => `${JSON.stringify({ id: first + i, filler, ...more(first + i) })}\n`).join('')
/** As many, but so short that it parses them. */
const small = (first: number): string => Array.from({ length: 1000 }, (_, i) => `{"id":${first + i}}`).join('\n')
/** However busy the machine is. */
const ask = async (sql: string): Promise<unknown> => (await leaf.client.query(sql, { deadlineMs: 60_000 })).rows
const rawFiles = (): string[] => readdirSync(join(leaf.dir, 'raw'))

test(
  'large bodies are kept as they came in, plain or compressed, and stay the same rows beside small ones, over a kill and when sealed',
  { timeout: 120_000 },
  async () => {
    const rows = (body: Buffer | string, encoding?: string) =>
      leaf.post('tables/kept/rows', body, encoding === undefined ? {} : { 'content-encoding': encoding })
    await leaf.client.send('kept', [{ id: 0, note: 'small' }])
    expect((await rows(large(1000, (id) => ({ o: { half: id / 2 }, tags: [id] })))).answer).toMatchObject({
      accepted: 1000,
      quarantined: 0,
    })
    // Without the end of the last line.
    expect((await rows(gzipSync(large(2000).slice(0, -1)), 'gzip')).status).toBe(200)
    expect((await rows(gzipSync(large(3000)), 'gzip')).status).toBe(200)
    expect((await rows(zstdCompressSync(large(4000).slice(0, -1)), 'zstd')).status).toBe(200)
    expect((await rows(large(5000).slice(0, -1))).status).toBe(200)
    expect(rawFiles().length).toBeGreaterThan(2)
    const look = (): Promise<unknown> =>
      ask(`select count(*), count(distinct id), sum(id), count(note), sum("o.half"), max(_rest), count(time_source) from kept`)
    const expected = [[5001, 5001, 5000 * 3499.5, 1, 749_750, '{"tags":[1999]}', 5001]]
    expect(await look()).toEqual(expected)
    await leaf.end('SIGKILL')
    await leaf.start()
    expect(await look()).toEqual(expected)
    await leaf.seal('kept')
    expect(await look()).toEqual(expected)
    expect(await leaf.client.table('kept')).toMatchObject({ rows: 5001, chunks: 0 })
    expect(rawFiles()).toEqual([])
  },
)

test('a large body with a line that is no row loses that line only, and a column keeps its type', { timeout: 60_000 }, async () => {
  await leaf.client.send('mixed', large(0))
  expect(await leaf.client.send('mixed', `${large(1000)}{"id":\n`)).toMatchObject({ accepted: 1000, quarantined: 1 })
  await leaf.client.send(
    'mixed',
    large(2000, (id) => ({ id: `no ${id}` })),
  )
  expect(await ask('select count(*), count(id), sum(id), count("id$str"), max("id$str") from mixed')).toEqual([
    [3000, 2000, 1_999_000, 1000, 'no 2999'],
  ])
})

test('a key is known with its large body, also after a kill; with other bytes it is refused', { timeout: 60_000 }, async () => {
  expect(await leaf.client.send('once', large(0), { key: 'k' })).toMatchObject({ duplicate: false })
  await leaf.end('SIGKILL')
  await leaf.start()
  expect(await leaf.client.send('once', large(0), { key: 'k' })).toMatchObject({ duplicate: true, accepted: 1000 })
  await expect(leaf.client.send('once', large(1), { key: 'k' })).rejects.toMatchObject({ code: 'SCUBA_KEY_REUSED' })
  expect(await ask('select count(*) from once')).toEqual([[1000]])
})

test(
  'kill -9 while large and small bodies come in and are sealed: every acknowledged row is there exactly once',
  { timeout: 240_000 },
  async () => {
    const random = createPrng(11)
    let next = 0
    let unsure: { key: string; body: string }[] = []
    const send = (batch: { key: string; body: string }): Promise<boolean> =>
      leaf.client.send('killed', batch.body, { key: batch.key }).then(
        () => true,
        () => false,
      )
    for (let round = 0; round < 4; round += 1) {
      const again = unsure
      unsure = []
      for (const batch of again) if (!(await send(batch))) unsure.push(batch)
      const senders = Array.from({ length: 3 }, async (_, sender) => {
        for (;;) {
          const first = (next += 1000) - 1000
          const batch = { key: `k${first}`, body: sender === 0 ? small(first) : large(first) }
          if (await send(batch)) continue
          unsure.push(batch)
          return
        }
      })
      if (round % 2 === 1) void leaf.seal('killed').catch(() => undefined)
      await sleep(100 + random.below(400))
      await leaf.end('SIGKILL')
      await Promise.all(senders)
      // What a write that was cut off leaves behind.
      for (const file of rawFiles().slice(-1)) appendFileSync(join(leaf.dir, 'raw', file), '{"id":-1,"fil')
      await leaf.start()
    }
    for (const batch of unsure) expect(await send(batch)).toBe(true)
    expect(await ask('select count(*), count(distinct id), min(id), max(id) from killed')).toEqual([[next, next, 0, next - 1]])
  },
)

test('large bodies of a table with a time of its own are kept as they came in, and coerced values stand in its columns either way', async () => {
  const columns = { id: 'BIGINT', filler: 'VARCHAR', ms: 'BIGINT' } as const
  await leaf.client.putRegistry(
    registrySchema.parse({ version: 1, tables: { timed: { version: 1, coerce: true, timeField: 'when', columns } } }),
  )
  const before = rawFiles().length
  await leaf.client.send(
    'timed',
    large(0, (id) => ({ when: '2025-06-01T00:00:00Z', ts: id, ms: 1 })),
  )
  expect(rawFiles().length).toBe(before + 1)
  await leaf.client.send('timed', [
    { id: 1000, when: '2025-06-01T00:00:01Z', ms: 1.5 },
    { id: 1001, when: 1_748_736_002, ms: true },
  ])
  const look = (): Promise<unknown> => ask('select count(*), epoch_ms(min(time)), epoch_ms(max(time)), sum(ms), max(ts) from timed')
  const wanted = [[1002, 1_748_736_000_000, 1_748_736_002_000, 1003, 999]]
  expect(await look()).toEqual(wanted)
  await leaf.seal('timed')
  expect(await look()).toEqual(wanted)
})

test(
  'a token all of whose large bodies have bad lines is on validate=sync, hears of it, and is off it when they are good',
  { timeout: 60_000 },
  async () => {
    const send = (body: string, token = 'sloppy') =>
      leaf.post('tables/sloppy/rows', body, { 'x-muster-user': encodeURIComponent(`token:${token}`) })
    const bad = `${large(0)}{"id":\n`
    for (let i = 1; i < SLOW_BODIES; i += 1) expect((await send(bad)).answer).not.toHaveProperty('validate')
    expect(await send(bad)).toMatchObject({ status: 200, answer: { quarantined: 1, validate: 'sync' } })
    const refused = await send(bad)
    expect(refused).toMatchObject({ status: 422, answer: { error: { code: 'SCUBA_LINES_INVALID', details: { count: 1 } } } })
    expect(JSON.stringify(refused.answer)).toContain('the token sloppy')
    expect((await leaf.client.health()).strictTokens).toEqual(['sloppy'])
    // Another token, and none, are thought well of.
    expect(await send(bad, 'other')).toMatchObject({ status: 200, answer: { quarantined: 1 } })
    for (let i = 1; i <= SLOW_BODIES; i += 1) await send(large(i))
    expect(await send(bad)).toMatchObject({ status: 200, answer: { quarantined: 1 } })
    expect((await leaf.client.health()).strictTokens).toEqual([])
  },
)
