import { afterEach, beforeEach, expect, test } from 'vitest'
import { watchKv } from '../../../src/cli/follow/kv.ts'
import { MusterError } from '../../../src/core/kernel/errors.ts'
import { openDelosServer, type DelosServer } from './delos-server.ts'

let server: DelosServer
beforeEach(async () => {
  server = await openDelosServer()
})
afterEach(() => server.close())

const put = (key: string, value: string, lease?: string): Promise<unknown> =>
  server.client.call('delos.kv.put', { key, value, ...(lease === undefined ? {} : { lease }) })

/** What a watch told, collected until `count` events are there. */
async function collect(
  watch: { key: string; isPrefix: boolean; from?: number },
  count: number,
  meanwhile: () => Promise<unknown> = async () => undefined,
): Promise<string[]> {
  const end = new AbortController()
  const told: string[] = []
  const timeout = setTimeout(() => end.abort(), 10_000)
  const watching = (async () => {
    for await (const event of watchKv(server.client, watch, end.signal)) {
      told.push(`${event.revision} ${event.type} ${event.kv.key}=${event.kv.value}`)
      if (told.length >= count) break
    }
  })()
  await meanwhile()
  await watching
  clearTimeout(timeout)
  end.abort()
  return told
}

test('a watch tells the past from its revision on, then what comes, each change once and in order', async () => {
  // More than the server reads at once; every tenth is of another key.
  const mine = Array.from({ length: 560 }, (_, i) => i + 1).filter((i) => i % 10 !== 0)
  for (let i = 1; i <= 560; i += 1) await put(i % 10 === 0 ? 'b' : 'a/x', String(i))
  const told = await collect({ key: 'a/', isPrefix: true, from: 1 }, mine.length + 3, async () => {
    await put('a/y', 'new')
    await server.client.call('delos.kv.del', { key: 'a/', isPrefix: true })
  })
  const past = mine.map((i) => `${i + 1} put a/x=${i}`)
  expect(told).toEqual([...past, '562 put a/y=new', '563 delete a/x=', '563 delete a/y='])
})

test('a watch goes on over a restart of the server, in the middle of a revision too', async () => {
  const lease = (await server.client.call<{ id: string }>('delos.lease.grant', { ttlMs: 60_000 })).data.id
  for (const key of ['k1', 'k2', 'k3']) await put(key, 'v', lease)
  const told = await collect({ key: 'k', isPrefix: true, from: 2 }, 7, async () => {
    await server.client.call('delos.lease.revoke', { id: lease })
    await server.stop()
    await server.start()
    await put('k4', 'after')
  })
  expect(told).toEqual(['2 put k1=v', '3 put k2=v', '4 put k3=v', '5 delete k1=', '5 delete k2=', '5 delete k3=', '6 put k4=after'])
})

test('an expired lease takes its keys, a renewed one keeps them, and one that is over is not revived', async () => {
  const grant = async (): Promise<string> => (await server.client.call<{ id: string }>('delos.lease.grant', { ttlMs: 1000 })).data.id
  const [kept, left] = [await grant(), await grant()]
  await put('kept', '1', kept)
  await put('left', '1', left)
  const renewal = setInterval(() => void server.client.call('delos.lease.keepalive', { id: kept }), 200)
  const told = await collect({ key: '', isPrefix: true }, 1)
  clearInterval(renewal)
  expect(told).toEqual(['4 delete left='])
  expect((await server.client.call<{ count: number }>('delos.kv.get', { key: 'kept' })).data.count).toBe(1)
  const code = await server.client.call('delos.lease.keepalive', { id: left }).then(
    () => '',
    (error: unknown) => (error instanceof MusterError ? error.code : String(error)),
  )
  expect(code).toBe('DELOS_LEASE_UNKNOWN')
})

test('a watch by GET is the same, of a key that looks like a number too', async () => {
  await put('42', 'a')
  const end = new AbortController()
  const response = await server.client.request('GET', '/v1/delos/kv/watch?key=42&isPrefix=true&from=1', { signal: end.signal })
  let told = ''
  for await (const chunk of response) {
    told += String(chunk)
    if (told.includes('"event"')) break
  }
  end.abort()
  expect(
    told
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toMatchObject([
    { kind: 'created', revision: 2 },
    { kind: 'event', revision: 2, type: 'put', kv: { key: '42', value: 'a' }, isLast: true },
  ])
})
