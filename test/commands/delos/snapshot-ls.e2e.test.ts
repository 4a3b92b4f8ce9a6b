import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../support/delos-servers.ts'
import { eventually } from '../../support/eventually.ts'
import { BIN } from '../../support/fleet.ts'

let cluster: DelosServers
let server: DelosServerProcess
let folder = ''
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'muster-snapshots-'))
  process.env['MUSTER_DELOS_SYNC_MS'] = '200'
  cluster = await newDelosServers(1)
  server = cluster.servers[0] as DelosServerProcess
  server.start()
  await cluster.healthy()
}, 120_000)
afterAll(async () => {
  delete process.env['MUSTER_DELOS_SYNC_MS']
  await cluster.remove()
  rmSync(folder, { recursive: true, force: true })
})

async function muster(...args: string[]) {
  const child = spawn(process.execPath, [BIN, 'delos', ...args], {
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let stdout = ''
  child.stdout.on('data', (part: Buffer) => (stdout += part.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout }
}

test('snapshot ls tells of a server up to where its rows are on its disk, and of a folder which files are whole', async () => {
  const revision = await putKey(server.url, 'a', 'x'.repeat(3000))
  const at = ['--endpoints', server.url]
  await eventually('its rows are on the disk', 20_000, async () => {
    const { stdout } = await muster('snapshot', 'ls', ...at, '--json')
    const [said] = JSON.parse(stdout).data.servers
    return said.answer.snapshots[0]?.kind === 'rows' && said.answer.snapshots[0].revision === revision
  })
  const whole = join(folder, 'whole')
  expect((await muster('snapshot', 'save', whole, ...at)).code).toBe(0)
  writeFileSync(join(folder, 'notes.txt'), 'not a snapshot, and none of our business')
  const good = await muster('snapshot', 'ls', folder, '--json')
  expect(good.code).toBe(0)
  expect(JSON.parse(good.stdout).data.files).toMatchObject([{ file: whole, problem: null, snapshot: { revision, keys: 1 } }])
  copyFileSync(whole, join(folder, 'spoilt'))
  const bytes = readFileSync(whole)
  bytes[bytes.length - 100] = (bytes[bytes.length - 100] as number) ^ 1
  writeFileSync(join(folder, 'spoilt'), bytes)
  const bad = await muster('snapshot', 'ls', folder)
  expect([bad.code, bad.stdout]).toEqual([7, expect.stringContaining('is damaged')])
}, 120_000)
