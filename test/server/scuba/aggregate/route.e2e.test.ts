import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { registrySchema, type Registry } from '../../../../src/core/scuba/registry.ts'
import type { Receipt } from '../../../../src/core/scuba/wire-types.ts'
import { ranked } from '../../../../src/core/scuba/shards/rendezvous.ts'
import { encoded, snappy } from '../../../core/scuba/decode/oracle.ts'
import { Leaf } from '../leaf.ts'

/** A leaf that is sent everything, and two more. */
const parts = [new Leaf(), new Leaf(), new Leaf()]
const [door = new Leaf(), second = door, third = door] = parts
let names: string[] = []

const registryOf = (version: number, shards: Registry['shards']): Registry =>
  registrySchema.parse({ version, shards, leaves: parts.map(({ socket }, at) => ({ id: names[at], address: `unix:${socket}` })) })
const shardsOf = (count: number, sinceMs = 0): Registry['shards'] =>
  names.slice(0, count).map((id, at) => ({
    id,
    epoch: 1,
    primary: id,
    node: null,
    leaving: null,
    replicas: [],
    isLost: false,
    sinceMs: at === count - 1 ? sinceMs : 0,
  }))
const tell = async (registry: Registry): Promise<void> => {
  // Only the first answers for all, as the server's does.
  for (const { client } of parts) await client.putRegistry(client === door.client ? registry : { ...registry, leaves: [] })
}
const rowsOn = async (leaf: Leaf): Promise<number> => (await leaf.client.tables()).find(({ name }) => name === 'events')?.rows ?? 0
const all = async (): Promise<unknown> =>
  (await door.client.query('SELECT count(*), count(DISTINCT n) FROM events', { deadlineMs: 30_000 })).rows[0]
const send = async (
  key: string | undefined,
  n: number,
  query = '',
): Promise<{ status: number; receipt: Receipt & { error?: { code: string } }; retryAfter: unknown }> => {
  const headers = { 'content-type': 'application/x-ndjson', ...(key === undefined ? {} : { 'idempotency-key': key }) }
  const { status, answer, headers: heads } = await door.post(`tables/events/rows${query}`, JSON.stringify({ n }), headers)
  return { status, receipt: answer as Receipt, retryAfter: heads['retry-after'] }
}

const PORTS = ['otlp', 'prometheus', 'lines'].flatMap((name) => [`--${name}`, '127.0.0.1:0'])
const ports: Record<string, string> = {}
const rowsOf = async (leaf: Leaf, sql: string): Promise<unknown[][]> => (await leaf.client.query(sql, { deadlineMs: 30_000 })).rows
const SAMPLES = 60
/** One sample of each series, at a second. */
const remoteWrite = (second: number): Promise<Response> => {
  const timeseries = Array.from({ length: SAMPLES }, (_, n) => ({
    labels: [
      { name: '__name__', value: 'work' },
      { name: 'instance', value: `i${n}` },
    ],
    samples: [{ value: n, timestamp: 1_790_000_000_000 + second * 1000 }],
  }))
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' }
  const body = snappy(encoded('WriteRequest', { timeseries })) as never
  return fetch(`http://${ports['prometheus']}/api/v1/write`, { method: 'POST', body, headers })
}
beforeAll(async () => {
  await Promise.all(parts.map((leaf) => leaf.start(true, leaf === door ? PORTS : [])))
  for (const [name, { address }] of Object.entries((await door.client.health()).intake?.ports ?? {})) ports[name] = String(address)
  names = await Promise.all(parts.map(async ({ client }) => (await client.observed()).leaf))
}, 120_000)
afterAll(() => Promise.all(parts.map((leaf) => leaf.remove())))

test('samples go to the leaf of their series; a body that is sent again is known, also when a leaf has joined meanwhile', async () => {
  expect((await remoteWrite(0)).status).toBe(204)
  await tell(registryOf(1, shardsOf(2, Date.now() - 1000)))
  for (const at of [0, 1, 1, 2]) expect((await remoteWrite(at)).status).toBe(204)
  expect(await rowsOf(door, 'SELECT count(*), count(DISTINCT (series, time)) FROM metrics')).toEqual([[3 * SAMPLES, 3 * SAMPLES]])
  // It has nothing of what came while the first was alone, and of what came later all of some series.
  const counts = (await rowsOf(second, 'SELECT count(*) FROM metrics GROUP BY series')).flat()
  expect(counts.length).toBeGreaterThan(SAMPLES / 2 - 20)
  expect(counts.length).toBeLessThan(SAMPLES / 2 + 20)
  expect(new Set(counts)).toEqual(new Set([2]))
}, 30_000)

test('logs and lines are spread as batches are, and a body of logs that is sent again is known', async () => {
  const send = (n: number): Promise<Response> => {
    const logRecords = [{ timeUnixNano: '1790000000000000000', body: { intValue: String(n) } }]
    const body = JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] })
    return fetch(`http://${ports['otlp']}/v1/logs`, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
  }
  for (let n = 0; n < 30; n += 1) for (const _ of [1, 2]) expect((await send(n)).status).toBe(200)
  expect(await rowsOf(door, 'SELECT count(*) FROM logs')).toEqual([[30]])
  expect((await rowsOf(second, 'SELECT count(*) FROM logs'))[0]?.[0]).toBeGreaterThan(2)
  const [host, port] = (ports['lines'] ?? '').split(':')
  for (let n = 0; n < 20; n += 1) connect(Number(port), host).end(`app\n{"n":${n}}\n`)
  await expect
    .poll(() => rowsOf(door, 'SELECT count(DISTINCT n), count(*) FROM app').catch(() => null), { timeout: 10_000 })
    .toEqual([[20, 20]])
  expect((await rowsOf(second, 'SELECT count(*) FROM app'))[0]?.[0]).toBeGreaterThan(0)
}, 30_000)

test('batches with a key go to the leaf of their key and are added once, also when a leaf joins between two tries', async () => {
  await tell(registryOf(2, shardsOf(2)))
  for (let n = 0; n < 40; n += 1) expect((await send(`key-${n}`, n)).status).toBe(200)
  const counts = [await rowsOn(door), await rowsOn(second)]
  expect(Math.min(...counts)).toBeGreaterThan(5)
  await tell(registryOf(3, shardsOf(3, Date.now())))
  for (let n = 0; n < 40; n += 1) expect((await send(`key-${n}`, n)).receipt).toMatchObject({ duplicate: true, accepted: 1 })
  for (let n = 40; n < 80; n += 1) expect((await send(`key-${n}`, n)).receipt.duplicate).toBe(false)
  expect(await all()).toEqual([80, 80])
}, 30_000)

test('batches without a key are spread over all', async () => {
  for (let n = 80; n < 140; n += 1) await send(undefined, n)
  expect(await all()).toEqual([140, 140])
}, 30_000)

test('while the leaf of a key is away its rows are refused with a time to come back, or go elsewhere if that is asked for', async () => {
  await tell(registryOf(4, shardsOf(3)))
  const key = Array.from({ length: 100 }, (_, n) => `away-${n}`).find((name) => ranked(name, shardsOf(3))[0]?.id === names[2]) ?? ''
  await third.end('SIGKILL')
  const refused = await send(key, 500)
  expect(refused.status).toBe(503)
  const samples = await remoteWrite(100)
  expect([samples.status, Number(samples.headers.get('retry-after')) > 0]).toEqual([503, true])
  expect(refused.receipt.error?.code).toBe('SCUBA_DOWN')
  expect(Number(refused.retryAfter)).toBeGreaterThan(0)
  // It may take half a second until it is known to be away; until then a sender has to come again.
  const elsewhere = async (): Promise<Receipt> => (await send(key, 500, '?away=any')).receipt
  await expect.poll(elsewhere, { timeout: 10_000 }).toMatchObject({ accepted: 1 })
  await third.start()
  await expect.poll(async () => (await send(key, 501)).status, { timeout: 10_000 }).toBe(200)
  await expect.poll(async () => (await remoteWrite(100)).status, { timeout: 10_000 }).toBe(204)
  const at = 'time > make_timestamp(1790000090000000)'
  expect(await rowsOf(door, `SELECT count(*), count(DISTINCT series) FROM metrics WHERE ${at}`)).toEqual([[SAMPLES, SAMPLES]])
}, 120_000)

test("rows of a lost server's keys go to others, which say that they may be added twice; once it is back a key is known where it went", async () => {
  const lost = shardsOf(3).map((shard) => ({ ...shard, isLost: shard.id === names[1] }))
  const keys = Array.from({ length: 60 }, (_, n) => `lost-${n}`).filter((name) => ranked(name, lost)[0]?.isLost === true)
  const goesTo = (name: string): string | undefined =>
    ranked(
      name,
      lost.filter(({ isLost }) => !isLost),
    )[0]?.id
  // A sender is told by the leaf that is asked where its rows went; its own it takes itself.
  const key = keys.find((name) => goesTo(name) === names[2]) ?? ''
  await tell(registryOf(5, lost))
  await second.end('SIGKILL')
  await expect
    .poll(async () => (await send(key, 600)).receipt, { timeout: 10_000 })
    .toMatchObject({ accepted: 1, delivery: 'at-least-once', leaf: names[2] })
  await second.start()
  await tell(
    registryOf(
      6,
      shardsOf(3).map((shard) => (shard.id === names[1] ? { ...shard, sinceMs: Date.now() } : shard)),
    ),
  )
  await expect.poll(async () => (await send(key, 600)).receipt, { timeout: 10_000 }).toMatchObject({ duplicate: true, leaf: names[2] })
}, 120_000)

test('a leaf whose shard has moved takes no rows, also after a kill', async () => {
  const moved = shardsOf(3).map((shard) => (shard.id === names[2] ? { ...shard, epoch: 2, primary: names[1] ?? '' } : shard))
  await tell(registryOf(7, moved))
  const refusal = { code: 'SCUBA_FENCED' }
  await expect(third.client.send('events', [{ n: 1000 }])).rejects.toMatchObject(refusal)
  await third.end('SIGKILL')
  await third.start()
  await expect(third.client.send('events', [{ n: 1000 }])).rejects.toMatchObject(refusal)
  // Its shard's rows go to who has it now.
  await second.client.send('events', [{ n: 1001 }])
  // A registry that was written long ago does not come back.
  await third.client.putRegistry(registryOf(4, shardsOf(3)))
  await expect(third.client.send('events', [{ n: 1000 }])).rejects.toMatchObject(refusal)
  expect(JSON.parse(readFileSync(join(third.dir, 'registry.json'), 'utf8'))).toMatchObject({ version: 7 })
}, 120_000)

test('the first rows of a table that go to another leaf can be asked for at once', async () => {
  await tell(registryOf(1000, shardsOf(3)))
  for (let at = 0; at < 12; at += 1) {
    const headers = { 'content-type': 'application/x-ndjson', 'idempotency-key': `first ${at}` }
    expect((await door.post(`tables/first${at}/rows`, '{"n":1}', headers)).status).toBe(200)
    expect(await rowsOf(door, `SELECT count(*) FROM first${at}`)).toEqual([[1]])
  }
})
