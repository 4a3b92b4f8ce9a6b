import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { createLogger } from '../../../../src/platform/logger.ts'
import { openIncarnation, type Incarnation } from '../../../../src/server/delos/serve/incarnation.ts'
import { getPrefix, newDelosServers, putKey, type DelosServerProcess } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'
import { ask } from '../virtual-log/load.ts'

const removals: (() => unknown)[] = []
afterEach(async () => {
  for (const remove of removals.splice(0)) await remove()
})

test('a data directory that is brought back old is refused by the others, ends with what to do, and its server joins anew', async () => {
  const cluster = await newDelosServers(3, ['--profile', 'wan'])
  removals.push(() => cluster.remove())
  const [a, b, c] = cluster.servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
  for (const server of cluster.servers) server.start()
  await cluster.healthy()
  expect(await putKey(a.url, 'k/1', '1')).not.toBeNull()
  await c.end()
  const copy = `${c.dir}-copy`
  cpSync(c.dir, copy, { recursive: true })
  c.start()
  await cluster.healthy()
  expect(await putKey(c.url, 'k/2', '1')).not.toBeNull()
  // An ordinary start, also one after a crash, is none of that.
  await c.end('SIGKILL')
  c.start()
  await cluster.healthy()
  await c.end()

  rmSync(c.dir, { recursive: true, force: true })
  cpSync(copy, c.dir, { recursive: true })
  for (let start = 0; start < 2; start += 1) {
    c.start()
    await eventually('it ends', 30_000, async () => !c.isRunning())
    expect(c.output()).toContain('DELOS_REPLAYED_SERVER')
    expect(c.output()).toContain('muster delos member remove')
    expect(await c.end()).toBe(5)
  }
  expect(readFileSync(join(a.dir, 'server.log'), 'utf8') + readFileSync(join(b.dir, 'server.log'), 'utf8')).toContain(
    'it has forgotten promises it gave until then',
  )
  expect(await putKey(a.url, 'k/3', '1')).not.toBeNull()

  const { body } = await ask(a.url, 'member/list')
  const old = body.members.find(({ name }: { name: string }) => name === 'c')
  expect((await ask(a.url, 'member/remove', { ids: [old.id] })).status).toBe(200)
  expect((await ask(a.url, 'member/add', { name: 'c', peerUrls: old.addresses, isLearner: true })).status).toBe(200)
  rmSync(c.dir, { recursive: true, force: true })
  c.start('--initial-cluster-state', 'existing')
  await eventually('c has it all', 60_000, async () => (await getPrefix(c.url, 'k/')).size === 3)
}, 240_000)

/** Two servers that introduce themselves to each other; each has its data directory. */
const open = (dir: string, name: string, fatal: string[], everyMs = 60_000): Incarnation => {
  const opened = openIncarnation({
    ...{ dataDir: dir, name, logger: createLogger(null), everyMs, onNumber: () => undefined },
    onFatal: ({ code }) => fatal.push(`${name} ${code}`),
  })
  removals.push(() => opened.stop())
  return opened
}

test('a copy of a server that ran on without a start is found out after its next number', async () => {
  const root = mkdtempSync(join(tmpdir(), 'muster-incarnation-'))
  removals.push(() => rmSync(root, { recursive: true, force: true }))
  const [x, y] = [mkdtempSync(join(root, 'x')), mkdtempSync(join(root, 'y'))]
  const fatal: string[] = []
  const running = open(x, 'x', fatal, 20)
  const other = open(y, 'y', fatal)
  expect(other.hear(1n, running.introduce(2n))).toBeNull()
  cpSync(x, `${x}-copy`, { recursive: true })
  const at = JSON.parse(Buffer.from(running.introduce(2n)).toString()).own.length as number
  await eventually('a new number', 20_000, async () => JSON.parse(Buffer.from(running.introduce(2n)).toString()).own.length > at)
  expect(other.hear(1n, running.introduce(2n))).toBeNull()
  running.stop()

  const copy = open(`${x}-copy`, 'x', fatal)
  expect(other.hear(1n, copy.introduce(2n))).toContain('it has forgotten promises')
  expect(fatal).toEqual([])
  expect(copy.hear(2n, other.introduce(1n))).toContain('it has forgotten promises')
  expect(fatal).toEqual(['x DELOS_REPLAYED_SERVER'])
  // What was told is remembered over a start of who was told.
  other.stop()
  expect(open(y, 'y', fatal).hear(1n, copy.introduce(2n))).toContain('it has forgotten promises')
  expect(open(x, 'x', fatal).hear(2n, open(y, 'y', fatal).introduce(1n))).toBeNull()
})

test('two that never met take each other in, and what is no introduction is refused', () => {
  const root = mkdtempSync(join(tmpdir(), 'muster-incarnation-'))
  removals.push(() => rmSync(root, { recursive: true, force: true }))
  const fatal: string[] = []
  const x = open(root, 'x', fatal)
  expect(x.hear(7n, Buffer.from('{"own":[5],"you":null}'))).toBeNull()
  expect(x.hear(7n, Buffer.from('[]'))).toContain('introduces itself')
  expect(x.hear(7n, Buffer.from('{'))).toContain('introduces itself')
  expect(fatal).toEqual([])
})
