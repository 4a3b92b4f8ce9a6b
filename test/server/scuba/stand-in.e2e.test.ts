import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { registrySchema, type Registry } from '../../../src/core/scuba/registry.ts'
import { Leaf } from './leaf.ts'

/** One that is asked and has no rows of its own, one whose rows are copied, and one that holds the copy. */
const parts = [new Leaf(), new Leaf(), new Leaf()]
const [door = new Leaf(), owner = door, holder = door] = parts
let names: string[] = []
let version = 0
let sent = 0

const peer = (at: number): { id: string; address: string } => ({ id: names[at] ?? '', address: `unix:${parts[at]?.socket}` })
function registryOf(epoch: number): Registry {
  version += 1
  return registrySchema.parse({
    version,
    tables: { events: { version: 1, replicas: 2, columns: { n: 'BIGINT' } } },
    leaves: parts.map((_, at) => peer(at)),
    shards: [{ id: names[1], epoch, primary: names[1], replicas: [peer(2)], sinceMs: 0 }],
  })
}
const tell = async (registry: Registry, to: readonly Leaf[] = parts): Promise<void> => {
  for (const leaf of to) await leaf.client.putRegistry(leaf === door ? registry : { ...registry, leaves: [] })
}

const T = Math.floor(Date.now() / 60_000) * 60_000 - 120_000
const put = async (count: number, query = '', encoding: 'identity' | 'gzip' = 'identity', pad = 0): Promise<void> => {
  const lines = Array.from({ length: count }, (_, at) => {
    const n = sent + at
    return JSON.stringify({ time: T + (n % 60_000), n, kind: `k${n % 3}`, ...(pad > 0 ? { text: 'x'.repeat(pad) } : {}) })
  }).join('\n')
  const headers = { 'content-type': 'application/x-ndjson', 'idempotency-key': `key-${sent}`, 'content-encoding': encoding }
  await expect
    .poll(async () => (await door.post(`tables/events/rows${query}`, encoding === 'gzip' ? gzipSync(lines) : lines, headers)).status, {
      timeout: 20_000,
    })
    .toBe(200)
  sent += count
}

const range = { sinceMs: T, untilMs: T + 60_000, deadlineMs: 5000 }
const bySql = () => door.client.query('SELECT count(*), count(DISTINCT n), sum(n) FROM events', { deadlineMs: 5000 })
// From the rows: what a leaf knows of earlier answers needs no engine.
const byPanel = () => door.client.panel({ table: 'events', calc: ['count', 'sum:n'], by: ['kind'], raw: true, ...range })
const sumTo = (count: number): number => (count * (count - 1)) / 2

async function expectWhole(byCopy: boolean): Promise<void> {
  const [sql, panel] = [await bySql(), await byPanel()]
  expect(sql.rows).toEqual([[sent, sent, sumTo(sent)]])
  const sum = (of: string): number => panel.groups.reduce((total, { values }) => total + (values[of] ?? 0), 0)
  expect([sum('count'), sum('sum:n')]).toEqual([sent, sumTo(sent)])
  for (const { coverage, rowsScanned } of [sql, panel]) {
    expect(coverage).toMatchObject({ rows: 1, leaves: 3, leavesAsked: 3, missing: [] })
    expect(coverage.byCopy).toEqual(byCopy ? [names[1]] : undefined)
    expect(rowsScanned).toBe(sent)
  }
}

async function stopped(of: 'pid' | 'enginePid', run: () => Promise<void>): Promise<void> {
  const pid = (await owner.client.health())[of] ?? 0
  process.kill(pid, 'SIGSTOP')
  try {
    await run()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}

beforeAll(async () => {
  await Promise.all(parts.map((leaf) => leaf.start()))
  names = await Promise.all(parts.map(async ({ client }) => (await client.observed()).leaf))
  await tell(registryOf(1))
}, 120_000)
afterAll(() => Promise.all(parts.map((leaf) => leaf.remove())))

test('while the engine of a leaf hangs, its copy answers: of segments, of bodies as they came, of single rows', async () => {
  await put(200)
  await owner.seal('events')
  await put(40, '', 'identity', 20_000)
  await put(40, '', 'gzip', 20_000)
  for (let at = 0; at < 10; at += 1) await put(1)
  await expectWhole(false)
  await stopped('enginePid', async () => {
    await expectWhole(true)
    // More than was there when the copy was read first, and after its rows went into a segment.
    await put(5)
    await expectWhole(true)
  })
  await owner.seal('events')
  await put(3)
  await expect.poll(async () => (await owner.client.observed()).copies?.[0]?.waitingBytes, { timeout: 10_000 }).toBe(0)
  await stopped('enginePid', () => expectWhole(true))
  const { analyzed } = await door.client.explain({ sql: 'SELECT count(*) FROM events', analyze: true })
  expect(analyzed?.byCopy).toEqual([])
  const { byCopy = { asked: 0, answered: 0 } } = await door.client.health()
  expect(byCopy.answered).toBeGreaterThanOrEqual(6)
  expect(byCopy.asked).toBeGreaterThanOrEqual(byCopy.answered)
}, 120_000)

test('of a leaf that is away the copy answers at once, and it is told', async () => {
  await stopped('pid', async () => {
    // By then it is seen to be silent.
    await new Promise((resolve) => setTimeout(resolve, 600))
    await bySql()
    const started = performance.now()
    await expectWhole(true)
    expect(performance.now() - started).toBeLessThan(1500)
    const { analyzed } = await door.client.explain({ sql: 'SELECT count(*) FROM events', analyze: true })
    expect(analyzed?.byCopy).toEqual([names[1]])
  })
  await expect.poll(async () => (await bySql()).coverage.byCopy, { timeout: 20_000 }).toBeUndefined()
}, 60_000)

test('a copy of another epoch is not taken for whole', async () => {
  await tell(registryOf(2), [door])
  await stopped('pid', async () => {
    const { coverage } = await bySql()
    expect(coverage.rows).toBeLessThan(1)
    expect(coverage.missing.join()).toContain(names[1])
  })
  await tell(registryOf(2))
  await expect.poll(async () => (await holder.client.observed()).holds?.[0]?.epochs, { timeout: 10_000 }).toEqual({ [names[1] ?? '']: 2 })
}, 60_000)

test('a copy that did not follow when its leaf was last heard is not taken for whole', async () => {
  await expect.poll(async () => (await bySql()).coverage.byCopy, { timeout: 20_000 }).toBeUndefined()
  await holder.end('SIGKILL')
  await put(7, '?ack=fsync')
  // Asked about once more while the copy is away, as the door does every two seconds.
  await expect.poll(async () => (await owner.client.observed()).copies?.[0]?.state, { timeout: 10_000 }).toBe('away')
  await new Promise((resolve) => setTimeout(resolve, 600))
  await bySql()
  await owner.end('SIGKILL')
  await holder.start()
  const { rows, coverage } = await bySql()
  expect(coverage.rows).toBeLessThan(1)
  expect(coverage.byCopy).toBeUndefined()
  expect(rows[0]?.[0]).toBe(0)
  await owner.start()
  await expect.poll(async () => (await bySql()).rows[0]?.[0], { timeout: 20_000 }).toBe(sent)
}, 90_000)
