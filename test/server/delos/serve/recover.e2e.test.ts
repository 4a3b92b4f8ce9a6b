import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { gateway, getPrefix, newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'
import { BIN } from '../../../support/fleet.ts'
import { ask, faultsAt, startWriters } from '../virtual-log/load.ts'

let cluster: DelosServers
afterEach(() => cluster.remove())

const recover = (dir: string, ...more: string[]): { code: number | null; said: string } => {
  const args = ['delos', 'recover', '--from-this-server', '--data-dir', dir, ...more]
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  })
  return { code: status, said: stdout + stderr }
}

test('when two of three servers are lost with their disks, the third goes on alone with all that was acknowledged and it had', async () => {
  cluster = await newDelosServers(3, ['--profile', 'wan'])
  const [a, b, c] = cluster.servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
  for (const server of cluster.servers) server.start()
  await cluster.healthy()
  const writers = startWriters([a, b], 'kept', 4)
  await new Promise((resolve) => setTimeout(resolve, 3000))
  const acknowledged = await writers.stop()
  expect(acknowledged.keys.size).toBeGreaterThan(20)
  // What a majority has, c has in a moment.
  await eventually('c has it all', 20_000, async () => (await getPrefix(c.url, 'kept/', true)).size >= acknowledged.keys.size)
  for (const server of [a, b]) await server.end('SIGKILL')
  cpSync(b.dir, join(b.dir, '..', 'b-old'), { recursive: true })
  for (const server of [a, b]) rmSync(server.dir, { recursive: true, force: true })

  expect(await putKey(c.url, 'alone', '1', 8000)).toBeNull()
  const running = recover(c.dir, '--plan')
  expect([running.code, running.said]).toEqual([5, expect.stringContaining('SERVER_RUNNING')])
  await c.end('SIGKILL')
  const plan = recover(c.dir, '--plan')
  expect([plan.code, plan.said]).toEqual([0, expect.stringContaining('What may be lost: what others acknowledged after position')])
  expect(plan.said).toContain('Nothing was changed yet.')
  expect(recover(c.dir).code).toBe(4)
  const done = recover(c.dir, '--confirm', 'c')
  expect([done.code, done.said]).toEqual([
    0,
    expect.stringMatching(/a, b never come back under their ids\.|b, a never come back under their ids\./),
  ])

  c.start()
  await cluster.healthy()
  expect(await faultsAt(c.url, 'kept', acknowledged)).toEqual([])
  expect(await putKey(c.url, 'alone', '1')).not.toBeNull()
  const { body } = await ask(c.url, 'member/list')
  expect(body.members).toMatchObject([{ name: 'c', role: 'voter' }])
  await c.end('SIGKILL')
  c.start()
  await cluster.healthy()
  expect((await getPrefix(c.url, 'alone')).size).toBe(1)

  // It grows with a new server at the old address.
  const peerOf = (name: string): string =>
    cluster.cluster
      .split(',')
      .find((each) => each.startsWith(`${name}=`))
      ?.slice(2) as string
  const added = await ask(c.url, 'member/add', { name: 'a', peerUrls: [peerOf('a')], isLearner: true })
  expect(added.status).toBe(200)
  a.start('--initial-cluster-state', 'existing')
  await eventually('a votes', 60_000, async () => {
    if (!a.isRunning()) throw new Error(a.output())
    return (await ask(c.url, 'member/promote', { ids: [added.body.id] })).status === 200
  })
  await eventually('a has it all', 30_000, async () => (await getPrefix(a.url, 'alone')).size === 1)
  expect(await faultsAt(a.url, 'kept', acknowledged)).toEqual([])

  // One of the lost ones, brought back from a copy, is of another cluster.
  cpSync(join(b.dir, '..', 'b-old'), b.dir, { recursive: true })
  b.start()
  await eventually('c refuses it', 30_000, async () => readFileSync(join(c.dir, 'server.log'), 'utf8').includes('it is of cluster'))
  expect(await putKey(b.url, 'wrong', '1', 6000)).toBeNull()
  expect((await gateway(c.url, 'cluster/member/list', {})).body.members).toHaveLength(2)
}, 240_000)

test('what it accepted and does not know to be decided is kept', async () => {
  cluster = await newDelosServers(3, ['--profile', 'wan'])
  const [a, b, c] = cluster.servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
  for (const server of cluster.servers) server.start()
  await cluster.healthy()
  expect(await putKey(a.url, 'before', '1')).not.toBeNull()
  const leader = await eventually('a leader', 20_000, async () => {
    const { body } = await gateway(a.url, 'maintenance/status', {})
    for (const server of [a, b, c])
      if ((await gateway(server.url, 'maintenance/status', {})).body.header.member_id === body.leader) return server
    return null
  })
  for (const server of cluster.servers) if (server !== leader) server.pause()
  // Only the leader has it on its disk, and nobody says that it is decided.
  const waiting = putKey(leader.url, 'accepted', '1', 4000)
  expect(await waiting).toBeNull()
  for (const server of cluster.servers) await server.end('SIGKILL')
  const done = recover(leader.dir, '--confirm', leader.name)
  expect([done.code, done.said]).toEqual([0, expect.stringContaining('that it accepted, which are kept too')])
  leader.start()
  await cluster.healthy()
  expect([...(await getPrefix(leader.url, 'accepted')).keys()]).toEqual(['accepted'])
  expect([...(await getPrefix(leader.url, 'before')).keys()]).toEqual(['before'])
}, 240_000)
