import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { zstdCompressSync, constants } from 'node:zlib'
import { createPrng } from '../src/core/kernel/prng.ts'
import { quoteText } from '../src/core/scuba/names.ts'
import { registrySchema } from '../src/core/scuba/registry.ts'
import { inDirectory } from './lib/directory.ts'
import { figuresOf, type Figure } from './lib/figure.ts'
import { quantile } from './lib/quantile.ts'
import { ScratchLeaf } from '../src/server/scuba/measure/scratch-leaf.ts'
import { makeBodies, sealed, sendBodies, upTo } from './lib/scuba-bodies.ts'
import { ROW_TYPES } from './lib/scuba-rows.ts'
import { openEngine } from './lib/scuba-store.ts'

/*
 * How rows come in, to a real leaf over its socket: bodies of 1 MB on 8 connections, acknowledged when on disk, then sealed. `ingest`: JSON
 * per second of processor, leaf and engines together, for a table that nothing is declared of and for a trusted one; beside it what the
 * engine alone takes for the same text to Parquet, in this process and on as many threads. `ack`: how long a body takes at half of that
 * load. `loss`: kill -9 of the leaf or its engines while rows come in, counted by row. `storage`: bytes on disk against the text.
 * $MUSTER_BENCH_DIR: the disk; $MUSTER_BENCH_MB: text for ingest (600); $MUSTER_BENCH_KILLS: 200; $MUSTER_BENCH_SECONDS: of ack (20).
 */

const figure = figuresOf('scuba-ingest')
export const parts = ['ingest', 'ack', 'loss', 'storage']

const MB = Number(process.env['MUSTER_BENCH_MB'] ?? 600)
const KILLS = Number(process.env['MUSTER_BENCH_KILLS'] ?? 200)
const SECONDS = Number(process.env['MUSTER_BENCH_SECONDS'] ?? 20)
const THREADS = 2

export async function* run(asked: readonly string[] = parts): AsyncGenerator<Figure> {
  const bodies = asked.some((part) => part !== 'loss') ? await makeBodies() : []
  if (asked.includes('ingest')) yield* inDirectory('in', (dir) => ingest(dir, bodies))
  if (asked.includes('ack')) yield* inDirectory('in', (dir) => ack(dir, bodies))
  if (asked.includes('loss')) yield* inDirectory('in', loss)
  if (asked.includes('storage')) yield* inDirectory('in', (dir) => storage(dir, bodies))
  yield figure('load average of the last minute', loadavg()[0] ?? 0, '')
}

interface Ingested {
  cpuSeconds: number
  seconds: number
  bytes: number
  rows: number
}

async function ingestInto(leaf: ScratchLeaf, table: string, bodies: readonly Buffer[]): Promise<Ingested> {
  let bytes = 0
  let sent = 0
  const cpu = leaf.cpuSeconds()
  const started = performance.now()
  const bodyOf = upTo(MB * 1e6, bodies)
  const next = (): Buffer | undefined => {
    const body = bodyOf()
    if (body) sent += 1
    bytes += body?.length ?? 0
    return body
  }
  await sendBodies(leaf, table, next)
  await sealed(leaf, table)
  return { cpuSeconds: leaf.cpuSeconds() - cpu, seconds: (performance.now() - started) / 1000, bytes, rows: sent }
}

const DECLARED = registrySchema.parse({
  version: 1,
  tables: { trusted: { version: 1, coerce: true, keys: 'sampled', columns: ROW_TYPES } },
})

async function* ingest(dir: string, bodies: readonly Buffer[]): AsyncGenerator<Figure> {
  const leaf = new ScratchLeaf(dir)
  await leaf.start()
  try {
    await leaf.client.putRegistry(DECLARED)
    // The engine that seals is started, and what it needs is read, before anything is counted.
    await sendBodies(leaf, 'warm', oneOf(bodies))
    await sealed(leaf, 'warm')
    for (const [table, words, limit, share] of [
      ['checked', 'nothing declared, every check', 90, 0.6],
      ['trusted', 'declared and trusted', 139, 0.93],
    ] as const) {
      // Beside each, because what a processor does in a second changes with what else the machine does.
      const alone = await engineAlone(dir, bodies)
      const { cpuSeconds, seconds, bytes } = await ingestInto(leaf, table, bodies)
      yield figure(`ingest, ${words}: JSON per second of processor`, bytes / 1e6 / cpuSeconds, 'MB', '>=', limit)
      yield figure("the engine's own read_json to Parquet, the same text", alone, 'MB')
      yield figure(`ingest, ${words}: of what the engine alone does`, bytes / 1e6 / cpuSeconds / alone, '×', '>=', share)
      yield figure(`ingest, ${words}: by the clock`, bytes / 1e6 / seconds, 'MB/s')
      yield figure(
        `ingest, ${words}: cores that a TB an hour takes`,
        1e6 / 3600 / (bytes / 1e6 / cpuSeconds),
        '',
        '<=',
        limit === 90 ? 3.1 : 2,
      )
    }
  } finally {
    await leaf.close()
  }
}

function oneOf(bodies: readonly Buffer[]): () => Buffer | undefined {
  const left = bodies.slice(0, 1)
  return () => left.pop()
}

/** MB of text per second of processor from NDJSON files to Parquet by the engine alone. */
async function engineAlone(dir: string, bodies: readonly Buffer[]): Promise<number> {
  const connection = await openEngine(THREADS)
  const paths = bodies.map((body, i) => {
    const path = join(dir, `body-${i}.ndjson`)
    writeFileSync(path, body)
    return quoteText(path)
  })
  const types = Object.entries(ROW_TYPES).map(([name, type]) => `${quoteText(name)}: '${type === 'TIMESTAMP' ? 'BIGINT' : type}'`)
  const read = `SELECT * FROM read_json([${paths.join(', ')}], format='newline_delimited', records=true, maximum_object_size=2097152, columns={${types.join(', ')}})`
  const before = process.cpuUsage()
  const ROUNDS = 3
  for (let round = 0; round < ROUNDS; round += 1)
    await connection.run(
      `COPY (${read}) TO ${quoteText(join(dir, 'alone.parquet'))} (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 40960)`,
    )
  const { user, system } = process.cpuUsage(before)
  connection.disconnectSync()
  return (ROUNDS * bodies.reduce((sum, { length }) => sum + length, 0)) / (user + system)
}

async function* ack(dir: string, bodies: readonly Buffer[]): AsyncGenerator<Figure> {
  const leaf = new ScratchLeaf(dir)
  await leaf.start()
  try {
    const full = await ingestInto(leaf, 'full', bodies)
    const everyMs = (2 * 1000 * (full.seconds * 1e6)) / full.bytes
    const acks: number[] = []
    const started = performance.now()
    let sent = 0
    const waiting: Promise<void>[] = []
    while (performance.now() - started < SECONDS * 1000) {
      const body = bodies[(sent += 1) % bodies.length]
      if (body) waiting.push(sendBodies(leaf, 'half', oneOf([body]), (ms) => acks.push(ms)))
      await sleep(Math.max(0, started + sent * everyMs - performance.now()))
    }
    await Promise.all(waiting)
    yield figure('ack: bodies of 1 MB', acks.length, '')
    yield figure('ack at half load, p50', quantile(acks, 0.5), 'ms', '<=', 15)
    yield figure('ack at half load, p99', quantile(acks, 0.99), 'ms', '<=', 100)
  } finally {
    await leaf.close()
  }
}

/** Killed again and again while small and large bodies come in: each acknowledged row is there once, each sent again is there once. */
async function* loss(dir: string): AsyncGenerator<Figure> {
  const leaf = new ScratchLeaf(dir)
  const random = createPrng(5)
  const filler = 'x'.repeat(300)
  let next = 0
  let acknowledged = 0
  let unsure: { key: string; body: string; rows: number }[] = []
  const post = (batch: (typeof unsure)[number]): Promise<boolean> =>
    leaf.client.send('killed', batch.body, { key: batch.key }).then(
      () => ((acknowledged += batch.rows), true),
      () => false,
    )
  let engines = 0
  await leaf.start()
  for (let kill = 0; kill < KILLS; kill += 1) {
    const again = unsure
    unsure = []
    for (const batch of again) if (!(await post(batch))) unsure.push(batch)
    let isOver = false
    const senders = Array.from({ length: 4 }, async (_, sender) => {
      while (!isOver) {
        const rows = sender % 2 === 0 ? 1000 : 1 + random.below(50)
        const first = (next += rows) - rows
        const body = Array.from({ length: rows }, (_unused, i) => JSON.stringify({ id: first + i, filler })).join('\n')
        const batch = { key: `k${first}`, body, rows }
        if (await post(batch)) continue
        unsure.push(batch)
        return
      }
    })
    if (kill % 3 === 0) void sealed(leaf, 'killed').catch(() => undefined)
    await sleep(random.below(250))
    const { enginePid, sealEnginePid } = await leaf.client.health()
    const engine = kill % 4 === 3 ? (sealEnginePid ?? enginePid) : null
    if (engine !== null) {
      process.kill(engine, 'SIGKILL')
      engines += 1
      isOver = true
    } else {
      await leaf.end('SIGKILL')
    }
    await Promise.all(senders)
    if (engine === null) await leaf.start()
  }
  for (const batch of unsure) if (!(await post(batch))) throw new Error('a batch is refused')
  const { rows } = await leaf.client.query('select count(*), count(distinct id) from killed', { deadlineMs: 60_000 })
  const [count, distinct] = (rows[0] ?? []).map(Number)
  await leaf.close()
  yield figure('loss: kill -9 of the leaf', KILLS - engines, '')
  yield figure('loss: kill -9 of an engine', engines, '')
  yield figure('loss: rows acknowledged', acknowledged, '', '>=', next)
  yield figure('loss: acknowledged and not there', next - (distinct ?? 0), '', '<=', 0)
  yield figure('loss: there twice', (count ?? 0) - (distinct ?? 0), '', '<=', 0)
}

async function* storage(dir: string, bodies: readonly Buffer[]): AsyncGenerator<Figure> {
  const leaf = new ScratchLeaf(dir)
  await leaf.start()
  try {
    const left = [...bodies]
    await sendBodies(
      leaf,
      'stored',
      () => left.pop(),
      () => undefined,
    )
    await sealed(leaf, 'stored')
  } finally {
    await leaf.close()
  }
  const text = bodies.reduce((sum, { length }) => sum + length, 0)
  const stored = readdirSync(join(dir, 'segments')).reduce((sum, file) => sum + statSync(join(dir, 'segments', file)).size, 0)
  const zstd = zstdCompressSync(Buffer.concat(bodies), { params: { [constants.ZSTD_c_compressionLevel]: 3 } }).length
  yield figure('storage: text in bytes of the store', text / stored, '×', '>=', 9)
  yield figure('storage: text in bytes of zstd -3', text / zstd, '×')
}
