import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectNative } from '../../../../src/client/native/connect.ts'
import { gateway, newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'

const MIB = 1024 * 1024
const KEYS = 50
const UPDATES = 20_000
const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('space of what was compacted', () => {
  let cluster: DelosServers
  let server: DelosServerProcess
  const metric = async (name: string): Promise<number> =>
    Number(new RegExp(`^${name} (.*)$`, 'm').exec(await (await fetch(`${server.url}/metrics`)).text())?.[1])
  const fileBytes = (): Promise<number> => metric('etcd_mvcc_db_total_size_in_bytes')

  beforeAll(async () => {
    cluster = await newDelosServers(1)
    server = cluster.servers[0] as DelosServerProcess
    server.start()
    await cluster.healthy()
  }, 120_000)
  afterAll(() => cluster.remove())

  test('comes back by itself, a piece at a time: nobody asks for a defragmentation, and puts are answered all the while', async () => {
    const client = connectNative({ endpoints: [server.url], patienceMs: 120_000 })
    const value = 'v'.repeat(2000)
    for (let i = 0; i < UPDATES; i += 1000)
      await Promise.all(Array.from({ length: 1000 }, (_, j) => client.put(`k/${(i + j) % KEYS}`, value)))
    await eventually('all rows are in the file', 60_000, async () => (await metric('muster_delos_rows_backlog_bytes')) === 0)
    const full = await fileBytes()
    expect(full).toBeGreaterThan(UPDATES * 2000)
    const revision = await metric('etcd_debugging_mvcc_current_revision')
    // Asked not to wait: the steps run beside what follows.
    expect((await gateway(server.url, 'kv/compaction', { revision: String(revision) })).status).toBe(200)
    let putsMeanwhile = 0
    await eventually('the file has shrunk', 60_000, async () => {
      expect(await putKey(server.url, 'other', 'x', 5000)).not.toBeNull()
      putsMeanwhile += 1
      return (await fileBytes()) < 4 * MIB
    })
    expect(putsMeanwhile).toBeGreaterThanOrEqual(3)
    const { body } = await gateway(server.url, 'kv/range', { key: base64('k/'), range_end: base64('k0'), count_only: true })
    expect(Number(body.count)).toBe(KEYS)
    // It is the same store from what is left.
    await server.end('SIGKILL')
    server.start()
    await cluster.healthy()
    expect(await fileBytes()).toBeLessThan(8 * MIB)
    const again = await gateway(server.url, 'kv/range', { key: base64('k/'), range_end: base64('k0') })
    expect(again.body.kvs.map(({ version }: { version: string }) => version)).toEqual(
      Array.from({ length: KEYS }, () => String(UPDATES / KEYS)),
    )
    client.close()
  }, 240_000)
})
