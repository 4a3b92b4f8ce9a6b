import { afterAll, beforeAll, expect, test } from 'vitest'
import { MusterError } from '../../../src/core/kernel/errors.ts'
import { openDelosServer, type DelosServer } from './delos-server.ts'

let server: DelosServer
beforeAll(async () => {
  server = await openDelosServer()
})
afterAll(() => server.close())

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => '',
    (error: unknown) => (error instanceof MusterError ? error.code : String(error)),
  )
interface LogEntry {
  type: string
  actor: string
  body: unknown
}
const lastEntry = async (): Promise<LogEntry | undefined> =>
  (await server.client.call<{ entries: LogEntry[] }>('delos.log.ls', { log: 'kv', limit: 1 })).data.entries[0]

test('a plan over HTTP changes nothing, an applied one is done once, and what cannot be planned says so', async () => {
  const put = { key: 'a', value: '1' }
  const { plan, data } = await server.client.call('delos.kv.put', put, { plan: true })
  expect([plan?.changes.length, data]).toEqual([1, null])
  expect((await server.client.call<{ count: number }>('delos.kv.get', { key: 'a' })).data.count).toBe(0)
  expect(await codeOf(server.client.call('delos.kv.put', put, { apply: plan?.id }))).toBe('')
  expect(await codeOf(server.client.call('delos.kv.put', put, { apply: plan?.id }))).toBe('PLAN_STALE')
  expect(await codeOf(server.client.call('delos.lease.keepalive', { id: '1' }, { plan: true }))).toBe('USAGE')
  expect(await codeOf(server.client.call('delos.kv.history', { key: 'a' }, { plan: true }))).toBe('USAGE')
})

test("the store's log says who asked for what", async () => {
  await server.client.call('delos.kv.put', { key: 'who', value: 'x' })
  const entry = await lastEntry()
  expect(entry).toMatchObject({ type: 'delos.KvTxn', actor: 'user:test' })
  expect(JSON.stringify(entry?.body)).toContain('"put":{"key":"who","value":"x"}')
  await server.client.call('delos.lease.grant', { ttlMs: 60_000, id: '2a' })
  // The first lease brings the beginning of the server's clock with it, in one batch.
  expect(await lastEntry()).toMatchObject({ type: 'delos.Batch', actor: 'user:test', body: { commands: [{}, { id: '2a', ttl: 60 }] } })
  await server.client.call('delos.lease.revoke', { id: '2a' })
  expect(await lastEntry()).toMatchObject({ type: 'delos.LeaseRevoked', body: { id: '2a' } })
})

test('taking a lock away wants its name, over HTTP too; a plan of it does not', async () => {
  await server.client.call('delos.lock.acquire', { name: 'job' })
  expect(await codeOf(server.client.call('delos.lock.release', { name: 'job' }))).toBe('CONFIRM_REQUIRED')
  expect((await server.client.call('delos.lock.release', { name: 'job' }, { plan: true })).plan?.changes).toHaveLength(2)
  expect(await codeOf(server.client.call('delos.lock.release', { name: 'job' }, { confirm: 'job' }))).toBe('')
  expect((await server.client.call<{ locks: unknown[] }>('delos.lock.ls', {})).data.locks).toEqual([])
})

test('reads are there for GET, and what is of no form is refused before the store is asked', async () => {
  await server.client.call('delos.kv.put', { key: 'read', value: 'me' })
  const { data } = await server.client.get<{ kvs: { value: string }[] }>('/v1/delos/kv/get?key=read')
  expect(data.kvs[0]?.value).toBe('me')
  expect(await codeOf(server.client.call('delos.kv.put', { key: 'a', value: '1', fence: 'no-token' }))).toBe('USAGE')
  expect(await codeOf(server.client.call('delos.kv.put', { key: '', value: '1' }))).toBe('USAGE')
  expect(await codeOf(server.client.call('delos.lease.grant', { ttlMs: 1 }))).toBe('USAGE')
})
