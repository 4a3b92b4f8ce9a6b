import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { System } from '../src/core/contracts/controller.ts'
import { defineEntry } from '../src/core/contracts/entry.ts'
import { syncData, writeAll } from '../src/server/delos/disk.ts'
import { openFileLoglet } from '../src/server/delos/file-loglet.ts'
import { openLoneLog } from './lib/control-log.ts'
import { figuresOf, type Figure } from './lib/figure.ts'
import { median, quantile } from './lib/quantile.ts'

/*
 * The log beside the disk under it. Rounds of both are interleaved, so that a disk that gets slower meanwhile slows
 * both; medians of the rounds are printed. The directory is that of $MUSTER_BENCH_DIR, else the temporary one: put it
 * on the disk that will hold the log.
 */

const ROUNDS = 7
const ENTRY_BYTES = 64
const OUTSTANDING = [1, 64, 1000] as const
const APPENDS: Record<number, number> = { 1: 300, 64: 6_000, 1000: 60_000 }
const figure = figuresOf('log')

interface Round {
  perSecond: number
  p50Ms: number
  p99Ms: number
}

const roundOf = (latencies: number[], seconds: number): Round => ({
  perSecond: latencies.length / seconds,
  p50Ms: quantile(latencies, 0.5),
  p99Ms: quantile(latencies, 0.99),
})

export async function* run(): AsyncGenerator<Figure> {
  const dir = mkdtempSync(join(process.env['MUSTER_BENCH_DIR'] ?? tmpdir(), 'muster-bench-log-'))
  try {
    yield* measure(dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

async function* measure(dir: string): AsyncGenerator<Figure> {
  const raw = await openRaw(join(dir, 'raw'))
  const log = await openFileLoglet(join(dir, 'log'))
  const applied = await openApplied(join(dir, 'applied'))
  const payload = new Uint8Array(ENTRY_BYTES).fill(0x61)
  const appendOne = (): Promise<unknown> => log.append([payload])
  await outstanding(appendOne, 64, 2000)
  await outstanding(applied.appendOne, 64, 2000)

  const rounds = { raw: [] as Round[], log: new Map<number, Round[]>(), applied: new Map<number, Round[]>() }
  for (let i = 0; i < ROUNDS; i += 1) {
    for (const width of OUTSTANDING) {
      rounds.raw.push(await raw.syncs(150))
      push(rounds.log, width, await outstanding(appendOne, width, APPENDS[width] ?? 1000))
      push(rounds.applied, width, await outstanding(applied.appendOne, width, Math.ceil((APPENDS[width] ?? 1000) / 3)))
    }
  }
  raw.close()
  await log.close()
  await applied.close()

  const of = (list: Round[], key: keyof Round): number => median(list.map((round) => round[key]))
  const syncP50Ms = of(rounds.raw, 'p50Ms')
  yield figure('fdatasync rate of the disk', of(rounds.raw, 'perSecond'), '1/s')
  yield figure('fdatasync p50', syncP50Ms, 'ms')
  yield figure('fdatasync p99', of(rounds.raw, 'p99Ms'), 'ms')
  for (const [name, byWidth] of [
    ['loglet', rounds.log],
    ['with apply', rounds.applied],
  ] as const) {
    for (const width of OUTSTANDING) {
      const list = byWidth.get(width) ?? []
      const isLoglet = name === 'loglet'
      const rate = of(list, 'perSecond')
      const p50Ms = of(list, 'p50Ms')
      yield isLoglet && width === 1000
        ? figure(`${name}, ${width} outstanding`, rate, 'entries/s', '>=', 50_000)
        : figure(`${name}, ${width} outstanding`, rate, 'entries/s')
      yield isLoglet && width === 1
        ? figure(`${name}, ${width} outstanding, p50`, p50Ms, 'ms', '<=', 1.3 * syncP50Ms + 0.2)
        : figure(`${name}, ${width} outstanding, p50`, p50Ms, 'ms')
      yield figure(`${name}, ${width} outstanding, p99`, of(list, 'p99Ms'), 'ms')
    }
  }
}

function push(map: Map<number, Round[]>, key: number, round: Round): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [round])
  else list.push(round)
}

/** Keeps `width` calls under way until `total` are done. */
async function outstanding(call: () => Promise<unknown>, width: number, total: number): Promise<Round> {
  const latencies: number[] = []
  let started = 0
  const lane = async (): Promise<void> => {
    while (started < total) {
      started += 1
      const at = performance.now()
      await call()
      latencies.push(performance.now() - at)
    }
  }
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: width }, lane))
  return roundOf(latencies, (performance.now() - startedAt) / 1000)
}

/** The floor: fdatasync alone, after one small write into a prewritten file, one after the other. */
async function openRaw(path: string): Promise<{ syncs: (total: number) => Promise<Round>; close: () => void }> {
  const fd = openSync(path, 'w+')
  const sizeBytes = 16 * 1024 * 1024
  await writeAll(fd, new Uint8Array(sizeBytes), 0)
  await syncData(fd)
  const block = new Uint8Array(128).fill(1)
  let offset = 0
  const syncs = async (total: number): Promise<Round> => {
    const latencies: number[] = []
    for (let i = 0; i < total; i += 1) {
      offset = (offset + block.length) % sizeBytes
      writeSync(fd, block, 0, block.length, offset)
      const at = performance.now()
      await syncData(fd)
      latencies.push(performance.now() - at)
    }
    return roundOf(latencies, latencies.reduce((sum, ms) => sum + ms, 0) / 1000)
  }
  return { syncs, close: () => closeSync(fd) }
}

/** The log with a machine on it, through the runtime that the server uses: decided, logged, applied to a table. */
async function openApplied(dir: string): Promise<{ appendOne: () => Promise<unknown>; close: () => Promise<void> }> {
  const added = defineEntry({
    type: 'bench.Added',
    body: z.object({ text: z.string() }),
    apply: (db, body, meta) => {
      db.run('INSERT INTO bench_entry (position, text) VALUES (?, ?)', meta.position, body.text)
    },
  })
  const tables = ['CREATE TABLE bench_entry (position INTEGER PRIMARY KEY, text TEXT NOT NULL)']
  const bench: System = { name: 'bench', tables, entries: [added], operations: [], controllers: [] }
  const { control, close } = await openLoneLog(dir, [bench])
  const text = 'a'.repeat(ENTRY_BYTES)
  return {
    appendOne: () => control.submit({ actor: 'bench' }, () => ({ entries: [added.of({ text })], value: () => undefined })),
    close,
  }
}
