import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { PARTS } from '../../../sim/delos/parts.ts'
import { runSeeds } from '../../../sim/pool.ts'
import type { KillReport } from '../../soak/delos-kill.ts'
import type { Figure } from '../figure.ts'
import { figure, progress } from './rounds.ts'

const SEEDS = Number(process.env['MUSTER_BENCH_SEEDS'] ?? 10_000)
const ROUNDS = Number(process.env['MUSTER_BENCH_KILL_ROUNDS'] ?? 1000)
const SOAK = fileURLToPath(new URL('../../soak/run.ts', import.meta.url))

/** Of what was acknowledged, under simulated faults with a minority damaged, and by real kills of a lone server under load. */
export async function* lost(): AsyncGenerator<Figure> {
  const processes = Math.min(2, availableParallelism())
  let [seeds, violations] = [0, 0]
  for (const { options, share } of PARTS) {
    const count = Math.ceil(SEEDS * share)
    const pool = { processes, isTimeOver: () => false, onViolation: () => (violations += 1) }
    seeds += (await runSeeds({ system: 'delos', options: { ...options, mutant: null }, from: 1, count }, pool)).length
    progress(`lost: ${seeds} of about ${SEEDS} seeds, ${violations} violations`)
  }
  yield figure(`seeds in which something acknowledged was lost, doubled or reordered, of ${seeds}`, violations, '', '<=', 0)
  yield figure('simulated seeds', seeds, '', '>=', 10_000)
  const child = spawn(process.execPath, [SOAK, 'delos-kill', '--rounds', String(ROUNDS), '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await once(child, 'close')
  const report = JSON.parse(text) as KillReport
  for (const problem of report.problems) progress(`lost: ${problem}`)
  const metric = `problems after ${report.kills} kill -9 of a lone server under load, ${report.acknowledged} writes acknowledged`
  yield figure(metric, report.problems.length, '', '<=', 0)
  yield figure('kill -9 of a lone server', report.kills, '', '>=', 1000)
}
