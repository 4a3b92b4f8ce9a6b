import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newDelosServers, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { newEtcd, type EtcdCluster } from '../../../support/etcd-cluster.ts'
import { hasEtcd } from '../../../support/stores.ts'
import { ask, faultsAt, pause, startWriters } from './load.ts'

async function switchTo(url: string, request: object): Promise<void> {
  const { status, body } = await ask(url, 'log/switch', request)
  expect([status, body.error]).toEqual([200, undefined])
}

describe.skipIf(!hasEtcd)('a log in a real etcd (skipped where it is not installed)', () => {
  let etcd: EtcdCluster
  let cluster: DelosServers
  let server: DelosServerProcess

  beforeAll(async () => {
    etcd = await newEtcd(3)
    for (const member of etcd.members) member.start()
    cluster = await newDelosServers(1)
    server = cluster.servers[0] as DelosServerProcess
    server.start()
    await etcd.healthy()
    await cluster.healthy()
  }, 240_000)
  afterAll(async () => {
    await cluster.remove()
    await etcd.remove()
  })

  test('takes over from a file while it is written to, and gives it back: nothing is lost, doubled or reordered', async () => {
    const writers = startWriters(cluster.servers, 'there')
    await pause(300)
    await switchTo(server.url, { to: 'etcd', endpoints: etcd.urls })
    await pause(1000)
    await switchTo(server.url, { to: 'file' })
    await pause(300)
    const acknowledged = await writers.stop()
    expect(await faultsAt(server.url, 'there', acknowledged)).toEqual([])
  }, 180_000)

  test('outlives kill -9 of each of its members in turn, and of the server', async () => {
    await switchTo(server.url, { to: 'etcd', endpoints: etcd.urls })
    const writers = startWriters(cluster.servers, 'killed')
    for (const member of etcd.members) {
      await pause(500)
      await member.kill()
      await pause(1500)
      member.start()
      await etcd.healthy()
    }
    await server.end('SIGKILL')
    server.start()
    await cluster.healthy()
    await pause(500)
    const acknowledged = await writers.stop()
    expect(await faultsAt(server.url, 'killed', acknowledged)).toEqual([])
    expect(acknowledged.keys.size).toBeGreaterThan(20)
  }, 180_000)

  test('takes a batch that is longer than etcd allows for one request', async () => {
    const value = 'x'.repeat(1_300_000)
    const writers = startWriters(cluster.servers, 'beside')
    const put = await fetch(`${server.url}/v3/kv/put`, {
      method: 'POST',
      body: JSON.stringify({ key: Buffer.from('long').toString('base64'), value: Buffer.from(value).toString('base64') }),
    })
    expect(put.status).toBe(200)
    const acknowledged = await writers.stop()
    await server.end('SIGKILL')
    server.start()
    await cluster.healthy()
    const found = await fetch(`${server.url}/v3/kv/range`, {
      method: 'POST',
      body: JSON.stringify({ key: Buffer.from('long').toString('base64') }),
    })
    const { kvs } = (await found.json()) as { kvs: { value: string }[] }
    expect(Buffer.from(kvs[0]?.value ?? '', 'base64').toString()).toBe(value)
    expect(await faultsAt(server.url, 'beside', acknowledged)).toEqual([])
  }, 180_000)
})

describe.skipIf(!hasEtcd)('three servers and a real etcd (skipped where it is not installed)', () => {
  let etcd: EtcdCluster
  let cluster: DelosServers

  beforeAll(async () => {
    etcd = await newEtcd(1)
    etcd.members[0]?.start()
    cluster = await newDelosServers(3, ['--profile', 'wan'])
    for (const server of cluster.servers) server.start()
    await etcd.healthy()
    await cluster.healthy()
  }, 240_000)
  afterAll(async () => {
    await cluster.remove()
    await etcd.remove()
  })

  test('move their log there and back while they are written to: all of them have the same, and all of it', async () => {
    const [one, two] = cluster.servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
    const writers = startWriters(cluster.servers, 'moved')
    await pause(300)
    await switchTo(one.url, { to: 'etcd', endpoints: etcd.urls })
    await pause(1500)
    await switchTo(two.url, { to: 'quorum' })
    await pause(500)
    const acknowledged = await writers.stop()
    for (const { url } of cluster.servers) expect(await faultsAt(url, 'moved', acknowledged)).toEqual([])
  }, 240_000)
})
