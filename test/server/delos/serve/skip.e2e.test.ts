import { spawnSync } from 'node:child_process'
import { afterEach, expect, test } from 'vitest'
import { BatchWriter } from '../../../../src/core/delos/engines/batch.ts'
import { proposerOf } from '../../../../src/core/delos/engines/proposer.ts'
import { COMMAND_KIND } from '../../../../src/core/delos/kv/command-kind.ts'
import { createLogger } from '../../../../src/platform/logger.ts'
import { openClusterLog } from '../../../../src/server/delos/serve/cluster-log.ts'
import { gateway, getPrefix, newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'
import { BIN } from '../../../support/fleet.ts'
import { optionsOf } from '../../../support/serve-flags.ts'

let cluster: DelosServers
afterEach(() => cluster.remove())

interface Ran {
  code: number | null
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at what they expect
  json: any
  said: string
}
const skip = (url: string, position: number, ...more: string[]): Ran => {
  const args = ['delos', 'log', 'skip', String(position), '--reason', 'ends who applies it', '--endpoints', url, ...more]
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  })
  return { code: status, json: more.includes('--json') ? JSON.parse(stdout || '{}') : null, said: stdout + stderr }
}
const tailOf = async (url: string): Promise<number> => Number((await gateway(url, 'maintenance/status', {})).body.raftAppliedIndex)
const healthOf = async (url: string): Promise<{ health: string; reason: string }> =>
  (await (await fetch(`${url}/health`, { signal: AbortSignal.timeout(8000) })).json()) as { health: string; reason: string }
const keysAt = async (url: string, prefix: string): Promise<string[]> => [...(await getPrefix(url, prefix, true)).keys()].toSorted()

/** An entry whose body nobody can read: whoever applies it throws. */
function poison(server: number): Uint8Array {
  const writer = new BatchWriter()
  writer.add(COMMAND_KIND.leaseGrant, new TextEncoder().encode('no JSON'))
  return writer.finish({ timeMs: Date.now(), proposer: proposerOf(server, 7), seq: 1 })
}

/** Comes to the log as server c, appends, and goes. */
async function appendAs(server: DelosServerProcess, peerUrl: string): Promise<number> {
  const options = optionsOf({
    name: server.name,
    'data-dir': server.dir,
    'initial-cluster': cluster.cluster,
    'listen-peer-urls': peerUrl,
    profile: 'wan',
  })
  const log = await openClusterLog({
    ...{ options, tls: null, value: null, from: 1, segmentBytes: 16 * 1024 * 1024, onSync: () => undefined, logger: createLogger(null) },
    onFatal: (error) => expect.unreachable(error.message),
  })
  try {
    const number = log.log.value().servers.find(({ name }) => name === server.name)?.server as number
    log.log.onCommitted(() => undefined)
    return await log.log.append(poison(number))
  } finally {
    await log.close()
  }
}

test('an entry that ends every server is passed over by all once an operator says so, also by one that starts again', async () => {
  cluster = await newDelosServers(3, ['--profile', 'wan'])
  const [a, b, c] = cluster.servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
  for (const server of cluster.servers) server.start()
  await cluster.healthy()
  expect(await putKey(a.url, 'before', '1')).not.toBeNull()
  await c.end()
  const peerOf = (name: string): string =>
    cluster.cluster
      .split(',')
      .find((each) => each.startsWith(`${name}=`))
      ?.slice(2) as string
  const position = await appendAs(c, peerOf('c'))

  // Each server dies of it twice; the third time it stops before it, and says so. It takes two of them to apply anything.
  const stopsBeforeIt = async (server: DelosServerProcess): Promise<boolean> =>
    server.isRunning() && (await healthOf(server.url)).reason.includes('DELOS_POISON')
  await eventually('all stop before it', 120_000, async () => {
    let stopped = 0
    for (const server of cluster.servers) {
      if (!server.isRunning()) server.start()
      else if (await stopsBeforeIt(server).catch(() => false)) stopped += 1
    }
    return stopped === 3
  })
  expect((await healthOf(a.url)).reason).toContain(`applying position ${position} (leaseGrant) ends this server: DELOS_POISON`)
  const ready = await fetch(`${b.url}/readyz`)
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('[-]applying failed')])
  expect(await putKey(a.url, 'refused', '1')).toBeNull()
  expect(await keysAt(a.url, 'before')).toEqual(['before'])

  // They say each second how far they are.
  const plan = await eventually('a plan that knows all', 20_000, async () => {
    const { code, json } = skip(a.url, position, '--plan', '--json')
    return code === 0 && json.data.servers.every(({ applied }: { applied: number | null }) => applied !== null) ? json.data : null
  })
  expect(plan).toMatchObject({
    version: null,
    entry: { timeMs: expect.any(Number), proposer: 'c', commands: [{ kind: 'leaseGrant', key: null, user: '', bytes: 7 }] },
  })
  for (const each of plan.servers) expect(each).toMatchObject({ applied: position - 1, does: 'passes over it' })
  const unnamed = skip(a.url, position)
  expect([unnamed.code, unnamed.said]).toEqual([4, expect.stringContaining(`--confirm ${position}`)])
  expect(skip(a.url, position + 1000, '--plan').said).toContain('nothing stands at position')
  const done = skip(a.url, position, '--confirm', String(position))
  expect([done.code, done.said]).toEqual([0, expect.stringContaining(`position ${position} is skipped`)])
  await cluster.healthy()
  expect(await putKey(b.url, 'after', '1')).not.toBeNull()
  expect(skip(b.url, position, '--confirm', String(position)).said).toContain('is skipped already')

  await c.end('SIGKILL')
  c.start()
  await cluster.healthy()
  for (const { url } of cluster.servers) {
    await eventually('the last key', 20_000, async () => (await keysAt(url, 'after')).length === 1)
    expect(await keysAt(url, 'before')).toEqual(['before'])
  }
}, 300_000)

test('servers that applied what is skipped make their stores anew without it, also one that was away', async () => {
  cluster = await newDelosServers(3, ['--profile', 'wan'])
  const [a, b, c] = cluster.servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
  for (const server of cluster.servers) server.start()
  await cluster.healthy()
  expect(await putKey(a.url, 'k/1', '1')).not.toBeNull()
  expect(await putKey(a.url, 'k/wrong', '1')).not.toBeNull()
  const position = await tailOf(a.url)
  expect(await putKey(b.url, 'k/2', '1')).not.toBeNull()
  await eventually('c has it', 20_000, async () => (await keysAt(c.url, 'k/')).length === 3)
  // Its rows are written when it ends so: it comes back with what is to be skipped among them.
  await c.end()

  const plan = await eventually('c is missed', 20_000, async () => {
    const { data } = skip(a.url, position, '--plan', '--json').json
    return data.servers.some(({ applied }: { applied: number | null }) => applied === null) ? data : null
  })
  expect(plan.entry.commands).toEqual([{ kind: expect.any(String), key: 'k/wrong', user: '', bytes: expect.any(Number) }])
  const does = new Map(plan.servers.map((each: { name: string; does: string }) => [each.name, each.does]))
  expect(does).toEqual(
    new Map([
      ['a', 'makes its store anew'],
      ['b', 'makes its store anew'],
      ['c', 'when it comes back'],
    ]),
  )
  expect(skip(a.url, position, '--confirm', String(position)).code).toBe(0)
  await eventually('the others are without it', 30_000, async () => (await keysAt(a.url, 'k/')).join() === 'k/1,k/2')
  await cluster.healthy()
  expect(await putKey(a.url, 'k/3', '1')).not.toBeNull()
  c.start()
  for (const { url } of cluster.servers)
    await eventually(`it is without it, ${url}`, 60_000, async () => (await keysAt(url, 'k/')).join() === 'k/1,k/2,k/3')
  const digests = await Promise.all(
    cluster.servers.map(async ({ url }) => (await gateway(url, 'maintenance/hash', {})).body.hash as number),
  )
  expect(new Set(digests).size).toBe(1)
}, 180_000)
