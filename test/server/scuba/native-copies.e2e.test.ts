import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createPrng } from '../../../src/core/kernel/prng.ts'
import { bucketColumn, TICK, withoutCodes } from '../../../src/core/scuba/plan/codes.ts'
import type { Artefact, NativeSpec } from '../../../src/core/scuba/warm/artefact.ts'
import type { PanelRequest } from '../../../src/core/scuba/wire-types.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { ANYBODY } from '../../../src/server/scuba/leaf/answering.ts'
import { Artefacts } from '../../../src/server/scuba/leaf/artefacts/artefacts.ts'
import { Shelf } from '../../../src/server/scuba/leaf/artefacts/shelf.ts'
import { panel, query } from '../../../src/server/scuba/leaf/ask.ts'
import { Compactor } from '../../../src/server/scuba/leaf/compactor.ts'
import { DerivedColumns } from '../../../src/server/scuba/leaf/derived.ts'
import { Engines } from '../../../src/server/scuba/leaf/engines.ts'
import { explain } from '../../../src/server/scuba/leaf/explain.ts'
import { explainPanel } from '../../../src/server/scuba/leaf/explain-panel.ts'
import { Sealer } from '../../../src/server/scuba/leaf/sealer.ts'
import { Store } from '../../../src/server/scuba/leaf/store.ts'

const SEED = 71
const random = createPrng(SEED)
const pick = <V>(values: readonly V[]): V => values[random.below(values.length)] as V
const HOUR_MS = 3_600_000
const startMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 2 * HOUR_MS
const range = { sinceMs: startMs - HOUR_MS, untilMs: startMs + 2 * HOUR_MS }
const spec: NativeSpec = {
  kind: 'native',
  columns: {
    [TICK]: 'BIGINT',
    [bucketColumn('ms')]: 'BIGINT',
    code: 'BIGINT',
    code$str: 'VARCHAR',
    ms: 'DOUBLE',
    n: 'BIGINT',
    ok: 'BOOLEAN',
    sample_rate: 'BIGINT',
    service: 'VARCHAR',
    time: 'TIMESTAMP',
  },
}

/** of `noise`: late rows are in some of their own */
const SEGMENTS = 6

let dir: string
let store: Store
let engines: Engines
let artefacts: Artefacts

/** Late rows, gaps, texts where others have numbers, weights, integers too large for a double's sums. */
const rowsOf = (rows: number, hasLate = false): object[] =>
  Array.from({ length: rows }, (_, i) => ({
    time: hasLate && random.below(10) === 0 ? startMs - random.below(HOUR_MS) : startMs + Math.floor((i * HOUR_MS) / rows),
    ...(random.below(8) === 0 ? {} : { service: `s${random.below(5)}` }),
    code: random.below(20) === 0 ? 'none' : pick([200, 200, 404, 500]),
    ...(random.below(6) === 0 ? {} : { ms: random.below(3) === 0 ? -random.below(900) / 7 : random.below(100_000) / 9 }),
    n: random.below(2 ** 31) * 2 ** 20,
    ok: random.below(2) === 0,
    who: `u${random.below(1_000_000)}-${random.below(1_000_000)}`,
    ...(random.below(3) === 0 ? { sample_rate: 1 + random.below(9) } : {}),
  }))

async function ingest(table: string, rows: object[], isSealed = true): Promise<void> {
  await store.ingest(table, Buffer.from(rows.map((row) => JSON.stringify(row)).join('\n')), { key: null, ack: 'fsync' })
  if (isSealed) await new Sealer(store, engines.first).sealNow(store.tail(table))
}

/** Copies of all segments that lack one. */
async function warm(table: string, of = spec): Promise<Artefact[]> {
  artefacts.note(table, [of], 100_000, 0)
  await artefacts.round(Date.now())
  return native(table)
}

const native = (table: string): Artefact[] =>
  store.segmentFiles(table).flatMap(({ path }) => artefactsOf(path).filter((one) => one.spec.kind === 'native'))
const artefactsOf = (path: string): Artefact[] =>
  (JSON.parse(indexText()) as { artefacts: Artefact[] }).artefacts.filter(({ segment }) => path.endsWith(segment))
const indexText = (): string =>
  existsSync(join(artefacts.dir, 'index.json')) ? readFileSync(join(artefacts.dir, 'index.json'), 'utf8') : '{"artefacts":[]}'
const forgetAnswers = (): void => (engines.partials.clear(), engines.answers.clear())
/** Files that the engine has open in the folder of artefacts. */
const openInEngine = (): string[] =>
  readdirSync(`/proc/${engines.first.pid}/fd`).flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/${engines.first.pid}/fd/${fd}`)
      return path.startsWith(artefacts.dir) ? [path] : []
    } catch {
      return []
    }
  })

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'scuba-native-'))
  const log = createLogger(null)
  store = new Store(dir, log)
  await store.open()
  engines = new Engines(dir, log)
  store.onDiscard = (paths) => engines.forget(paths)
  engines.start()
  store.derived = new DerivedColumns(store, engines.first)
  for (let part = 0; part < 3; part += 1) await ingest('noise', rowsOf(2000, true))
  await ingest('noise', rowsOf(500, true), false)
  const { current } = store.registry
  const twice = { sql: '"ms" * 2 + coalesce(n, 0) % 7', version: 1 }
  store.registry.put({ ...current, version: current.version + 1, derived: { noise: { twice } } })
  artefacts = new Artefacts(store, engines)
  await artefacts.open()
  engines.artefacts = artefacts
}, 60_000)

afterAll(async () => {
  engines.stop()
  await store.close()
  rmSync(dir, { recursive: true, force: true })
})

beforeEach(() => forgetAnswers())

test('a copy has its columns of all segments, under a name that is there when it is whole', { timeout: 60_000 }, async () => {
  const copies = await warm('noise')
  expect(copies).toHaveLength(SEGMENTS)
  for (const { file, bytes, sha256, rows } of copies) {
    expect(statSync(join(artefacts.dir, file)).size).toBe(bytes)
    expect(sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(rows).toBeGreaterThan(100)
  }
  expect(readdirSync(artefacts.dir).filter((name) => /\.(part|wal)/.test(name))).toEqual([])
  expect(artefacts.status().artefacts).toMatchObject([
    { kind: 'native', of: Object.keys(withoutCodes(spec.columns)).join(', '), segments: SEGMENTS, rows: 6000 },
  ])
})

const CALCS = [
  'count',
  'sum:ms',
  'sum:n',
  'avg:ms',
  'min:ms',
  'max:n',
  'p90:ms',
  'distinct:service',
  'ratio(code >= 500)',
  'heatmap:ms',
  'exact_p99:ms',
  'sum:twice',
]
const WHERE = [
  '',
  'code < 500',
  "service <> 's1' AND ms > 0",
  'ms IS NULL',
  '"code$str" = \'none\'',
  'ok',
  'twice > 100',
  'code IS NULL OR n > 1000000000000000',
]

test('panels have the same answer with copies as from the segments', { timeout: 300_000 }, async () => {
  let used = 0
  for (let round = 0; round < Number(process.env['MUSTER_PANELS'] ?? 40); round += 1) {
    const sinceMs = startMs - HOUR_MS + random.below(HOUR_MS)
    const asked: PanelRequest = {
      table: 'noise',
      calc: [pick(CALCS), pick(CALCS)].filter((calc, at, all) => all.indexOf(calc) === at && (calc !== 'heatmap:ms' || all.length === 1)),
      by: pick([[], ['service'], ['code'], ['service', 'code'], ['ok']]),
      where: pick(WHERE),
      sinceMs,
      untilMs: sinceMs + 60_000 + random.below(2 * HOUR_MS),
      top: 1000,
      ...(random.below(2) === 0 ? { stepMs: pick([60_000, 300_000]) } : {}),
    }
    if (asked.calc.length === 0 || (asked.calc.length > 1 && asked.calc.includes('heatmap:ms'))) continue
    const plain = await panel(store, engines, { ...asked, raw: true })
    forgetAnswers()
    const fromCopies = await panel(store, engines, asked)
    used += fromCopies.cache.artefacts ?? 0
    expect(comparable(fromCopies.groups), `seed ${SEED}, ${JSON.stringify(asked)}`).toEqual(comparable(plain.groups))
  }
  expect(used).toBeGreaterThan(20)
})

const STATEMENTS = [
  'SELECT avg(ms), sum(n), count(*) FROM noise',
  'SELECT service, avg(ms), min(code) FROM noise WHERE ms > 0 GROUP BY service ORDER BY service',
  'SELECT count(*), max(n), bool_and(ok) FROM noise WHERE code >= 404',
  'SELECT code, count(*) FROM noise n WHERE n.time >= make_timestamp(' + String(startMs * 1000) + ') GROUP BY 1 ORDER BY 1',
  'SELECT quantile_disc(ms, 0.9), avg(twice) FROM noise',
  'SELECT "code$str", sum(sample_rate * n::HUGEINT) FROM noise GROUP BY 1 ORDER BY 1',
  'SELECT a.service, count(*) FROM noise a JOIN (SELECT service, max(ms) AS m FROM noise GROUP BY 1) b ON a.service = b.service AND a.ms = b.m GROUP BY 1 ORDER BY 1',
]

test(
  'statements have the same answer with copies, those that are put together from parts and those that are not',
  { timeout: 60_000 },
  async () => {
    const artefactsUsed: number[] = []
    for (const sql of STATEMENTS) {
      const plain = await query(store, engines, { sql, raw: true, ...range })
      const fromCopies = await query(store, engines, { sql, ...range })
      artefactsUsed.push(fromCopies.cache.artefacts ?? 0)
      expect(fromCopies.columns, sql).toEqual(plain.columns)
      expect(comparable(fromCopies.rows), sql).toEqual(comparable(plain.rows))
    }
    expect(artefactsUsed.filter((copies) => copies === SEGMENTS).length).toBeGreaterThanOrEqual(4)
    const exploring = { store, engines, signal: new AbortController().signal, asker: ANYBODY }
    expect((await explain(exploring, { sql: String(STATEMENTS[0]), ...range })).artefacts).toEqual([
      `native copies of ${SEGMENTS} segments of noise`,
    ])
    // A panel that nobody asked yet: what it is explained by is what answers it.
    const asked: PanelRequest = { table: 'noise', calc: ['max:ms', 'avg:n'], where: 'ms > 0.25', ...range }
    expect((await explainPanel(exploring, asked)).artefacts).toEqual([`native copies of ${SEGMENTS} segments of noise`])
    expect((await panel(store, engines, asked)).cache.artefacts).toBe(SEGMENTS)
    expect((await explainPanel(exploring, asked)).artefacts).toEqual([])
  },
)

test('what may read a column that no copy has is answered from the segments, whatever it says', async () => {
  for (const sql of [
    'SELECT count(who) FROM noise',
    'SELECT avg(ms), max(n::VARCHAR) FROM noise WHERE try(who) IS NULL',
    'SELECT count(*) FROM (SELECT noise FROM noise) t WHERE ms IS NULL',
    'SELECT avg(ms), count(t) FROM noise t',
  ]) {
    const plain = await query(store, engines, { sql, raw: true, ...range }).catch((error: unknown) => String(error))
    const other = await query(store, engines, { sql, ...range }).catch((error: unknown) => String(error))
    if (typeof plain === 'string' || typeof other === 'string') expect(other, sql).toBe(plain)
    else expect(comparable(other.rows), sql).toEqual(comparable(plain.rows))
  }
})

test('one check in a thousand compares a copy with its segment; one that differs is dropped with all of its table', async () => {
  await ingest('wrong', rowsOf(1000))
  await ingest('wrong', rowsOf(1000))
  const copies = await warm('wrong')
  // As if it had been made of another segment; what the index says of it is true.
  const [first, second] = copies.map(({ file }) => file)
  const index = JSON.parse(indexText()) as { version: string; artefacts: Artefact[] }
  for (const one of index.artefacts)
    if (one.file === first || one.file === second) one.segment = copies.find(({ file }) => file !== one.file)?.segment ?? ''
  writeFileSync(join(artefacts.dir, 'index.json'), JSON.stringify(index))
  const next = new Artefacts(store, engines)
  await next.open()
  const sql = 'SELECT avg(ms), count(*) FROM wrong WHERE code < 500'
  engines.artefacts = next
  next.isToBeChecked = () => true
  const answer = await query(store, engines, { sql, ...range })
  engines.artefacts = artefacts
  expect(comparable(answer.rows)).toEqual(comparable((await query(store, engines, { sql, raw: true, ...range })).rows))
  expect(next.status()).toMatchObject({ differences: 1 })
  expect(next.status().artefacts.filter(({ table }) => table === 'wrong')).toEqual([])
  await artefacts.open()
})

test('a byte that changed is seen when it is read: the answer comes from the segment, and the copy goes', async () => {
  await ingest('flipped', rowsOf(3000))
  const sql = 'SELECT avg(ms), sum(n), count(code) FROM flipped'
  const plain = await query(store, engines, { sql, raw: true, ...range })
  const [copy] = await warm('flipped')
  if (!copy) throw new Error('it has been made')
  const path = join(artefacts.dir, copy.file)
  for (let at = Math.floor(copy.bytes / 40); at < copy.bytes; at += Math.floor(copy.bytes / 20)) flip(path, at)
  expect(comparable((await query(store, engines, { sql, ...range })).rows)).toEqual(comparable(plain.rows))
  expect(native('flipped')).toEqual([])
  await expect.poll(() => existsSync(path)).toBe(false)
  forgetAnswers()
  expect(comparable((await query(store, engines, { sql, ...range })).rows)).toEqual(comparable(plain.rows))
})

test('a copy whose file is gone is passed over and forgotten', async () => {
  await ingest('gone', rowsOf(1000))
  const sql = 'SELECT avg(ms), count(*) FROM gone'
  const plain = await query(store, engines, { sql, raw: true, ...range })
  const [copy] = await warm('gone')
  rmSync(join(artefacts.dir, String(copy?.file)))
  expect(comparable((await query(store, engines, { sql, ...range })).rows)).toEqual(comparable(plain.rows))
  expect(native('gone')).toEqual([])
})

test('an engine that was killed attaches the copies again', { timeout: 30_000 }, async () => {
  const sql = 'SELECT avg(ms), count(*) FROM noise WHERE n > 0'
  const before = await query(store, engines, { sql, ...range })
  expect(before.cache.artefacts).toBe(SEGMENTS)
  process.kill(engines.first.pid ?? 0, 'SIGKILL')
  forgetAnswers()
  const after = await query(store, engines, { sql, ...range })
  expect(after.cache.artefacts).toBe(SEGMENTS)
  expect(comparable(after.rows)).toEqual(comparable(before.rows))
})

test('an engine that is killed while it makes a copy leaves none that is half, nor does a leaf', { timeout: 60_000 }, async () => {
  await ingest('half', rowsOf(3000))
  const made = warm('half')
  process.kill(engines.first.pid ?? 0, 'SIGKILL')
  // It is made once more by the next engine.
  const copies = await made
  expect(copies.map(({ rows }) => rows)).toEqual([3000])
  const plain = await query(store, engines, { sql: 'SELECT avg(ms) FROM half', raw: true, ...range })
  expect(comparable((await query(store, engines, { sql: 'SELECT avg(ms) FROM half', ...range })).rows)).toEqual(comparable(plain.rows))
  for (const name of ['x-native-1-1.part', 'x-native-1-1.part.wal', 'x-native-1-2']) writeFileSync(join(artefacts.dir, name), 'half')
  await new Shelf(store, engines).open('another version').catch(() => undefined)
  expect(readdirSync(artefacts.dir)).toEqual(['index.json'])
  await artefacts.open()
})

test(
  'copies are taken over whole by the next process, and go with their segment, from the disk and from the engine',
  { timeout: 60_000 },
  async () => {
    await ingest('left', rowsOf(1000))
    await ingest('left', rowsOf(1000))
    const copies = await warm('left')
    expect(copies).toHaveLength(2)
    flip(join(artefacts.dir, String(copies[0]?.file)), 100)
    const next = new Artefacts(store, engines)
    await next.open()
    expect(next.status().artefacts.find(({ table }) => table === 'left')).toMatchObject({ segments: 1 })
    engines.artefacts = next
    const sql = 'SELECT avg(ms), count(*) FROM "left"'
    expect((await query(store, engines, { sql, ...range })).cache.artefacts).toBe(1)
    expect(openInEngine().some((path) => path.endsWith(String(copies[1]?.file)))).toBe(true)
    const before = await query(store, engines, { sql, raw: true, ...range })
    const done = await new Compactor(store, engines.first).compact('left', Date.now(), 2)
    expect(done).toMatchObject({ before: 2, after: 1 })
    expect(next.status().artefacts.filter(({ table }) => table === 'left')).toEqual([])
    const after = await query(store, engines, { sql, ...range })
    expect([comparable(after.rows), after.cache.artefacts]).toEqual([comparable(before.rows), undefined])
    await expect.poll(() => openInEngine().filter((path) => path.includes('left'))).toEqual([])
    await expect.poll(() => readdirSync(artefacts.dir).filter((name) => name.startsWith('left'))).toEqual([])
  },
)

function flip(path: string, at: number): void {
  const fd = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(fd, byte, 0, 1, at)
  byte[0] = (byte[0] ?? 0) ^ 0x10
  writeSync(fd, byte, 0, 1, at)
  closeSync(fd)
}

/** Sums of fractions differ in their last digits by the order they were added in. */
const comparable = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_key, one: unknown) => (typeof one === 'number' ? Number(one.toPrecision(10)) : one)))
