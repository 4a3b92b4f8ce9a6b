import { execFile, spawnSync } from 'node:child_process'
import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { BIN } from '../../../support/fleet.ts'
import { gateway, getPrefix, newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'

const run = promisify(execFile)
const HAS_ETCDCTL = spawnSync('etcdctl', ['version'], { env: { ...process.env, ETCDCTL_API: '3' } }).error === undefined

describe('one server', () => {
  let cluster: DelosServers
  let server: DelosServerProcess

  beforeAll(async () => {
    cluster = await newDelosServers(1)
    server = cluster.servers[0] as DelosServerProcess
    server.start()
    await cluster.healthy()
  }, 120_000)
  afterAll(() => cluster.remove())

  test('killed with -9 again and again under load loses nothing it acknowledged, and its revisions have no gap', async () => {
    const acknowledged = new Map<string, number>()
    // The first write makes the first segment file, which on a busy machine takes longer than a round.
    expect(await putKey(server.url, 'first', 'write', 30_000)).not.toBeNull()
    for (let round = 0; round < 8; round += 1) {
      let isOver = false
      const writers = Array.from({ length: 8 }, async (_, writer) => {
        for (let i = 0; !isOver; i += 1) {
          const key = `kill/${round}/${writer}/${i}`
          const revision = await putKey(server.url, key, key, 3000)
          if (revision === null) return
          acknowledged.set(key, revision)
        }
      })
      await new Promise((resolve) => setTimeout(resolve, 150 + round * 40))
      await server.end('SIGKILL')
      isOver = true
      await Promise.all(writers)
      server.start()
      await cluster.healthy()
    }
    const found = await getPrefix(server.url, 'kill/')
    const lost = [...acknowledged].filter(([key, revision]) => found.get(key)?.revision !== revision)
    expect(lost).toEqual([])
    expect(acknowledged.size).toBeGreaterThan(20)
    const revisions = [...found.values()].map(({ revision }) => revision).toSorted((a, b) => a - b)
    expect(revisions).toEqual(Array.from(revisions, (_, i) => (revisions[0] as number) + i))
  }, 180_000)

  test('without its kv.db has the same keys again, from the log alone', async () => {
    await putKey(server.url, 'again/a', '1')
    const before = await getPrefix(server.url, 'again/')
    expect(await server.end()).toBe(0)
    for (const name of ['kv.db', 'kv.db-wal', 'kv.db-shm']) rmSync(join(server.dir, name), { force: true })
    server.start()
    await cluster.healthy()
    expect(await getPrefix(server.url, 'again/')).toEqual(before)
  }, 120_000)

  test('whose log is gone while kv.db is there is refused with exit 6: what was acknowledged does not vanish unsaid', async () => {
    await server.end()
    const log = join(server.dir, 'log')
    renameSync(log, `${log}.away`)
    server.start()
    await eventually('its end', 20_000, () => !server.isRunning())
    expect(server.output()).toContain('DELOS_LOG_CORRUPT')
    expect(await server.end()).toBe(6)
    rmSync(log, { recursive: true, force: true })
    renameSync(`${log}.away`, log)
    server.start()
    await cluster.healthy()
    expect((await getPrefix(server.url, 'again/')).size).toBe(1)
  }, 120_000)

  test('a watch from an old revision tells every change once, over a restart of the server', async () => {
    const first = (await putKey(server.url, 'w/1', 'a')) as number
    await putKey(server.url, 'w/2', 'b')
    await server.end('SIGKILL')
    server.start()
    await cluster.healthy()
    await putKey(server.url, 'w/3', 'c')
    const abort = new AbortController()
    const create = {
      key: Buffer.from('w/').toString('base64'),
      range_end: Buffer.from('w0').toString('base64'),
      start_revision: String(first),
    }
    const answer = await fetch(`${server.url}/v3/watch`, {
      method: 'POST',
      body: JSON.stringify({ create_request: create }),
      signal: abort.signal,
    })
    const seen: string[] = []
    const reading = (async () => {
      let rest = ''
      const decoder = new TextDecoder()
      for await (const part of answer.body as unknown as AsyncIterable<Uint8Array>) {
        const lines = (rest + decoder.decode(part, { stream: true })).split('\n')
        rest = lines.pop() as string
        for (const line of lines.filter((each) => each !== '')) {
          for (const event of JSON.parse(line).result.events ?? []) seen.push(Buffer.from(event.kv.key, 'base64').toString())
        }
      }
    })().catch(() => undefined)
    await putKey(server.url, 'w/4', 'd')
    await eventually('all changes', 20_000, () => seen.length >= 4)
    abort.abort()
    await reading
    expect(seen).toEqual(['w/1', 'w/2', 'w/3', 'w/4'])
  }, 120_000)

  test('a lease that is not renewed ends with its keys; one that is renewed keeps them', async () => {
    const grant = async (id: string): Promise<void> => {
      expect((await gateway(server.url, 'lease/grant', { TTL: '1', ID: id })).status).toBe(200)
      const key = Buffer.from(`lease/${id}`).toString('base64')
      expect((await gateway(server.url, 'kv/put', { key, value: '', lease: id })).status).toBe(200)
    }
    await grant('71')
    await grant('72')
    const untilMs = performance.now() + 2500
    while (performance.now() < untilMs) {
      expect(Number((await gateway(server.url, 'lease/keepalive', { ID: '72' })).body.result.TTL)).toBe(1)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    expect([...(await getPrefix(server.url, 'lease/')).keys()]).toEqual(['lease/72'])
    await eventually('its end', 20_000, async () => (await getPrefix(server.url, 'lease/')).size === 0)
  }, 60_000)

  test('a second server on its data is refused with exit 5, and one on its port with exit 6; both change nothing', async () => {
    const start = async (...args: string[]): Promise<{ code: number; stderr: string }> =>
      run(process.execPath, [BIN, 'delos', 'serve', ...args], { env: { ...process.env, NO_COLOR: '1' } }).then(
        () => ({ code: 0, stderr: '' }),
        (error: { code: number; stderr: string }) => ({ code: error.code, stderr: error.stderr }),
      )
    const flags = ['--name', server.name, '--listen-client-urls', 'http://127.0.0.1:1']
    const same = await start(...flags, '--data-dir', server.dir)
    expect([same.code, same.stderr]).toEqual([5, expect.stringContaining('SERVER_RUNNING')])
    const other = await start('--data-dir', `${server.dir}-2`, '--listen-client-urls', server.url)
    expect([other.code, other.stderr]).toEqual([6, expect.stringContaining('PORT_TAKEN')])
    expect(await putKey(server.url, 'still', 'here')).not.toBeNull()
  }, 120_000)

  test.skipIf(!HAS_ETCDCTL)(
    'etcdctl puts, gets, watches, locks, elects, and logs in (skipped without etcdctl)',
    async () => {
      const etcdctl = async (...args: string[]): Promise<string> => {
        const env = { ...process.env, ETCDCTL_API: '3' }
        return (await run('etcdctl', ['--endpoints', server.url, ...args], { env, timeout: 20_000 })).stdout
      }
      expect(await etcdctl('put', 'ctl/a', '1')).toBe('OK\n')
      expect(await etcdctl('get', 'ctl/', '--prefix')).toBe('ctl/a\n1\n')
      expect(await etcdctl('del', 'ctl/a')).toBe('1\n')
      expect(await etcdctl('lock', 'ctl-lock', '--', 'sh', '-c', 'echo $ETCD_LOCK_KEY')).toMatch(/^ctl-lock\/[0-9a-f]+\n$/)
      expect(await etcdctl('endpoint', 'status')).toContain('3.5.0')
      expect(await etcdctl('member', 'list')).toContain('started, a')
      await etcdctl('user', 'add', 'root:secret')
      await etcdctl('user', 'add', 'anna:hers')
      await etcdctl('role', 'add', 'reader')
      await etcdctl('role', 'grant-permission', 'reader', 'read', 'ctl/', '--prefix')
      await etcdctl('user', 'grant-role', 'anna', 'reader')
      await etcdctl('user', 'grant-role', 'root', 'root')
      expect(await etcdctl('auth', 'enable')).toContain('Authentication Enabled')
      await expect(etcdctl('get', 'ctl/a')).rejects.toThrow('user name is empty')
      await expect(etcdctl('--user', 'anna:wrong', 'get', 'ctl/a')).rejects.toThrow('invalid user ID or password')
      await expect(etcdctl('--user', 'anna:hers', 'put', 'ctl/a', '2')).rejects.toThrow('permission denied')
      expect(await etcdctl('--user', 'anna:hers', 'get', 'ctl/a')).toBe('')
      expect(await etcdctl('--user', 'root:secret', 'put', 'ctl/a', '2')).toBe('OK\n')
      expect(await etcdctl('--user', 'root:secret', 'auth', 'disable')).toContain('Authentication Disabled')
    },
    120_000,
  )
})
