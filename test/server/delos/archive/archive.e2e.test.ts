import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SERVER_PAGE_PATH } from '../../../../src/core/delos/measure/names.ts'
import { serverPageSchema, type ServerPage } from '../../../../src/core/delos/measure/server-page.ts'
import { openArchive } from '../../../../src/server/delos/archive/archive-reader.ts'
import { gateway, getPrefix, newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'
import { BIN } from '../../../support/fleet.ts'

const TOKEN = ['--initial-cluster-token', 'another']
const TUNING = ['SEGMENT_BYTES', 'TRIM_MARGIN', 'SYNC_MS', 'ARCHIVE_BYTES'].map((name) => `MUSTER_DELOS_${name}`)

let folder = ''
let backup = ''
const clusters: DelosServers[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster-archiving-'))
  backup = join(folder, 'backup')
})
afterEach(async () => {
  for (const name of TUNING) delete process.env[name]
  for (const cluster of clusters.splice(0)) await cluster.remove()
  rmSync(folder, { recursive: true, force: true })
})
const start = async (count: number, ...flags: string[]): Promise<DelosServers> => {
  const cluster = await newDelosServers(count, flags)
  clusters.push(cluster)
  return cluster
}
const lone = async (): Promise<[DelosServers, DelosServerProcess]> => {
  const cluster = await start(1)
  const [one] = cluster.servers
  if (one === undefined) throw new Error('no server')
  return [cluster, one]
}
interface Ran {
  code: number | null
  stdout: string
  stderr: string
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at what they expect
  json: () => any
}
const muster = async (...args: string[]): Promise<Ran> => {
  const child = spawn(process.execPath, [BIN, 'delos', ...args], {
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (part: Buffer) => (said[name] += part.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...said, json: () => JSON.parse(said.stdout).data }
}
const page = async (url: string): Promise<ServerPage> => serverPageSchema.parse(await (await fetch(url + SERVER_PAGE_PATH)).json())
const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** All that a client can read, with the revisions of each key. */
const readAll = async (url: string): Promise<object> => {
  const { body } = await gateway(url, 'kv/range', { key: base64('\0'), range_end: base64('\0') })
  const { body: leases } = await gateway(url, 'lease/leases', {})
  return { kvs: body.kvs, leases: (leases.leases ?? []).map(({ ID }: { ID: string }) => ID).toSorted() }
}

interface Moment {
  position: number
  revision: number
  atMs: number
  state: object
}

/** Changes of every kind, and after each what there is to be read. */
async function history(url: string, from: number, count: number): Promise<Moment[]> {
  const moments: Moment[] = []
  for (let i = from; i < from + count; i += 1) {
    const key = base64(`key/${i % 7}`)
    if (i % 5 === 4) await gateway(url, 'kv/deleterange', { key })
    else if (i % 11 === 3) await gateway(url, 'lease/grant', { TTL: '3600', ID: String(i + 1) })
    else if (i % 13 === 6) {
      const put = (name: string) => ({ request_put: { key: base64(name), value: base64(`txn ${i}`) } })
      await gateway(url, 'kv/txn', { success: [put('both/a'), put('both/b'), { request_delete_range: { key } }] })
    } else if (i === from + 17) await gateway(url, 'kv/compaction', { revision: String((moments.at(-1)?.revision ?? 3) - 1) })
    else await gateway(url, 'kv/put', { key, value: base64(`value ${i}`) })
    const { log, store } = await page(url)
    moments.push({ position: log.tail - 1, revision: store.revision, atMs: Date.now(), state: await readAll(url) })
    await new Promise((resolve) => setTimeout(resolve, 3))
  }
  return moments
}

describe('an archive of the log', () => {
  test('with a snapshot gives back what was read at its last position, at one in the middle, and at a time; its revision is past the old one', async () => {
    const [cluster, one] = await lone()
    one.start()
    await cluster.healthy()
    const at = ['--endpoints', one.url]
    expect((await muster('log', 'archive', '--to', backup, '--every', '1s', ...at, '--plan')).stdout).toContain('Nothing was changed')
    expect((await page(one.url)).archive).toBeNull()
    const set = await muster('log', 'archive', '--to', backup, '--every', '1s', ...at, '--json')
    expect(set.json().servers).toMatchObject([
      { server: 'a', problem: null, answer: { archive: { to: backup, everyMs: 1000, trouble: null } } },
    ])
    await history(one.url, 0, 25)
    const snapshot = join(folder, 'store.snapshot')
    expect((await muster('snapshot', 'save', snapshot, ...at)).code).toBe(0)
    const moments = await history(one.url, 25, 40)
    const last = moments.at(-1) as Moment
    await eventually('all is archived', 15_000, async () => (await page(one.url)).archive?.archived === last.position)
    expect((await muster('status', ...at)).stdout).toContain('single+archive')
    await one.end('SIGKILL')
    rmSync(one.dir, { recursive: true, force: true })

    const middle = moments[Math.floor(moments.length / 2)] as Moment
    const restoreTo = async (args: string[], wanted: Moment, bump: number): Promise<void> => {
      rmSync(one.dir, { recursive: true, force: true })
      const flags = ['--data-dir', one.dir, '--as-new-cluster', '--name', 'a', '--initial-cluster', cluster.cluster]
      const ran = await muster('snapshot', 'restore', snapshot, ...flags, ...TOKEN, '--archive', backup, ...args, '--json')
      expect(ran.stderr).toBe('')
      expect(ran.json()).toMatchObject({ applied: { position: wanted.position }, revision: wanted.revision + bump })
      one.start(...TOKEN)
      await cluster.healthy()
      expect(await readAll(one.url)).toEqual(wanted.state)
      expect(await putKey(one.url, 'new', 'x')).toBe(wanted.revision + bump + 1)
      await one.end('SIGKILL')
      one.start(...TOKEN)
      await cluster.healthy()
      expect((await getPrefix(one.url, 'new')).size).toBe(1)
      await one.end()
    }
    await restoreTo(['--bump-revision', '1000'], last, 1000)
    await restoreTo(['--at', String(middle.position)], middle, 0)
    await restoreTo(['--at-time', new Date(middle.atMs).toISOString()], middle, 0)

    const dir = join(folder, 'none')
    const refused = (...args: string[]): Promise<Ran> =>
      muster('snapshot', 'restore', snapshot, '--data-dir', dir, '--as-new-cluster', ...args)
    expect(await refused('--archive', backup, '--at', '2')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Use an older snapshot'),
    })
    expect(await refused('--archive', backup, '--at', '99999')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('goes only to position'),
    })
    expect(await refused('--archive', join(folder, 'nothing'))).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('holds no archive'),
    })
    expect(await refused('--archive', backup, '--at-time', '2001-01-01T00:00:00Z')).toMatchObject({ code: 2 })
    expect(existsSync(dir)).toBe(false)
  }, 180_000)

  test('has no hole and nothing twice after its server was killed with -9 again and again under load', async () => {
    process.env['MUSTER_DELOS_ARCHIVE_BYTES'] = String(64 * 1024)
    const [cluster, one] = await lone()
    one.start()
    await cluster.healthy()
    expect((await muster('log', 'archive', '--to', backup, '--every', '1s', '--endpoints', one.url)).code).toBe(0)
    const snapshot = join(folder, 'store.snapshot')
    expect((await muster('snapshot', 'save', snapshot, '--endpoints', one.url)).code).toBe(0)
    const acknowledged = new Map<string, number>()
    for (let round = 0; round < 5; round += 1) {
      let isOver = false
      const writers = Array.from({ length: 4 }, async (_, writer) => {
        for (let i = 0; !isOver; i += 1) {
          const key = `kill/${round}/${writer}/${i}`
          const revision = await putKey(one.url, key, 'x'.repeat(2000), 3000)
          if (revision === null) return
          acknowledged.set(key, revision)
        }
      })
      await new Promise((resolve) => setTimeout(resolve, 900 + round * 90))
      await one.end('SIGKILL')
      isOver = true
      await Promise.all(writers)
      one.start()
      await cluster.healthy()
    }
    const { log, store } = await page(one.url)
    // Ending in peace archives the rest.
    expect(await one.end()).toBe(0)
    const { spans, files } = await openArchive(backup, null)
    expect(spans).toEqual([{ first: 1, last: log.tail - 1 }])
    expect(files.length).toBeGreaterThan(2)
    rmSync(one.dir, { recursive: true, force: true })
    const flags = ['--data-dir', one.dir, '--as-new-cluster', '--name', 'a', '--initial-cluster', cluster.cluster]
    expect((await muster('snapshot', 'restore', snapshot, ...flags, ...TOKEN, '--archive', backup, '--json')).json()).toMatchObject({
      revision: store.revision,
    })
    one.start(...TOKEN)
    await cluster.healthy()
    const found = await getPrefix(one.url, 'kill/')
    expect([...acknowledged].filter(([key, revision]) => found.get(key)?.revision !== revision)).toEqual([])
    expect(acknowledged.size).toBeGreaterThan(50)
  }, 180_000)

  test('holds trimming back while it cannot be written, says so, and lets it go when it can; the setting outlives a restart', async () => {
    process.env['MUSTER_DELOS_SEGMENT_BYTES'] = String(64 * 1024)
    process.env['MUSTER_DELOS_TRIM_MARGIN'] = '1'
    process.env['MUSTER_DELOS_SYNC_MS'] = '200'
    const [cluster, one] = await lone()
    one.start()
    await cluster.healthy()
    const at = ['--endpoints', one.url]
    expect(await muster('log', 'archive', '--to', join(one.dir, 'inside'), ...at)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is in the data directory'),
    })
    expect(await muster('log', 'archive', '--to', '/proc/no', ...at)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('cannot be written to'),
    })
    expect((await page(one.url)).archive).toBeNull()
    expect((await muster('log', 'archive', '--to', backup, '--every', '1h', ...at)).code).toBe(0)
    for (let i = 0; i < 60; i += 1) await putKey(one.url, `trim/${i}`, 'x'.repeat(4000))
    await eventually('the rows are on the disk', 20_000, async () => (await page(one.url)).rows.durablePosition > 55)
    const [held] = (await muster('log', 'trim', ...at, '--json')).json().servers
    expect(held.answer).toMatchObject({ head: 1, servers: [{ name: 'a', by: 'archive' }] })
    expect((await muster('log', 'trim', '--plan', ...at)).stdout).toContain('a has archived only up to')
    const metrics = await (await fetch(`${one.url}/metrics`)).text()
    expect(Number(/^muster_delos_archive_behind_positions (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(50)
    await one.end('SIGKILL')
    one.start()
    await cluster.healthy()
    // It archives what there is when it starts.
    await eventually('the log is trimmed', 15_000, async () => (await page(one.url)).log.head > 10)
    const { archive, log } = await page(one.url)
    expect(archive).toMatchObject({ to: backup, everyMs: 3_600_000, trouble: null })
    expect(log.head).toBeLessThanOrEqual((archive?.archived ?? 0) + 1)
    expect((await openArchive(backup, null)).spans[0]?.first).toBe(1)
    expect((await muster('log', 'trim', ...at)).stdout).toContain('the rows of a are on its disk up to')
    // A folder that is not mounted must not be filled in its place, and what it has is not trimmed.
    renameSync(backup, `${backup}.away`)
    mkdirSync(backup)
    await one.end('SIGKILL')
    one.start()
    await cluster.healthy()
    await eventually('it says so', 20_000, async () => (await page(one.url)).archive?.trouble !== null)
    expect(await muster('status', ...at, '--exit-code')).toMatchObject({ code: 7, stdout: expect.stringContaining('is it mounted?') })
    expect(readdirSync(backup)).toEqual([])
    expect((await muster('log', 'archive', '--off', ...at)).code).toBe(4)
    expect((await muster('log', 'archive', '--off', '--yes', ...at)).code).toBe(0)
    expect((await muster('log', 'archive', ...at)).stdout).toContain('not archived')
  }, 240_000)

  test('of three servers is one in each of their folders, each whole, and any two can go', async () => {
    const cluster = await start(3, '--profile', 'wan')
    const [one, two, three] = cluster.servers
    if (one === undefined || two === undefined || three === undefined) throw new Error('no servers')
    for (const server of cluster.servers) server.start()
    await eventually('a write', 30_000, async () => (await putKey(one.url, 'first', 'x')) !== null)
    const at = ['--endpoints', `${one.url},${two.url},${three.url}`]
    expect((await muster('log', 'archive', '--to', backup, '--every', '1s', ...at, '--json')).json().servers).toHaveLength(3)
    const snapshot = join(folder, 'store.snapshot')
    expect((await muster('snapshot', 'save', snapshot, ...at)).code).toBe(0)
    for (let i = 0; i < 30; i += 1) await putKey(one.url, `three/${i}`, `value ${i}`)
    await eventually('all archived it', 20_000, async () => {
      const pages = await Promise.all(cluster.servers.map(({ url }) => page(url)))
      return pages.every(({ archive, log }) => archive?.archived === log.tail - 1)
    })
    const before = await getPrefix(one.url, 'three/')
    for (const server of cluster.servers) await server.end('SIGKILL')
    const root = join(backup, readdirSync(backup)[0] as string, 'kv')
    expect(readdirSync(root)).toHaveLength(3)
    for (const name of readdirSync(root).slice(1)) rmSync(join(root, name), { recursive: true })
    const [alone, server] = await lone()
    const flags = ['--data-dir', server.dir, '--as-new-cluster', '--name', 'a', '--initial-cluster', alone.cluster]
    expect((await muster('snapshot', 'restore', snapshot, ...flags, ...TOKEN, '--archive', backup)).stderr).toBe('')
    server.start(...TOKEN)
    await alone.healthy()
    expect(await getPrefix(server.url, 'three/')).toEqual(before)
  }, 180_000)
})
