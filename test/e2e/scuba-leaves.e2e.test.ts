import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:tls'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../../src/platform/free-port.ts'
import { readKeyFile } from '../../src/platform/key-file.ts'
import { statePaths } from '../../src/platform/paths.ts'
import { createScubaClient } from '../../src/server/scuba/client.ts'
import { eventually } from '../support/eventually.ts'
import { BIN, newFleet } from '../support/fleet.ts'

/** A server with a node beside it, and an agent that has joined as one of another machine does. */
const fleet = newFleet()
const far = newFleet()
const pathsOf = (root: string): ReturnType<typeof statePaths> => statePaths('test', { MUSTER_STATE_DIR: root })
const nearSocket = pathsOf(fleet.root).agent('n1').leafSocket
const farSocket = pathsOf(far.root).agent('far').leafSocket
let keeper: ChildProcess | null = null

beforeAll(async () => {
  const door = `127.0.0.1:${await freePort('127.0.0.1')}`
  const up = await fleet.muster('up', '--nodes', '2', '--agents', door)
  expect(up.stderr).toContain('starting')
  const { token } = await fleet.data('tw', 'node', 'token')
  const args = [BIN, 'agent', '--name', 'far', '--token', token, '--address', '127.0.0.1', '--cpu', '1']
  keeper = spawn(process.execPath, args, { env: far.env, cwd: far.home, stdio: 'ignore' })
  await eventually('it has joined', 30_000, async () => {
    const nodes = (await fleet.data('tw', 'node', 'ls')) as { node: string; state: string }[]
    return nodes.some(({ node, state }) => node === 'far' && state === 'ready')
  })
}, 150_000)
afterAll(async () => {
  await far.end()
  keeper?.kill('SIGKILL')
  await fleet.end()
})

interface Leaf {
  leaf: string
  node: string | null
  state: string
  shards: { epoch: number }[]
  holds: { pid: number; rows: number; senders: { sender: string; skewMs: number }[] } | null
}
const leaves = async (): Promise<Leaf[]> => ((await fleet.data('scuba', 'leaves')) as { leaves: Leaf[] }).leaves
const pidOn = async (node: string): Promise<number> => (await leaves()).find((leaf) => leaf.node === node)?.holds?.pid ?? 0
const count = async (): Promise<{ count: unknown; coverage: { rows: number; leaves: number; missing: string[] }; exitCode: number }> => {
  const { json, exitCode } = await fleet.muster('scuba', 'query', 'SELECT count(*) FROM words', '--json')
  return { count: json?.data?.rows?.[0]?.[0], coverage: json?.data?.coverage, exitCode }
}

test('leaves of nodes near and far are asked with the one beside the server', async () => {
  const near = await fleet.data('scuba', 'leaf', 'join', 'n1')
  expect(near.address).toBe(`unix:${nearSocket}`)
  const other = await fleet.data('scuba', 'leaf', 'join', 'far')
  expect(other.address).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
  // Asked again it is the same one.
  expect(await fleet.data('scuba', 'leaf', 'join', 'far')).toEqual(other)

  for (const socket of [nearSocket, farSocket, pathsOf(fleet.root).scubaSocket]) {
    const client = createScubaClient(socket)
    await client.send(
      'words',
      Array.from({ length: 10 }, (_, n) => ({ n })),
    )
    client.close()
  }
  await eventually('all rows are in an answer', 10_000, async () => (await count()).count === 30)
  expect((await count()).coverage).toMatchObject({ rows: 1, leaves: 3, missing: [] })
  await eventually(
    'the list shows them',
    10_000,
    async () => (await leaves()).filter(({ state, holds }) => state === 'present' && holds).length === 3,
  )
  expect((await leaves()).map(({ node }) => node ?? '').sort()).toEqual(['', 'far', 'n1'])
}, 120_000)

test('rows that are sent to the server are spread over the leaves, and what is done to a table is done on each', async () => {
  const rows = Array.from({ length: 400 }, (_, n) => JSON.stringify({ n }))
  writeFileSync(join(fleet.home, 'rows.ndjson'), rows.join('\n'))
  const sent = await fleet.data('scuba', 'send', 'spread', 'rows.ndjson', '--key', 'spread', '--batch', '300B')
  expect(sent).toMatchObject({ accepted: 400, duplicate: 0 })
  expect(await fleet.data('scuba', 'send', 'spread', 'rows.ndjson', '--key', 'spread', '--batch', '300B')).toMatchObject({
    accepted: 0,
    duplicate: 400,
  })
  for (const socket of [nearSocket, farSocket]) {
    const client = createScubaClient(socket)
    const own = (await client.tables()).find(({ name }) => name === 'spread')
    expect(own?.rows).toBeGreaterThan(0)
    client.close()
  }
  const erased = await fleet.data('scuba', 'erase', 'spread', '--where', 'n % 2 = 0', '--confirm', 'spread')
  expect(erased.rows).toBe(200)
  const { rows: left } = await fleet.data('scuba', 'query', 'SELECT count(*), count(*) FILTER (n % 2 = 0) FROM spread')
  expect(left).toEqual([[200, 0]])
  expect((await leaves()).map(({ shards }) => shards.map(({ epoch }) => epoch))).toEqual([[1], [1], [1]])
}, 120_000)

test('what is shown of a table is of all leaves, and things of one leaf say whose they are', async () => {
  const all = new Set((await leaves()).map(({ leaf }) => leaf))
  const { columns, missing } = (await fleet.data('scuba', 'columns', 'spread')) as {
    columns: { name: string; distinct: number; distinctMax: number | null; bytes: number }[]
    missing: string[]
  }
  const n = columns.find(({ name }) => name === 'n')
  // Two hundred values, whichever leaf has which; what leaves send to be merged is in no answer.
  expect(n?.distinct).toBeGreaterThan(180)
  expect(n?.distinct).toBeLessThan(220)
  expect(n?.distinctMax).toBeNull()
  expect(n).not.toHaveProperty('registers')
  expect(missing).toEqual([])
  expect((await fleet.data('scuba', 'retention', 'show', 'spread')).tables).toMatchObject([{ table: 'spread', rows: 200 }])
  expect(await fleet.data('scuba', 'table', 'show', 'spread')).toMatchObject({ rows: 200 })
  const { segments } = (await fleet.data('scuba', 'segments', 'spread')) as { segments: { leaf: string; rows: number }[] }
  expect(new Set(segments.map(({ leaf }) => leaf))).toEqual(all)
  expect(segments.reduce((sum, { rows }) => sum + rows, 0)).toBe(200)
  const { receipts } = (await fleet.data('scuba', 'receipt', 'spread', '--prefix')) as { receipts: { leaf: string }[] }
  expect(new Set(receipts.map(({ leaf }) => leaf))).toEqual(all)
  expect((await fleet.muster('scuba', 'segments', 'spread')).stdout).toContain('LEAF')
  expect(await fleet.data('scuba', 'cache')).toMatchObject({ missing: [] })
  expect(await fleet.data('scuba', 'artefacts')).toMatchObject({ missing: [] })
  // A row of an hour from now says that the sender's clock is wrong, whichever leaf it went to.
  writeFileSync(join(fleet.home, 'ahead.ndjson'), JSON.stringify({ time: Date.now() + 3_600_000 }))
  await fleet.data('scuba', 'send', 'ahead', 'ahead.ndjson', '--key', 'ahead')
  await eventually('it is said of its sender', 10_000, async () =>
    (await leaves()).some(({ holds }) => holds?.senders.some(({ sender, skewMs }) => sender.startsWith('user:') && skewMs > 3_500_000)),
  )
  expect((await fleet.muster('scuba', 'leaves')).stdout).toMatch(/user:\S+ \S+ ahead/)
  // Each leaf settles the lines of its own quarantine, once.
  const lines = Array.from({ length: 40 }, (_, line) => `{"n":${line}}\n{no row ${line}`)
  writeFileSync(join(fleet.home, 'bad.ndjson'), lines.join('\n'))
  await fleet.muster('scuba', 'send', 'bad', 'bad.ndjson', '--key', 'bad', '--batch', '100B')
  expect(await fleet.data('scuba', 'quarantine', 'replay', '--table', 'bad')).toMatchObject({ replayed: 0, failed: 40 })
  expect(await fleet.data('scuba', 'quarantine', 'drop', '--table', 'bad', '--yes')).toMatchObject({ dropped: 40 })
  expect(await fleet.data('scuba', 'quarantine', 'list', '--table', 'bad')).toMatchObject({ reasons: [], missing: [] })
}, 120_000)

test('a leaf that is killed is started again with its rows; while it hangs the answer says that it is missing', async () => {
  const before = Number((await count()).count)
  process.kill(await pidOn('far'), 'SIGKILL')
  await eventually('it answers again', 20_000, async () => {
    const { count: now, coverage } = await count()
    return Number(now) === before && coverage.leaves === 3
  })
  const { leaf } = (await leaves()).find(({ node }) => node === 'far') ?? { leaf: '' }
  await eventually('it is looked at again', 10_000, async () => (await pidOn('far')) > 0)
  const pid = await pidOn('far')
  process.kill(pid, 'SIGSTOP')
  try {
    const { coverage, exitCode } = await count()
    expect(coverage.rows).toBeLessThan(1)
    expect(coverage.missing.join()).toContain(leaf)
    expect(exitCode).toBe(8)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}, 120_000)

test("its port is for the fleet's servers: without a certificate, or with an agent's, nothing is answered there", async () => {
  const { address } = await fleet.data('scuba', 'leaf', 'join', 'far')
  const port = Number(new URL(address).port)
  const keys = readKeyFile(join(pathsOf(far.root).keys, 'agent-far.pem'))
  for (const shown of [{}, { key: keys.key, cert: keys.certificate }]) {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...shown })
    socket.on('error', () => undefined)
    socket.write('GET /v1/scuba/tables HTTP/1.1\r\nhost: leaf\r\n\r\n')
    let said = ''
    socket.on('data', (data: Buffer) => (said += data.toString()))
    await new Promise((resolve) => socket.once('close', resolve))
    expect(said).toBe('')
  }
  expect(readFileSync(join(pathsOf(far.root).agent('far').root, 'leaf.log'), 'utf8')).toContain('leaf listens')
}, 30_000)

test('a leaf leaves when another one can take what it has, and no row is missed or twice', async () => {
  const refused = await fleet.muster('scuba', 'leaf', 'leave', 'n1', '--yes')
  expect(refused.stderr).toContain('no other leaf can take what leaf')
  expect(refused.exitCode).toBe(6)
  const { leaf: other } = await fleet.data('scuba', 'leaf', 'join', 'n2')
  await eventually('all answer', 20_000, async () => (await count()).coverage.rows === 1)
  const before = Number((await count()).count)
  const left = await fleet.data('scuba', 'leaf', 'leave', 'n1', '--yes')
  expect(left.to).toBe(other)
  await eventually('it has left', 60_000, async () => {
    const { count: now, coverage } = await count()
    // While its rows are on their way to another's, an answer may say that some are missing; more than there are it never has.
    expect(Number(now)).toBeLessThanOrEqual(before)
    if (coverage.rows === 1) expect(Number(now)).toBe(before)
    return (await leaves()).every(({ node }) => node !== 'n1')
  })
  await eventually('all are there', 10_000, async () => (await count()).coverage.rows === 1)
  expect(Number((await count()).count)).toBe(before)
}, 120_000)
