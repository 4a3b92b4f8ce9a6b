import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { gateway, getPrefix, newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'
import { fillDisk, mountTinyDisk, tinyDiskMissing } from '../tiny-disk.ts'

const MIB = 1024 * 1024
const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe.skipIf(tinyDiskMissing !== null)(`a full disk (${tinyDiskMissing ?? 'tmpfs'})`, () => {
  let cluster: DelosServers
  const unmount: (() => void)[] = []
  afterEach(async () => {
    for (const server of cluster.servers) {
      server.resume()
      await server.end('SIGKILL')
    }
    for (const each of unmount.splice(0)) each()
    await cluster.remove()
  })

  /** A server whose data is on a disk of its own. */
  const onTinyDisk = (server: DelosServerProcess, sizeBytes: number): void => void unmount.push(mountTinyDisk(server.dir, sizeBytes))

  test('that is nearly full stops a lone server from growing, not from deleting and compacting; with room it goes on by itself', async () => {
    cluster = await newDelosServers(1)
    const [server] = cluster.servers as [DelosServerProcess]
    onTinyDisk(server, 330 * MIB)
    server.start()
    await cluster.healthy()
    expect(await putKey(server.url, 'kept', 'yes')).not.toBeNull()
    const revision = (await putKey(server.url, 'goes', 'soon')) as number

    const free = fillDisk(server.dir, 100 * MIB)
    const put = (): Promise<{ status: number; body: { message: string; code: number } }> =>
      gateway(server.url, 'kv/put', { key: base64('more'), value: base64('x') })
    const refused = await eventually('a refusal', 20_000, async () => ((await put()).status === 200 ? null : put()))
    expect([refused.body.code, refused.body.message]).toEqual([8, 'etcdserver: mvcc: database space exceeded'])
    await eventually('an alarm', 20_000, async () =>
      (await fetch(`${server.url}/health`).then((answer) => answer.text())).includes('NOSPACE'),
    )
    expect((await gateway(server.url, 'kv/deleterange', { key: base64('goes') })).body.deleted).toBe('1')
    expect((await gateway(server.url, 'kv/compaction', { revision: String(revision) })).status).toBe(200)
    expect([...(await getPrefix(server.url, 'kept')).keys()]).toEqual(['kept'])

    free()
    await eventually('a write', 20_000, async () => (await put()).status === 200)
    await cluster.healthy()
  }, 180_000)

  test('without a byte left loses nothing of a lone server, which is killed with -9 and starts again on it', async () => {
    cluster = await newDelosServers(1)
    const [server] = cluster.servers as [DelosServerProcess]
    onTinyDisk(server, 330 * MIB)
    server.start()
    await cluster.healthy()
    const acknowledged = new Map<string, number>()
    const writeMore = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += 1) {
        const key = `k/${acknowledged.size}`
        const revision = await putKey(server.url, key, 'x'.repeat(1000))
        if (revision !== null) acknowledged.set(key, revision)
      }
    }
    await writeMore(20)
    const free = fillDisk(server.dir, 0)
    await writeMore(20)
    // What it says of its disk is in the store: the server that starts again takes back what it said before.
    await eventually('an alarm', 20_000, async () => {
      await writeMore(1)
      return (await fetch(`${server.url}/health`).then((answer) => answer.text())).includes('NOSPACE')
    })
    await server.end('SIGKILL')
    server.start()
    const found = await eventually(`an answer: ${server.output()}`, 30_000, () => getPrefix(server.url, 'k/'))
    for (const [key, revision] of acknowledged) expect([key, found.get(key)?.revision]).toEqual([key, revision])
    // Its segment file was made when there was room: what takes back is still taken.
    expect((await gateway(server.url, 'kv/deleterange', { key: base64('k/0') })).body.deleted).toBe('1')
    free()
    await eventually('a write', 20_000, async () => (await putKey(server.url, 'after', '1')) !== null)
    await server.end('SIGKILL')
    server.start()
    await cluster.healthy()
    expect((await getPrefix(server.url, 'k/')).size).toBe(acknowledged.size - 1)
  }, 240_000)

  test('of one of three ends that server with its reason; the others go on, and with room it catches up', async () => {
    cluster = await newDelosServers(3, ['--profile', 'wan'])
    const [one, , three] = cluster.servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
    onTinyDisk(three, 330 * MIB)
    for (const server of cluster.servers) server.start()
    await cluster.healthy()
    const free = fillDisk(three.dir, 1 * MIB)
    // More than what is left of its segment file.
    const value = 'x'.repeat(1.2 * MIB)
    for (let i = 0; i < 60; i += 1) {
      await eventually(`write ${i}`, 30_000, async () => (await putKey(one.url, `big/${i % 4}`, value)) !== null)
    }
    await eventually('the end of that server', 30_000, () => !three.isRunning())
    expect(three.output()).toContain('DISK_FULL')
    expect(await three.end()).toBe(6)
    expect(await putKey(one.url, 'goes', 'on')).not.toBeNull()
    free()
    three.start()
    await eventually('what it missed', 120_000, async () => (await getPrefix(three.url, 'goes')).get('goes')?.value === 'on')
  }, 360_000)

  test('of one of three holds up nobody that grows, of two of three all: the cluster says so, and goes on with room', async () => {
    cluster = await newDelosServers(3, ['--profile', 'wan'])
    const [one, two, three] = cluster.servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
    for (const server of [two, three]) onTinyDisk(server, 220 * MIB)
    for (const server of cluster.servers) server.start()
    await cluster.healthy()
    const put = async (): Promise<number> => (await gateway(one.url, 'kv/put', { key: base64('more'), value: base64('x') })).status
    expect(await put()).toBe(200)
    fillDisk(three.dir, 90 * MIB)
    await eventually('a word on it', 20_000, () => readFileSync(join(three.dir, 'server.log'), 'utf8').includes('the disk is nearly full'))
    expect(await put()).toBe(200)
    const free = fillDisk(two.dir, 90 * MIB)
    await eventually('a refusal', 30_000, async () => (await put()) === 429)
    expect((await gateway(one.url, 'kv/deleterange', { key: base64('more') })).body.deleted).toBe('1')
    free()
    await eventually('a write', 30_000, async () => (await put()) === 200)
  }, 180_000)
})
