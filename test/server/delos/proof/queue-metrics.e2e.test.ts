import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectNative } from '../../../../src/client/native/connect.ts'
import { newDelosServers, type DelosServers } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'

let cluster: DelosServers
const url = (): string => cluster.servers[0]?.url ?? ''
const metrics = async (): Promise<Map<string, number>> => {
  const text = await (await fetch(`${url()}/metrics`)).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}

beforeAll(async () => {
  cluster = await newDelosServers(1)
  for (const server of cluster.servers) server.start()
  await cluster.healthy()
}, 60_000)

afterAll(() => cluster.remove())

test('what is kept or waits is told, that of the batching client too', async () => {
  const before = await metrics()
  expect(before.get('muster_delos_native_connections')).toBe(0)
  const client = connectNative({ endpoints: [url().slice('http://'.length)] })
  await client.put('a', 'x'.repeat(10_000))
  const during = await metrics()
  expect(during.get('muster_delos_native_connections')).toBe(1)
  expect(during.get('muster_delos_native_pending_bytes')).toBe(0)
  expect(during.get('muster_delos_proposers_kept')).toBeGreaterThanOrEqual(1)
  for (const name of ['batches_kept_bytes', 'early_frames_bytes', 'snapshot_inbox_bytes', 'header_blocks_kept'])
    expect(during.get(`muster_delos_${name}`)).toBe(0)
  client.close()
  await eventually('the connection is gone', 5000, async () => (await metrics()).get('muster_delos_native_connections') === 0)
}, 60_000)
