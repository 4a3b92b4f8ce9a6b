import { afterAll, beforeAll, expect, test } from 'vitest'
import { Leaf } from './leaf.ts'

const never = new AbortController().signal
let leaf: Leaf

beforeAll(async () => {
  leaf = new Leaf()
  await leaf.start(false)
})
afterAll(() => leaf.remove())

test('a leaf hands on the bytes that it took in, once, with table, key and how they were asked for', async () => {
  expect(await leaf.client.spooled('', 0, never)).toEqual({ batch: null, droppedRows: 0 })
  const row = { time: Date.now(), service: 'wéb', status: 200 }
  await leaf.client.send('requests', [row, row], { key: 'proxy-1/x y%' })
  await leaf.client.send('requests', [row, row], { key: 'proxy-1/x y%' })
  await leaf.client.send('notes', [{ time: 1, text: 'x' }], { ack: 'memory' })
  const { batch } = await leaf.client.spooled('', 1000, never)
  expect(batch).toMatchObject({ table: 'requests', key: 'proxy-1/x y%', ack: 'fsync', rows: 2 })
  expect(batch?.body.toString()).toBe([row, row].map((one) => JSON.stringify(one)).join('\n'))
  const next = await leaf.client.spooled(batch?.place ?? '', 0, never)
  expect(next.batch).toMatchObject({ table: 'notes', ack: 'memory' })
  await leaf.client.spoolOff()
  await leaf.client.send('notes', [{ time: 2, text: 'y' }])
  expect((await leaf.client.spooled(next.batch?.place ?? '', 0, never)).batch).toBeNull()
})
