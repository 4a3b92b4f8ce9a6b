import { request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { textOf } from '../../src/platform/streams.ts'
import { eventually } from '../support/eventually.ts'
import { newFleet, type TestFleet } from '../support/fleet.ts'

/** So many, of 40 KB each, that they are not taken in within a moment. */
const PROFILES = 400
const SETTINGS = 160
let servers: TestFleet[]

/** One request over the server's socket. */
function post(fleet: TestFleet, path: string, body: object): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const options = { socketPath: join(fleet.root, 'muster.sock'), path, method: 'POST', headers: { 'content-type': 'application/json' } }
    const sent = request(
      options,
      (response) => void textOf(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject),
    )
    sent.once('error', reject).end(JSON.stringify(body))
  })
}

beforeAll(async () => {
  servers = [newFleet(), newFleet(), newFleet()]
  await servers[0]?.data('up', '--name', 's0', '--nodes', '0')
})
afterAll(async () => {
  for (const server of servers) await server.end()
}, 120_000)

test('a server that counts as a voter has the state: the first one may end as soon as there are three', { timeout: 240_000 }, async () => {
  const [first, ...others] = servers as [TestFleet, TestFleet, TestFleet]
  for (let i = 0; i < PROFILES; i += 1) {
    const sysctls = Object.fromEntries(Array.from({ length: SETTINGS }, (_, k) => [`net.ipv4.conf.e${i}x${k}.rp_filter`, '1'.repeat(220)]))
    expect(await post(first, '/v1/tw/profile/set', { document: { profile: `p${i}`, sysctls } })).toMatchObject({ status: 200 })
  }
  const before = (await first.data('tw', 'profile', 'ls')) as unknown[]
  expect(before).toHaveLength(PROFILES)
  const { token } = await first.data('delos', 'member', 'token', '--uses', '2')
  for (const [i, server] of others.entries()) await server.data('up', '--join', token, '--name', `s${i + 1}`, '--voter', '--nodes', '0')
  // Not by a command, which takes longer than what is looked for.
  const voters = async (): Promise<number> =>
    (await post(first, '/v1/delos/operator/control/member/list', {})).text.split('"role":"voter"').length - 1
  const untilMs = performance.now() + 60_000
  while ((await voters()) < 3) {
    if (performance.now() > untilMs) throw new Error('there were no three voters')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  process.kill(first.serverPid() as number, 'SIGKILL')
  const [second] = others
  await eventually('they go on with all of it', 60_000, async () => {
    const { exitCode, json } = await second.muster('tw', 'profile', 'ls', '--json')
    return exitCode === 0 && json.data.length === PROFILES
  })
  // And not each by what it has alone: another entry is decided.
  const more = { document: { profile: 'more', sysctls: { 'vm.swappiness': '1' } } }
  await eventually('another entry', 30_000, async () => (await post(second, '/v1/tw/profile/set', more)).status === 200)
})
