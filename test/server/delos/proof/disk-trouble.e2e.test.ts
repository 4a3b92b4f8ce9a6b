import { openSync, readSync, closeSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { gateway, getPrefix, newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'
import { traceMissing, troubleSyncs } from './sync-trouble.ts'

let cluster: DelosServers
afterEach(() => cluster.remove())

async function start(count: 1 | 3): Promise<DelosServerProcess[]> {
  cluster = await newDelosServers(count, ['--profile', 'wan'])
  for (const server of cluster.servers) server.start()
  await cluster.healthy()
  return cluster.servers
}

async function leaderOf(servers: readonly DelosServerProcess[]): Promise<DelosServerProcess> {
  return eventually('a leader', 30_000, async () => {
    for (const server of servers) {
      if (!server.isRunning()) continue
      const { body } = await gateway(server.url, 'maintenance/status', {}, '', 2000)
      if (body.leader === body.header.member_id) return server
    }
    return null
  })
}

/** Writes keys until `until` says so; gives the revision of each that was acknowledged. */
async function writeUntil(url: string, prefix: string, until: () => boolean): Promise<Map<string, number>> {
  const acknowledged = new Map<string, number>()
  for (let i = 0; !until(); i += 1) {
    const revision = await putKey(url, `${prefix}/${i}`, `${i}`, 3000)
    if (revision !== null) acknowledged.set(`${prefix}/${i}`, revision)
  }
  return acknowledged
}

async function expectAll(url: string, prefix: string, acknowledged: ReadonlyMap<string, number>): Promise<void> {
  const found = await getPrefix(url, `${prefix}/`)
  expect([...acknowledged].filter(([key, revision]) => found.get(key)?.revision !== revision)).toEqual([])
}

describe.skipIf(traceMissing !== null)(`a write to the log's disk (${traceMissing ?? 'strace'})`, () => {
  test('that fails ends a lone server with the reason; what it acknowledged is there when it starts again', async () => {
    const [server] = (await start(1)) as [DelosServerProcess]
    let written = 0
    const writing = writeUntil(server.url, 'eio', () => {
      written += 1
      return !server.isRunning()
    })
    await eventually('some writes', 20_000, () => written > 10)
    const stop = await troubleSyncs(server, 'error=EIO')
    await eventually('its end', 30_000, () => !server.isRunning())
    await stop()
    const acknowledged = await writing
    expect(server.output()).toContain('DELOS_DISK_FAILED')
    expect(server.output()).toContain('may or may not be on disk')
    expect(await server.end()).toBe(1)
    expect(acknowledged.size).toBeGreaterThan(9)
    server.start()
    await cluster.healthy()
    await expectAll(server.url, 'eio', acknowledged)
  }, 240_000)

  test('that fails at the leader of three ends that one; the others go on with all that was acknowledged, and it comes back', async () => {
    const servers = await start(3)
    const failing = await leaderOf(servers)
    const other = servers.find((server) => server !== failing) as DelosServerProcess
    let goesOn = 0
    const writing = writeUntil(other.url, 'eio', () => {
      if (!failing.isRunning()) goesOn += 1
      return goesOn > 20
    })
    const stop = await troubleSyncs(failing, 'error=EIO')
    await eventually('its end', 30_000, () => !failing.isRunning())
    await stop()
    const acknowledged = await writing
    expect(failing.output()).toContain('DELOS_DISK_FAILED')
    await failing.end()
    expect(acknowledged.size).toBeGreaterThan(10)
    failing.start()
    await cluster.healthy()
    for (const { url } of servers) await expectAll(url, 'eio', acknowledged)
  }, 240_000)

  test('that is slow at the leader holds nothing up: what a majority has is committed', async () => {
    const servers = await start(3)
    const slow = await leaderOf(servers)
    const before = (await gateway(slow.url, 'maintenance/status', {})).body.raftTerm as string
    // Ten writes one after the other: with its own sync in each, they would take a hundred seconds.
    const stop = await troubleSyncs(slow, 'delay_enter=10000000')
    for (let i = 0; i < 10; i += 1) expect(await putKey(slow.url, `slow/${i}`, 'x', 9000)).not.toBeNull()
    const { body } = await gateway(slow.url, 'maintenance/status', {})
    expect([body.leader, body.raftTerm]).toEqual([body.header.member_id, before])
    await stop()
    expect((await getPrefix(servers.find((server) => server !== slow)?.url ?? '', 'slow/')).size).toBe(10)
  }, 180_000)

  test('that is slow at a lone server is waited for, and shows in its metrics', async () => {
    const [server] = (await start(1)) as [DelosServerProcess]
    // The file it writes to has to be there.
    await putKey(server.url, 'first', 'x')
    const stop = await troubleSyncs(server, 'delay_enter=300000')
    for (let i = 0; i < 5; i += 1) expect(await putKey(server.url, `slow/${i}`, 'x')).not.toBeNull()
    expect((await getPrefix(server.url, 'slow/')).size).toBe(5)
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    const p99 = Number(/^muster_delos_sync_seconds_p99 (.*)$/m.exec(metrics)?.[1])
    expect(p99).toBeGreaterThan(0.3)
    await stop()
  }, 180_000)
})

/** Flips one bit of the first entry in the newest segment file of a folder. */
function flipBit(folder: string): string {
  const name = readdirSync(folder).find((file) => file.endsWith('.seg')) as string
  const fd = openSync(join(folder, name), 'r+')
  const byte = new Uint8Array(1)
  // Header of the file 64 bytes, of the record 48: this is in what the first entry says.
  const at = 64 + 48 + 8
  readSync(fd, byte, 0, 1, at)
  byte[0] = (byte[0] as number) ^ 4
  writeSync(fd, byte, 0, 1, at)
  closeSync(fd)
  return name
}

describe('a bit that flipped in the log', () => {
  test('keeps a lone server from starting: it names the file and the place, and says what to do', async () => {
    const [server] = (await start(1)) as [DelosServerProcess]
    for (let i = 0; i < 5; i += 1) await putKey(server.url, `k/${i}`, 'x')
    await server.end()
    const file = flipBit(join(server.dir, 'log/kv/00000001'))
    server.start()
    await eventually('its end', 30_000, () => !server.isRunning())
    expect(server.output()).toContain('DELOS_LOG_CORRUPT')
    expect(server.output()).toMatch(new RegExp(`${file} is damaged at offset 64, log position 1`))
    expect(server.output()).toMatch(/delos log repair --plan/)
    expect(await server.end()).toBe(6)
  }, 180_000)
})
