import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { serveOptions } from '../../../../src/server/delos/serve/options.ts'
import { startServing, type Serving } from '../../../../src/server/delos/serve/serve.ts'
import { FrameCursor, VersionFrame } from '../../../../src/server/delos/store/row-frame.ts'
import { gateway, getPrefix, putKey } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'
import { freePort } from '../../../support/free-port.ts'
import { serveFlags } from '../../../support/serve-flags.ts'

/** Three real servers in this process: own files, own sockets. */
interface Server {
  name: string
  dir: string
  url: string
  start: () => Promise<void>
  close: () => Promise<void>
}

const root = mkdtempSync(join(tmpdir(), 'muster-digest-'))
let servers: Server[]

beforeAll(async () => {
  const ports: { client: number; peer: number }[] = []
  for (let i = 0; i < 3; i += 1) ports.push({ client: await freePort(), peer: await freePort() })
  const names = ['a', 'b', 'c']
  const cluster = names.map((name, i) => `${name}=http://127.0.0.1:${ports[i]?.peer}`).join(',')
  servers = names.map((name, i) => {
    const url = `http://127.0.0.1:${ports[i]?.client}`
    const dir = join(root, name)
    let serving: Serving | null = null
    const options = serveOptions(
      serveFlags({
        name,
        'data-dir': dir,
        'listen-client-urls': url,
        'listen-peer-urls': `http://127.0.0.1:${ports[i]?.peer}`,
        'initial-cluster': cluster,
        'initial-cluster-token': 'digest',
        profile: 'wan',
      }),
    )
    return {
      name,
      dir,
      url,
      start: async () => {
        serving = await startServing(options)
      },
      close: async () => {
        await serving?.close()
        serving = null
      },
    }
  })
  for (const server of servers) await server.start()
}, 120_000)

afterAll(async () => {
  for (const server of servers) await server.close()
  rmSync(root, { recursive: true, force: true })
})

const KEY = Buffer.from('victim').toString('base64')
const health = async ({ url }: Server): Promise<{ health: string; reason: string }> =>
  (await (await fetch(`${url}/health`)).json()) as { health: string; reason: string }
const isHealthy = async (server: Server): Promise<boolean> => (await health(server)).health === 'true'
const alarms = async ({ url }: Server): Promise<{ memberID: string; alarm: string }[]> =>
  (await gateway(url, 'maintenance/alarm', { action: 'GET' })).body.alarms ?? []
const status = async ({ url }: Server): Promise<{ raftAppliedIndex: string; header: { member_id: string } }> =>
  (await gateway(url, 'maintenance/status', {})).body

/** Adds 7 to the `version` of a key in the rows. @returns in how many places */
function changeVersion(db: Database.Database, key: string): number {
  let changed = 0
  for (const { rev, sub, versions } of db.prepare<[], { rev: number; sub: number; versions: Buffer }>('SELECT * FROM kv_chunk').all()) {
    const frame = new VersionFrame()
    const cursor = new FrameCursor(new Uint8Array(versions))
    while (cursor.next()) {
      const version = cursor.version()
      if (version.key === key) changed += 1
      frame.add(version.key === key ? { ...version, version: version.version + 7 } : version)
    }
    db.prepare('UPDATE kv_chunk SET versions = ? WHERE rev = ? AND sub = ?').run(frame.take(), rev, sub)
  }
  return changed
}

test('a server whose rows were changed behind its back is found, stops serving, and is right again after its next start', async () => {
  const [a, b, c] = servers as [Server, Server, Server]
  /** So many positions more. */
  const write = async (positions: number): Promise<void> => {
    const until = Number((await status(a)).raftAppliedIndex) + positions
    while (Number((await status(a)).raftAppliedIndex) < until)
      await Promise.all([a, b].map(({ url }, i) => Promise.all(Array.from({ length: 4 }, (_, n) => putKey(url, `fill/${i}/${n}`, 'x')))))
  }

  await eventually('a leader', 30_000, () => isHealthy(a))
  expect(await putKey(a.url, 'victim', '1')).not.toBeNull()
  await eventually('the key at c', 20_000, async () => (await getPrefix(c.url, 'victim', true)).size === 1)
  await c.close()
  const file = join(c.dir, 'kv.db')
  const db = new Database(file)
  expect(changeVersion(db, 'victim')).toBe(1)
  db.close()
  await c.start()
  await eventually('c again', 30_000, () => isHealthy(c))
  // Nothing shows yet: it serves what it has.
  expect((await gateway(c.url, 'kv/range', { key: KEY, serializable: true })).body.kvs[0].version).toBe('8')

  expect(await putKey(a.url, 'victim', '2')).not.toBeNull()
  await write(1000)
  await eventually('c refuses', 30_000, async () => (await gateway(c.url, 'kv/range', { key: KEY, serializable: true })).status !== 200)
  expect((await gateway(c.url, 'kv/put', { key: KEY, value: KEY })).body).toMatchObject({
    code: 15,
    message: 'etcdserver: corrupt cluster',
  })
  expect((await health(c)).reason).toContain('differ from those of a majority')
  // The others know that theirs are right, and go on; everybody can see whose are not.
  await eventually('the alarm', 30_000, async () => (await alarms(a)).length > 0)
  expect(await alarms(a)).toEqual([{ memberID: (await status(c)).header.member_id, alarm: 'CORRUPT' }])
  expect(await putKey(b.url, 'victim', '3')).not.toBeNull()
  expect(await isHealthy(a)).toBe(true)

  expect(existsSync(`${file}.unfit`)).toBe(true)
  await c.close()
  await c.start()
  await eventually('c again', 30_000, () => isHealthy(c))
  expect(existsSync(`${file}.unfit`)).toBe(false)
  expect((await gateway(c.url, 'kv/range', { key: KEY })).body.kvs[0]).toMatchObject({ version: '3' })
  await write(1000)
  await eventually('the end of the alarm', 30_000, async () => (await alarms(a)).length === 0)
  expect(await isHealthy(c)).toBe(true)
}, 300_000)
