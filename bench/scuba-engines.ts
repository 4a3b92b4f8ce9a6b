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
/** sets that a side may be ahead of the one that is compared */
const SETS_AT_ONCE = 2
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

/** Rows of a table, and what is asked of them. */
interface DataSet {
  table: string
  rows: Record<string, unknown>[]
  /** the last rows are not sealed */
  hasTail: boolean
  questions: Question[]
}

/** One side has much more to do with one set than another one, and less with the next: none waits for the others before it is a set ahead. */
async function* agree(all: readonly Side[]): AsyncGenerator<Figure> {
  const random = createPrng(SEED)
  const [, ...sides] = all
  const differences = new Map(sides.map(({ name }) => [name, 0]))
  const compared = new Map(differences)
  let late = 0
  const started = performance.now()
  const turns: Promise<Answer[]>[] = all.map(() => Promise.resolve([]))
  const begin = (of: DataSet): { of: DataSet; answers: Promise<Answer[]>[] } => {
    for (const [at, { leaf }] of all.entries()) turns[at] = (turns[at] ?? Promise.resolve([])).then(() => answersTo(leaf, of))
    return { of, answers: [...turns] }
  }
  const running: ReturnType<typeof begin>[] = []
  for (const of of dataSets(random)) {
    running.push(begin(of))
    if (running.length > SETS_AT_ONCE) await compareNext()
  }
  while (running.length > 0) await compareNext()
  yield figure('answers that did not come in time to be compared', late, '')
  for (const [name, count] of compared) yield figure(`${name}: question × data pairs compared`, count, '')
  for (const [name, count] of differences) yield figure(`${name}: answers that differ by more than they say`, count, '', '<=', 0)
  for (const side of all) yield figure(`${side.name}: processor a question`, (cpuOf(side) * 1000) / Math.max(1, ROUNDS), 'ms')
  yield figure('all questions', (performance.now() - started) / 60_000, 'min')

  async function compareNext(): Promise<void> {
    const next = running.shift()
    const [wanted = [], ...others] = await Promise.all(next?.answers ?? [])
    for (const [at, question] of (next?.of.questions ?? []).entries()) {
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

function* dataSets(random: Prng): Generator<DataSet> {
  for (let set = 0; set * A_SET < ROUNDS; set += 1) {
    const table = `data_${set}`
    yield {
      table,
      rows: Array.from({ length: set % MANY_EVERY === 0 ? MANY : FEW }, (_, at) => rowOf(at, T, random)),
      hasTail: set % 2 === 0,
      questions: Array.from({ length: Math.min(A_SET, ROUNDS - set * A_SET) }, (_, at) =>
        at % 5 === 4 ? statementOf(table, random) : panelOf(table, T, random),
      ),
    }
  }
}

async function answersTo(leaf: ScratchLeaf, { table, rows, hasTail, questions }: DataSet): Promise<Answer[]> {
  await fill(leaf, table, rows, hasTail)
  const answers: Answer[] = []
  for (let at = 0; at < questions.length; at += AT_ONCE) answers.push(...(await answersInTime(leaf, questions.slice(at, at + AT_ONCE))))
  return answers
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

/** Panels and statements at once. */
async function answersOf({ client }: ScratchLeaf, questions: readonly Question[]): Promise<Answer[]> {
  const panels = questions.filter((question) => typeof question !== 'string')
  const board = panels.length === 0 ? null : client.board({ panels, maxAgeMs: 0, deadlineMs: 60_000 })
  board?.catch(() => undefined)
  const told = new Map<Question, Answer>()
  for (const question of questions)
    if (typeof question === 'string')
      told.set(question, await client.query(question, { deadlineMs: 60_000 }).catch((error: unknown) => JSON.stringify(error)))
  for (const [at, one] of ((await board)?.panels ?? []).entries()) told.set(panels[at] ?? '', one.ok ? one.answer : JSON.stringify(one))
  return questions.map((question) => told.get(question) ?? '')
}

/** Sealed twice, a part of the second seal late; the last rows unsealed, or in a third. */
async function fill(leaf: ScratchLeaf, table: string, rows: DataSet['rows'], hasTail: boolean): Promise<void> {
  for (const [from, to] of [
    [0, 0.5],
    [0.5, 0.8],
    [0.8, 1],
  ] as const) {
    await leaf.client.send(table, rows.slice(rows.length * from, rows.length * to))
    if (to < 1 || !hasTail) await sealTable(leaf, table)
  }
}
