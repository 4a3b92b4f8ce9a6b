import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { gateway, getPrefix, newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../support/delos-servers.ts'
import { eventually } from '../../support/eventually.ts'
import { BIN } from '../../support/fleet.ts'

const EMPTY_MS = 1500

let cluster: DelosServers
let server: DelosServerProcess
beforeAll(async () => {
  process.env['MUSTER_DELOS_CONTAINER_MS'] = String(EMPTY_MS)
  cluster = await newDelosServers(1)
  server = cluster.servers[0] as DelosServerProcess
  server.start()
  await cluster.healthy()
}, 120_000)
afterAll(async () => {
  delete process.env['MUSTER_DELOS_CONTAINER_MS']
  await cluster.remove()
})

async function muster(...args: string[]): Promise<{ code: number | null; stdout: string }> {
  const env = { ...process.env, NO_COLOR: '1', MUSTER_DELOS_ENDPOINTS: server.url }
  const child = spawn(process.execPath, [BIN, 'delos', ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let stdout = ''
  child.stdout.on('data', (part: Buffer) => (stdout += part.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout: stdout.trim() }
}
const keys = async (prefix: string): Promise<string[]> => [...(await getPrefix(server.url, prefix)).keys()]
const remove = (key: string) => gateway(server.url, 'kv/deleterange', { key: Buffer.from(key).toString('base64') })
const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, EMPTY_MS * 2))

test('a container goes a while after its last child, not before; the numbers of its children are not given again', async () => {
  expect((await muster('sequence', 'make', 'jobs', '--container')).stdout).toBe('jobs/0000000000')
  expect((await muster('sequence', 'make', 'jobs', '--container')).stdout).toBe('jobs/0000000001')
  await putKey(server.url, 'jobs2', 'another parent, and no container')
  await remove('jobs/0000000000')
  await aWhile()
  expect(await keys('jobs')).toEqual(['jobs', 'jobs/0000000001', 'jobs2'])
  await remove('jobs/0000000001')
  expect(await keys('jobs')).toEqual(['jobs', 'jobs2'])
  await eventually('the container is gone', 15_000, async () => (await keys('jobs')).join() === 'jobs2')
  expect(await keys('/muster/container/')).toEqual([])
  expect((await muster('sequence', 'make', 'jobs', '--container')).stdout).toBe('jobs/0000000002')
}, 180_000)

test('the parent of an ephemeral key is one too, also with users; a key without a slash has no parent', async () => {
  for (const [call, body] of [
    ['user/add', { name: 'root', password: 'secret' }],
    ['role/add', { name: 'root' }],
    ['user/grant', { user: 'root', role: 'root' }],
    ['enable', {}],
  ] as const)
    expect((await gateway(server.url, `auth/${call}`, body)).status).toBe(200)
  const root = ['--user', 'root:secret']
  const token = (await gateway(server.url, 'auth/authenticate', { name: 'root', password: 'secret' })).body.token
  const count = async (key: string): Promise<number> =>
    Number((await gateway(server.url, 'kv/range', { key: Buffer.from(key).toString('base64') }, token)).body.count ?? 0)
  expect((await muster('ephemeral', 'run', 'web/a', '--container', ...root, '--', 'sh', '-c', 'exit 0')).code).toBe(0)
  expect(await count('web')).toBe(1)
  await eventually('the container is gone', 15_000, async () => (await count('web')) === 0)
  expect((await muster('ephemeral', 'run', 'web', '--container', ...root, '--', 'true')).code).toBe(2)
}, 180_000)
