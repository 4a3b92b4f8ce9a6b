import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encoded, snappy } from '../../../core/scuba/decode/oracle.ts'
import { Leaf } from '../leaf.ts'

const leaf = new Leaf()
let page = '# TYPE jobs gauge\njobs{queue="a"} 3\njobs{queue="b"} 4\n'
let status = 200
let pages: Server
const ports: Record<string, string> = {}

beforeAll(async () => {
  pages = createServer((_request, response) => response.writeHead(status, { 'content-type': 'text/plain; version=0.0.4' }).end(page))
  await once(pages.listen(0, '127.0.0.1'), 'listening')
  const { port } = pages.address() as AddressInfo
  const asked = ['otlp', 'prometheus', 'syslog', 'lines'].flatMap((name) => [`--${name}`, `127.0.0.1:0${name === 'lines' ? '=app' : ''}`])
  await leaf.start(true, [...asked, '--scrape', `worker=http://127.0.0.1:${port}@1s`])
  for (const [name, { address }] of Object.entries((await leaf.client.health()).intake?.ports ?? {})) ports[name] = String(address)
})
afterAll(async () => {
  await leaf.remove()
  pages.close()
})

const rows = async (sql: string): Promise<unknown[][]> => (await leaf.client.query(sql)).rows

/** The rows of a query once there are so many; a table may not be there yet. */
async function eventually(sql: string, count: number): Promise<unknown[][]> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const found = await rows(sql).catch(() => [])
    if (found.length >= count) return found
    await sleep(50)
  }
  throw new Error(`not ${count} rows: ${sql}`)
}

const post = (port: string, path: string, body: Uint8Array | string, headers: Record<string, string>): Promise<Response> =>
  fetch(`http://${ports[port]}${path}`, { method: 'POST', body: body as never, headers })
const remoteWrite = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' }

test('remote-write is acknowledged with 204 when its rows are durable; the same body is added once', async () => {
  const labels = [
    { name: '__name__', value: 'up' },
    { name: 'instance', value: 'a' },
  ]
  const body = snappy(encoded('WriteRequest', { timeseries: [{ labels, samples: [{ value: 1, timestamp: 1_790_000_000_000 }] }] }))
  for (const _ of [1, 2]) expect((await post('prometheus', '/api/v1/write', body, remoteWrite)).status).toBe(204)
  expect(await rows("SELECT name, value, epoch_ms(time) FROM metrics WHERE instance = 'a'")).toEqual([['up', 1, 1_790_000_000_000]])
})

test('samples that are equal in series and time are one, before they are sealed and after, and all others stay', async () => {
  const sample = (name: string, second: number) => ({
    labels: [{ name: '__name__', value: name }],
    samples: [{ value: second, timestamp: 1_790_000_000_000 + second * 1000 }],
  })
  const send = (...timeseries: object[]): Promise<Response> =>
    post('prometheus', '/api/v1/write', snappy(encoded('WriteRequest', { timeseries })), remoteWrite)
  await send(sample('twice', 1), sample('twice', 2))
  await send(sample('twice', 2), sample('twice', 3), sample('other', 2))
  const look = () => rows("SELECT name, value FROM metrics WHERE name IN ('twice', 'other') ORDER BY name, value")
  const once = [
    ['other', 2],
    ['twice', 1],
    ['twice', 2],
    ['twice', 3],
  ]
  expect(await look()).toEqual(once)
  await leaf.seal('metrics')
  expect(await look()).toEqual(once)
  // Also when the other one is sealed already.
  await send(sample('twice', 3), sample('other', 2))
  expect(await look()).toEqual(once)
  await leaf.seal('metrics')
  expect(await look()).toEqual(once)
})

test('what is no request gets an answer in the words of its protocol, and changes nothing', async () => {
  const before = (await leaf.client.tables()).map(({ name, rows: count }) => [name, count]).filter(([name]) => name === 'logs')
  const json = { 'content-type': 'application/json' }
  const garbage = await post('otlp', '/v1/logs', Uint8Array.of(0x0a, 0x05, 1), { 'content-type': 'application/x-protobuf' })
  expect([garbage.status, garbage.headers.get('content-type')]).toEqual([400, 'application/x-protobuf'])
  expect(Buffer.from(await garbage.arrayBuffer()).toString()).toContain('at byte 2')
  const text = await post('otlp', '/v1/logs', '{"resourceLogs":7}', json)
  expect([text.status, await text.json()]).toMatchObject([400, { code: 3 }])
  expect((await post('otlp', '/v1/logs', 'x', { 'content-type': 'text/plain' })).status).toBe(415)
  expect((await post('otlp', '/v1/logs', 'x', { ...json, 'content-encoding': 'gzip' })).status).toBe(400)
  expect((await post('otlp', '/v1/logs', new Uint8Array(17 * 1024 * 1024), json).catch(() => ({ status: 413 }))).status).toBe(413)
  expect((await post('prometheus', '/api/v1/write', 'x', remoteWrite)).status).toBe(400)
  expect((await post('prometheus', '/api/v1/write', 'x', json)).status).toBe(415)
  expect((await post('prometheus', '/v1/logs', '{}', json)).status).toBe(404)
  const after = (await leaf.client.tables()).map(({ name, rows: count }) => [name, count]).filter(([name]) => name === 'logs')
  expect(after).toEqual(before)
})

test('what of a request cannot be a row is counted with its reason, and the rest is kept', async () => {
  const spans = [
    { traceId: '5b8efff798038103d269b633813fc60c', spanId: 'eee19b7ec3c1b174', name: 'good', startTimeUnixNano: '1790000000000000000' },
    { name: 'bad' },
  ]
  const answer = await post('otlp', '/v1/traces', JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }), {
    'content-type': 'application/json',
  })
  expect([answer.status, await answer.json()]).toEqual([
    200,
    { partialSuccess: { rejectedSpans: '1', errorMessage: 'a span without a trace_id of 16 bytes' } },
  ])
  expect(await rows('SELECT name FROM traces')).toEqual([['good']])
})

const at = (name: string): { host: string; port: number } => {
  const [host, port] = (ports[name] as string).split(':') as [string, string]
  return { host, port: Number(port) }
}

test('syslog is rows of logs, over TCP in either framing and over UDP', async () => {
  const socket = connect(at('syslog'))
  const counted = '<11>1 2026-09-21T10:00:00.5Z web1 shop 12 - - counted\nin two lines'
  socket.end(`${Buffer.byteLength(counted)} ${counted}<13>Sep 21 10:00:01 web1 cron[3]: by line\n`)
  const udp = createSocket('udp4')
  udp.send('<9>1 - - udp - - - datagram', at('syslog').port, at('syslog').host, () => udp.close())
  const found = await eventually("SELECT service, body, severity, pid FROM logs WHERE facility = 'user' ORDER BY service", 3)
  expect(found).toEqual([
    ['cron', 'by line', 'NOTICE', '3'],
    ['shop', 'counted\nin two lines', 'ERROR', '12'],
    ['udp', 'datagram', 'ALERT', null],
  ])
})

test('lines are rows of the port’s table or of the one that the first line names; what is none is in the quarantine', async () => {
  connect(at('lines')).end('{"n":1}\nnot a row\n{"n":2}')
  connect(at('lines')).end('orders\r\n{"n":3}\r\n')
  expect(await eventually('SELECT n FROM app ORDER BY n', 2)).toEqual([[1], [2]])
  expect(await eventually('SELECT n FROM orders', 1)).toEqual([[3]])
  expect(await eventually('SELECT "table", text FROM muster_quarantine WHERE "table" = \'app\'', 1)).toEqual([['app', 'not a row']])
})

test('a page is read in turn: its samples, up and how long it took; a series that is gone is marked, and so is a target that is down', async () => {
  const mine = "FROM metrics WHERE job = 'worker'"
  await eventually(`SELECT 1 ${mine} AND queue = 'b' AND value = 4`, 2)
  page = '# TYPE jobs gauge\njobs{queue="a"} 5\n'
  await eventually(`SELECT 1 ${mine} AND name = 'jobs' AND queue = 'b' AND marker = 'stale' AND value IS NULL`, 1)
  await eventually(`SELECT 1 ${mine} AND queue = 'a' AND value = 5 AND kind = 'gauge'`, 1)
  status = 500
  await eventually(`SELECT 1 ${mine} AND name = 'up' AND value = 0`, 1)
  await expect
    .poll(async () => (await leaf.client.health()).intake?.scrape[0], { timeout: 20_000 })
    .toMatchObject({ samples: 0, error: 'it answers 500' })
  const [counts] = await rows(`SELECT count(*) FILTER (name = 'up'), count(*) FILTER (name = 'scrape_duration_seconds') ${mine}`)
  expect(counts?.[0]).toBe(counts?.[1])
})

test('what came in on a connection is there after the leaf was ended in order', async () => {
  const socket = connect(at('lines'))
  await once(socket, 'connect')
  socket.write('late\n{"n":9}\n')
  await sleep(100)
  await leaf.end('SIGTERM')
  await leaf.start()
  expect(await rows('SELECT n FROM late')).toEqual([[9]])
})
