import { expect, test } from 'vitest'
import { connect } from '../../src/client/connect.ts'
import { bytesOf, only, rangeRequest, under } from '../../src/core/delos/recipes/etcd/request.ts'
import { campaign } from '../../src/core/delos/recipes/etcd/election.ts'
import { isRefusal } from '../../src/core/kernel/errors.ts'
import { gateway, newDelosServers } from '../support/delos-servers.ts'
import { eventually } from '../support/eventually.ts'

test(
  'a client of three servers goes on when their leader is killed: leases, watches and changes follow',
  { timeout: 180_000 },
  async () => {
    const cluster = await newDelosServers(3)
    for (const server of cluster.servers) server.start()
    await cluster.healthy()
    const done = new AbortController()
    try {
      // On a busy machine it may change between two answers.
      const leader = await eventually('one leads', 20_000, async () => {
        const statuses = await Promise.all(cluster.servers.map(async ({ url }) => (await gateway(url, 'maintenance/status', {})).body))
        const found = cluster.servers.findIndex((_, i) => statuses[i].header.member_id === statuses[i].leader)
        return found < 0 ? null : { at: found }
      }).then(({ at }) => at)
      // The leader first: all that the client has stands on the one that goes.
      const order = [cluster.servers[leader], ...cluster.servers.filter((_, i) => i !== leader)]
      const client = connect({ endpoints: order.map((server) => server?.url ?? '') })
      const lease = await client.grantLease(5000)
      const kept = client.keepAlive(lease, 1000)
      const turn = await client.run(campaign('boss', lease.id, bytesOf('one')), { signal: kept.signal })
      const seen: [number, string][] = []
      const watching = (async () => {
        for await (const { events } of client.watch(under('k'), { from: turn.token }, done.signal))
          for (const { kv } of events) seen.push([kv.mod_revision, kv.key])
      })()
      const put = (key: string) =>
        client.put({ key, value: bytesOf('v'), lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false })
      await put('k/0')
      await order[0]?.end('SIGKILL')
      const wanted = ['k/0']
      for (let i = 1; i <= 10; i += 1) {
        const key = `k/${i}`
        await eventually(`${key} is put`, 20_000, async () => {
          try {
            return await put(key)
          } catch (error) {
            // Whether it was done is looked up, as the error asks for.
            if (!isRefusal(error) || error.code !== 'DELOS_OUTCOME_UNKNOWN') throw error
            return (await client.range(rangeRequest(only(key)))).count === 1
          }
        })
        wanted.push(key)
      }
      await eventually('all was told', 20_000, () => new Set(seen.map(([, key]) => key)).size >= wanted.length)
      await new Promise((resolve) => setTimeout(resolve, lease.ttlMs))
      // One whose outcome was unknown may have been put twice, but never told twice.
      expect([...new Set(seen.map(([, key]) => key))]).toEqual(wanted)
      expect(seen.every(([revision], i) => i === 0 || revision > (seen[i - 1]?.[0] ?? 0))).toBe(true)
      const held = (await client.range(rangeRequest(only(turn.key)))).kvs[0]?.create_revision
      expect([kept.signal.aborted, held]).toEqual([false, turn.token])
      done.abort()
      await watching
      client.close()
    } finally {
      done.abort()
      await cluster.remove()
    }
  },
)
