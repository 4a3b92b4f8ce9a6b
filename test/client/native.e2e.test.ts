import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, connect as connectSocket, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { connectNative, type NativeClient } from '../../src/client/native/connect.ts'
import { bytesOf, only, rangeRequest, under } from '../../src/core/delos/recipes/etcd/request.ts'
import { COMPARE_RESULT, COMPARE_TARGET, type TxnRequest } from '../../src/core/delos/wire/messages.ts'
import { PREFACE } from '../../src/core/delos/wire/native/frames.ts'
import { FrameWriter } from '../../src/core/delos/wire/native/frame-writer.ts'
import { writeHello } from '../../src/core/delos/wire/native/requests.ts'
import { codecOf } from '../../src/core/kernel/protobuf/codec.ts'
import { COMPARE, REQUEST_OP } from '../../src/core/delos/wire/protobuf/schemas/kv.ts'
import { gateway, newDelosServers } from '../support/delos-servers.ts'
import { eventually } from '../support/eventually.ts'

const putOp = (key: string, value: string) => ({
  ...codecOf(REQUEST_OP).make(),
  request_put: { key, value: bytesOf(value), lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false },
})

/** Puts a key once: it must not be there before. */
const create = (key: string): TxnRequest => ({
  compare: [{ ...codecOf(COMPARE).make(), key, target: COMPARE_TARGET.version, result: COMPARE_RESULT.equal, version: 0 }],
  success: [putOp(key, 'made')],
  failure: [],
})

const outcomes = (all: Promise<unknown>[]): Promise<unknown[]> =>
  Promise.all(all.map((each) => each.catch((error: { code: string; message: string }) => error.message)))

test('one server: operations of one turn are answered each for itself', { timeout: 120_000 }, async () => {
  const cluster = await newDelosServers(1)
  const [server] = cluster.servers
  server?.start()
  await cluster.healthy()
  const client = connectNative({ endpoints: [server?.url ?? ''] })
  try {
    expect(await outcomes([client.put('ä', 'ö'), client.put('b', bytesOf('2')), client.delete('x'), client.delete('b')])).toEqual([
      2,
      3,
      null,
      4,
    ])
    const [found, gone] = await Promise.all([client.get('ä'), client.get('b')])
    expect([found?.mod_revision, Buffer.from(found?.value ?? []).toString(), gone]).toEqual([2, 'ö', null])
    // One that no store would do refuses itself alone.
    const tooLarge = new Uint8Array(1_600_000)
    const mixed = await outcomes([client.put('c', '1'), client.put('c', tooLarge), client.put('', '1')])
    expect(mixed).toEqual([5, 'etcdserver: request is too large', 'etcdserver: key is not provided'])
    const [made, again] = await Promise.all([client.txn(create('t')), client.txn(create('t'))])
    expect([made?.succeeded, again?.succeeded, made?.header.revision]).toEqual([true, false, 6])
    const twice = { ...create('u'), success: [putOp('u', '1'), putOp('u', '2')] }
    expect(await outcomes([client.txn(twice), client.put('d', '1')])).toEqual(['etcdserver: duplicate key given in txn request', 7])
    const listed = await client.range({ ...rangeRequest({ key: '\0', range_end: '\0' }), serializable: true })
    expect(listed.kvs.map(({ key }) => Buffer.from(key, 'latin1').toString())).toEqual(['c', 'd', 't', 'ä'])
    await expect(client.range({ ...rangeRequest(only('c')), revision: 99 })).rejects.toMatchObject({ code: 'DELOS_REVISION' })
    // More than a frame holds, and more than its connection takes at once.
    const many = await Promise.all(Array.from({ length: 5000 }, (_, i) => client.put(`m/${i}`, 'v')))
    expect(new Set(many).size).toBe(5000)
    const values = await Promise.all(Array.from({ length: 8 }, (_, i) => client.put(`v/${i}`, tooLarge.subarray(0, 1_000_000))))
    expect(values).toHaveLength(8)
    expect((await client.range({ ...rangeRequest(under('m')), count_only: true })).count).toBe(5000)
    expect(client.waiting).toBe(0)
    // What was done over the one port is there on the other, and survives a kill.
    await server?.end('SIGKILL')
    const later = client.put('after', 'kill')
    server?.start()
    expect(await later).toBe(7 + 5000 + 8 + 1)
    const { body } = await gateway(server?.url ?? '', 'kv/range', { key: Buffer.from('m/7').toString('base64') })
    expect(body.kvs[0].version).toBe('1')
  } finally {
    client.close()
    await cluster.remove()
  }
})

test('what breaks the protocol ends its own connection and no other', { timeout: 120_000 }, async () => {
  const cluster = await newDelosServers(1)
  const [server] = cluster.servers
  server?.start()
  await cluster.healthy()
  const url = new URL(server?.url ?? '')
  const client = connectNative({ endpoints: [url.href] })
  const hello = new FrameWriter()
  writeHello(hello, { token: '', user: '', password: '' })
  const greeting = hello.take()
  const ended = (...parts: Uint8Array[]): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connectSocket(Number(url.port), url.hostname, () => parts.forEach((part) => socket.write(part)))
      socket
        .on('close', () => resolve(true))
        .on('error', () => undefined)
        .resume()
      setTimeout(() => resolve(socket.destroyed), 8000).unref()
    })
  try {
    await client.put('a', '1')
    expect(
      await Promise.all([
        ended(PREFACE, Uint8Array.of(0xff, 0xff, 0xff, 0xff)),
        ended(PREFACE, Uint8Array.of(0, 0, 0, 0)),
        // A write before any hello, a second hello, an unknown kind, operations that are none.
        ended(PREFACE, Uint8Array.of(0, 0, 0, 1, 2)),
        ended(PREFACE, greeting, greeting),
        ended(PREFACE, greeting, Uint8Array.of(0, 0, 0, 1, 99)),
        ended(PREFACE, greeting, Uint8Array.from([0, 0, 0, 28, 2, ...new Uint8Array(25), 1, 7])),
      ]),
    ).toEqual(Array.from({ length: 6 }, () => true))
    expect(await client.put('a', '2')).toBe(3)
  } finally {
    client.close()
    await cluster.remove()
  }
})

test(
  'three servers: every change is done exactly once though the leader is killed and connections are cut',
  { timeout: 240_000 },
  async () => {
    const cluster = await newDelosServers(3)
    for (const server of cluster.servers) server.start()
    await cluster.healthy()
    const relay = await cuttingRelay(cluster.servers[0]?.url ?? '')
    const endpoints = [relay.url, ...cluster.servers.slice(1).map(({ url }) => url)]
    const client = connectNative({ endpoints, patienceMs: 60_000, answerMs: 2000 })
    try {
      const statuses = await Promise.all(cluster.servers.map(async ({ url }) => (await gateway(url, 'maintenance/status', {})).body))
      const leader = cluster.servers.findIndex((_, i) => statuses[i].header.member_id === statuses[i].leader)
      const revisions: number[] = []
      const COUNT = 3000
      const lanes = Array.from({ length: 50 }, async (_, lane) => {
        for (let i = lane; i < COUNT; i += 50) {
          if (i % 3 === 2) expect((await client.txn(create(`k/${i}`))).succeeded).toBe(true)
          else revisions[i] = await client.put(`k/${i}`, 'v')
          if (i === 500) relay.cut()
          if (i === 1000) await cluster.servers[leader]?.end('SIGKILL')
          if (i === 2000) cluster.servers[leader]?.start()
          if (i % 700 === 0) relay.cut()
        }
      })
      await Promise.all(lanes)
      const { kvs } = await client.range(rangeRequest(under('k')))
      expect(kvs).toHaveLength(COUNT)
      expect(kvs.filter(({ version }) => version !== 1)).toEqual([])
      for (const { key, mod_revision } of kvs) {
        const revision = revisions[Number(key.slice(2))]
        if (revision !== undefined) expect(revision).toBe(mod_revision)
      }
      expect(kvs.reduce((most, { mod_revision }) => Math.max(most, mod_revision), 0)).toBe(COUNT + 1)
    } finally {
      client.close()
      relay.close()
      await cluster.remove()
    }
  },
)

test('no server there: a change was not done; a server that goes for good: its outcome is unknown', { timeout: 120_000 }, async () => {
  const nobody = connectNative({ endpoints: ['127.0.0.1:1'] })
  await expect(nobody.put('a', '1')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  nobody.close()
  const cluster = await newDelosServers(1)
  const [server] = cluster.servers
  server?.start()
  await cluster.healthy()
  const relay = await cuttingRelay(server?.url ?? '')
  const client = connectNative({ endpoints: [relay.url], patienceMs: 1500, answerMs: 500 })
  try {
    await client.put('a', '1')
    relay.isDeaf = true
    const [put, get] = await Promise.allSettled([client.put('a', '2'), client.get('a')])
    expect([put, get]).toMatchObject([{ reason: { code: 'DELOS_OUTCOME_UNKNOWN' } }, { reason: { code: 'UNAVAILABLE' } }])
    relay.isDeaf = false
    await eventually('the next change', 20_000, () => client.put('a', '3'))
  } finally {
    client.close()
    relay.close()
    await cluster.remove()
  }
})

const hasOpenssl = spawnSync('openssl', ['version']).status === 0

test.skipIf(!hasOpenssl)(
  `over TLS and with users, names and passwords count${hasOpenssl ? '' : ' (openssl is not installed)'}`,
  { timeout: 120_000 },
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'muster-native-tls-'))
    const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
    spawnSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-keyout', key, '-out', cert, ...subject])
    const cluster = await newDelosServers(1, ['--cert-file', cert, '--key-file', key], { client: 'https', peer: 'http' })
    const url = cluster.servers[0]?.url ?? ''
    const tls = { ca: readFileSync(cert, 'utf8') }
    const clients: NativeClient[] = []
    const as = (user?: string, password = ''): NativeClient => {
      const client = connectNative({ endpoints: [url], tls, patienceMs: 5000, ...(user === undefined ? {} : { user, password }) })
      clients.push(client)
      return client
    }
    try {
      cluster.servers[0]?.start()
      const first = as('root', 'pw')
      await eventually('the put', 20_000, () => as().put('a', '1'))
      const { connect } = await import('../../src/client/connect.ts')
      const { openChannel } = await import('../../src/client/channel.ts')
      const { METHODS } = await import('../../src/core/delos/wire/methods.ts')
      const stranger = connect({ endpoints: [url] })
      await expect(stranger.range(rangeRequest(only('a')))).rejects.toThrow(/certificate/)
      stranger.close()
      const channel = openChannel({ endpoints: [url], tls })
      const once = { effect: 'once' } as const
      // Logged in while users are off, and still let in when they are on.
      await first.put('a', '2')
      await channel.call(METHODS['Auth/UserAdd'], { name: 'root', password: 'pw', options: null }, once)
      await channel.call(METHODS['Auth/RoleAdd'], { name: 'root' }, once)
      await channel.call(METHODS['Auth/UserGrantRole'], { user: 'root', role: 'root' }, once)
      await channel.call(METHODS['Auth/AuthEnable'], {}, once)
      channel.close()
      expect((await as('root', 'pw').get('a'))?.version).toBe(2)
      expect(await as('root', 'pw').put('a', '3')).toBeGreaterThan(0)
      await expect(as('root', 'no').put('a', '4')).rejects.toThrow('authentication failed')
      await expect(as().put('a', '4')).rejects.toThrow('user name is empty')
      await expect(as().get('a')).rejects.toThrow('user name is empty')
      expect(await first.put('a', '5')).toBeGreaterThan(0)
    } finally {
      for (const client of clients) client.close()
      await cluster.remove()
      rmSync(dir, { recursive: true, force: true })
    }
  },
)

/** Passes bytes on until it is told to cut its connections, or to pass nothing any more. */
async function cuttingRelay(to: string): Promise<{ url: string; cut: () => void; close: () => void; isDeaf: boolean }> {
  const { hostname, port } = new URL(to)
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connectSocket(Number(port), hostname)
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.on('data', (chunk) => {
        if (!relay.isDeaf) other.write(chunk)
      })
      one.on('error', () => undefined)
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = (): void => sockets.forEach((socket) => socket.destroy())
  const relay = {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    cut,
    close: () => {
      cut()
      server.close()
    },
    isDeaf: false,
  }
  return relay
}
