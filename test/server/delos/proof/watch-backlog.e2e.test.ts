import { connect as connectHttp2 } from 'node:http2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectNative } from '../../../../src/client/native/connect.ts'
import { codecOf, decode } from '../../../../src/core/kernel/protobuf/codec.ts'
import { encode } from '../../../../src/core/kernel/protobuf/encode.ts'
import { WATCH_REQUEST, WATCH_RESPONSE } from '../../../../src/core/delos/wire/protobuf/schemas/watch.ts'
import { gateway, newDelosServers, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'

const requests = codecOf(WATCH_REQUEST)
const responses = codecOf(WATCH_RESPONSE)

interface Watcher {
  /** mod_revisions, as they came */
  revisions: number[]
  pause: () => void
  resume: () => void
  close: () => void
}

/** A gRPC watch of all keys below `prefix` from a revision on, on a connection of its own. */
function watchFrom(url: string, prefix: string, from: number): Watcher {
  const session = connectHttp2(url)
  session.on('error', () => undefined)
  const stream = session.request({
    ':method': 'POST',
    ':path': '/etcdserverpb.Watch/Watch',
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  const create = { key: `${prefix}/`, range_end: `${prefix}0`, start_revision: from, progress_notify: false, filters: [], prev_kv: false }
  const message = encode(requests, {
    create_request: { ...create, watch_id: 0, fragment: false },
    cancel_request: null,
    progress_request: null,
  })
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  stream.write(Buffer.concat([head, message]))
  const revisions: number[] = []
  let rest: Buffer = Buffer.alloc(0)
  stream.on('error', () => undefined)
  stream.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const end = 5 + rest.readUInt32BE(1)
      for (const { kv } of decode(responses, rest.subarray(5, end))?.events ?? []) revisions.push(kv.mod_revision)
      rest = rest.subarray(end)
    }
  })
  return { revisions, pause: () => void stream.pause(), resume: () => void stream.resume(), close: () => session.destroy() }
}

const HISTORY = 60_000

describe('watches that are behind', () => {
  let cluster: DelosServers
  let server: DelosServerProcess
  const metric = async (name: string): Promise<number> =>
    Number(new RegExp(`^${name} (.*)$`, 'm').exec(await (await fetch(`${server.url}/metrics`)).text())?.[1])

  beforeAll(async () => {
    cluster = await newDelosServers(1)
    server = cluster.servers[0] as DelosServerProcess
    server.start()
    await cluster.healthy()
  }, 120_000)
  afterAll(() => cluster.remove())

  test('from far back, several at once: leases are renewed and other watches told in between, and nothing is missed', async () => {
    const client = connectNative({ endpoints: [server.url], patienceMs: 60_000 })
    for (let i = 0; i < HISTORY; i += 5000)
      await Promise.all(Array.from({ length: 5000 }, (_, j) => client.put(`far/${(i + j) % 1000}`, 'x'.repeat(50))))
    const { body } = await gateway(server.url, 'lease/grant', { TTL: 60 })
    const watchers = Array.from({ length: 8 }, () => watchFrom(server.url, 'far', 1))
    const quick = watchFrom(server.url, 'quick', 0)
    const isBehind = (): boolean => watchers.some(({ revisions }) => revisions.length < HISTORY)
    let [renewed, told] = [0, 0]
    await eventually('they begin', 20_000, () => watchers.every(({ revisions }) => revisions.length > 0))
    while (isBehind()) {
      const answer = await gateway(server.url, 'lease/keepalive', { ID: body.ID })
      if (isBehind() && Number(answer.body.result.TTL) === 60) renewed += 1
      const before = quick.revisions.length
      await client.put('quick/a', '1')
      await eventually('it is told', 20_000, () => quick.revisions.length > before)
      if (isBehind()) told += 1
    }
    expect(Math.min(renewed, told)).toBeGreaterThanOrEqual(3)
    for (const { revisions } of watchers)
      expect([new Set(revisions).size, revisions[0], revisions.at(-1)]).toEqual([HISTORY, 2, HISTORY + 1])
    for (const each of [...watchers, quick]) each.close()
    client.close()
  }, 180_000)

  test('as nobody reads them hold a bounded part of the memory, which metrics tell, and are given all of it later', async () => {
    const client = connectNative({ endpoints: [server.url], patienceMs: 60_000 })
    const [slow, other] = [watchFrom(server.url, 'slow', 0), watchFrom(server.url, 'slow', 0)]
    await eventually('they are there', 20_000, async () => (await metric('etcd_debugging_mvcc_watcher_total')) === 2)
    slow.pause()
    const value = 'v'.repeat(100_000)
    const written: number[] = []
    // 40 MB: more than windows, sockets and the bound of a stream take up together.
    for (let i = 0; i < 400; i += 1) written.push(await client.put('slow/a', value))
    await eventually('the other one has it all', 60_000, () => other.revisions.length === written.length)
    expect(other.revisions).toEqual(written)
    expect(await metric('etcd_debugging_mvcc_slow_watcher_total')).toBe(1)
    expect(await metric('muster_delos_watch_behind_revisions')).toBeGreaterThan(100)
    expect(await metric('muster_delos_watch_waiting_bytes')).toBeLessThanOrEqual(4.5 * 1024 * 1024)
    expect(await metric('muster_delos_client_streams')).toBeGreaterThanOrEqual(2)
    slow.resume()
    await eventually('it has it all', 60_000, () => slow.revisions.length === written.length)
    expect(slow.revisions).toEqual(written)
    expect([await metric('muster_delos_watch_behind_revisions'), await metric('muster_delos_watch_waiting_bytes')]).toEqual([0, 0])
    for (const each of [slow, other]) each.close()
    client.close()
  }, 180_000)
})

describe('what waits for another server', () => {
  test('is told by metrics while it is stopped, is bounded, and is gone when it goes on', async () => {
    const cluster = await newDelosServers(3, ['--profile', 'wan'])
    try {
      for (const each of cluster.servers) each.start()
      await cluster.healthy()
      const statuses = await Promise.all(cluster.servers.map(async ({ url }) => (await gateway(url, 'maintenance/status', {})).body))
      const leads = cluster.servers.findIndex((_, i) => statuses[i].header.member_id === statuses[i].leader)
      const leader = cluster.servers[leads] as DelosServerProcess
      const stopped = cluster.servers[(leads + 1) % 3] as DelosServerProcess
      const id = BigInt(statuses[(leads + 1) % 3].header.member_id).toString(16)
      const metric = async (name: string): Promise<number> =>
        Number(new RegExp(`^${name}{peer="${id}"} (.*)$`, 'm').exec(await (await fetch(`${leader.url}/metrics`)).text())?.[1])
      const client = connectNative({ endpoints: [leader.url], patienceMs: 60_000 })
      expect(await metric('muster_delos_peer_waiting_bytes')).toBeLessThan(1_000_000)
      const missed = await metric('muster_delos_peer_frames_missed_total')
      stopped.pause()
      const value = 'v'.repeat(500_000)
      let most = 0
      let written = 60
      for (let i = 0; i < written; i += 1) {
        await client.put('k', value)
        most = Math.max(most, await metric('muster_delos_peer_waiting_bytes'))
      }
      expect(most).toBeGreaterThan(1_000_000)
      expect(most).toBeLessThan(80 * 1024 * 1024)
      // Silent for so long it is dialled anew, and what it would be sent meanwhile is left out: some 30 ms of it, so that something must be sent all the time.
      await eventually('something is left out', 30_000, async () => {
        await client.put('k', 'v')
        written += 1
        return (await metric('muster_delos_peer_frames_missed_total')) > missed
      })
      stopped.resume()
      await cluster.healthy()
      await eventually('nothing waits', 30_000, async () => (await metric('muster_delos_peer_waiting_bytes')) < 1_000_000)
      const found = await gateway(stopped.url, 'kv/range', { key: Buffer.from('k').toString('base64') })
      expect(found.body.kvs[0].version).toBe(String(written))
      client.close()
    } finally {
      await cluster.remove()
    }
  }, 180_000)
})
