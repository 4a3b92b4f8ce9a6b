import { expect, test } from 'vitest'
import { Spool } from '../../../src/server/scuba/leaf/spool.ts'

const never = new AbortController().signal
const batch = (text: string, table = 'requests', key: string | null = null) => ({
  table,
  key,
  ack: 'fsync' as const,
  rows: 1,
  body: Buffer.from(text),
})

test('nothing is kept until somebody asks, and nothing any more once it is off', async () => {
  const spool = new Spool()
  spool.add(batch('before'))
  expect(await spool.next('', 0, never)).toBeNull()
  spool.add(batch('kept', 'requests', 'p-1'))
  expect(await spool.next('', 0, never)).toMatchObject({ key: 'p-1', body: Buffer.from('kept') })
  spool.off()
  expect(spool.counts).toMatchObject({ batches: 0, bytes: 0 })
  spool.add(batch('after'))
  expect(spool.counts.batches).toBe(0)
})

test('a batch stays until its place was told, in order, and one without a key has one of its own', async () => {
  const spool = new Spool()
  await spool.next('', 0, never)
  for (const text of ['1', '2', '3']) spool.add(batch(text))
  const first = await spool.next('', 0, never)
  expect(await spool.next('', 0, never)).toEqual(first)
  // A place in the spool of a leaf that ran before is none here.
  expect(await spool.next('0123456789ab-99', 0, never)).toEqual(first)
  const second = await spool.next(`${spool.id}-${first?.seq}`, 0, never)
  expect(second?.body.toString()).toBe('2')
  expect(second?.key).not.toBe(first?.key)
})

test('whoever waits gets the next batch as it comes, or none in time', async () => {
  const spool = new Spool()
  expect(await spool.next('', 5, never)).toBeNull()
  const waiting = spool.next('', 10_000, never)
  spool.add(batch('news'))
  expect((await waiting)?.body.toString()).toBe('news')
})

test('when there is no more room the oldest go, and are counted', async () => {
  const spool = new Spool(10)
  await spool.next('', 0, never)
  for (const text of ['aaaa', 'bbbb', 'cccc']) spool.add(batch(text))
  expect(spool.counts).toEqual({ batches: 2, bytes: 8, droppedRows: 1 })
  expect((await spool.next('', 0, never))?.body.toString()).toBe('bbbb')
})

test('what every server writes from the log by itself is not told', async () => {
  const spool = new Spool()
  await spool.next('', 0, never)
  spool.add(batch('{}', 'muster_log_entries'))
  expect(spool.counts.batches).toBe(0)
})
