import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { LogBase, OrderedLog } from '../../../../src/core/contracts/ordered-log.ts'
import { NOBODY, type KvCommand } from '../../../../src/core/delos/kv/command.ts'
import { createStore } from '../../../../src/core/delos/kv/store.ts'
import { createLogger } from '../../../../src/platform/logger.ts'
import type { Peers } from '../../../../src/server/delos/quorum/peers.ts'
import { startMaterialiser, type Materialiser } from '../../../../src/server/delos/store/materialiser.ts'
import { storeTarget } from '../../../../src/server/delos/serve/exchange-snapshots.ts'
import { openReplica, type Replica } from '../../../../src/server/delos/store/replica.ts'
import { EMPTY_CURSOR } from '../../../../src/server/delos/store/rows-file.ts'
import { openFileLog } from '../../../support/file-log.ts'
import { decodeSnapshotFrame, type SnapshotMessage } from '../../../../src/server/delos/store/snapshot-frames.ts'
import { createSnapshotSink, type SnapshotSink } from '../../../../src/server/delos/store/snapshot-sink.ts'
import { makeSnapshotFile } from '../../../../src/server/delos/store/snapshot-file.ts'
import { serveSnapshots } from '../../../../src/server/delos/store/snapshot-source.ts'
import { eventually } from '../../../support/eventually.ts'

const logger = createLogger(null)
const ends: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})
const newDir = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'muster-transfer-'))
  ends.push(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** A wire between two servers, 1 and 2, that loses what it is told to. */
function wire(): { ends: [Peers, Peers]; passes: { isLost: (message: SnapshotMessage) => boolean } } {
  const passes = { isLost: (_message: SnapshotMessage): boolean => false }
  const heard = [1n, 2n].map(() => new Map<number, Set<(from: bigint, frame: Uint8Array) => void>>())
  const end = (own: number): Peers => ({
    queues: () => [],
    send: (_to, channel, sent) => {
      const frame = sent instanceof Uint8Array ? sent : Buffer.concat(sent)
      const message = decodeSnapshotFrame(frame)?.message
      if (message !== undefined && passes.isLost(message)) return
      setImmediate(() => heard[1 - own]?.get(channel)?.forEach((listener) => listener(BigInt(own + 1), frame)))
    },
    onFrame: (channel, listener) => {
      const set = heard[own]?.get(channel) ?? new Set()
      heard[own]?.set(channel, set.add(listener))
      return () => void set.delete(listener)
    },
    onReset: () => () => {},
    openClient: () => Promise.reject(new Error('nobody asks here')),
    troubles: () => [],
    listen: async () => {},
    update: () => {},
    useTls: () => {},
    close: async () => {},
  })
  return { ends: [end(0), end(1)], passes }
}

const makeOf = (kvDb: string) => (file: string) => makeSnapshotFile('rows', kvDb, file)

const put = (key: string, fill: number): KvCommand => ({
  kind: 'put',
  request: { key, value: new Uint8Array(10_000).fill(fill), lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false },
  who: NOBODY,
})
const ask = (replica: Replica, command: KvCommand): Promise<string | null> =>
  new Promise((resolve) => replica.submit(command, null, (error) => resolve(error === null ? null : error.text)))

/** A server with 4 MB of keys, whose log is as good as gone: it begins where the rows end. */
async function rich(): Promise<{ replica: Replica; log: OrderedLog; kvDb: string; dir: string; settled: () => Promise<void> }> {
  const dir = newDir()
  const single = await openFileLog(join(dir, 'log'), { segmentBytes: 4 * 1024 * 1024 })
  const log = { ...single, head: () => Math.max(2, single.tail() - 5) }
  const kvDb = join(dir, 'kv.db')
  const materialiser = startMaterialiser(kvDb, logger)
  const replica = openReplica({
    ...{ log: single, store: createStore({}), cursor: EMPTY_CURSOR, materialiser, logger },
    ...{ now: () => 1000, onFatal: () => undefined },
  })
  ends.push(() => replica.close())
  for (let i = 0; i < 400; i += 1) await ask(replica, put(`key/${i}`, i))
  // A snapshot holds what the rows hold; the rest would come from the log, and there is none.
  await materialiser.settled()
  return { replica, log, kvDb, dir, settled: () => materialiser.settled() }
}

/** A log that holds nothing and is told where to begin. */
function emptyLog(): { log: OrderedLog; installed: LogBase[] } {
  const installed: LogBase[] = []
  const begin = (): number => installed.at(-1)?.position ?? 1
  const role = { isLeader: false, leader: 1n, term: 1 }
  const log: OrderedLog = {
    append: () => Promise.reject(new Error('not used here')),
    onCommitted: () => {},
    readBarrier: async () => {},
    holdsReadLease: () => true,
    role: () => role,
    onRole: () => () => {},
    tail: begin,
    head: begin,
    read: () => [],
    syncStats: () => ({ p50Ms: 0, p99Ms: 0 }),
    trim: async () => {},
    baseAt: () => null,
    install: async (base) => void installed.push(base),
    onBehind: () => () => {},
    close: async () => {},
  }
  return { log, installed }
}

interface Poor {
  replica: Replica
  sink: SnapshotSink
  installed: LogBase[]
  part: string
}

function poor(peers: Peers, dir: string): Poor {
  const kvDb = join(dir, 'kv.db')
  const { log, installed } = emptyLog()
  const materialiser: Materialiser = startMaterialiser(kvDb, logger)
  const replica = openReplica({
    ...{ log, store: createStore({}), cursor: EMPTY_CURSOR, materialiser, logger },
    ...{ now: () => 1000, onFatal: () => undefined },
  })
  const part = join(dir, 'kv.db.part')
  const sink = createSnapshotSink({
    ...{ peers, others: () => [1n], file: part, logger },
    target: storeTarget({ replica, materialiser, kvDb, isFit: () => true, logger }),
    onFatal: (error) => {
      throw error
    },
  })
  let isOver = false
  ends.push(async () => {
    await sink.stop()
    if (!isOver) await replica.close()
    isOver = true
  })
  return { replica, sink, installed, part }
}

const isThere = async ({ replica }: Poor, from: Replica): Promise<void> => {
  await eventually('the store of the other', 30_000, async () => replica.applied > 0 && !replica.isBehind)
  expect(replica.store.digest).toBe(from.store.digest)
  expect(replica.store.dump()).toEqual(from.store.dump())
}

test('a store arrives whole though parts of it are lost on the way, and nothing is answered meanwhile', async () => {
  const { ends: sides, passes } = wire()
  const source = await rich()
  const giving = await serveSnapshots({
    peers: sides[0],
    log: source.log,
    make: makeOf(source.kvDb),
    dir: join(source.dir, 'snapshots'),
    logger,
  })
  ends.push(giving.stop)
  let parts = 0
  passes.isLost = (message) => {
    if (message.kind !== 'part') return false
    parts += 1
    return parts === 2
  }
  const target = poor(sides[1], newDir())
  target.sink.want(1n)
  await eventually('parts', 20_000, async () => parts > 0)
  expect(await ask(target.replica, put('early', 1))).toBe('muster: this server waits for a snapshot of another one')
  await isThere(target, source.replica)
  expect(target.installed).toEqual([{ position: source.replica.applied + 1, loglet: 1, slot: 0 }])
  const { applied: position, store } = source.replica
  expect(giving.copies()).toMatchObject([{ position, revision: store.revision, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }])
}, 60_000)

test('a process that ends in the middle is followed by one that goes on where it ended', async () => {
  const { ends: sides, passes } = wire()
  const source = await rich()
  ends.push(
    (await serveSnapshots({ peers: sides[0], log: source.log, make: makeOf(source.kvDb), dir: join(source.dir, 'snapshots'), logger }))
      .stop,
  )
  passes.isLost = (message) => message.kind === 'part' && message.offset >= 2 * 1024 * 1024
  const dir = newDir()
  const first = poor(sides[1], dir)
  first.sink.want(1n)
  await eventually('two parts', 20_000, async () => (statSync(first.part, { throwIfNoEntry: false })?.size ?? 0) === 2 * 1024 * 1024)
  await first.sink.stop()
  const asked: number[] = []
  passes.isLost = (message) => {
    if (message.kind === 'get') asked.push(message.offset)
    return false
  }
  const second = poor(sides[1], dir)
  second.sink.want(1n)
  await isThere(second, source.replica)
  expect(Math.min(...asked)).toBe(2 * 1024 * 1024)
}, 60_000)

test('a snapshot that is no longer there is replaced by a newer one, from its beginning', async () => {
  const { ends: sides, passes } = wire()
  const source = await rich()
  const options = { peers: sides[0], log: source.log, make: makeOf(source.kvDb), dir: join(source.dir, 'snapshots'), logger }
  const { stop } = await serveSnapshots(options)
  passes.isLost = (message) => message.kind === 'part' && message.offset > 0
  const target = poor(sides[1], newDir())
  target.sink.want(1n)
  await eventually('a part', 20_000, async () => (statSync(target.part, { throwIfNoEntry: false })?.size ?? 0) > 0)
  await stop()
  await ask(source.replica, put('newer', 1))
  await source.settled()
  ends.push((await serveSnapshots(options)).stop)
  passes.isLost = () => false
  await isThere(target, source.replica)
  expect(target.replica.store.keyCount).toBe(401)
}, 60_000)

test('who knows that what it has is wrong gives it to nobody, nor what it made of it before', async () => {
  const { ends: sides } = wire()
  const source = await rich()
  let reason: string | null = 'it differs from that of a majority'
  const giving = await serveSnapshots({
    ...{ peers: sides[0], log: source.log, make: makeOf(source.kvDb), dir: join(source.dir, 'snapshots'), logger },
    refusal: () => reason,
  })
  ends.push(giving.stop)
  const target = poor(sides[1], newDir())
  target.replica.setBehind()
  target.sink.want(1n)
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect([giving.copies(), target.replica.isBehind]).toEqual([[], true])
  reason = null
  await isThere(target, source.replica)
  expect(giving.copies()).toHaveLength(1)
  giving.forget()
  expect(giving.copies()).toEqual([])
}, 60_000)
