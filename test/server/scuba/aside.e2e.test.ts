import { rmSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { scubaLeafAside, scubaLeafAsideSettle } from '../../../src/core/scuba/operations/aside.ts'
import { registrySchema, type Registry } from '../../../src/core/scuba/registry.ts'
import { Leaf } from './leaf.ts'

/** One that answers for all, one whose rows are copied until it is lost, and one that takes them over. */
const parts = [new Leaf(), new Leaf(), new Leaf()]
const [door = new Leaf(), lost = door, taker = door] = parts
let names: string[] = []
let version = 0

const peer = (at: number): { id: string; address: string } => ({ id: names[at] ?? '', address: `unix:${parts[at]?.socket}` })
function registryOf(primary: number, epoch: number, replicas: number[]): Registry {
  version += 1
  return registrySchema.parse({
    version,
    tables: { events: { version: 1, replicas: 2, columns: { n: 'BIGINT' } } },
    leaves: parts.map((_, at) => peer(at)),
    shards: [{ id: names[1], epoch, primary: names[primary], replicas: replicas.map(peer), sinceMs: 0 }],
  })
}
const tell = async (registry: Registry, to: readonly Leaf[] = parts): Promise<void> => {
  for (const leaf of to) await leaf.client.putRegistry(leaf === door ? registry : { ...registry, leaves: [] })
}
const send = async (leaf: Leaf, rows: object[], key?: string, query = ''): Promise<number> => {
  const headers = { 'content-type': 'application/x-ndjson', ...(key === undefined ? {} : { 'idempotency-key': key }) }
  return (await leaf.post(`tables/events/rows${query}`, rows.map((row) => JSON.stringify(row)).join('\n'), headers)).status
}
const numbers = async (): Promise<unknown> => {
  const { rows, coverage } = await door.client.query('SELECT n FROM events ORDER BY n', { deadlineMs: 20_000 })
  return { n: rows.map(([n]) => n), rows: coverage.rows }
}
const aside = () => door.client.do(scubaLeafAside, { node: names[1] ?? '' })
const settle = (what: 'merge' | 'drop', isPlan = false) => door.client.do(scubaLeafAsideSettle, { node: names[1] ?? '', what }, { isPlan })

beforeAll(async () => {
  await Promise.all(parts.map((leaf) => leaf.start()))
  names = await Promise.all(parts.map(async ({ client }) => (await client.observed()).leaf))
  await tell(registryOf(1, 1, [2]))
}, 120_000)
afterAll(() => Promise.all(parts.map((leaf) => leaf.remove())))

test('batches that only the lost leaf had come back: with a key by themselves, without one when a person says so, each once', async () => {
  await expect.poll(() => send(door, [{ n: 0 }], 'key-0'), { timeout: 20_000 }).toBe(200)
  await taker.end('SIGKILL')
  await expect.poll(async () => (await lost.client.observed()).copies?.[0]?.state, { timeout: 10_000 }).toBe('away')
  // On the lost leaf's disk alone.
  for (const [n, key] of [
    [1, 'key-1'],
    [2, undefined],
    [3, 'key-3'],
    [4, undefined],
  ] as const)
    expect(await send(lost, [{ n, word: 'lost' }], key, '?ack=fsync')).toBe(200)
  const text = 'x'.repeat(400)
  expect(
    await send(
      lost,
      Array.from({ length: 700 }, () => ({ n: 5, text })),
      'key-5',
      '?ack=fsync',
    ),
  ).toBe(200)
  await lost.end('SIGKILL')
  await taker.start()
  const moved = registryOf(2, 2, [])
  await tell(moved, [door, taker])
  await expect.poll(numbers, { timeout: 20_000 }).toEqual({ n: [0], rows: 1 })
  // Its sender has sent this one again meanwhile.
  expect(await send(taker, [{ n: 3, word: 'again' }], 'key-3', '?ack=fsync')).toBe(200)

  await lost.start()
  await tell(moved, [lost])
  const five = Array.from({ length: 700 }, () => 5)
  await tell(registryOf(2, 3, [1]))
  await expect.poll(numbers, { timeout: 40_000, interval: 500 }).toEqual({ n: [0, 1, 3, ...five], rows: 1 })
  expect((await door.client.query("SELECT count(*) FROM events WHERE word = 'lost'")).rows).toEqual([[1]])
  const { folders } = await aside()
  expect(folders).toMatchObject([{ name: `${names[1]}@2`, isSettled: false, sealed: [] }])
  expect(folders[0]?.batches.map(({ table, rows, key, state }) => [table, rows, key, state])).toEqual([
    ['events', 1, 'key-1', 'back'],
    ['events', 1, null, 'waits'],
    ['events', 1, 'key-3', 'back'],
    ['events', 1, null, 'waits'],
    ['events', 700, 'key-5', 'back'],
  ])
  // The sender of one that came back is told that it is known.
  const { answer } = await door.post('tables/events/rows?ack=fsync', JSON.stringify({ n: 1, word: 'lost' }), {
    'content-type': 'application/x-ndjson',
    'idempotency-key': 'key-1',
  })
  expect(answer).toMatchObject({ duplicate: true })

  expect(await settle('merge', true)).toMatchObject({ merged: 2, rows: 2, left: 0 })
  expect(await numbers()).toEqual({ n: [0, 1, 3, ...five], rows: 1 })
  expect(await settle('merge')).toMatchObject({ merged: 2, rows: 2, known: 0, left: 0 })
  expect(await settle('merge')).toMatchObject({ merged: 0, rows: 0, known: 0, left: 0 })
  expect(await numbers()).toEqual({ n: [0, 1, 2, 3, 4, ...five], rows: 1 })
  expect((await aside()).folders).toMatchObject([{ isSettled: true }])
  expect((await lost.client.observed()).asideRows).toBe(0)
  // Broken off before it was noted, it is known by its key.
  await lost.end('SIGKILL')
  rmSync(`${lost.dir}/aside/${names[1]}@2/back.json`)
  await lost.start()
  expect(await settle('merge')).toMatchObject({ merged: 0, left: 0 })
  expect(await numbers()).toEqual({ n: [0, 1, 2, 3, 4, ...five], rows: 1 })
  expect(await settle('drop', true)).toMatchObject({ dropped: 1, droppedRows: 0 })
  expect(await settle('drop')).toMatchObject({ dropped: 1, droppedRows: 0 })
  expect((await aside()).folders).toEqual([])
}, 180_000)
