import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { gateway, getPrefix, newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'

/** A machine that runs other tests beside these is no place for elections of a tenth of a second: `wan` has patience. */
const FLAGS = ['--profile', 'wan']

describe('three servers', () => {
  let cluster: DelosServers

  beforeAll(async () => {
    cluster = await newDelosServers(3, FLAGS)
    for (const server of cluster.servers) server.start()
    await cluster.healthy()
  }, 180_000)
  afterAll(() => cluster.remove())

  const leader = async (): Promise<DelosServerProcess> =>
    eventually('a leader', 30_000, async () => {
      for (const server of cluster.servers) {
        if (!server.isRunning()) continue
        const { body } = await gateway(server.url, 'maintenance/status', {}, '', 1000)
        if (body.leader === body.header.member_id) return server
      }
      return null
    })

  test('answer alike whichever is asked: a write at one is read at the others', async () => {
    for (const [i, server] of cluster.servers.entries()) expect(await putKey(server.url, `any/${i}`, server.name)).not.toBeNull()
    const answers = await Promise.all(cluster.servers.map(({ url }) => getPrefix(url, 'any/')))
    expect(answers[0]?.size).toBe(3)
    expect(answers[1]).toEqual(answers[0])
    expect(answers[2]).toEqual(answers[0])
  }, 60_000)

  test('lose nothing acknowledged and go on, when the leader is killed with -9, time after time', async () => {
    const acknowledged = new Map<string, number>()
    for (let round = 0; round < 4; round += 1) {
      let isOver = false
      const writers = cluster.servers.map(async ({ url }, writer) => {
        for (let i = 0; !isOver; i += 1) {
          const key = `lead/${round}/${writer}/${i}`
          const revision = await putKey(url, key, key, 3000)
          if (revision !== null) acknowledged.set(key, revision)
          // Servers that start need the processor too.
          await new Promise((resolve) => setTimeout(resolve, revision === null ? 50 : 10))
        }
      })
      await new Promise((resolve) => setTimeout(resolve, 300))
      const killed = await leader()
      await killed.end('SIGKILL')
      const rest = cluster.servers.filter((server) => server !== killed)
      await eventually(
        'writes without it',
        30_000,
        async () => (await putKey((rest[0] as DelosServerProcess).url, 'after', String(round))) !== null,
      )
      killed.start()
      await cluster.healthy()
      isOver = true
      await Promise.all(writers)
    }
    for (const { url } of cluster.servers) {
      const found = await getPrefix(url, 'lead/')
      const lost = [...acknowledged].filter(([key, revision]) => found.get(key)?.revision !== revision)
      expect(lost).toEqual([])
    }
    expect(acknowledged.size).toBeGreaterThan(30)
  }, 180_000)

  test('have the same hash of all keys at the same revision', async () => {
    const revision = await putKey((await leader()).url, 'last', 'one')
    const hashes = await Promise.all(
      cluster.servers.map(async ({ url }) => {
        await getPrefix(url, 'last')
        return (await gateway(url, 'maintenance/hash', { revision: String(revision) })).body.hash
      }),
    )
    expect(hashes[0]).toBeGreaterThan(0)
    expect(new Set(hashes).size).toBe(1)
  }, 60_000)

  test('of which two are gone write nothing and say so, read what is there if asked to, and go on when one is back', async () => {
    const [one, two, three] = cluster.servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
    await putKey(one.url, 'kept', 'yes')
    await getPrefix(three.url, 'kept')
    await one.end('SIGKILL')
    await two.end('SIGKILL')
    const refused = await gateway(three.url, 'kv/put', { key: Buffer.from('lost').toString('base64') }, '', 20_000)
    expect([refused.status, refused.body.message]).toEqual([503, expect.stringMatching(/no leader|request timed out/)])
    expect((await getPrefix(three.url, 'kept', true)).get('kept')?.value).toBe('yes')
    one.start()
    await eventually('a majority again', 30_000, async () => (await putKey(three.url, 'back', '1')) !== null)
    two.start()
    await cluster.healthy()
    expect((await getPrefix(two.url, 'kept')).get('kept')?.value).toBe('yes')
  }, 180_000)

  test('a leader that was stopped for a while and wakes up answers no read from the past', async () => {
    const asleep = await leader()
    const awake = cluster.servers.find((server) => server !== asleep) as DelosServerProcess
    await putKey(asleep.url, 'stale', 'old')
    asleep.pause()
    await eventually('a write at another', 30_000, async () => (await putKey(awake.url, 'stale', 'new')) !== null)
    asleep.resume()
    const seen = await Promise.all(
      Array.from({ length: 20 }, async () =>
        getPrefix(asleep.url, 'stale')
          .then((found) => found.get('stale')?.value)
          .catch(() => 'refused'),
      ),
    )
    expect(seen.filter((value) => value !== 'new' && value !== 'refused')).toEqual([])
  }, 120_000)
})
