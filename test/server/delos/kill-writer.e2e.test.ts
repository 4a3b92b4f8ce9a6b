import { build } from 'esbuild'
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPrng } from '../../../src/core/kernel/prng.ts'
import { openFileLoglet } from '../../../src/server/delos/file-loglet.ts'
import { entriesOf } from '../../fixtures/log-entries.ts'

const KILLS = 180
const LANES = 2
const WRITER = join(import.meta.dirname, '../../fixtures/log-writer.ts')
// The seed is in the failure message, so that a run can be looked at again.
const seed = Date.now() % 1_000_000

let dir: string
let writerFile: string
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'muster-kill-'))
  writerFile = join(dir, 'writer.mjs')
  // Starting is most of a round, so the sources are made one file and compiled once: by a writer that ends by itself, as a killed one keeps nothing.
  await build({ entryPoints: [WRITER], bundle: true, platform: 'node', format: 'esm', outfile: writerFile, logLevel: 'warning' })
  execFileSync(process.execPath, [writerFile], { env: compiledOnce() })
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const compiledOnce = (): NodeJS.ProcessEnv => ({ ...process.env, NODE_COMPILE_CACHE: join(dir, 'compile-cache') })

interface Ack {
  first: number
  round: number
  call: number
}

/** Runs a writer, kills it `afterMs` after it was started or, mostly, after its log was open; gives what it acknowledged. */
function writeAndKill(log: string, round: number, afterMs: number, fromStart: boolean): Promise<Ack[]> {
  return new Promise((resolve, reject) => {
    const writer = spawn(process.execPath, [writerFile, log, String(round)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: compiledOnce(),
    })
    let said = ''
    let isArmed = false
    const arm = (): void => {
      if (isArmed) return
      isArmed = true
      setTimeout(() => writer.kill('SIGKILL'), afterMs)
    }
    if (fromStart) arm()
    writer.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.startsWith('open')) arm()
    })
    writer.once('error', reject)
    writer.once('close', (code, signal) => {
      if (signal !== 'SIGKILL') return reject(new Error(`the writer ended by itself: ${code} ${signal}`))
      // The last line may be cut: what was not said whole was not acknowledged.
      const lines = said
        .split('\n')
        .slice(0, -1)
        .filter((line) => line !== 'open')
      resolve(lines.map((line) => line.split(' ').map(Number)).map(([first = 0, of = 0, call = 0]) => ({ first, round: of, call })))
    })
  })
}

/** Every entry of the log, and a check that each append is there whole or not at all. */
async function readWhole(log: string): Promise<string[]> {
  const loglet = await openFileLoglet(log, { segmentBytes: 64 * 1024 })
  const texts: string[] = []
  for (let at = 1; at < loglet.checkTail();) {
    const entries = loglet.readNext(at, 1000)
    for (const { payload } of entries) texts.push(Buffer.from(payload).toString())
    at += entries.length
  }
  await loglet.close()
  for (let at = 0; at < texts.length;) {
    const [round = 0, call = 0] = (texts[at] ?? '').split(' ').map(Number)
    const expected = entriesOf(round, call).map((payload) => Buffer.from(payload).toString())
    if (expected.some((text, i) => text !== texts[at + i]))
      throw new Error(`append ${round}/${call} at ${at + 1} is not whole, seed ${seed}`)
    at += expected.length
  }
  return texts
}

test(`no acknowledged entry is lost when the log's writer is killed at ${KILLS} random moments`, { timeout: 240_000 }, async () => {
  let acknowledged = 0
  const lane = async (number: number): Promise<void> => {
    const random = createPrng(seed + number)
    let log = ''
    let acks: Ack[] = []
    for (let round = 0; round < KILLS / LANES; round += 1) {
      // A log lives through some kills, then a new one starts: reading it whole each time must stay cheap.
      if (round % 15 === 0) {
        acknowledged += acks.length
        acks = []
        log = join(dir, `lane-${number}-${round}`)
      }
      const fromStart = random.below(8) === 0
      acks.push(...(await writeAndKill(log, round, random.below(fromStart ? 120 : 30), fromStart)))
      const texts = await readWhole(log)
      for (const ack of acks) {
        const isThere = texts[ack.first - 1]?.startsWith(`${ack.round} ${ack.call} 0/`)
        if (!isThere) throw new Error(`acknowledged entry ${ack.first} of round ${ack.round} is lost, seed ${seed}`)
      }
    }
    acknowledged += acks.length
  }
  await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)))
  // A test that acknowledged nothing would prove nothing.
  expect(acknowledged).toBeGreaterThan(KILLS)
})
