import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readEtcdFile, writeEtcdFile } from '../../../../src/core/delos/bbolt/etcd-file.ts'
import { openBbolt, type Source } from '../../../../src/core/delos/bbolt/reader.ts'
import { must } from '../../../../src/core/kernel/assert.ts'
import { freePort } from '../../../support/free-port.ts'
import { eventually } from '../../../support/eventually.ts'

const missing =
  spawnSync('etcd', ['--version']).error !== undefined || spawnSync('etcdctl', ['version']).error !== undefined
    ? 'needs etcd and etcdctl'
    : null

/** A real etcd on a directory, in which a restored one may be. */
async function startEtcd(dir: string, peer: number): Promise<{ endpoint: string; child: ChildProcess }> {
  const endpoint = `http://127.0.0.1:${await freePort()}`
  const peerUrl = `http://127.0.0.1:${peer}`
  const flags = ['--data-dir', dir, '--listen-client-urls', endpoint, '--advertise-client-urls', endpoint, '--listen-peer-urls', peerUrl]
  flags.push(
    '--initial-advertise-peer-urls',
    peerUrl,
    '--initial-cluster',
    `default=${peerUrl}`,
    '--log-level',
    'error',
    '--bcrypt-cost',
    '4',
  )
  const child = spawn('etcd', flags, { stdio: 'ignore' })
  await eventually(
    'etcd answers',
    60_000,
    () => spawnSync('etcdctl', ['--endpoints', endpoint, 'endpoint', 'status'], { env: ENV }).status === 0,
  )
  return { endpoint, child }
}

const ENV = { ...process.env, ETCDCTL_API: '3' }
const etcdctl = (...args: string[]): string => execFileSync('etcdctl', args, { env: ENV, encoding: 'utf8' })

describe.skipIf(missing !== null)(`etcd's own file (${missing ?? 'etcd 3.4'})`, () => {
  let dir: string
  const running: ChildProcess[] = []
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'muster-bbolt-'))
  })
  afterAll(async () => {
    for (const child of running) {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    rmSync(dir, { recursive: true, force: true })
  })

  test('a snapshot of a real one is read, written again, and a real one starts from what was written: same keys, revisions, leases, users and roles', async () => {
    const first = await startEtcd(join(dir, 'first'), await freePort())
    running.push(first.child)
    const at = ['--endpoints', first.endpoint]
    const base64 = (text: string): string => Buffer.from(text).toString('base64')
    for (let i = 0; i < 300; i += 1) {
      const body = JSON.stringify({ key: base64(`key/${i % 90}`), value: base64('v'.repeat((i * 37) % 5000)) })
      expect((await fetch(`${first.endpoint}/v3/kv/put`, { method: 'POST', body })).ok).toBe(true)
    }
    etcdctl(...at, 'del', '--prefix', 'key/1')
    const granted = /lease ([0-9a-f]+) granted/.exec(etcdctl(...at, 'lease', 'grant', '5000'))?.[1] as string
    etcdctl(...at, 'put', 'leased', 'x', '--lease', granted)
    etcdctl(...at, 'compact', '100')
    etcdctl(...at, 'role', 'add', 'reader')
    etcdctl(...at, 'role', 'grant-permission', 'reader', 'read', 'key/', 'key0')
    etcdctl(...at, 'user', 'add', 'ann:secret')
    etcdctl(...at, 'user', 'grant-role', 'ann', 'reader')
    const saved = join(dir, 'theirs.db')
    etcdctl(...at, 'snapshot', 'save', saved)

    const bytes = readFileSync(saved)
    const source: Source = (offset, length) => bytes.subarray(offset, offset + length)
    const { rows, withoutPassword } = readEtcdFile(source, must(openBbolt(source), 'a whole file'))
    expect(withoutPassword).toEqual(['ann'])
    expect(rows.state).toMatchObject({ compactRevision: 100, isAuthEnabled: false })
    expect(rows.leases.map(({ id }) => id.toString(16).padStart(16, '0'))).toEqual([granted])

    const ours = join(dir, 'ours.db')
    const fd = openSync(ours, 'w')
    const length = writeEtcdFile((offset, part) => writeSync(fd, part, 0, part.length, offset), rows, [], 1000, null)
    closeSync(fd)
    writeFileSync(ours, createHash('sha256').update(readFileSync(ours)).digest(), { flag: 'a' })
    expect(length % 4096).toBe(0)
    expect(JSON.parse(etcdctl('snapshot', 'status', ours, '-w', 'json'))).toMatchObject({ revision: rows.state.revision })

    const peer = await freePort()
    const restored = join(dir, 'second')
    const peerUrl = `http://127.0.0.1:${peer}`
    etcdctl(
      'snapshot',
      'restore',
      ours,
      '--data-dir',
      restored,
      '--initial-cluster',
      `default=${peerUrl}`,
      '--initial-advertise-peer-urls',
      peerUrl,
    )
    const second = await startEtcd(restored, peer)
    running.push(second.child)
    for (const question of [
      ['get', '', '--prefix'],
      ['get', '', '--prefix', '--rev', '150'],
      ['lease', 'list'],
      ['role', 'get', 'reader'],
      ['user', 'get', 'ann'],
    ])
      expect(withoutHeader(etcdctl(...question, '--endpoints', second.endpoint, '-w', 'json'))).toEqual(
        withoutHeader(etcdctl(...question, ...at, '-w', 'json')),
      )
    // Passwords of their kind go through as they are.
    etcdctl('--endpoints', second.endpoint, 'user', 'add', 'root:root')
    etcdctl('--endpoints', second.endpoint, 'user', 'grant-role', 'root', 'root')
    etcdctl('--endpoints', second.endpoint, 'auth', 'enable')
    expect(etcdctl('--endpoints', second.endpoint, '--user', 'ann:secret', 'get', 'key/2', '--keys-only').trim()).toBe('key/2')
  }, 120_000)
})

/** Which cluster and member answered is no part of what is kept. */
const withoutHeader = (text: string): unknown => ({
  ...(JSON.parse(text) as object),
  ...{ header: undefined, cluster_id: undefined, member_id: undefined, raft_term: undefined },
})
