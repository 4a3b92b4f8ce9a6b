import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTraffic } from '../../src/cli/demo/traffic.ts'
import { packDirectory, uploadArtifact } from '../../src/cli/files/artifact.ts'
import { createClient } from '../../src/cli/client.ts'
import { eventually } from '../support/eventually.ts'
import { newFleet, type TestFleet } from '../support/fleet.ts'
import { helloRelease, runHello } from '../support/hello.ts'

/** Two servers of one fleet, as on two machines: what one is told or given, the other knows. */
let a: TestFleet
let b: TestFleet
let listenB: string

beforeAll(async () => {
  a = newFleet()
  b = newFleet()
  await a.data('up', '--name', 'a', '--region', 'us')
  const { token } = await a.data('delos', 'member', 'token')
  const up = await b.data('up', '--join', token, '--name', 'b', '--region', 'eu', '--listen', '127.0.0.1:0')
  listenB = up.server.listen
}, 180_000)
afterAll(async () => {
  await b.end()
  await a.end()
}, 120_000)

const askB = async (token: string): Promise<number> =>
  (await fetch(`http://${listenB}/v1/tw/job/list`, { headers: { authorization: `Bearer ${token}` } })).status

test('a token that was issued at one server is good at the other, until it is revoked at either', { timeout: 60_000 }, async () => {
  const { token } = await a.data('token', 'issue', 'ci')
  await eventually('b knows it', 10_000, async () => (await askB(token)) === 200)
  expect(await askB(`${token}x`)).toBe(403)
  const [listed] = (await b.data('token', 'ls')).tokens
  expect(listed).toMatchObject({ name: 'ci', role: 'viewer' })
  expect((await b.muster('token', 'revoke', 'ci', '--plan')).stdout).toContain('delos_api_token')
  expect(await askB(token)).toBe(200)
  await b.data('token', 'revoke', 'ci', '--yes')
  await eventually('it has ended', 10_000, async () => (await askB(token)) === 403)
})

async function rollOut(label: string, about: { failRate?: number }): Promise<string> {
  const client = createClient({ socketPath: join(a.root, 'muster.sock'), isTls: false, token: null }, 'user:test')
  const { digest } = await uploadArtifact(client, await packDirectory(helloRelease(a, { version: label, ...about })))
  const { data } = await client.call<{ rollout: string }>('deploy.start', {
    service: 'web',
    source: { artifact: digest, label },
    profile: 'demo',
    sticky: 'header:x-user',
  })
  return data.rollout
}

test(
  'rollouts whose traffic goes through the other server are judged: a good one goes through, a bad one is stopped by its errors',
  { timeout: 400_000 },
  async () => {
    await runHello(a, 4)
    await eventually('tasks', 60_000, async () => {
      const { tasks } = await a.data('tw', 'ps')
      return tasks.filter(({ health }: { health: string }) => health === 'healthy').length === 4
    })
    const { nodes } = await b.data('status')
    const gateways = nodes.filter(({ node }: { node: string }) => node === 'b-n1').map(({ gateway }: { gateway: string }) => gateway)
    expect(gateways).toHaveLength(1)
    const traffic = startTraffic(gateways, 'web', 200)
    try {
      const ended = async (rollout: string): Promise<{ state: string; causeText: string | null }> => {
        let last = { rollout: '', state: '', causeText: null, endedAtMs: null }
        await eventually(`the end of ${rollout}`, 180_000, async () => {
          last = (await a.data('deploy', 'status', 'web')).rollouts[0]
          return last.rollout === rollout && last.endedAtMs !== null
        })
        return last
      }
      const good = await ended(await rollOut('good', {}))
      expect(good.state, String(good.causeText)).toBe('succeeded')
      const bad = await ended(await rollOut('bad', { failRate: 0.5 }))
      expect(bad.state).toBe('rolled-back')
      expect(bad.causeText).toMatch(/canary/)
    } finally {
      await traffic.stop()
    }
  },
)

test(
  'the lead goes to a server of the region that is preferred once it may vote, and stays when the wish is over',
  { timeout: 300_000 },
  async () => {
    const wished = await b.data('delos', 'leader', 'move', '--prefer', 'region=eu')
    expect(wished.region).toBe('eu')
    expect((await a.data('delos', 'leader', 'show')).leader).toBe('a')
    // Not while its disk is slow, as it may be beside all else that runs here.
    await eventually(
      'b may vote',
      60_000,
      async () => (await a.muster('delos', 'member', 'promote', 'b', '--allow-even', '--json')).exitCode === 0,
    )
    await eventually('b leads', 200_000, async () => (await a.data('delos', 'leader', 'show')).leader === 'b')
    expect(await a.data('delos', 'leader', 'show')).toMatchObject({ region: 'eu', prefers: 'eu' })
    await a.data('delos', 'leader', 'move', '--prefer', 'none')
    expect((await b.data('delos', 'leader', 'show')).prefers).toBeNull()

    const { servers, logs, durability } = await a.data('delos', 'status')
    expect(durability).toBe('quorum 2')
    expect(servers).toMatchObject([
      { name: 'a', region: 'us', role: 'voter', trouble: null },
      { name: 'b', region: 'eu', role: 'voter', leads: true, trouble: null },
    ])
    for (const { syncP99Ms, lag } of servers) expect([syncP99Ms > 0, typeof lag]).toEqual([true, 'number'])
    expect(logs).toMatchObject([{ log: 'control', leader: 'b', loglet: 'quorum' }, { log: 'kv' }])
    const refused = await a.muster('delos', 'leader', 'move', '--prefer', 'eu', '--json')
    expect(refused.json.error.code).toBe('USAGE')
  },
)
