import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { registrySchema, type Registry } from '../../../src/core/scuba/registry.ts'
import type { Receipt } from '../../../src/core/scuba/wire-types.ts'
import { TICK } from '../../../src/core/scuba/plan/codes.ts'
import { Leaf } from './leaf.ts'

/** One that is asked and has no rows of its own, one whose rows are copied, and one that holds the copy. */
const parts = [new Leaf(), new Leaf(), new Leaf()]
const [door = new Leaf(), first = door, second = door] = parts
let names: string[] = []
let version = 0

interface Placed {
  shard: number
  epoch: number
  primary: number
  replicas: number[]
}

const peer = (at: number): { id: string; address: string } => ({ id: names[at] ?? '', address: `unix:${parts[at]?.socket}` })
const table = { version: 1, replicas: 2, columns: { n: 'BIGINT' } }

function registryOf(shards: readonly Placed[]): Registry {
  version += 1
  return registrySchema.parse({
    version,
    tables: { events: table },
    leaves: parts.map((_, at) => peer(at)),
    shards: shards.map(({ shard, epoch, primary, replicas }) => ({
      ...{ id: names[shard], epoch, primary: names[primary], replicas: replicas.map(peer), sinceMs: 0 },
    })),
  })
}
const tell = async (registry: Registry, to: readonly Leaf[] = parts): Promise<void> => {
  for (const leaf of to) await leaf.client.putRegistry(leaf === door ? registry : { ...registry, leaves: [] })
}
const BEFORE: Placed[] = [{ shard: 1, epoch: 1, primary: 1, replicas: [2] }]
const LOST: Placed[] = [{ shard: 1, epoch: 2, primary: 2, replicas: [0] }]
const BACK: Placed[] = [{ shard: 1, epoch: 3, primary: 2, replicas: [1] }]

const send = async (n: number, key?: string, query = ''): Promise<{ status: number; receipt: Receipt; retryAfter: unknown }> => {
  const headers = { 'content-type': 'application/x-ndjson', ...(key === undefined ? {} : { 'idempotency-key': key }) }
  const { status, answer, headers: heads } = await door.post(`tables/events/rows${query}`, JSON.stringify({ n }), headers)
  return { status, receipt: answer as Receipt, retryAfter: heads['retry-after'] }
}
const sent = async (n: number, key?: string): Promise<void> => {
  await expect.poll(async () => (await send(n, key)).status, { timeout: 20_000, interval: 50 }).toBe(200)
}
const all = async (): Promise<unknown> => {
  const { rows, coverage } = await door.client.query('SELECT count(*), count(DISTINCT n), sum(n) FROM events', { deadlineMs: 30_000 })
  return { row: rows[0], rows: coverage.rows }
}
const upTo = (count: number): unknown => ({ row: [count, count, (count * (count - 1)) / 2], rows: 1 })
const copyState = async (): Promise<string | undefined> => (await first.client.observed()).copies?.[0]?.state

beforeAll(async () => {
  await Promise.all(parts.map((leaf) => leaf.start()))
  names = await Promise.all(parts.map(async ({ client }) => (await client.observed()).leaf))
  await tell(registryOf(BEFORE))
}, 120_000)
afterAll(() => Promise.all(parts.map((leaf) => leaf.remove())))

test('a row is acknowledged when its copy has it; while that is away it is refused, but for who asks for less', async () => {
  await expect.poll(copyState, { timeout: 10_000 }).toBe('following')
  for (let n = 0; n < 20; n += 1) await sent(n, n % 2 === 0 ? `key-${n}` : undefined)
  expect((await send(20, 'key-20')).receipt).toMatchObject({ ack: 'replicas', leaf: names[1] })
  await second.end('SIGKILL')
  const refused = await send(21, 'key-21')
  expect(refused).toMatchObject({ status: 503, receipt: { error: { code: 'SCUBA_DOWN' } } })
  expect(Number(refused.retryAfter)).toBeGreaterThan(0)
  expect((await send(22, 'key-22', '?ack=fsync')).status).toBe(200)
  await second.start(false)
  await sent(21, 'key-21')
  expect(await all()).toEqual(upTo(23))
}, 60_000)

test('segments are copied as they are, and a broken one is put back from its copy', async () => {
  await first.seal('events')
  for (let n = 23; n < 30; n += 1) await sent(n, `key-${n}`)
  const copied = (): string[] => readdirSync(join(second.dir, 'replica', names[1] ?? '', 'segments'))
  const own = (): string[] => readdirSync(join(first.dir, 'segments'))
  await expect.poll(copied, { timeout: 10_000 }).toEqual(own())
  // Else a panel in the leaf's place would have to make the codes that the file has.
  const named = (): string => readFileSync(join(second.dir, 'replica', names[1] ?? '', 'copy.json'), 'utf8')
  await expect.poll(named, { timeout: 10_000 }).toContain(JSON.stringify(TICK))
  const path = join(first.dir, 'segments', own()[0] ?? '')
  const whole = readFileSync(path)
  const broken = Buffer.from(whole)
  broken[100] = 255 - (broken[100] ?? 0)
  writeFileSync(path, broken)
  const { answer } = await first.post('do/scuba.segment.verify', '{"table":"events"}')
  expect(answer).toMatchObject({ repaired: 1, lost: [] })
  expect(readFileSync(path).equals(whole)).toBe(true)
  expect(await all()).toEqual(upTo(30))
}, 60_000)

test('killed while rows come in, its copy takes over: every acknowledged row is there once, and known keys stay known', async () => {
  let n = 30
  // Bodies that are kept as they came, some behind each other in the same room.
  for (const encoding of ['identity', 'gzip', 'identity']) {
    const lines = Buffer.from(Array.from({ length: 10 }, () => JSON.stringify({ n: n++, text: 'x'.repeat(30_000) })).join('\n'))
    const headers = { 'content-type': 'application/x-ndjson', 'idempotency-key': `large-${n}`, 'content-encoding': encoding }
    const { status } = await door.post('tables/events/rows', encoding === 'gzip' ? gzipSync(lines) : lines, headers)
    expect(status).toBe(200)
  }
  const sending = (async () => {
    for (; n < 120; n += 1) await sent(n, `key-${n}`)
  })()
  await expect.poll(() => n, { timeout: 20_000 }).toBeGreaterThan(75)
  await first.end('SIGKILL')
  await tell(registryOf(LOST), [second, door])
  await sending
  await expect.poll(all, { timeout: 20_000 }).toEqual(upTo(120))
  for (const known of [0, 20, 29, 70, 119])
    expect((await send(known, `key-${known}`, '?ack=fsync')).receipt).toMatchObject({ duplicate: true })
  expect(await all()).toEqual(upTo(120))
}, 90_000)

test('the one that was lost takes no rows when it is back, sets its own aside and holds the copy from then on', async () => {
  await first.start(false)
  expect(await all()).toEqual(upTo(120))
  await tell(registryOf(BACK))
  await expect(first.client.send('events', [{ n: 1000 }])).rejects.toMatchObject({ code: 'SCUBA_FENCED' })
  expect((await first.client.observed()).asideRows).toBeGreaterThan(0)
  // Of keys it knows nothing either, also after a kill: they are known where their rows are.
  const known = async (): Promise<unknown> =>
    (await first.post('do/scuba.receipt.list', '{"table":"events","key":"key-","isPrefix":true}')).answer
  expect(await known()).toMatchObject({ receipts: [] })
  await first.end('SIGKILL')
  await first.start(false)
  expect(await known()).toMatchObject({ receipts: [] })
  await expect.poll(async () => (await second.client.observed()).copies?.[0]?.state, { timeout: 15_000 }).toBe('following')
  await sent(120, 'key-120')
  expect(await all()).toEqual(upTo(121))
  await second.end('SIGKILL')
  await second.start(false)
  await expect.poll(all, { timeout: 20_000 }).toEqual(upTo(121))
}, 90_000)
