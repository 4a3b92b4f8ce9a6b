import { loadavg } from 'node:os'
import { createPrng, type Prng } from '../src/core/kernel/prng.ts'
import type { PanelRequest } from '../src/core/scuba/wire-types.ts'
import { cpuSecondsOf, type ScratchLeaf } from '../src/server/scuba/measure/scratch-leaf.ts'
import { inDirectory } from './lib/directory.ts'
import { difference, isLate, type Answer } from './lib/engine-answers.ts'
import { panelOf, rowOf, statementOf } from './lib/engine-questions.ts'
import { figuresOf, type Figure } from './lib/figure.ts'
import { sealTable, withSides, type Side } from './lib/scuba-away.ts'
import { ndjson } from './lib/scuba-rows.ts'
import { openEngine } from './lib/scuba-store.ts'

/*
 * Whether all engines say the same. `agree`: generated rows in a leaf that seals into files, in one that seals into Debian's ClickHouse
 * 18.16 and in one that seals into the newest (chdb), a part of them unsealed; generated panels and statements, each asked of all. Answers
 * are equal, or differ by no more than they say themselves. $MUSTER_BENCH_ROUNDS: how many questions × data, 2,000 unless it says
 * otherwise; $MUSTER_BENCH_SEED; chdb is 540 MB and is fetched.
 */

const figure = figuresOf('scuba-engines')
export const parts = ['agree', 'seal']

const ROUNDS = Number(process.env['MUSTER_BENCH_ROUNDS'] ?? 2000)
const SEED = Number(process.env['MUSTER_BENCH_SEED'] ?? 7)
/** of `seal` */
const BODIES = 200
const BODY_ROWS = 2375
/** questions of one set of rows */
const A_SET = 250
const AT_ONCE = 10
const ROWS = 2000
/** recent, or retention would drop it */
const T = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 5 * 3_600_000

export async function* run(asked: readonly string[] = parts): AsyncGenerator<Figure> {
  for (const part of asked) yield* inDirectory('engines', (dir) => withSides(dir, part === 'seal' ? seal : agree))
  yield figure('load average of the last minute', loadavg()[0] ?? 0, '')
}

/** Seals are compared by what they take of the leaf, its engines and the server together. */
async function* seal(sides: readonly Side[]): AsyncGenerator<Figure> {
  const bodies = await sealedBodies()
  const bytes = bodies.reduce((sum, body) => sum + body.length, 0)
  for (const { name, leaf, server } of sides) {
    const cpu = (): number => leaf.cpuSeconds() + (server === null ? 0 : cpuSecondsOf(server.pid))
    // Engine and server are started, and what they need is read, before anything is counted.
    for (const table of ['warm', 'sealed']) {
      for (const body of table === 'warm' ? bodies.slice(0, 2) : bodies) await leaf.client.send(table, body)
      const before = { cpu: cpu(), ms: performance.now() }
      await sealTable(leaf, table)
      const seconds = (performance.now() - before.ms) / 1000
      const spent = cpu() - before.cpu
      if (table === 'warm') continue
      yield figure(`${name}: rows sealed a second`, (BODIES * BODY_ROWS) / seconds, 'rows/s')
      yield figure(`${name}: JSON sealed by a second of processor`, bytes / 1e6 / spent, 'MB')
    }
  }
}

async function sealedBodies(): Promise<Buffer[]> {
  const connection = await openEngine(2)
  const bodies: Buffer[] = []
  for (let at = 0; at < BODIES; at += 1)
    bodies.push(await ndjson(connection, { first: at * BODY_ROWS, rows: BODY_ROWS, fromMs: T, everyUs: 200 }))
  connection.disconnectSync()
  return bodies
}

async function* agree([oracle, ...sides]: readonly Side[]): AsyncGenerator<Figure> {
  if (oracle === undefined) throw new Error('there is nothing to compare with')
  const random = createPrng(SEED)
  const differences = new Map(sides.map(({ name }) => [name, 0]))
  const spent = new Map([oracle, ...sides].map(({ name }) => [name, 0]))
  const timed = async <V>(name: string, ask: () => Promise<V>): Promise<V> => {
    const started = performance.now()
    const answer = await ask()
    spent.set(name, (spent.get(name) ?? 0) + performance.now() - started)
    return answer
  }
  const compared = new Map(sides.map(({ name }) => [name, 0]))
  let late = 0
  let asked = 0
  for (let set = 0; asked < ROUNDS; set += 1) {
    const table = `data_${set}`
    await fill([oracle, ...sides], table, random)
    for (const until = Math.min(ROUNDS, asked + A_SET); asked < until; asked += AT_ONCE) {
      const panels = Array.from({ length: AT_ONCE - 2 }, () => panelOf(table, T, random))
      const statements = Array.from({ length: 2 }, () => statementOf(table, random))
      const wanted = await timed(oracle.name, () => answersOf(oracle.leaf, panels, statements))
      for (const { name, leaf } of sides) {
        const answers = await timed(name, () => answersOf(leaf, panels, statements))
        for (const [at, answer] of answers.entries()) {
          if (isLate(wanted[at]) || isLate(answer)) {
            late += 1
            continue
          }
          compared.set(name, (compared.get(name) ?? 0) + 1)
          const why = difference(wanted[at], answer)
          if (why === null) continue
          differences.set(name, (differences.get(name) ?? 0) + 1)
          process.stderr.write(`seed ${SEED}, ${name}: ${why}\n  ${JSON.stringify(panels[at] ?? statements[at - panels.length])}\n`)
        }
      }
    }
  }
  yield figure('answers that did not come in time to be compared', late, '')
  for (const { name } of sides) yield figure(`${name}: question × data pairs compared`, compared.get(name) ?? 0, '')
  for (const { name } of sides) yield figure(`${name}: answers that differ by more than they say`, differences.get(name) ?? 0, '', '<=', 0)
  for (const [name, ms] of spent) yield figure(`${name}: time a question`, ms / Math.max(1, asked), 'ms')
}

async function answersOf({ client }: ScratchLeaf, panels: PanelRequest[], statements: readonly string[]): Promise<Answer[]> {
  const board = await client.board({ panels, maxAgeMs: 0, deadlineMs: 60_000 })
  const answers: Answer[] = board.panels.map((one) => (one.ok ? one.answer : JSON.stringify(one)))
  for (const sql of statements)
    answers.push(await client.query(sql, { deadlineMs: 60_000 }).catch((error: unknown) => JSON.stringify(error)))
  return answers
}

/** Sealed twice, a part of the second seal late, the last rows unsealed. */
async function fill(sides: readonly Side[], table: string, random: Prng): Promise<void> {
  const rows = Array.from({ length: ROWS }, (_, at) => rowOf(at, T, random))
  for (const { leaf } of sides) {
    for (const [from, to] of [
      [0, ROWS * 0.5],
      [ROWS * 0.5, ROWS * 0.8],
      [ROWS * 0.8, ROWS],
    ] as const) {
      await leaf.client.send(table, rows.slice(from, to))
      if (to < ROWS) await sealTable(leaf, table)
    }
  }
}
