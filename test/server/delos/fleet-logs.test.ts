import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import type { System } from '../../../src/core/contracts/controller.ts'
import { defineEntry } from '../../../src/core/contracts/entry.ts'
import { genesis } from '../../../src/core/delos/virtual-log/genesis.ts'
import type { MusterError } from '../../../src/core/kernel/errors.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { statePaths, type StatePaths } from '../../../src/platform/paths.ts'
import { openFileLoglet } from '../../../src/server/delos/file-loglet.ts'
import { noPeers, openFleetLog } from '../../../src/server/delos/fleet-logs.ts'
import { openPeers, scopedPeers, type Peers } from '../../../src/server/delos/quorum/peers.ts'
import { copyLog } from '../../../src/server/delos/snapshot/copy-log.ts'
import { openVirtualLog } from '../../../src/server/delos/virtual-log/open.ts'
import type { VirtualLog } from '../../../src/server/delos/virtual-log/virtual-log.ts'
import { openControlLog, type ControlLog } from '../../../src/server/state/control-log.ts'
import { encodeEntry } from '../../../src/server/state/entry-codec.ts'
import { holdIdentity } from '../../../src/server/state/identity.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/free-port.ts'

const named = defineEntry({
  type: 'toy.Named',
  body: z.object({ name: z.string() }),
  apply: (db, body, meta) => {
    db.run('INSERT INTO toy_name(position, name) VALUES (?, ?)', meta.position, body.name)
  },
})
const toy: System = {
  name: 'toy',
  tables: ['CREATE TABLE toy_name (position INTEGER PRIMARY KEY, name TEXT NOT NULL)'],
  entries: [named],
  operations: [],
  controllers: [],
}
const logger = createLogger(null)
const undo: (() => unknown)[] = []
let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'muster-fleet-logs-'))
  undo.push(() => rmSync(root, { recursive: true, force: true }))
})
afterEach(async () => {
  for (const next of undo.splice(0).toReversed()) await next()
})

const onFatal = (error: Error): void => {
  throw error
}
const add = async (control: ControlLog, ...names: string[]): Promise<number> =>
  (await control.submit({ actor: 'user:a' }, () => ({ entries: names.map((name) => named.of({ name })), value: () => undefined }))).position
const namesOf = (control: ControlLog): string[] =>
  control.db.all<{ name: string }>('SELECT name FROM toy_name ORDER BY position').map(({ name }) => name)
const listOf = (control: ControlLog): [number, string][] =>
  control.read(1, 100).map(({ position, body }) => [position, (body as { name: string }).name])

/** The control log of a state directory, as a server alone opens it. */
async function openAlone(paths: StatePaths): Promise<{ control: ControlLog; log: VirtualLog }> {
  const identity = await holdIdentity(paths)
  const peers = noPeers(identity, logger)
  const opened: VirtualLog[] = []
  const openLog = async (from: number): Promise<VirtualLog> => {
    const log = await openFleetLog('control', { paths, identity, peers, from, segmentBytes: 1024 * 1024, logger, onFatal })
    opened.push(log)
    return log
  }
  const control = await openControlLog({ openLog, dbFile: paths.stateDb, systems: [toy], clock: () => 5, log: logger, onFatal })
  undo.push(() => control.close().then(() => peers.close()))
  return { control, log: opened.at(-1) as VirtualLog }
}

async function writeOldLog(dir: string): Promise<void> {
  const entry = (name: string): Uint8Array => encodeEntry({ type: 'toy.Named', v: 1, at: 3, actor: 'user:old', body: { name } })
  const old = await openFileLoglet(dir, { segmentBytes: 64 * 1024 })
  await old.append([entry('a'), entry('b')])
  await old.append([entry('c')])
  await old.close()
}

test('a state directory of before there were batches opens with everything in it, and goes on', async () => {
  const paths = statePaths('x', { MUSTER_STATE_DIR: join(root, 'old') })
  await writeOldLog(join(paths.log, 'control'))
  const { control } = await openAlone(paths)
  expect(namesOf(control)).toEqual(['a', 'b', 'c'])
  expect(await add(control, 'd', 'e')).toBe(6)
  await control.close()
  const { control: again } = await openAlone(paths)
  const all = ['a', 'b', 'c', 'd', 'e']
  expect(listOf(again)).toEqual(all.map((name, i) => [i + 1, name]))
  expect([again.head(), again.tail()]).toEqual([1, 6])
  // Each entry is found by its number, also one in the middle of a batch.
  for (const [i, name] of all.entries()) expect(again.read(i + 1, 1)).toMatchObject([{ position: i + 1, body: { name } }])
  await again.close()
  rmSync(paths.stateDb, { force: true })
  expect(namesOf((await openAlone(paths)).control)).toEqual(all)
})

test('a log that moved over several loglets is read whole after a start, and its copy is one file that a server alone begins with', async () => {
  const paths = statePaths('x', { MUSTER_STATE_DIR: join(root, 'moved') })
  const { control, log } = await openAlone(paths)
  await add(control, 'a', 'b')
  expect((await log.change({ kind: 'switch', to: 'quorum', config: {} })).kind).toBe('done')
  await add(control, 'c')
  expect((await log.change({ kind: 'switch', to: 'file', config: { server: 1 } })).kind).toBe('done')
  await add(control, 'd')
  await control.close()
  const { control: again, log: opened } = await openAlone(paths)
  const all: [number, string][] = ['a', 'b', 'c', 'd'].map((name, i) => [i + 1, name])
  expect(listOf(again)).toEqual(all)
  const copied = statePaths('x', { MUSTER_STATE_DIR: join(root, 'copied') })
  const copy = copyLog(opened, join(paths.log, 'control'), join(copied.log, 'control'))
  await copy.ahead()
  await add(again, 'e')
  expect(await copy.rest()).toEqual({ head: 1, tail: 5 })
  await copy.close()
  const { control: alone, log: one } = await openAlone(copied)
  expect(listOf(alone)).toEqual([...all, [5, 'e']])
  expect(one.value().chain.map(({ kind }) => kind)).toEqual(['file'])
})

test('the identity is made once, for its owner alone, and not invented when it is gone', async () => {
  const paths = statePaths('x', { MUSTER_STATE_DIR: join(root, 'who') })
  const made = await holdIdentity(paths, 'first')
  expect(made).toMatchObject({
    cluster: expect.stringMatching(/^[0-9a-f]{16}$/),
    server: expect.stringMatching(/^[0-9a-f]{16}$/),
    name: 'first',
  })
  expect(await holdIdentity(paths, 'other')).toEqual(made)
  expect(statSync(paths.identityJson).mode & 0o777).toBe(0o600)
  const { control } = await openAlone(paths)
  await control.close()
  const text = readFileSync(paths.identityJson)
  rmSync(paths.identityJson)
  await expect(holdIdentity(paths)).rejects.toMatchObject({ code: 'STATE_UNREADABLE' })
  writeFileSync(paths.identityJson, '{"cluster":"x"}')
  await expect(holdIdentity(paths)).rejects.toMatchObject({ code: 'STATE_UNREADABLE' })
  writeFileSync(paths.identityJson, text)
  expect(await holdIdentity(paths)).toEqual(made)
})

test('three servers have both logs on the same connections: one decides, all have it, and another goes on when it is gone', async () => {
  const ports = [await freePort(), await freePort(), await freePort()]
  const ids = [1n, 2n, 3n]
  const hex = (id: bigint): string => id.toString(16).padStart(16, '0')
  const value = genesis(
    hex(9n),
    ids.map((id, i) => ({ id: hex(id), name: `s${i}`, addresses: [`http://127.0.0.1:${ports[i]}`] })),
  )
  const addresses = ids.map((id, i) => ({ id, host: '127.0.0.1', port: ports[i] as number }))
  const servers: { control: ControlLog; kv: VirtualLog; given: string[]; close: () => Promise<void> }[] = []
  for (const [i, self] of ids.entries()) {
    const listen = { host: '127.0.0.1', port: ports[i] as number }
    const peers: Peers = await openPeers({ self, clusterId: 9n, listen, peers: addresses, tls: null, log: logger })
    const open = (name: 'control' | 'kv', from: number): Promise<VirtualLog> =>
      openVirtualLog({
        ...{ dir: join(root, `${i}`, name), clusterId: 9n, self, initial: value, from, profile: 'lan', segmentBytes: 4 * 1024 * 1024 },
        ...{ peers: scopedPeers(peers, name), mayBeNew: true, isWhole: true, onSync: () => undefined, log: logger, onFatal },
      })
    const kv = await open('kv', 1)
    const given: string[] = []
    kv.onCommitted((_, batch) => void given.push(Buffer.from(batch).toString()))
    const dbFile = join(root, `${i}.db`)
    const control = await openControlLog({
      openLog: (from) => open('control', from),
      ...{ dbFile, systems: [toy], clock: Date.now, log: logger, onFatal },
    })
    let isClosed = false
    const close = async (): Promise<void> => {
      if (isClosed) return
      isClosed = true
      await control.close()
      await kv.close()
      await peers.close()
    }
    undo.push(close)
    servers.push({ control, kv, given, close })
  }
  // On a busy machine the lead may go from one to the other at any time.
  const decide = async (...names: string[]): Promise<(typeof servers)[number]> => {
    let by: (typeof servers)[number] | undefined
    await eventually(`${names.join()} is decided`, 20_000, async () => {
      by = servers.find(({ control }) => control.leads())
      const refused =
        by === undefined
          ? 'nobody'
          : await add(by.control, ...names).then(
              () => '',
              (error: MusterError) => error.code,
            )
      expect(['', 'nobody', 'DELOS_NOT_LEADER']).toContain(refused)
      return refused === ''
    })
    return by as (typeof servers)[number]
  }
  const first = await decide('a', 'b')
  await first.kv.append(Buffer.from('k'))
  await eventually('all have both', 20_000, async () =>
    servers.every(({ control, given }) => namesOf(control).length === 2 && given.length === 1),
  )
  await eventually('one that does not lead refuses', 20_000, async () => {
    const other = servers.find(({ control }) => !control.leads())
    const asked = other?.control.plan({ actor: 'user:a' }, () => ({ entries: [named.of({ name: 'x' })], value: () => undefined }))
    return (
      asked?.then(
        () => false,
        (error: MusterError) => error.code === 'DELOS_NOT_LEADER',
      ) ?? false
    )
  })
  await first.close()
  servers.splice(servers.indexOf(first), 1)
  await decide('c')
  await eventually('both have all', 20_000, async () => servers.every(({ control }) => namesOf(control).join('') === 'abc'))
  for (const { control } of servers)
    expect(listOf(control)).toEqual([
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ])
}, 90_000)
