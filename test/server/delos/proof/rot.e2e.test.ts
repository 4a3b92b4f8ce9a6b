import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SERVER_PAGE_PATH } from '../../../../src/core/delos/measure/names.ts'
import { serverPageSchema, type ServerPage } from '../../../../src/core/delos/measure/server-page.ts'
import { getPrefix, newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'
import { BIN } from '../../../support/fleet.ts'

const page = async (url: string): Promise<ServerPage> => serverPageSchema.parse(await (await fetch(url + SERVER_PAGE_PATH)).json())

async function muster(...args: string[]): Promise<{ code: number | null; stdout: string }> {
  const child = spawn(process.execPath, [BIN, 'delos', ...args], {
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let stdout = ''
  child.stdout.on('data', (part: Buffer) => (stdout += part.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout }
}

/** Flips one bit of the journal of a server, behind `at` bytes of its oldest file. */
function flipBit(server: DelosServerProcess, at: number): void {
  const folder = join(server.dir, 'log/kv/00000001/journal')
  const name = readdirSync(folder)
    .toSorted()
    .find((file) => file.endsWith('.seg')) as string
  const fd = openSync(join(folder, name), 'r+')
  const byte = new Uint8Array(1)
  readSync(fd, byte, 0, 1, at)
  byte[0] = (byte[0] as number) ^ 4
  writeSync(fd, byte, 0, 1, at)
  closeSync(fd)
}

describe('a bit that flipped in the log of one of three servers', () => {
  let cluster: DelosServers
  let three: DelosServerProcess[]
  let at: string[]
  beforeAll(async () => {
    cluster = await newDelosServers(3, ['--profile', 'wan'])
    three = cluster.servers
    at = ['--endpoints', three.map(({ url }) => url).join(',')]
    for (const server of three) server.start()
    await eventually('a write', 30_000, async () => (await putKey(three[0]?.url as string, 'first', 'x')) !== null)
    for (let i = 0; i < 100; i += 1) await putKey(three[0]?.url as string, `rot/${i}`, `value ${i} ${'x'.repeat(8000)}`)
  }, 240_000)
  afterAll(() => cluster.remove())
  const leads = async (server: DelosServerProcess): Promise<boolean> => (await page(server.url)).id === (await page(server.url)).leader

  test('is found while it runs, by its position, by comparing with the others, who are whole', async () => {
    expect(await muster('log', 'verify', '--against-peers', ...at)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('as the others'),
    })
    const [, , server] = three as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
    // What it has in memory it would not read from the disk.
    await server.end()
    server.start()
    await cluster.healthy()
    flipBit(server, 200_000)
    const found = await muster('log', 'verify', '--against-peers', ...at, '--json')
    expect(found.code).toBe(7)
    const { faults, servers } = JSON.parse(found.stdout).data
    expect(faults).toMatchObject([{ server: 'c', kind: 'rot' }])
    expect(faults[0].from).toBeGreaterThan(10)
    expect(faults[0].from).toBeLessThan(60)
    expect(servers.map(({ read }: { read: number }) => read > 100)).toEqual([true, true, false])
  }, 240_000)

  test('is repaired from the others when that server starts again, and that is said; nothing is lost when another one then goes', async () => {
    const [one, two, server] = three as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
    expect((await page(one.url)).repairs).toEqual([])
    await server.end('SIGKILL')
    server.start()
    await cluster.healthy()
    await eventually('it is repaired', 30_000, async () => (await page(server.url)).repairs[0]?.isRepaired === true)
    expect((await muster('status', ...at)).stdout).toMatch(/repaired +.*c: .*\.seg was damaged at offset \d+, repaired from the others/)
    await eventually('all is alike', 30_000, async () => (await muster('log', 'verify', '--against-peers', ...at)).code === 0)
    const gone = (await leads(one)) ? one : two
    const kept = gone === one ? two : one
    await gone.end('SIGKILL')
    await eventually('a write', 30_000, async () => (await putKey(kept.url, 'rot/last', 'x')) !== null)
    const found = await getPrefix(server.url, 'rot/')
    expect(found.size).toBe(101)
    expect(found.get('rot/25')?.value.startsWith('value 25 ')).toBe(true)
  }, 150_000)
})
