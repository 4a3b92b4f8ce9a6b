import { once } from 'node:events'
import { connect as connectTo, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect, type StoreClient } from '../../src/client/connect.ts'
import { bytesOf, only, put, rangeRequest, remove, textOf, txn, under } from '../../src/core/delos/recipes/etcd/request.ts'
import { lock } from '../../src/core/delos/recipes/etcd/lock.ts'
import type { PutRequest } from '../../src/core/delos/wire/messages.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/free-port.ts'
import { gateway } from '../support/delos-servers.ts'
import { STORES, type TestStore } from '../support/stores.ts'

const putOf = (key: string, value: string, lease = 0n): PutRequest => ({
  key,
  value: bytesOf(value),
  lease,
  prev_kv: false,
  ignore_value: false,
  ignore_lease: false,
})

/** A server that takes a request and hangs up without a word; counts them. */
async function hangsUp(): Promise<{ url: string; requests: () => number; server: Server }> {
  let requests = 0
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', () => {
      requests += 1
      socket.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, requests: () => requests, server }
}

/** A way to a server that can be made to hang: connections stand, nothing passes any more. */
async function proxyTo(target: string): Promise<{ url: string; hang: () => void; close: () => void }> {
  const sockets = new Set<Socket>()
  let hangs = false
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined))
    if (hangs) return
    const other = connectTo(Number(new URL(target).port), '127.0.0.1').on('error', () => socket.destroy())
    sockets.add(other)
    socket.on('data', (part) => hangs || other.write(part))
    other.on('data', (part) => hangs || socket.write(part))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    hang: () => {
      hangs = true
    },
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

describe.each(STORES)('a client of $name', ({ isMissing, make }) => {
  let store: TestStore
  let client: StoreClient
  beforeAll(async () => {
    if (isMissing) return
    store = await make()
    await store.start()
    client = connect({ endpoints: [store.url] })
  })
  afterAll(async () => {
    client?.close()
    await store?.remove()
  })
  const valueOf = async (key: string): Promise<string | null> => {
    const [kv] = (await client.range(rangeRequest(only(key)))).kvs
    return kv === undefined ? null : textOf(kv.value)
  }

  test.skipIf(isMissing)('puts, reads, deletes and compares with typed messages, keys of any bytes', async () => {
    const key = 'k\u0000\u00ff'
    const { header } = await client.put(putOf(key, 'v'))
    const [kv] = (await client.range(rangeRequest(only(key)))).kvs
    expect(kv).toMatchObject({ key, create_revision: header.revision, mod_revision: header.revision, version: 1, lease: 0n })
    expect(textOf(kv?.value ?? bytesOf(''))).toBe('v')
    const done = await client.txn(txn([], [put('t/1', bytesOf('a'), 0n), put('t/2', bytesOf('b'), 0n)]))
    expect([done.succeeded, done.header.revision]).toEqual([true, header.revision + 1])
    expect((await client.deleteRange({ ...under('t'), prev_kv: false })).deleted).toBe(2)
  })

  test.skipIf(isMissing)("a refusal has etcd's text and a code of ours", async () => {
    const noLease = { code: 'DELOS_LEASE_UNKNOWN', message: 'etcdserver: requested lease not found' }
    await expect(client.put(putOf('x', 'v', 12345n))).rejects.toMatchObject(noLease)
    const noKey = { code: 'DELOS_REFUSED', message: 'etcdserver: key is not provided', details: { grpc: 3 } }
    await expect(client.put(putOf('', 'v'))).rejects.toMatchObject(noKey)
  })

  test.skipIf(isMissing)(
    'an unknown outcome is an error of its own and is not asked again; what is safe goes to the next endpoint',
    async () => {
      const bad = await hangsUp()
      const nobody = `http://127.0.0.1:${await freePort()}`
      await client.put(putOf('safe', 'before'))
      const risky = connect({ endpoints: [bad.url, store.url] })
      await expect(risky.put(putOf('safe', 'after'))).rejects.toMatchObject({ code: 'DELOS_OUTCOME_UNKNOWN' })
      expect([bad.requests(), await valueOf('safe')]).toEqual([1, 'before'])
      const reading = connect({ endpoints: [bad.url, store.url] })
      expect((await reading.range(rangeRequest(only('safe')))).count).toBe(1)
      // Where nobody listens nothing can have been done.
      const other = connect({ endpoints: [nobody, store.url] })
      await other.put(putOf('safe', 'after'))
      expect(await valueOf('safe')).toBe('after')
      const none = connect({ endpoints: [nobody] })
      await expect(none.put(putOf('safe', 'never'))).rejects.toMatchObject({ code: 'UNAVAILABLE', exit: 6 })
      for (const each of [risky, reading, other, none]) each.close()
      bad.server.close()
    },
  )

  test.skipIf(isMissing)(
    'a watch misses and doubles nothing while its server is killed and started again',
    { timeout: 120_000 },
    async () => {
      const seen: [number, string][] = []
      const done = new AbortController()
      const { header } = await client.put(putOf('w/start', '0'))
      const watching = (async () => {
        for await (const { events } of client.watch(under('w'), { from: header.revision + 1 }, done.signal)) {
          for (const { kv } of events) seen.push([kv.mod_revision, kv.key])
        }
      })()
      const written: [number, string][] = []
      const write = async (name: string): Promise<void> => {
        const answer = await eventually(`${name} is written`, 20_000, () => client.put(putOf(name, 'v')))
        written.push([answer.header.revision, name])
      }
      for (let i = 0; i < 20; i += 1) await write(`w/a${i}`)
      await store.kill()
      await store.start()
      for (let i = 0; i < 20; i += 1) await write(`w/b${i}`)
      const both = await client.txn(txn([], [put('w/c0', bytesOf('v'), 0n), put('w/c1', bytesOf('v'), 0n), remove(only('w/a0'))]))
      written.push(...['w/c0', 'w/c1', 'w/a0'].map((name): [number, string] => [both.header.revision, name]))
      await eventually('all was told', 20_000, () => seen.length >= written.length)
      done.abort()
      await watching
      expect(seen).toEqual(written)
    },
  )

  test.skipIf(isMissing)('a watch of what was compacted is refused, not left with a hole', async () => {
    const { header } = await client.put(putOf('compact', '1'))
    await client.put(putOf('compact', '2'))
    const { body } = await gateway(store.url, 'kv/compaction', { revision: String(header.revision + 1) })
    expect(body.error).toBeUndefined()
    const next = client.watch(only('compact'), { from: header.revision }, AbortSignal.timeout(10_000)).next()
    await expect(next).rejects.toMatchObject({ code: 'DELOS_REVISION', exit: 3 })
  })

  test.skipIf(isMissing)(
    'a kept lease outlives its time, and is distrusted before it can end once nobody answers',
    { timeout: 80_000 },
    async () => {
      const own = connect({ endpoints: [store.url], answerMs: 500 })
      const lease = await own.grantLease(2000)
      await own.put(putOf('leased', 'v', lease.id))
      const kept = own.keepAlive(lease, 500)
      await new Promise((resolve) => setTimeout(resolve, lease.ttlMs + 1500))
      expect([kept.signal.aborted, await valueOf('leased')]).toEqual([false, 'v'])
      store.pause()
      await eventually('it is distrusted', lease.ttlMs + 2000, () => kept.signal.aborted)
      // What is left until the lease may end is the grace, within what this machine's timers lose.
      expect(kept.endsAt() - performance.now()).toBeGreaterThan(0)
      store.resume()
      const gone = await client.grantLease(2000)
      const other = client.keepAlive(gone, 100)
      await client.revoke(gone.id)
      await client.revoke(gone.id)
      await eventually('a revoked one is noticed', 20_000, () => other.signal.aborted)
      own.close()
    },
  )

  test.skipIf(isMissing)('a server that hangs does not cost a lease while another one answers', { timeout: 80_000 }, async () => {
    const proxy = await proxyTo(store.url)
    const own = connect({ endpoints: [proxy.url, store.url] })
    const lease = await own.grantLease(2000)
    const kept = own.keepAlive(lease, 500)
    proxy.hang()
    await new Promise((resolve) => setTimeout(resolve, lease.ttlMs + 1000))
    expect(kept.signal.aborted).toBe(false)
    expect(kept.endsAt()).toBeGreaterThan(performance.now() + 300)
    own.close()
    proxy.close()
  })

  test.skipIf(isMissing)(
    'a recipe waits for its turn, gives up in time, and is told when its place is gone',
    { timeout: 80_000 },
    async () => {
      const signal = AbortSignal.timeout(30_000)
      const [a, b] = [await client.grantLease(60_000), await client.grantLease(60_000)]
      const first = await client.run(lock('recipe', a.id), { signal })
      await expect(client.run(lock('recipe', b.id), { signal, waitMs: 200 })).rejects.toMatchObject({ code: 'DELOS_STILL_WAITING' })
      const second = client.run(lock('recipe', b.id), { signal })
      await client.revoke(a.id)
      expect((await second).token).toBeGreaterThan(first.token)
      await expect(client.run(lock('recipe', a.id), { signal })).rejects.toMatchObject({ code: 'DELOS_PLACE_LOST', exit: 5 })
      await client.revoke(b.id)
    },
  )
})

test('a user is known by a token, which is asked for anew when the server forgot it', { timeout: 120_000 }, async () => {
  const store = await STORES[0].make()
  await store.start()
  try {
    await gateway(store.url, 'auth/user/add', { name: 'root', password: 'secret' })
    await gateway(store.url, 'auth/role/add', { name: 'root' })
    await gateway(store.url, 'auth/user/grant', { user: 'root', role: 'root' })
    await gateway(store.url, 'auth/enable', {})
    const root = connect({ endpoints: [store.url], user: 'root', password: 'secret' })
    await root.put(putOf('guarded', 'v'))
    await store.kill()
    await store.start()
    expect((await root.range(rangeRequest(only('guarded')))).count).toBe(1)
    await root.put(putOf('guarded', 'w'))
    const wrong = connect({ endpoints: [store.url], user: 'root', password: 'guess' })
    await expect(wrong.put(putOf('guarded', 'x'))).rejects.toMatchObject({ code: 'NOT_PERMITTED', exit: 4 })
    const nobody = connect({ endpoints: [store.url] })
    await expect(nobody.put(putOf('guarded', 'x'))).rejects.toMatchObject({ message: 'etcdserver: user name is empty' })
    for (const client of [root, wrong, nobody]) client.close()
  } finally {
    await store.remove()
  }
})
