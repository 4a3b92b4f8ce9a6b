import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { BIN } from '../../../support/fleet.ts'
import { freePort } from '../../../support/free-port.ts'
import { gateway, newDelosServers, putKey, SERVER_ENV, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { hasEtcdctl } from '../../../support/stores.ts'
import { ask, faultsAt, startWriters } from './load.ts'

interface Joiner {
  name: string
  url: string
  peer: string
  start: (cluster: string) => void
  kill: () => Promise<void>
  ended: () => number | null
  output: () => string
}

/** A server that comes to a cluster that runs. */
async function newJoiner(root: string, name: string): Promise<Joiner> {
  const url = `http://127.0.0.1:${await freePort()}`
  const peer = `http://127.0.0.1:${await freePort()}`
  let child: ChildProcess | null = null
  let said = ''
  return {
    name,
    url,
    peer,
    start: (cluster) => {
      const args = [
        'delos',
        'serve',
        '--name',
        name,
        '--data-dir',
        join(root, name),
        '--listen-client-urls',
        url,
        '--listen-peer-urls',
        peer,
      ]
      args.push('--initial-cluster', `${cluster},${name}=${peer}`, '--initial-cluster-state', 'existing', '--profile', 'wan')
      child = spawn(process.execPath, [BIN, ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...SERVER_ENV, ...process.env, NO_COLOR: '1' },
      })
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', (part: Buffer) => (said += part.toString()))
    },
    kill: async () => {
      const ending = child
      child = null
      if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return
      ending.kill('SIGKILL')
      await once(ending, 'exit')
    },
    ended: () => child?.exitCode ?? null,
    output: () => said,
  }
}

const etcdctl = (url: string, ...args: string[]): { status: number | null; said: string } => {
  const { status, stdout, stderr } = spawnSync('etcdctl', ['--endpoints', url, '--command-timeout', '30s', ...args], {
    env: { ...process.env, ETCDCTL_API: '3' },
    encoding: 'utf8',
  })
  return { status, said: stdout + stderr }
}

describe.skipIf(!hasEtcdctl)('members of three servers that are written to (skipped without etcdctl)', () => {
  const root = mkdtempSync(join(tmpdir(), 'muster-members-'))
  let cluster: DelosServers
  let d: Joiner
  let e: Joiner
  let named = ''

  beforeAll(async () => {
    cluster = await newDelosServers(3, ['--profile', 'wan'])
    for (const server of cluster.servers) server.start()
    await cluster.healthy()
    d = await newJoiner(root, 'd')
    e = await newJoiner(root, 'e')
  }, 180_000)
  afterAll(async () => {
    await d.kill()
    await e.kill()
    await cluster.remove()
    rmSync(root, { recursive: true, force: true })
  })

  const rolesAt = async (url: string): Promise<Record<string, string>> => {
    const { body } = await ask(url, 'member/list')
    return Object.fromEntries(body.members.map(({ name, role }: { name: string; role: string }) => [name, role]))
  }
  const idOf = async (url: string, name: string): Promise<string> => {
    const { body } = await ask(url, 'member/list')
    return body.members.find((member: { name: string }) => member.name === name).id
  }

  test('grow to five voters and lose their leader: nothing is lost, doubled or reordered', async () => {
    const [first] = cluster.servers as [DelosServerProcess]
    const { body: chain } = await ask(first.url, 'log/loglets')
    named = chain.members.map(({ name, addresses }: { name: string; addresses: string[] }) => `${name}=${addresses[0]}`).join(',')
    const writers = startWriters(cluster.servers, 'grown', 4)

    // etcdctl's way to a learner, which counts once it is promoted.
    const added = etcdctl(first.url, 'member', 'add', 'd', '--learner', '--peer-urls', d.peer)
    expect([added.status, added.said]).toEqual([0, expect.stringMatching(/added to cluster/)])
    d.start(named)
    await eventually(`d has come: ${d.output()}`, 60_000, async () => (await fetch(`${d.url}/health`)).ok)
    expect(await rolesAt(first.url)).toEqual({ a: 'voter', b: 'voter', c: 'voter', d: 'learner' })
    await eventually('d is promoted', 60_000, async () => {
      const { status } = etcdctl(first.url, 'member', 'promote', await idOf(first.url, 'd'))
      return status === 0
    })

    // Ours to a voter: it counts by itself, as soon as it has caught up.
    const { status } = await ask(first.url, 'member/add', { name: 'e', peerUrls: [e.peer] })
    expect(status).toBe(200)
    expect((await rolesAt(first.url))['e']).toBe('pending')
    e.start(`${named},d=${d.peer}`)
    await eventually(`five voters: ${e.output()}`, 90_000, async () =>
      Object.values(await rolesAt(e.url)).every((role) => role === 'voter'),
    )

    const leader = await eventually('a leader', 60_000, async () => {
      const { body } = await gateway(first.url, 'maintenance/status', {})
      return body.leader === undefined ? null : BigInt(body.leader).toString(16)
    })
    const removed = etcdctl(first.url, 'member', 'remove', leader)
    expect([removed.status, removed.said]).toEqual([0, expect.stringMatching(/removed from cluster/)])
    const acknowledged = await writers.stop()
    const left = (await ask(e.url, 'member/list')).body.members as { name: string; id: string }[]
    expect(left).toHaveLength(4)
    const urls = [...cluster.servers, d, e].filter(({ name }) => left.some((member) => member.name === name)).map(({ url }) => url)
    for (const url of urls) expect(await faultsAt(url, 'grown', acknowledged)).toEqual([])
    expect(acknowledged.keys.size).toBeGreaterThan(20)
  }, 300_000)

  test('etcdctl moves a member to another address, and is refused what cannot be done in the words of etcd', async () => {
    const id = await idOf(e.url, 'd')
    const moved = etcdctl(e.url, 'member', 'update', id, '--peer-urls', d.peer.replace('127.0.0.1', 'localhost'))
    expect([moved.status, moved.said]).toEqual([0, expect.stringMatching(/updated in cluster/)])
    expect(etcdctl(e.url, 'member', 'remove', '1234567').said).toMatch(/member not found/i)
    expect(etcdctl(e.url, 'member', 'promote', id).said).toMatch(/can only promote a learner member/)
    expect(etcdctl(e.url, 'member', 'add', 'x', '--peer-urls', e.peer).said).toMatch(/Peer URLs already exists/)
  }, 120_000)
})

test('a server that was away when it was removed is told so when it comes back, and ends', { timeout: 180_000 }, async () => {
  const three = await newDelosServers(3, ['--profile', 'wan'])
  try {
    const [a, , c] = three.servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
    for (const server of three.servers) server.start()
    await three.healthy()
    const { body: chain } = await ask(a.url, 'log/loglets')
    const { id } = chain.members.find(({ name }: { name: string }) => name === 'c') as { id: string }
    await c.end('SIGKILL')
    const removed = await ask(a.url, 'member/remove', { ids: [id] })
    expect([removed.status, removed.body.error]).toEqual([200, undefined])
    c.start()
    await eventually(`its end: ${c.output()}`, 60_000, () => c.unexpectedEnd() !== null)
    expect(c.output()).toContain('DELOS_MEMBER_REMOVED')
    expect(await putKey(a.url, 'still', 'here')).not.toBeNull()
  } finally {
    await three.remove()
  }
})
