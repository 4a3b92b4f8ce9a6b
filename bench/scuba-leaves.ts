import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPrng } from '../src/core/kernel/prng.ts'
import { MergedGroups } from '../src/core/scuba/merge/groups.ts'
import { groupsToWire, partialOfWire, type WireGroups } from '../src/core/scuba/merge/wire.ts'
import { planPanel, type PanelPlan } from '../src/core/scuba/plan/panel.ts'
import { isRefusal } from '../src/core/kernel/errors.ts'
import { registrySchema, type Peer } from '../src/core/scuba/registry.ts'
import { coverageOfLeaves, type Answered } from '../src/core/scuba/shards/coverage.ts'
import type { Coverage } from '../src/core/scuba/wire-types.ts'
import { PeerCalls, type PeerReply } from '../src/server/scuba/aggregate/call.ts'
import { Peers } from '../src/server/scuba/aggregate/peers.ts'
import type { PartialsAnswer, PartialsRequest } from '../src/server/scuba/aggregate/wire.ts'
import { Store } from '../src/server/scuba/leaf/store.ts'
import { figuresOf, type Figure } from './lib/figure.ts'
import { ScratchLeaf } from '../src/server/scuba/measure/scratch-leaf.ts'
import { ndjson } from './lib/scuba-rows.ts'
import { openEngine } from './lib/scuba-store.ts'

/*
 * Many leaves. `merge`: the answers of 1,000 simulated leaves, each 20 groups with a histogram of 400 buckets, put together as the tree does
 * it. `away`: the same with a tenth of them dead and a twentieth slower than the deadline: when the answer is there, and whether its coverage
 * is what it should be, with histograms of 10 buckets. All are in this process, so what 32 machines would do at once is done one after the other here. `ingest`: JSON per
 * second of processor into 1, 2 and 4 real leaves of this machine, bodies of 1 MB, acknowledged when on disk and sealed. `replicas`: what a copy on
 * a second leaf costs, followed or waited for.
 * $MUSTER_BENCH_LEAVES: 1,000; $MUSTER_BENCH_MB: text for each count of leaves (200).
 */

const figure = figuresOf('scuba-leaves')
export const parts = ['merge', 'away', 'ingest', 'replicas']

const LEAVES = Number(process.env['MUSTER_BENCH_LEAVES'] ?? 1000)
const MB = Number(process.env['MUSTER_BENCH_MB'] ?? 200)
const GROUPS = 20
const BUCKETS = 400
const LEAF_ROWS = 10_000
const DEADLINE_MS = 5000
const BODY_ROWS = 2375
const REPLICAS_MB = Math.min(MB, 60)

export async function* run(asked: readonly string[] = parts): AsyncGenerator<Figure> {
  if (asked.includes('merge')) yield* merge()
  if (asked.includes('away')) yield* away()
  if (asked.includes('ingest')) yield* ingest()
  if (asked.includes('replicas')) yield* replicas()
  yield figure('load average of the last minute', loadavg()[0] ?? 0, '')
}

function planned(): PanelPlan {
  const request = { table: 'requests', calc: ['p99:latency_ms', 'count'], by: ['service'], sinceMs: 0, untilMs: 1000 }
  const plan = planPanel(request, { time: 'TIMESTAMP', service: 'VARCHAR', latency_ms: 'DOUBLE' }, 1000)
  if (isRefusal(plan)) throw plan
  return plan
}

const random = createPrng(5)

function leafGroups(buckets = BUCKETS): WireGroups {
  const codes = Array.from({ length: buckets }, (_, at) => 40_000 + at)
  return {
    rows: Array.from({ length: GROUPS }, (_, at) => [
      [`service-${at}`],
      null,
      [LEAF_ROWS / GROUPS],
      [[codes, codes.map(() => 1 + random.below(50))]],
    ]),
    isCut: false,
    count: GROUPS,
    missing: 0,
  }
}

/** What a leaf that merges does with the answers it got, from their text to its own. */
function mergeTexts(plan: PanelPlan, texts: readonly string[]): string {
  const merged = new MergedGroups(plan.list, plan.registers)
  for (const text of texts) merged.add(partialOfWire(JSON.parse(text) as WireGroups), null, 0)
  return JSON.stringify(groupsToWire(plan.list, merged))
}

function processorMs(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

function* merge(): Generator<Figure> {
  const plan = planned()
  const texts = Array.from({ length: LEAVES }, () => JSON.stringify(leafGroups()))
  const branch = texts.slice(0, Math.ceil(LEAVES / 32))
  // The second time, as in a leaf that has been asked before.
  mergeTexts(plan, branch)
  let branchText = ''
  const branchMs = processorMs(() => (branchText = mergeTexts(plan, branch)))
  const rootMs = processorMs(() =>
    mergeTexts(
      plan,
      Array.from({ length: 32 }, () => branchText),
    ),
  )
  yield figure('one branch of 32: its leaves merged, processor', branchMs, 'ms')
  yield figure('the root: 32 branches merged, processor', rootMs, 'ms')
  yield figure('1,000 leaves merged by the tree, from first to last', branchMs + rootMs, 'ms', '<=', 100)
  yield figure(
    'the same by one leaf alone, processor',
    processorMs(() => mergeTexts(plan, texts)),
    'ms',
  )
}

const coverage: Coverage = { rows: 1, segments: 1, chunks: 0, leaves: 1, fromMs: 0, toMs: 1000, hotToMs: 1000, missing: [] }

/** Leaves that are only told apart by how they answer. */
class SimulatedCalls extends PeerCalls {
  readonly #plan = planned()
  // What merging takes is measured by `merge`; here all leaves share one processor.
  readonly #answer = JSON.stringify(leafGroups(10))
  readonly #kinds: ReadonlyMap<string, 'dead' | 'slow' | 'good'>
  peers: Peers | null = null

  constructor(kinds: ReadonlyMap<string, 'dead' | 'slow' | 'good'>) {
    super()
    this.#kinds = kinds
  }

  override async call(
    { id }: Peer,
    _method: string,
    path: string,
    { body, signal }: Parameters<PeerCalls['call']>[3] = {},
  ): Promise<PeerReply> {
    const kind = this.#kinds.get(id)
    if (kind === 'dead')
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('gone')), { once: true }))
    await sleep(kind === 'slow' ? DEADLINE_MS * 2 : 1 + random.below(20), undefined, { signal })
    if (path.startsWith('/v1/scuba/tables')) return reply({ tables: [] })
    const asked = JSON.parse(String(body)) as PartialsRequest
    const own: Answered = { coverage, rowsScanned: LEAF_ROWS }
    const merged = new MergedGroups(this.#plan.list, this.#plan.registers)
    merged.add(partialOfWire(JSON.parse(this.#answer) as WireGroups), null, 0)
    const others = await this.peers?.merged(asked.under, asked, { deadlineMs: asked.request.deadlineMs ?? 0 }, () => LEAF_ROWS)
    for (const partial of others?.partials ?? []) merged.add(partial, null, 0)
    const whole = coverageOfLeaves([own, ...(others?.answered ?? [])], others?.missing ?? [])
    const answer: PartialsAnswer = {
      groups: groupsToWire(this.#plan.list, merged),
      cache: { isWhole: false, hits: 0, misses: 0 },
      ...whole,
    }
    return reply(answer)
  }

  override post(peer: Peer, path: string, body: object, signal: AbortSignal): Promise<PeerReply> {
    return this.call(peer, 'POST', `/v1/scuba/${path}`, { body: JSON.stringify(body), signal })
  }
}

const reply = (answer: object): PeerReply => ({ status: 200, headers: {}, body: Buffer.from(JSON.stringify(answer)) })

async function* away(): AsyncGenerator<Figure> {
  const dir = mkdtempSync(join(tmpdir(), 'scuba-leaves-'))
  const leaves = Array.from({ length: LEAVES }, (_, at) => ({ id: `leaf-${at}`, address: 'unix:none', node: null, server: null }))
  const dead = Math.floor(LEAVES / 10)
  const slow = Math.floor(LEAVES / 20)
  const shuffled = [...leaves].sort(() => random.below(3) - 1)
  const kinds = new Map(shuffled.map(({ id }, at) => [id, at < dead ? 'dead' : at < dead + slow ? 'slow' : 'good'] as const))
  const plan = planned()
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined, debug: () => undefined }
  const store = new Store(dir, log as unknown as ConstructorParameters<typeof Store>[1])
  try {
    store.registry.put(registrySchema.parse({ version: 1, leaves }))
    const calls = new SimulatedCalls(kinds)
    const peers = new Peers(store, 'the root', calls)
    calls.peers = peers
    const request = {
      table: 'requests',
      calc: plan.calcs.map(({ text }) => text),
      by: ['service'],
      sinceMs: 0,
      untilMs: 1000,
      deadlineMs: DEADLINE_MS,
    }
    const view = { columns: {}, retyped: [], derived: [] }
    for (const [what, learns] of [
      ['nobody knew', false],
      ['known to be silent', true],
    ] as const) {
      if (learns) await peers.learn()
      const started = performance.now()
      const { partials, answered, missing } = await peers.partials(
        { request, view, columns: [], what: 'all', isPortable: false },
        { deadlineMs: DEADLINE_MS },
      )
      const merged = new MergedGroups(plan.list, plan.registers)
      for (const partial of partials) merged.add(partial, null, 0)
      const whole = coverageOfLeaves(answered, missing).coverage
      const tookMs = performance.now() - started
      const counted = [...merged.groups.values()].reduce((sum, { total }) => sum + Number(total.parts[0]), 0)
      yield figure(`a tenth dead, a twentieth slow, ${what}: answer`, tookMs, 'ms', '<=', DEADLINE_MS)
      yield figure(
        `the same: leaves asked less those that answered or are named as missing`,
        LEAVES - whole.leaves - whole.missing.length,
        'leaves',
        '<=',
        0,
      )
      yield figure('the same: good leaves that are missing', LEAVES - dead - slow - whole.leaves, 'leaves', '<=', 0)
      yield figure(
        'the same: rows in the answer less those of the leaves that answered',
        Math.abs(counted - whole.leaves * LEAF_ROWS),
        'rows',
        '<=',
        0,
      )
      yield figure(
        'the same: coverage less the share of leaves that answered',
        Math.abs(whole.rows - whole.leaves / LEAVES),
        '',
        '<=',
        0.001,
      )
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

async function* ingest(): AsyncGenerator<Figure> {
  const engine = await openEngine(1)
  const fromMs = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 3_600_000
  const bodies: Buffer[] = []
  for (let i = 0; i < 16; i += 1) bodies.push(await ndjson(engine, { first: i * BODY_ROWS, rows: BODY_ROWS, fromMs, everyUs: 200 }))
  engine.disconnectSync()
  let one = 0
  for (const count of [1, 2, 4]) {
    const dirs = Array.from({ length: count }, () => mkdtempSync(join(tmpdir(), 'scuba-leaves-')))
    const leaves = dirs.map((dir) => new ScratchLeaf(dir))
    try {
      await Promise.all(leaves.map((leaf) => leaf.start()))
      const before = leaves.map((leaf) => leaf.cpuSeconds())
      const started = performance.now()
      let bytes = 0
      const next = (): Buffer | null => {
        const body = bodies[Math.floor(bytes / 1_000_000) % bodies.length] ?? Buffer.alloc(0)
        return bytes >= MB * 1_000_000 ? null : ((bytes += body.length), body)
      }
      // Whoever has least to do takes the next.
      await Promise.all(
        leaves.flatMap((leaf) =>
          [0, 1, 2].map(async () => {
            for (let body = next(); body; body = next()) await leaf.client.send('events', body)
          }),
        ),
      )
      await Promise.all(leaves.map((leaf) => seal(leaf)))
      const seconds = leaves.reduce((sum, leaf, at) => sum + leaf.cpuSeconds() - (before[at] ?? 0), 0)
      const rate = bytes / 1_000_000 / seconds
      one ||= rate
      yield figure(`${count} leaves: JSON per second of processor`, rate, 'MB/s')
      yield figure(`${count} leaves: by the clock`, bytes / 1_000 / (performance.now() - started), 'MB/s')
      if (count > 1) yield figure(`${count} leaves: share of what one gives for each second of processor`, rate / one, '', '>=', 0.9)
    } finally {
      await Promise.all(leaves.map((leaf) => leaf.close()))
      for (const dir of dirs) rmSync(dir, { recursive: true, force: true })
    }
  }
}

async function seal(leaf: ScratchLeaf): Promise<void> {
  await new PeerCalls().call({ id: '', address: `unix:${leaf.socket}`, node: null, server: null }, 'POST', '/v1/scuba/tables/events/seal')
}

/** What a copy costs: the same bodies into a table without one, with one that follows, and with one that each acknowledgement waits for. */
async function* replicas(): AsyncGenerator<Figure> {
  const engine = await openEngine(1)
  const fromMs = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 3_600_000
  const large: Buffer[] = []
  for (let i = 0; i < 8; i += 1) large.push(await ndjson(engine, { first: i * BODY_ROWS, rows: BODY_ROWS, fromMs, everyUs: 200 }))
  const small = await ndjson(engine, { first: 0, rows: 10, fromMs, everyUs: 200 })
  engine.disconnectSync()
  for (const [what, copies, ack] of [
    ['no copy, fsync', 1, 'fsync'],
    ['a copy, fsync', 2, 'fsync'],
    ['a copy, replicas', 2, 'replicas'],
  ] as const) {
    const dirs = [0, 1].map(() => mkdtempSync(join(tmpdir(), 'scuba-leaves-')))
    const leaves = dirs.map((dir) => new ScratchLeaf(dir))
    const [owner, holder] = leaves
    if (!owner || !holder) return
    try {
      await Promise.all(leaves.map((leaf) => leaf.start()))
      await copying(owner, holder, copies)
      const seconds = (): [number, number] => [owner.cpuSeconds(), holder.cpuSeconds()]
      const before = seconds()
      const rate = await sendAll(owner, large, REPLICAS_MB * 1_000_000, 3, ack)
      const after = seconds()
      yield figure(`${what}: bodies of 1 MB, 3 senders`, rate.mbps, 'MB/s')
      yield figure(`${what}: acknowledged, p50`, rate.p50, 'ms')
      yield figure(`${what}: acknowledged, p99`, rate.p99, 'ms')
      yield figure(`${what}: processor of the leaf`, ((after[0] - before[0]) * 1000) / REPLICAS_MB, 'ms/MB')
      yield figure(`${what}: processor of the other leaf`, ((after[1] - before[1]) * 1000) / REPLICAS_MB, 'ms/MB')
      const few = await sendAll(owner, [small], small.length * 2000, 8, ack)
      yield figure(`${what}: 10 rows at a time, 8 senders, p50`, few.p50, 'ms')
      yield figure(`${what}: 10 rows at a time, 8 senders, p99`, few.p99, 'ms')
    } finally {
      await Promise.all(leaves.map((leaf) => leaf.close()))
      for (const dir of dirs) rmSync(dir, { recursive: true, force: true })
    }
  }
}

/** Has one leaf copy its table to the other, if that is asked for. */
async function copying(owner: ScratchLeaf, holder: ScratchLeaf, copies: number): Promise<void> {
  const [own, other] = await Promise.all([owner, holder].map(async ({ client }) => (await client.observed()).leaf))
  const registry = registrySchema.parse({
    version: 1,
    tables: { events: { version: 1, replicas: copies } },
    shards: [
      {
        ...{ id: own, epoch: 1, primary: own, sinceMs: 0 },
        replicas: copies > 1 ? [{ id: other, address: `unix:${holder.socket}` }] : [],
      },
    ],
  })
  for (const leaf of [holder, owner]) await leaf.client.putRegistry(registry)
  while (copies > 1 && (await owner.client.observed()).copies?.[0]?.state !== 'following') await sleep(50)
}

async function sendAll(
  leaf: ScratchLeaf,
  bodies: readonly Buffer[],
  bytesMax: number,
  senders: number,
  ack: 'fsync' | 'replicas',
): Promise<{ mbps: number; p50: number; p99: number }> {
  const times: number[] = []
  let bytes = 0
  const started = performance.now()
  await Promise.all(
    Array.from({ length: senders }, async () => {
      for (let body = bodies[0]; bytes < bytesMax && body; body = bodies[times.length % bodies.length]) {
        bytes += body.length
        const sent = performance.now()
        await leaf.client.send('events', body, { ack })
        times.push(performance.now() - sent)
      }
    }),
  )
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  return { mbps: bytes / 1000 / (performance.now() - started), p50: at(0.5), p99: at(0.99) }
}
