import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
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
 * are equal, or differ by no more than they say themselves. $MUSTER_BENCH_ROUNDS: how many questions × data, 10,000 unless it says
 * otherwise (under ten minutes of two idle cores); $MUSTER_BENCH_SEED; chdb is 540 MB and is fetched.
 */

const figure = figuresOf('scuba-engines')
export const parts = ['agree', 'seal']

const ROUNDS = Number(process.env['MUSTER_BENCH_ROUNDS'] ?? 10_000)
const SEED = Number(process.env['MUSTER_BENCH_SEED'] ?? 7)
/** of `seal` */
const BODIES = 200
const BODY_ROWS = 2375
/** questions of one set of rows */
const A_SET = 250
const AT_ONCE = 50
/** rows of most sets, and of one in so many: what a question costs is for each row, what it may find is little more of many */
const FEW = 250
const MANY = 2000
const MANY_EVERY = 10
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
  for (const side of sides) {
    const { name, leaf } = side
    // Engine and server are started, and what they need is read, before anything is counted.
    for (const table of ['warm', 'sealed']) {
      for (const body of table === 'warm' ? bodies.slice(0, 2) : bodies) await leaf.client.send(table, body)
      const before = { cpu: cpuOf(side), ms: performance.now() }
      await sealTable(leaf, table)
      const seconds = (performance.now() - before.ms) / 1000
      const spent = cpuOf(side) - before.cpu
      if (table === 'warm') continue
      yield figure(`${name}: rows sealed a second`, (BODIES * BODY_ROWS) / seconds, 'rows/s')
      yield figure(`${name}: JSON sealed by a second of processor`, bytes / 1e6 / spent, 'MB')
    }
  }
}

/** Of the leaf, its engines and what it seals into, seconds. */
const cpuOf = ({ leaf, server }: Side): number => leaf.cpuSeconds() + (server === null ? 0 : cpuSecondsOf(server.pid))

async function sealedBodies(): Promise<Buffer[]> {
  const connection = await openEngine(2)
  const bodies: Buffer[] = []
  for (let at = 0; at < BODIES; at += 1)
    bodies.push(await ndjson(connection, { first: at * BODY_ROWS, rows: BODY_ROWS, fromMs: T, everyUs: 200 }))
  connection.disconnectSync()
  return bodies
}

async function* agree(all: readonly Side[]): AsyncGenerator<Figure> {
  const random = createPrng(SEED)
  const [, ...sides] = all
  const differences = new Map(sides.map(({ name }) => [name, 0]))
  const compared = new Map(differences)
  let late = 0
  let asked = 0
  const started = performance.now()
  for (let set = 0; asked < ROUNDS; set += 1) {
    const table = `data_${set}`
    await fill(all, table, set % MANY_EVERY === 0 ? MANY : FEW, random)
    for (const until = Math.min(ROUNDS, asked + A_SET); asked < until; asked += AT_ONCE) {
      const questions: Question[] = Array.from({ length: Math.min(AT_ONCE, until - asked) }, (_, at) =>
        at % 5 === 4 ? statementOf(table, random) : panelOf(table, T, random),
      )
      const [wanted = [], ...others] = await Promise.all(all.map(({ leaf }) => answersInTime(leaf, questions)))
      for (const [at, question] of questions.entries()) {
        for (const [side, { name }] of sides.entries()) {
          const [right, other] = [wanted[at], others[side]?.[at]]
          if (right === undefined || other === undefined || isLate(right) || isLate(other)) {
            late += 1
            continue
          }
          add(compared, name)
          const why = difference(right, other)
          if (why === null) continue
          add(differences, name)
          process.stderr.write(`seed ${SEED}, ${name}: ${why}\n  ${JSON.stringify(question)}\n`)
        }
      }
    }
  }
  yield figure('answers that did not come in time to be compared', late, '')
  for (const [name, count] of compared) yield figure(`${name}: question × data pairs compared`, count, '')
  for (const [name, count] of differences) yield figure(`${name}: answers that differ by more than they say`, count, '', '<=', 0)
  for (const side of all) yield figure(`${side.name}: processor a question`, (cpuOf(side) * 1000) / Math.max(1, asked), 'ms')
  yield figure('all questions', (performance.now() - started) / 60_000, 'min')
}

const add = (counts: Map<string, number>, name: string): unknown => counts.set(name, (counts.get(name) ?? 0) + 1)

/** Answers in the order of the questions; those that were late on a busy machine were asked for again. */
async function answersInTime(leaf: ScratchLeaf, questions: readonly Question[]): Promise<Answer[]> {
  const answers = await answersOf(leaf, questions)
  for (let attempt = 0; attempt < 5 && answers.some(isLate); attempt += 1) {
    await sleep(2000)
    for (const [at, question] of questions.entries()) {
      if (!isLate(answers[at])) continue
      const [again] = await answersOf(leaf, [question])
      if (again !== undefined) answers[at] = again
    }
  }
  return answers
}

/** A panel, or SQL. */
type Question = PanelRequest | string

async function answersOf({ client }: ScratchLeaf, questions: readonly Question[]): Promise<Answer[]> {
  const panels = questions.filter((question) => typeof question !== 'string')
  const board = panels.length === 0 ? [] : (await client.board({ panels, maxAgeMs: 0, deadlineMs: 60_000 })).panels
  const answered = board.map((one): Answer => (one.ok ? one.answer : JSON.stringify(one)))
  const answers: Answer[] = []
  for (const question of questions) {
    if (typeof question !== 'string') answers.push(answered.shift() ?? '')
    else answers.push(await client.query(question, { deadlineMs: 60_000 }).catch((error: unknown) => JSON.stringify(error)))
  }
  return answers
}

/** Sealed twice, a part of the second seal late, the last rows unsealed. */
async function fill(sides: readonly Side[], table: string, count: number, random: Prng): Promise<void> {
  const rows = Array.from({ length: count }, (_, at) => rowOf(at, T, random))
  for (const { leaf } of sides) {
    for (const [from, to] of [
      [0, count * 0.5],
      [count * 0.5, count * 0.8],
      [count * 0.8, count],
    ] as const) {
      await leaf.client.send(table, rows.slice(from, to))
      if (to < count) await sealTable(leaf, table)
    }
  }
}
