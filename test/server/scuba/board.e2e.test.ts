import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request, type IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { BoardAnswer, PanelAnswer, PanelProgress, PanelRequest } from '../../../src/core/scuba/wire-types.ts'
import { Leaf } from './leaf.ts'

const leaf = new Leaf()
beforeAll(() => leaf.start())
afterAll(() => leaf.remove())

const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<{ status: number; etag: string; text: string }> =>
  new Promise((resolve, reject) => {
    const sent = request({ socketPath: leaf.socket, method: 'POST', path, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => (text += part))
      response.once('end', () => resolve({ status: response.statusCode ?? 0, etag: String(response.headers.etag), text }))
    })
    sent.once('error', reject)
    sent.end(JSON.stringify(body))
  })

const T = Math.floor(Date.now() / 60_000) * 60_000 - 300_000
const row = (i: number): object => ({ time: T + i * 10, service: `s${i % 3}`, latency_ms: i % 97, sample_rate: 1 + (i % 2) })
const range = { sinceMs: T, untilMs: T + 60_000 }
const panels: PanelRequest[] = [
  { table: 'shown', calc: ['count', 'p99:latency_ms'], by: ['service'], stepMs: 10_000, ...range },
  { table: 'nowhere', calc: ['count'], ...range },
  { table: 'shown', calc: ['avg:latency_ms'], ...range },
]
const bare = ({ cache: _cache, elapsedMs: _elapsed, ...rest }: PanelAnswer): object => rest

test('a board answers its panels as they answer alone; one that fails does not harm the others', async () => {
  await leaf.client.send(
    'shown',
    Array.from({ length: 3000 }, (_, i) => row(i)),
  )
  const { status, text } = await post('/v1/scuba/board', { panels })
  expect(status).toBe(200)
  const board = JSON.parse(text) as BoardAnswer
  expect(board.panels.map(({ ok }) => ok)).toEqual([true, false, true])
  expect(board.panels[1]).toMatchObject({ error: { code: 'SCUBA_TABLE_UNKNOWN', exit: 3 } })
  for (const at of [0, 2]) {
    const shown = board.panels[at]
    const alone = await leaf.client.panel(panels[at] as PanelRequest)
    expect(shown?.ok === true && bare(shown.answer)).toEqual(bare(alone))
  }
})

test('a board that did not change is 304; with new rows it has another tag and their counts', async () => {
  const asked = { panels: [panels[0], panels[2]], maxAgeMs: 0 }
  const first = await post('/v1/scuba/board', asked)
  expect(await post('/v1/scuba/board', asked, { 'if-none-match': first.etag })).toMatchObject({ status: 304, text: '' })
  await leaf.client.send('shown', [row(1)])
  const counted = (text: string): number => {
    const [panel] = (JSON.parse(text) as BoardAnswer).panels
    return panel?.ok === true ? panel.answer.groups.reduce((sum, { values }) => sum + (values['count'] ?? 0), 0) : -1
  }
  // An answer of a moment ago still goes out while the newest is made.
  let next = await post('/v1/scuba/board', asked)
  for (let i = 0; i < 200 && counted(next.text) === counted(first.text); i += 1) next = await post('/v1/scuba/board', asked)
  expect(counted(next.text)).toBe(counted(first.text) + 2)
  expect(next.etag).not.toBe(first.etag)
})

test('a board compressed is the same board, and says how old it is', async () => {
  const asked = { panels: [panels[0], panels[1], panels[2]] }
  const plain = await post('/v1/scuba/board', asked)
  const packed = await new Promise<{ headers: IncomingHttpHeaders; body: Buffer }>((resolve, reject) => {
    const headers = { 'accept-encoding': 'gzip, br' }
    const sent = request({ socketPath: leaf.socket, method: 'POST', path: '/v1/scuba/board', headers }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.once('end', () => resolve({ headers: response.headers, body: Buffer.concat(parts) }))
    })
    sent.once('error', reject)
    sent.end(JSON.stringify(asked))
  })
  expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip', etag: plain.etag, age: '0' })
  expect(packed.body.length).toBeLessThan(plain.text.length)
  expect(gunzipSync(packed.body).toString('utf8')).toBe(plain.text)
})

test('only what is new is computed, and what is known is the same as what is computed', async () => {
  const asked: PanelRequest = {
    table: 'shown',
    calc: ['count', 'p50:latency_ms', 'distinct:service'],
    by: ['service'],
    stepMs: 10_000,
    ...range,
  }
  const before = await leaf.client.panel(asked)
  expect((await leaf.client.panel(asked)).cache).toEqual({ isWhole: true, hits: 0, misses: 0 })
  await leaf.client.send('shown', [row(2), row(3)])
  const after = await leaf.client.panel(asked)
  expect(after.cache).toMatchObject({ isWhole: false, misses: 1 })
  expect(after.cache.hits).toBeGreaterThan(0)
  await leaf.seal('shown')
  const sealed = await leaf.client.panel(asked)
  expect(sealed.cache).toMatchObject({ hits: 0, misses: 1 })
  expect(sealed.groups).toEqual(after.groups)
  expect(before.groups).not.toEqual(after.groups)
})

test('what is known of sealed rows outlives the leaf; of a broken file nothing is believed', async () => {
  const asked: PanelRequest = {
    table: 'shown',
    calc: ['count', 'sum:latency_ms', 'p50:latency_ms'],
    by: ['service'],
    stepMs: 10_000,
    ...range,
  }
  const sql = 'SELECT service, count(*), max(time) FROM shown GROUP BY 1 ORDER BY 1'
  const first = await leaf.client.panel(asked)
  const rows = await leaf.client.query(sql)
  expect([first.cache.hits, rows.cache.hits]).toEqual([0, 0])
  const folder = join(leaf.dir, 'cache')
  // A first line, and one for each.
  const kept = (): number => readFileSync(join(folder, 'index.jsonl'), 'utf8').split('\n').length - 2
  await vi.waitFor(() => expect(kept()).toBe(3), { timeout: 20_000 })
  await leaf.end('SIGKILL')
  await leaf.start()
  const second = await leaf.client.panel(asked)
  expect(second).toMatchObject({ cache: { isWhole: false, hits: 1, misses: 0 }, groups: first.groups })
  expect(await leaf.client.query(sql)).toMatchObject({ tier: 'A', cache: { isWhole: false, hits: 1, misses: 0 }, rows: rows.rows })
  await leaf.end('SIGKILL')
  for (const name of readdirSync(folder)) {
    if (name === 'index.jsonl') continue
    const bytes = readFileSync(join(folder, name))
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
    writeFileSync(join(folder, name), bytes)
  }
  await leaf.start()
  expect(await leaf.client.panel(asked)).toMatchObject({ cache: { hits: 0, misses: 1 }, groups: first.groups })
})

test('a stream ends with the whole answer, and says on the way how much of it is in', async () => {
  const asked: PanelRequest = { table: 'shown', calc: ['max:latency_ms'], by: ['service'], stepMs: 5000, ...range }
  const { text } = await post('/v1/scuba/panel/stream', asked)
  const events = [...text.matchAll(/^event: panel\ndata: (.*)$/gm)].map((match) => JSON.parse(match[1] ?? '') as PanelProgress)
  expect(events.at(-1)).toMatchObject({ progress: 1, isLast: true })
  expect(events.filter(({ isLast }) => isLast)).toHaveLength(1)
  expect(events.at(-1)?.answer.groups).toEqual((await leaf.client.panel(asked)).groups)
})
