import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { getPrefix, newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { BIN } from '../../../support/fleet.ts'

let folder: string
let cluster: DelosServers
let server: DelosServerProcess
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'muster-repair-'))
  cluster = await newDelosServers(1)
  server = cluster.servers[0] as DelosServerProcess
  server.start()
  await cluster.healthy()
})
afterEach(async () => {
  await cluster.remove()
  rmSync(folder, { recursive: true, force: true })
})

interface Ran {
  code: number | null
  stdout: string
  stderr: string
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at what they expect
  json: () => any
}
async function log(...args: string[]): Promise<Ran> {
  const env = { ...process.env, NO_COLOR: '1', MUSTER_STATE_DIR: join(folder, 'state') }
  const child = spawn(process.execPath, [BIN, 'delos', 'log', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (part: Buffer) => (said[name] += part.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...said, json: () => JSON.parse(said.stdout) }
}
const repair = (...args: string[]): Promise<Ran> => log('repair', '--data-dir', server.dir, '--json', ...args)
const put = async (key: string): Promise<void> => {
  if ((await putKey(server.url, `key/${key}`, `text-of-${key}`)) === null) throw new Error(`${key} was not put`)
}
const keys = async (): Promise<string[]> => [...(await getPrefix(server.url, 'key/')).keys()].map((key) => key.slice('key/'.length))

/** Flips a bit of the place in the log's files where a text stands, as a disk does that rots. */
function rot(text: string): void {
  const dir = join(server.dir, 'log', 'kv')
  for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.seg') || name.includes('damaged')) continue
    const bytes = readFileSync(join(dir, name))
    const at = bytes.indexOf(text)
    if (at < 0) continue
    bytes[at] = (bytes[at] as number) ^ 1
    return writeFileSync(join(dir, name), bytes)
  }
  throw new Error(`no file holds ${text}`)
}
function forgetRows(): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(server.dir, `kv.db${suffix}`), { force: true })
}
async function again(): Promise<void> {
  server.start()
  await cluster.healthy()
}

test('the damaged log of a server alone whose rows hold what it did begins after the damage; without those rows nothing can be made of it', async () => {
  for (const key of ['one', 'three', 'two']) await put(key)
  expect((await repair('--plan')).json().error.code).toBe('SERVER_RUNNING')
  // Ended in peace, it has all of its rows on the disk.
  await server.end('SIGTERM')
  expect((await repair('--plan')).json().data).toMatchObject({ log: 'kv', how: 'nothing' })
  rot('text-of-three')
  const plan = (await repair('--plan')).json().data
  const [{ from, to }] = plan.gaps
  expect(plan).toMatchObject({ log: 'kv', how: 'state', name: 'a', begins: to + 1, dropped: { from: 1, to }, lost: null, damaged: null })
  expect(from).toBe(to)
  const done = (await repair('--yes')).json().data
  for (const kept of done.damaged) expect(existsSync(kept)).toBe(true)
  await again()
  expect(await keys()).toEqual(['one', 'three', 'two'])
  for (const key of ['x', 'y']) await put(key)

  await server.end('SIGKILL')
  forgetRows()
  rot('text-of-x')
  // The log begins behind what the rows held.
  const refused = await repair('--plan')
  expect(refused.json().error).toMatchObject({ code: 'DELOS_REFUSED', message: expect.stringContaining(`begins at position ${to + 1}`) })
}, 180_000)

test('what an archive holds of a damaged log is taken from there: nothing is lost, also without the rows', async () => {
  const backup = join(folder, 'backup')
  for (const key of ['one', 'three', 'two']) await put(key)
  const archived = await log('archive', '--to', backup, '--endpoints', server.url)
  expect([archived.code, archived.stderr]).toEqual([0, expect.anything()])
  await put('after')
  await server.end('SIGKILL')
  forgetRows()
  rot('text-of-three')
  const without = (await repair('--plan')).json().data
  expect(without).toMatchObject({
    how: 'loss',
    ends: without.gaps[0].from - 1,
    lost: { from: without.gaps[0].from, to: expect.any(Number) },
  })
  const unnamed = await repair('--yes')
  expect([unnamed.code, unnamed.json().error.code]).toEqual([4, 'CONFIRM_REQUIRED'])
  const plan = (await repair('--plan', '--from', backup)).json().data
  expect(plan).toMatchObject({ how: 'archive', begins: 1, lost: null, dropped: null })
  expect((await repair('--from', folder, '--yes')).json().error.code).toBe('NOT_FOUND')
  const done = await repair('--from', backup, '--yes')
  expect([done.code, done.json().data.how]).toEqual([0, 'archive'])
  await again()
  expect(await keys()).toEqual(['after', 'one', 'three', 'two'])
  await put('last')
  await server.end('SIGKILL')
  expect((await repair('--plan')).json().data).toMatchObject({ how: 'nothing', begins: 1 })
  await again()
  expect(await keys()).toHaveLength(5)
}, 180_000)
