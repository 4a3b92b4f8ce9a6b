import { spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { newFleet, type TestFleet } from '../support/fleet.ts'
import { freePort } from '../support/free-port.ts'
import { hasEtcdctl } from '../support/stores.ts'

const name = (text: string): string => `${text}${hasEtcdctl ? '' : ' (etcdctl is not installed)'}`

let fleet: TestFleet
let endpoint = ''
beforeAll(async () => {
  if (!hasEtcdctl) return
  fleet = newFleet()
  endpoint = `127.0.0.1:${await freePort()}`
  const up = await fleet.muster('up', '--etcd', endpoint, '--json')
  expect(up.exitCode, up.stdout + up.stderr).toBe(0)
  expect(up.json.data.server.etcd).toBe(endpoint)
}, 180_000)
afterAll(async () => {
  await fleet?.end()
}, 120_000)

const env = { ...process.env, ETCDCTL_API: '3' }
const etcdctl = (...args: string[]): string => {
  const { status, stdout, stderr } = spawnSync('etcdctl', ['--endpoints', endpoint, ...args], { env, encoding: 'utf8' })
  if (status !== 0) throw new Error(`etcdctl ${args.join(' ')}: ${stderr}`)
  return stdout.trim()
}

test.skipIf(!hasEtcdctl)(
  name("etcd's clients and the fleet's own commands have one store, which kill -9 of the server loses nothing of"),
  { timeout: 240_000 },
  async () => {
    const watch = spawn('etcdctl', ['--endpoints', endpoint, 'watch', '--prefix', 'a/'], { env, stdio: ['ignore', 'pipe', 'ignore'] })
    let told = ''
    watch.stdout.on('data', (chunk: Buffer) => (told += chunk.toString()))
    await eventually('the watch is there', 20_000, async () => {
      await fleet.data('delos', 'kv', 'put', 'a/ours', '1')
      return told.includes('a/ours')
    })
    watch.kill('SIGKILL')
    etcdctl('put', 'a/theirs', '2')
    const lease = /lease (\w+) granted/.exec(etcdctl('lease', 'grant', '600'))?.[1] ?? ''
    etcdctl('put', '--lease', lease, 'a/leased', '3')
    expect(etcdctl('lock', 'job', 'printenv', 'ETCD_LOCK_KEY')).toMatch(/^job\/[0-9a-f]+$/)
    expect((await fleet.data('delos', 'lease', 'show', lease)).keys).toEqual(['a/leased'])
    expect((await fleet.data('delos', 'status')).etcd).toBe(endpoint)

    process.kill(fleet.serverPid() as number, 'SIGKILL')
    const up = await fleet.muster('up', '--etcd', endpoint, '--json')
    expect(up.exitCode, up.stdout + up.stderr).toBe(0)
    expect(etcdctl('get', '--prefix', 'a/').split('\n')).toEqual(['a/leased', '3', 'a/ours', '1', 'a/theirs', '2'])
    expect((await fleet.data('delos', 'kv', 'get', 'a/', '--prefix')).count).toBe(3)
    expect(etcdctl('lease', 'keep-alive', '--once', lease)).toContain('keepalived with TTL(600)')
    etcdctl('lease', 'revoke', lease)
    expect((await fleet.data('delos', 'kv', 'get', 'a/', '--prefix')).count).toBe(2)
  },
)

test.skipIf(!hasEtcdctl)(
  name('configurations are keys for their watchers: published at each version, and again when somebody else writes there'),
  { timeout: 240_000 },
  async () => {
    const set = (body: string): Promise<unknown> => {
      const file = join(fleet.home, 'limits.txt')
      writeFileSync(file, body)
      return fleet.data('delos', 'config', 'set', 'web/limits', '-f', file, '--yes')
    }
    const published = (): string => etcdctl('get', '--print-value-only', '/muster/config/web/limits')
    await set('one')
    await eventually('the first version is published', 20_000, () => published() === 'one')
    await set('two')
    await eventually('the second version is published', 20_000, () => published() === 'two')
    const revision = (await fleet.data('delos', 'kv', 'get', '/muster/config/web/limits')).kvs[0].version
    expect(revision).toBe(2)
    etcdctl('put', '/muster/config/web/limits', 'mine')
    etcdctl('put', '/muster/config/nobody', 'x')
    await eventually('what is active is there again', 40_000, () => published() === 'two' && etcdctl('get', '/muster/config/nobody') === '')
  },
)
