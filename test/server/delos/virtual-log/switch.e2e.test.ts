import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { ask, faultsAt, pause, startWriters } from './load.ts'

/** A machine that runs other tests beside these is no place for elections of a tenth of a second. */
const FLAGS = ['--profile', 'wan']

describe('one server, while it is written to', () => {
  let cluster: DelosServers
  let server: DelosServerProcess

  beforeAll(async () => {
    cluster = await newDelosServers(1)
    server = cluster.servers[0] as DelosServerProcess
    server.start()
    await cluster.healthy()
  }, 120_000)
  afterAll(() => cluster.remove())

  test('goes on in a new file, then in a quorum of one, and back: nothing is lost, doubled or reordered', async () => {
    const writers = startWriters(cluster.servers, 'one')
    await pause(300)
    for (const request of [{}, { to: 'quorum' }, { to: 'file' }, { back: true }, { back: true }]) {
      const { status, body } = await ask(server.url, 'log/switch', request)
      expect([status, body.error]).toEqual([200, undefined])
      await pause(200)
    }
    const acknowledged = await writers.stop()
    expect(await faultsAt(server.url, 'one', acknowledged)).toEqual([])
    const { body } = await ask(server.url, 'log/loglets')
    expect(body.chain.map(({ kind }: { kind: string }) => kind)).toEqual(['file', 'file', 'quorum', 'file', 'quorum', 'file'])
    expect(acknowledged.keys.size).toBeGreaterThan(50)
  }, 120_000)

  test('has all of it after kill -9, from the log alone and from kv.db, and a server that is told the old flags goes on', async () => {
    await server.end('SIGKILL')
    server.start()
    await cluster.healthy()
    expect(await putKey(server.url, 'after', 'restart')).not.toBeNull()
  }, 120_000)

  test('a switch that cannot be made changes nothing, and says what is in the way', async () => {
    const before = (await ask(server.url, 'log/loglets')).body
    const nowhere = { to: 'etcd', endpoints: ['http://127.0.0.1:1'] }
    const refused = await ask(server.url, 'log/switch', nowhere)
    expect([refused.status, refused.body.error.code]).toEqual([409, 'DELOS_RECONFIGURE_REFUSED'])
    const tried = await ask(server.url, 'log/switch', { ...nowhere, dryRun: true })
    expect(tried.body.problem).toMatch(/answers/)
    expect((await ask(server.url, 'log/loglets')).body.version).toBe(before.version)
    expect(await putKey(server.url, 'still', 'here')).not.toBeNull()
  }, 120_000)
})

describe('three servers, while they are written to', () => {
  let cluster: DelosServers

  beforeAll(async () => {
    cluster = await newDelosServers(3, FLAGS)
    for (const server of cluster.servers) server.start()
    await cluster.healthy()
  }, 180_000)
  afterAll(() => cluster.remove())

  test('go on in a new quorum, whichever of them is asked: nothing is lost, doubled or reordered', async () => {
    const writers = startWriters(cluster.servers, 'three')
    await pause(300)
    for (const { url } of cluster.servers) {
      const { status, body } = await ask(url, 'log/switch')
      expect([status, body.error]).toEqual([200, undefined])
      await pause(300)
    }
    const acknowledged = await writers.stop()
    for (const { url } of cluster.servers) expect(await faultsAt(url, 'three', acknowledged)).toEqual([])
    expect(acknowledged.keys.size).toBeGreaterThan(30)
  }, 180_000)

  test('of which one was away meanwhile: it follows over all loglets when it is back', async () => {
    const [one, two, three] = cluster.servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
    await three.end('SIGKILL')
    await eventually('a leader of two', 30_000, async () => (await putKey(one.url, 'away', '1')) !== null)
    const writers = startWriters([one, two], 'away')
    for (const { url } of [one, two]) {
      const { status, body } = await ask(url, 'log/switch')
      expect([status, body.error]).toEqual([200, undefined])
    }
    const acknowledged = await writers.stop()
    three.start()
    await cluster.healthy()
    for (const { url } of cluster.servers) expect(await faultsAt(url, 'away', acknowledged)).toEqual([])
    // It counts again: with another one away there is still a majority.
    await one.end('SIGKILL')
    await eventually('a majority with the one that was away', 30_000, async () => (await putKey(three.url, 'counts', '1')) !== null)
    one.start()
    await cluster.healthy()
  }, 240_000)
})
