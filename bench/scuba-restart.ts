import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { figuresOf, type Figure } from './lib/figure.ts'
import { quantile } from './lib/quantile.ts'
import { ScratchLeaf } from '../src/server/scuba/measure/scratch-leaf.ts'
import { openEngine, writeSegments } from './lib/scuba-store.ts'

/*
 * How soon a leaf answers after a kill -9: from the start of the new process to the first answer that holds every row, over a
 * day of $MUSTER_BENCH_ROWS rows (50 million) in segments, with the newest of them in the journal. A restart reads the manifest, not the
 * data. $MUSTER_BENCH_ROUNDS: kills; 5.
 */

const figure = figuresOf('scuba-restart')
export const parts = ['restart']

const ROWS = Number(process.env['MUSTER_BENCH_ROWS'] ?? 50_000_000)
const ROUNDS = Number(process.env['MUSTER_BENCH_ROUNDS'] ?? 5)
/** unsealed rows, which the new leaf reads from its journal */
const HOT_ROWS = 20_000
const HOUR_MS = 3_600_000
const TABLE = 'events'

export async function* run(): AsyncGenerator<Figure> {
  const dir = mkdtempSync(join(tmpdir(), 'scuba-restart-'))
  const leaf = new ScratchLeaf(dir)
  try {
    const untilMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS
    const engine = await openEngine(availableParallelism())
    await writeSegments(engine, dir, TABLE, { rows: ROWS, fromMs: untilMs - 24 * HOUR_MS, everyUs: (24 * HOUR_MS * 1000) / ROWS })
    engine.disconnectSync()
    await leaf.start()
    const times: number[] = []
    const processor: number[] = []
    for (let round = 1; round <= ROUNDS; round += 1) {
      await leaf.client.send(
        TABLE,
        Array.from({ length: HOT_ROWS }, (_, i) => ({ time: Date.now(), service: 'restart', latency_ms: i })),
      )
      await leaf.end('SIGKILL')
      const started = performance.now()
      await leaf.start()
      times.push(await firstWholeAnswer(leaf, started, ROWS + round * HOT_ROWS))
      processor.push(leaf.cpuSeconds() * 1000)
    }
    const isWhole = ROWS >= 50_000_000
    const p50 = quantile(times, 0.5)
    yield isWhole ? figure('kill to first full answer, p50', p50, 'ms', '<=', 2000) : figure('kill to first full answer, p50', p50, 'ms')
    yield figure('kill to first full answer, max', Math.max(...times), 'ms')
    // On an idle machine of two cores the answer takes between half of it and all.
    yield figure('processor time of leaf and engines until then, p50', quantile(processor, 0.5), 'ms')
    yield figure('rows', ROWS, 'rows')
    yield figure('load average of the last minute', loadavg()[0] ?? 0, '')
  } finally {
    await leaf.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function firstWholeAnswer(leaf: ScratchLeaf, started: number, rows: number): Promise<number> {
  const answer = await leaf.client.query(`SELECT count(*) FROM ${TABLE}`, { deadlineMs: 60_000 })
  if (answer.rows[0]?.[0] !== rows || answer.coverage.rows !== 1)
    throw new Error(`the first answer has ${String(answer.rows[0]?.[0])} rows of ${rows}, coverage ${answer.coverage.rows}`)
  return performance.now() - started
}
