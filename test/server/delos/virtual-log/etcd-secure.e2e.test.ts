import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { genesis } from '../../../../src/core/delos/virtual-log/genesis.ts'
import { createLogger } from '../../../../src/platform/logger.ts'
import { createPeers } from '../../../../src/server/delos/quorum/peers.ts'
import { openVirtualLog } from '../../../../src/server/delos/virtual-log/open.ts'
import type { VirtualLog } from '../../../../src/server/delos/virtual-log/virtual-log.ts'
import { newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { newEtcd, type EtcdCluster } from '../../../support/etcd-cluster.ts'
import { eventually } from '../../../support/eventually.ts'
import { BIN } from '../../../support/fleet.ts'
import { hasOpenssl, newAuthority, newCertificate } from '../../../support/openssl.ts'
import { hasEtcd, hasEtcdctl } from '../../../support/stores.ts'
import { ask, faultsAt, pause, startWriters } from './load.ts'

const hasCurl = spawnSync('curl', ['--version']).status === 0
const isMissing = !hasEtcd || !hasEtcdctl || !hasOpenssl || !hasCurl

const PREFIX = '/muster/secure/kv'

describe.skipIf(isMissing)('a log in a real etcd with TLS and users (skipped without etcd, etcdctl, openssl and curl)', () => {
  let folder: string
  let etcd: EtcdCluster
  let cluster: DelosServers
  let server: DelosServerProcess
  const file = (name: string): string => join(folder, name)
  const asRoot = (...args: string[]): string => etcd.ctl('--user', 'root:root-pw', ...args)

  /** `delos log switch kv`, with the flags of the etcd; what is given replaces them. */
  const switchLog = async (more: Record<string, string>, ...words: string[]): Promise<{ code: number; said: string }> => {
    const flags = {
      to: 'etcd',
      'etcd-endpoints': etcd.urls.join(','),
      'etcd-cacert': file('ca.crt'),
      'etcd-user': 'muster',
      'etcd-password-file': file('password'),
      'etcd-prefix': PREFIX,
      ...more,
    }
    const named = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])
    return muster(server.url, ['log', 'switch', 'kv', '--yes', ...named, ...words])
  }
  const chain = async (): Promise<{ kind: string; loglet: string }[]> => (await ask(server.url, 'log/loglets')).body.chain

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'muster-secure-'))
    newAuthority(folder, 'ca')
    newAuthority(folder, 'other-ca')
    newCertificate(folder, 'server', 'ca')
    writeFileSync(file('password'), 'muster-pw\n')
    writeFileSync(file('wrong-password'), 'guess\n')
    etcd = await newEtcd(3, { certFile: file('server.crt'), keyFile: file('server.key'), caFile: file('ca.crt') })
    for (const member of etcd.members) member.start()
    cluster = await newDelosServers(1)
    server = cluster.servers[0] as DelosServerProcess
    server.start()
    await etcd.healthy()
    await cluster.healthy()
    for (const [user, password] of [
      ['root', 'root-pw'],
      ['muster', 'muster-pw'],
      ['other', 'muster-pw'],
    ])
      etcd.ctl('user', 'add', `${user}:${password}`)
    etcd.ctl('role', 'add', 'log')
    etcd.ctl('role', 'grant-permission', 'log', '--prefix=true', 'readwrite', '/muster/secure/')
    etcd.ctl('user', 'grant-role', 'muster', 'log')
    etcd.ctl('user', 'grant-role', 'root', 'root')
    etcd.ctl('auth', 'enable')
  }, 240_000)
  afterAll(async () => {
    await cluster.remove()
    await etcd.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  test('is refused with another password, another authority, or without the rights, and nothing has changed', async () => {
    const before = await chain()
    const refusals = [
      [{ 'etcd-password-file': file('wrong-password') }, 'authentication failed, invalid user ID or password'],
      [{ 'etcd-cacert': file('other-ca.crt') }, 'certificate'],
      [{ 'etcd-user': 'other' }, 'permission denied'],
      [{ 'etcd-prefix': '/elsewhere' }, 'permission denied'],
      [{ 'etcd-password-file': file('not-there') }, 'cannot be read'],
    ] as const
    for (const [flags, words] of refusals) {
      const { code, said } = await switchLog(flags)
      expect(said).toContain(words)
      expect(code).not.toBe(0)
    }
    expect(await chain()).toEqual(before)
    expect(await putKey(server.url, 'k', '1')).not.toBeNull()
  }, 240_000)

  test('takes over while it is written to, outlives kill -9 of each member and of the server, new rights and tokens, and gives it back', async () => {
    const writers = startWriters(cluster.servers, 'secure')
    await pause(300)
    const moved = await switchLog({})
    expect([moved.code, moved.said]).toEqual([0, expect.stringContaining('etcd')])
    expect(asRoot('get', '--prefix', '--keys-only', '--limit=1', `${PREFIX}/`)).toContain(PREFIX)
    for (const member of etcd.members) {
      await pause(500)
      await member.kill()
      await pause(1500)
      member.start()
      await etcd.healthy()
    }
    // Every token is of before this.
    asRoot('role', 'add', 'later')
    expect(await putKey(server.url, 'with-a-new-token', '1')).not.toBeNull()
    await server.end('SIGKILL')
    server.start()
    await cluster.healthy()
    await eventually('it takes changes again', 20_000, () => putKey(server.url, 'again', '1', 3000))
    const back = await muster(server.url, ['log', 'switch', 'kv', '--yes', '--back'])
    expect([back.code, back.said]).toEqual([0, expect.stringContaining('file')])
    await pause(300)
    const acknowledged = await writers.stop()
    expect(await faultsAt(server.url, 'secure', acknowledged)).toEqual([])
    expect(acknowledged.keys.size).toBeGreaterThan(20)
    expect((await chain()).map(({ kind }) => kind).slice(-2)).toEqual(['etcd', 'file'])
  }, 240_000)

  test('decides about a chain: each version is a compare of its key there, also without one member, waits for the second, and it is given back', async () => {
    const dir = join(folder, 'decided')
    const files = { user: 'muster', passwordFile: file('password'), caFile: file('ca.crt') }
    const decider = { kind: 'etcd' as const, config: { endpoints: etcd.urls, prefix: `/muster/secure/register`, ...files } }
    const inEtcd = (): number => {
      const found = asRoot('get', '--print-value-only', '/muster/secure/register/register').trim()
      return found === '' ? 0 : (JSON.parse(found) as { version: number }).version
    }
    const feature = (name: string) => ({ kind: 'feature' as const, name, since: 1 })
    const toFile = { kind: 'switch' as const, to: 'file' as const, config: { server: 1 } }
    const first = await openAlone(dir)
    try {
      expect(await first.log.change({ ...toFile, decider })).toMatchObject({ kind: 'done', value: { version: 2 } })
      expect(inEtcd()).toBe(0)
      expect(await first.log.change(feature('a'))).toMatchObject({ kind: 'done', value: { version: 3 } })
      expect(inEtcd()).toBe(3)
      await etcd.members[0]?.kill()
      expect(await first.log.change(feature('b'))).toMatchObject({ kind: 'done', value: { version: 4 } })
      await etcd.members[1]?.kill()
      let isOver = false
      const waiting = first.log.change(feature('c')).finally(() => (isOver = true))
      await pause(2000)
      expect(isOver).toBe(false)
      for (const member of etcd.members.slice(0, 2)) member.start()
      expect(await waiting).toMatchObject({ kind: 'done', value: { version: 5 } })
    } finally {
      await first.close()
    }
    const again = await openAlone(dir)
    try {
      expect(again.log.value().features.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
      expect(await again.log.change({ ...toFile, decider: { kind: 'file', server: 1 } })).toMatchObject({ kind: 'done' })
      const last = inEtcd()
      expect(await again.log.change(feature('d'))).toMatchObject({ kind: 'done' })
      expect(inEtcd()).toBe(last)
    } finally {
      await again.close()
    }
  }, 180_000)
})

/** A virtual log of one server in this process. */
async function openAlone(dir: string): Promise<{ log: VirtualLog; close: () => Promise<void> }> {
  const [self, clusterId] = [7n, 9n]
  const hex = (id: bigint): string => id.toString(16).padStart(16, '0')
  const log = createLogger(null)
  const peers = createPeers({ self, clusterId, listen: { host: '127.0.0.1', port: 0 }, peers: [], tls: null, log })
  const opened = await openVirtualLog({
    ...{ dir, clusterId, self, from: 1, peers, profile: 'lan', segmentBytes: 4 * 1024 * 1024, mayBeNew: true, isWhole: false, log },
    features: ['a', 'b', 'c', 'd'].map((name) => ({ name, what: name })),
    initial: genesis(hex(clusterId), [{ id: hex(self), name: 'a', addresses: ['http://127.0.0.1:1'] }]),
    onSync: () => undefined,
    onFatal: (error) => {
      throw error
    },
  })
  return { log: opened, close: () => opened.close().then(() => peers.close()) }
}

async function muster(url: string, args: readonly string[]): Promise<{ code: number; said: string }> {
  const child = spawn(process.execPath, [BIN, 'delos', ...args], {
    env: { ...process.env, NO_COLOR: '1', MUSTER_DELOS_ENDPOINTS: url },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (said += part.toString()))
  const [code] = (await once(child, 'close')) as [number]
  return { code, said }
}
