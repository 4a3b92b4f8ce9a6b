import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connect } from '../../../../src/client/connect.ts'
import { restoreStore } from '../../../../src/server/delos/snapshot/restore-store.ts'
import { saveStore, verifyStore } from '../../../../src/server/delos/snapshot/store-file.ts'
import { eventually } from '../../../support/eventually.ts'
import { getPrefix, newDelosServers, putKey, type DelosServers } from '../../../support/delos-servers.ts'

const noEtcdctl = spawnSync('etcdctl', ['version']).error !== undefined
const FLAGS = ['--profile', 'wan']
const TOKEN = ['--initial-cluster-token', 'another']

let folder = ''
const clusters: DelosServers[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster-snapshot-'))
})
afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.remove()
  rmSync(folder, { recursive: true, force: true })
})
const servers = async (count: number): Promise<DelosServers> => {
  const cluster = await newDelosServers(count, FLAGS)
  clusters.push(cluster)
  return cluster
}

const save = async (url: string, file: string): Promise<Awaited<ReturnType<typeof saveStore>>> => {
  const client = connect({ endpoints: [url] })
  try {
    return await saveStore(client.snapshot(new AbortController().signal), file)
  } finally {
    client.close()
  }
}

/** A snapshot of a lone server with 50 keys. */
async function saved(): Promise<{ file: string; revision: number }> {
  const cluster = await servers(1)
  const [one] = cluster.servers
  if (one === undefined) throw new Error('no server')
  one.start()
  await cluster.healthy()
  let revision = 0
  for (let i = 0; i < 50; i += 1) revision = (await putKey(one.url, `kept/${i}`, `value ${i} ${'x'.repeat(5000)}`)) ?? 0
  const file = join(folder, 'store.snapshot')
  expect(await save(one.url, file)).toMatchObject({ revision, keys: 50 })
  await cluster.remove()
  return { file, revision }
}

describe('a snapshot of a store', () => {
  test('holds what was acknowledged before it was asked for, and is refused when a byte of it changed', async () => {
    const { file, revision } = await saved()
    expect(await verifyStore(file)).toMatchObject({ revision, keys: 50 })
    const bytes = readFileSync(file)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1
    const spoilt = join(folder, 'spoilt')
    writeFileSync(spoilt, bytes)
    await expect(verifyStore(spoilt)).rejects.toMatchObject({ code: 'DELOS_SNAPSHOT_INVALID' })
    writeFileSync(spoilt, readFileSync(file).subarray(0, -512))
    await expect(verifyStore(spoilt)).rejects.toMatchObject({ code: 'DELOS_SNAPSHOT_INVALID' })
  }, 120_000)

  test.skipIf(noEtcdctl)(
    `is one that etcd's own tools read and restore (${noEtcdctl ? 'needs etcdctl' : 'etcdctl'})`,
    async () => {
      const { file, revision } = await saved()
      const etcdctl = (...args: string[]): string =>
        execFileSync('etcdctl', ['snapshot', ...args], { env: { ...process.env, ETCDCTL_API: '3' }, encoding: 'utf8' })
      expect(JSON.parse(etcdctl('status', file, '-w', 'json'))).toMatchObject({ revision })
      etcdctl('restore', file, '--data-dir', join(folder, 'etcd'))
      expect(existsSync(join(folder, 'etcd', 'member', 'snap', 'db'))).toBe(true)
    },
    120_000,
  )

  test('becomes the store of a new cluster of one, with a revision past the old one', async () => {
    const { file, revision } = await saved()
    const cluster = await servers(1)
    const [one] = cluster.servers
    if (one === undefined) throw new Error('no server')
    const options = { dataDir: one.dir, name: 'a', initialCluster: cluster.cluster, token: 'another', bumpRevision: 1000 }
    expect(await restoreStore(file, options)).toMatchObject({ revision: revision + 1000 })
    await expect(restoreStore(file, options)).rejects.toMatchObject({ code: 'DELOS_STATE_NOT_EMPTY' })
    one.start(...TOKEN)
    await cluster.healthy()
    expect((await getPrefix(one.url, 'kept/')).size).toBe(50)
    expect(await putKey(one.url, 'kept/new', 'x')).toBe(revision + 1001)
    await one.end('SIGKILL')
    one.start(...TOKEN)
    await cluster.healthy()
    expect((await getPrefix(one.url, 'kept/')).size).toBe(51)
    // What it saves is of its own cluster, and cannot be made the same cluster again.
    const again = join(folder, 'again')
    await save(one.url, again)
    await expect(restoreStore(again, { ...options, dataDir: join(folder, 'other') })).rejects.toMatchObject({ code: 'USAGE' })
  }, 180_000)

  test('becomes a cluster of three, and a server of it that was started empty gets it from the others', async () => {
    const { file } = await saved()
    const cluster = await servers(3)
    const [one, two, three] = cluster.servers
    if (one === undefined || two === undefined || three === undefined) throw new Error('no servers')
    const options = { initialCluster: cluster.cluster, token: 'another', bumpRevision: 0 }
    await restoreStore(file, { ...options, dataDir: one.dir, name: 'a' })
    await restoreStore(file, { ...options, dataDir: two.dir, name: 'b' })
    for (const server of [one, two, three]) server.start(...TOKEN)
    await eventually('a write', 30_000, async () => (await putKey(one.url, 'kept/new', 'x')) !== null)
    await eventually('all keys at the empty one', 60_000, async () => (await getPrefix(three.url, 'kept/')).size === 51)
  }, 150_000)
})
