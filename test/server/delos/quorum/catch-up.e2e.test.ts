import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { gateway, getPrefix, newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'

/** A machine that runs other tests beside these is no place for elections of a tenth of a second: `wan` has patience. */
const FLAGS = ['--profile', 'wan']
/** Small files, little kept, rows synced often: trimming begins after seconds instead of days. */
const TUNING = { MUSTER_DELOS_SEGMENT_BYTES: '1048576', MUSTER_DELOS_TRIM_MARGIN: '20', MUSTER_DELOS_SYNC_MS: '300' }
const VALUE = 'v'.repeat(20_000)
/** Between two puts of one writer: the servers need time for what is tested too. */
const PACE_MS = 10

let cluster: DelosServers | null = null
afterEach(async () => {
  await cluster?.remove()
  cluster = null
  for (const name of Object.keys(TUNING)) delete process.env[name]
})

async function startAll(): Promise<[DelosServerProcess, DelosServerProcess, DelosServerProcess]> {
  Object.assign(process.env, TUNING)
  cluster = await newDelosServers(3, FLAGS)
  for (const server of cluster.servers) server.start()
  await cluster.healthy()
  return cluster.servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
}

const journalOf = ({ dir }: DelosServerProcess): string => join(dir, 'log', 'kv', '00000001', 'journal')
const segmentsOf = (server: DelosServerProcess): string[] => readdirSync(journalOf(server)).filter((name) => name.endsWith('.seg'))
const logOf = ({ dir }: DelosServerProcess): string => readFileSync(join(dir, 'server.log'), 'utf8')

/** Writers at some servers until `stop`; gives every key that was acknowledged, with its revision. */
function load(servers: readonly DelosServerProcess[], name: string): { acknowledged: Map<string, number>; stop: () => Promise<void> } {
  const acknowledged = new Map<string, number>()
  let isOver = false
  const writers = servers.flatMap(({ url }, writer) =>
    [0, 1].map(async (lane) => {
      for (let i = 0; !isOver; i += 1) {
        const key = `load/${name}/${writer}/${lane}/${i % 200}`
        const revision = await putKey(url, key, `${i}${VALUE}`, 3000)
        if (revision !== null) acknowledged.set(key, revision)
        await new Promise((resolve) => setTimeout(resolve, revision === null ? 50 : PACE_MS))
      }
    }),
  )
  return {
    acknowledged,
    stop: async () => {
      isOver = true
      await Promise.all(writers)
    },
  }
}

const isTrimmed = (server: DelosServerProcess): Promise<boolean> =>
  eventually(`${server.name} trimmed its log`, 60_000, async () => !segmentsOf(server).includes('0000000000000001.seg'))

/** HashKV of every server at one revision. */
async function hashes(servers: readonly DelosServerProcess[]): Promise<number[]> {
  const revision = await putKey((servers[0] as DelosServerProcess).url, 'last', 'one')
  return Promise.all(
    servers.map(async ({ url }) => {
      await getPrefix(url, 'last')
      return (await gateway(url, 'maintenance/hash', { revision: String(revision) })).body.hash as number
    }),
  )
}

describe('three servers whose log was trimmed', () => {
  test('take back one that lost its disk, under load, from a snapshot: all have the same keys', async () => {
    const [one, two, three] = await startAll()
    const first = load([one, two, three], 'first')
    for (const server of [one, two, three]) await isTrimmed(server)
    await first.stop()
    await three.end('SIGKILL')
    // What is chosen stays in memory for a while: only after a restart is what was trimmed gone.
    for (const server of [one, two]) {
      await server.end()
      server.start()
    }
    await (cluster as DelosServers).healthy()
    const second = load([one, two], 'second')
    rmSync(three.dir, { recursive: true, force: true })
    three.start()
    await eventually('it goes on from a snapshot', 60_000, async () => logOf(three).includes('goes on from a snapshot'))
    expect(logOf(three)).toContain('its disk was empty')
    await eventually('a write at it', 30_000, async () => (await putKey(three.url, 'after', 'back')) !== null)
    await second.stop()
    expect(second.acknowledged.size).toBeGreaterThan(0)
    const found = await getPrefix(three.url, 'load/')
    const expected = new Map([...first.acknowledged, ...second.acknowledged])
    expect([...expected].filter(([key, revision]) => (found.get(key)?.revision ?? 0) < revision)).toEqual([])
    const [hash] = await hashes([one, two, three])
    expect(hash).toBeGreaterThan(0)
    expect(await hashes([one, two, three])).toHaveLength(3)
    expect(new Set(await hashes([one, two, three])).size).toBe(1)
    // It votes again: with it, one of the others may go.
    await one.end('SIGKILL')
    await eventually('a write with it and one other', 30_000, async () => (await putKey(two.url, 'with', 'three')) !== null)
  }, 180_000)

  test('start again from what the trimmed log and the rows say', async () => {
    const [one, two, three] = await startAll()
    const first = load([one, two, three], 'first')
    for (const server of [one, two, three]) await isTrimmed(server)
    for (const server of [one, two, three]) await server.end('SIGKILL')
    await first.stop()
    for (const server of [one, two, three]) server.start()
    await (cluster as DelosServers).healthy()
    const found = await getPrefix(two.url, 'load/')
    expect([...first.acknowledged].filter(([key, revision]) => (found.get(key)?.revision ?? 0) < revision)).toEqual([])
    expect(new Set(await hashes([one, two, three])).size).toBe(1)
  }, 180_000)
})

test('a flipped bit in one journal of three is found at the start and repaired from the others', async () => {
  const [one, two, three] = await startAll()
  for (let i = 0; i < 40; i += 1) await putKey(one.url, `rot/${i}`, `${i}${VALUE}`)
  await getPrefix(three.url, 'rot/')
  await three.end('SIGTERM')
  const name = segmentsOf(three).at(-1) as string
  const file = join(journalOf(three), name)
  const bytes = readFileSync(file)
  const at = bytes.indexOf(Buffer.from(VALUE), Math.floor(bytes.length / 8))
  expect(at).toBeGreaterThan(0)
  bytes[at + 50] = (bytes[at + 50] as number) ^ 4
  writeFileSync(file, bytes)
  rmSync(join(three.dir, 'kv.db'))
  three.start()
  await (cluster as DelosServers).healthy()
  expect(logOf(three)).toContain('the journal is damaged')
  expect((await getPrefix(three.url, 'rot/')).size).toBe(40)
  expect(new Set(await hashes([one, two, three])).size).toBe(1)
}, 240_000)

test('a lone server gives up what is in its rows, and starts from both after it was killed', async () => {
  Object.assign(process.env, TUNING)
  cluster = await newDelosServers(1, FLAGS)
  const [one] = cluster.servers as [DelosServerProcess]
  one.start()
  await cluster.healthy()
  const files = (): string[] => readdirSync(join(one.dir, 'log', 'kv', '00000001')).filter((name) => name.endsWith('.seg'))
  let last = 0
  await eventually('trimmed', 60_000, async () => {
    for (let i = 0; i < 50; i += 1) last = (await putKey(one.url, `lone/${i}`, `${i}${VALUE}`)) ?? last
    return !files().includes('0000000000000001.seg')
  })
  await one.end('SIGKILL')
  one.start()
  await cluster.healthy()
  const found = await getPrefix(one.url, 'lone/')
  expect([found.size, Math.max(...[...found.values()].map(({ revision }) => revision))]).toEqual([50, last])
  await one.end('SIGTERM')
  rmSync(join(one.dir, 'kv.db'))
  one.start()
  await eventually('it refuses to start without its rows', 30_000, async () => one.output().includes('DELOS_LOG_CORRUPT'))
}, 240_000)
