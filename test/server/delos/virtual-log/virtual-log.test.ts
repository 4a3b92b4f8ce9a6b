import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { FEATURES, type Feature } from '../../../../src/core/delos/virtual-log/features.ts'
import { genesis } from '../../../../src/core/delos/virtual-log/genesis.ts'
import { lastSegment } from '../../../../src/core/delos/virtual-log/value.ts'
import type { MusterError } from '../../../../src/core/kernel/errors.ts'
import { createLogger } from '../../../../src/platform/logger.ts'
import { openFileLoglet } from '../../../../src/server/delos/file-loglet.ts'
import { createPeers } from '../../../../src/server/delos/quorum/peers.ts'
import { openVirtualLog } from '../../../../src/server/delos/virtual-log/open.ts'
import type { VirtualLog } from '../../../../src/server/delos/virtual-log/virtual-log.ts'
import { eventually } from '../../../support/eventually.ts'

const SELF = 7n
const CLUSTER = 9n
const hex = (id: bigint): string => id.toString(16).padStart(16, '0')
const logger = createLogger(null)
const value = genesis(hex(CLUSTER), [{ id: hex(SELF), name: 'a', addresses: ['http://127.0.0.1:1'] }])
const encoder = new TextEncoder()
const decoder = new TextDecoder()

const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const next of undo.splice(0).toReversed()) await next()
})

function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'muster-vlog-'))
  undo.push(() => rmSync(dir, { recursive: true, force: true }))
  return join(dir, 'kv')
}

/** A log of one server, and what it gave so far, in order. */
async function open(
  dir: string,
  from = 1,
  features: readonly Feature[] = [],
): Promise<{ log: VirtualLog; given: string[]; fatal: MusterError[] }> {
  const peers = createPeers({ self: SELF, clusterId: CLUSTER, listen: { host: '127.0.0.1', port: 0 }, peers: [], tls: null, log: logger })
  const fatal: MusterError[] = []
  const onFatal = (error: MusterError): void => {
    if (error.code !== 'STATE_NEWER') throw error
    fatal.push(error)
  }
  const log = await openVirtualLog({
    dir,
    clusterId: CLUSTER,
    self: SELF,
    initial: value,
    from,
    peers,
    profile: 'lan',
    segmentBytes: 4 * 1024 * 1024,
    onSync: () => undefined,
    mayBeNew: true,
    isWhole: false,
    features,
    log: logger,
    onFatal,
  })
  undo.push(() => log.close().then(() => peers.close()))
  const given: string[] = []
  log.onCommitted((position, batch) => given.push(`${position}:${decoder.decode(batch)}`))
  return { log, given, fatal }
}

const append = (log: VirtualLog, text: string): Promise<number> => log.append(encoder.encode(text))
const kindsOf = (log: VirtualLog): string[] => log.value().chain.map(({ kind }) => kind)

test('positions go on over the loglets, and all of it is read again from wherever it is wanted', async () => {
  const dir = newDir()
  const { log, given } = await open(dir)
  await append(log, 'one')
  expect((await log.change({ kind: 'switch', to: 'quorum', config: {} })).kind).toBe('done')
  await append(log, 'two')
  expect((await log.change({ kind: 'switch', to: 'file', config: { server: 1 } })).kind).toBe('done')
  await append(log, 'three')
  expect(kindsOf(log)).toEqual(['file', 'quorum', 'file'])
  const all = ['1:one', '2:two', '3:three']
  expect(given).toEqual(all)
  await log.close()
  for (const from of [1, 2, 3, 4]) {
    const again = await open(dir, from)
    await again.log.readBarrier()
    expect(again.given).toEqual(all.slice(from - 1))
    expect(again.log.tail()).toBe(4)
    await again.log.close()
  }
})

test('what is appended while the log moves is in it once, and in the order in which it was answered', async () => {
  const { log, given } = await open(newDir())
  let isOver = false
  const answered: string[] = []
  const writing = (async () => {
    for (let i = 0; !isOver; i += 1) answered.push(`${await append(log, `w${i}`)}:w${i}`)
  })()
  for (const to of ['quorum', 'file', 'quorum', 'file'] as const)
    expect((await log.change({ kind: 'switch', to, config: to === 'file' ? { server: 1 } : {} })).kind).toBe('done')
  isOver = true
  await writing
  expect(given).toEqual(answered)
  expect(answered.length).toBeGreaterThan(4)
})

test('a loglet that was sealed and left is continued in another of its kind', async () => {
  const dir = newDir()
  const { log } = await open(dir)
  await append(log, 'before')
  await log.close()
  // As a driver leaves it that dies behind the seal.
  const left = await openFileLoglet(join(dir, '00000001'))
  await left.seal()
  await left.close()
  const { log: again, given } = await open(dir)
  expect(await append(again, 'behind')).toBe(2)
  expect(kindsOf(again)).toEqual(['file', 'file'])
  expect(given).toEqual(['1:before', '2:behind'])
})

test('no read is answered by the lease of a loglet whose end was asked for', async () => {
  const { log } = await open(newDir())
  expect(log.holdsReadLease()).toBe(true)
  let seen = true
  const changing = log.change({ kind: 'clone' })
  while (log.value().version === 1) {
    // The old loglet holds one until its seal begins, and never again after that.
    if (seen && !log.holdsReadLease()) seen = false
    else if (!seen && log.value().version === 1) expect(log.holdsReadLease()).toBe(false)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await changing
  await log.readBarrier()
  expect(log.holdsReadLease()).toBe(true)
})

test('a feature holds from the first position of a new loglet on, and who does not know it takes nothing from there', async () => {
  const dir = newDir()
  const louder = { name: 'louder', what: 'keys are shouted' }
  const { log, given, fatal } = await open(dir)
  await append(log, 'before')
  void log.change({ kind: 'feature', name: louder.name, since: null })
  await eventually('it is told', 20_000, async () => fatal.length > 0)
  expect(fatal[0]).toMatchObject({ code: 'STATE_NEWER', hint: expect.stringContaining('Install a version of muster that knows louder') })
  // It has not taken the version that says so, and with it not what stands in the new loglet.
  expect([log.value().features, given]).toEqual([[], ['1:before']])
  await log.close()

  await expect(open(dir)).rejects.toMatchObject({ code: 'STATE_NEWER' })
  const knowing = await open(dir, 1, [...FEATURES, louder])
  expect(knowing.log.value().features).toEqual([{ name: 'louder', since: 2 }])
  expect(lastSegment(knowing.log.value()).firstPosition).toBe(2)
  expect(await append(knowing.log, 'behind')).toBe(2)
  expect(knowing.fatal).toEqual([])
})

test('a log of before there was a chain becomes its first loglet', async () => {
  const dir = newDir()
  const old = await openFileLoglet(dir)
  await old.append([encoder.encode('old')])
  await old.close()
  const { log, given } = await open(dir)
  expect(given).toEqual(['1:old'])
  expect(await append(log, 'new')).toBe(2)
  expect(readdirSync(dir).toSorted()).toEqual(['00000001', 'register.1', 'register.2', 'register.3'])
})

test('files of a loglet that never became part of the chain are gone after the next start', async () => {
  const dir = newDir()
  const { log } = await open(dir)
  await append(log, 'x')
  await log.close()
  const stray = await openFileLoglet(join(dir, '0badf00d'))
  await stray.append([encoder.encode('nobody')])
  await stray.close()
  await open(dir)
  expect(readdirSync(dir)).not.toContain('0badf00d')
})

test('a loglet that cannot be made ready changes nothing', async () => {
  const { log } = await open(newDir())
  const outcome = await log.change({ kind: 'switch', to: 'etcd', config: { endpoints: ['http://127.0.0.1:1'], prefix: '/x' } })
  expect([outcome.kind, log.value().version]).toEqual(['refused', 1])
  expect(await append(log, 'still')).toBe(1)
})

test('loglets that end before what is still wanted are forgotten, with their files', async () => {
  const dir = newDir()
  const { log } = await open(dir)
  await append(log, 'one')
  await log.change({ kind: 'clone' })
  await append(log, 'two')
  await log.trim(2)
  const { loglet } = lastSegment(log.value())
  expect(log.value().chain).toHaveLength(1)
  expect(log.head()).toBe(2)
  await eventually('its files are gone', 20_000, async () => !readdirSync(dir).includes('00000001'))
  expect(readdirSync(dir)).toContain(loglet.toString(16).padStart(8, '0'))
})

test('a register of another cluster is refused', async () => {
  const dir = newDir()
  const { log } = await open(dir)
  await log.close()
  const peers = createPeers({ self: SELF, clusterId: 8n, listen: { host: '127.0.0.1', port: 0 }, peers: [], tls: null, log: logger })
  const common = {
    dir,
    self: SELF,
    initial: value,
    from: 1,
    peers,
    profile: 'lan',
    segmentBytes: 4 * 1024 * 1024,
    onSync: () => undefined,
    mayBeNew: true,
    isWhole: false,
    log: logger,
    onFatal: () => undefined,
  } as const
  await expect(openVirtualLog({ ...common, clusterId: 8n })).rejects.toMatchObject({ code: 'DELOS_WRONG_CLUSTER' })
  await peers.close()
})
