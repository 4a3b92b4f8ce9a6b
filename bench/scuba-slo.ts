import { loadavg } from 'node:os'
import { must } from '../src/core/kernel/assert.ts'
import { createPrng } from '../src/core/kernel/prng.ts'
import { sloFileSchema } from '../src/core/scuba/slo/file.ts'
import { compileSlo } from '../src/core/scuba/slo/objective.ts'
import { SloReplay } from '../src/core/scuba/slo/replay.ts'
import { BUCKET_MS } from '../src/core/scuba/slo/series.ts'
import { TIERS } from '../src/core/scuba/slo/tiers.ts'
import { hasPromtool, judgeCases } from '../test/support/promtool.ts'
import { pageTimes } from './lib/scuba-page.ts'
import { figuresOf, type Figure } from './lib/figure.ts'

/**
 * Objectives: `promtool` compares when each tier fires with Prometheus' own judge; `noise` replays 30 days of seeded noise with incidents
 * among it: none missed, none invented, the same moves each time; `page` times the whole way from a bad request to the pager. MUSTER_BENCH_DAYS, MUSTER_BENCH_SEEDS.
 */
export const parts = ['promtool', 'noise', 'page'] as const

const figure = figuresOf('scuba-slo')
const objective = must(compileSlo(sloFileSchema.parse({ service: 'feed', objectives: [{ availability: '99.95%' }] })).objectives[0], 'one')
const UTC = { tz: 'UTC', version: '', transitions: [{ atMs: 0, offsetSec: 0 }] }
const WINDOW = { kind: 'rolling', ms: 30 * 86_400_000 } as const
const START = 1_700_000_040_000

const days = Number(process.env['MUSTER_BENCH_DAYS'] ?? 30)
const seeds = Number(process.env['MUSTER_BENCH_SEEDS'] ?? 3)

export async function* run(wanted: readonly string[] = parts): AsyncGenerator<Figure> {
  if (wanted.includes('promtool')) yield* promtool()
  if (wanted.includes('noise')) yield* noise()
  if (wanted.includes('page')) yield* page()
}

function* promtool(): Generator<Figure> {
  if (!hasPromtool) return void process.stderr.write('promtool is missing (Debian: prometheus)\n')
  // As long as it takes the tier at 2 % of errors, and some.
  const lastS = { fast: 300, quick: 600, 1: 1500, 2: 3600, 3: 7200, 4: 7200 }
  const cases = TIERS.flatMap(({ name }) => [1, 0.2, 0.1, 0.05, 0.02].map((share) => ({ tier: name, share, lastS: lastS[name] })))
  const judged = judgeCases(objective, cases)
  for (const { tier, share, ours, isSame, words } of judged) {
    if (!isSame) process.stderr.write(`tier ${tier} at ${share * 100} %: ${words}\n`)
    yield figure(`fires tier ${tier} at ${share * 100} %`, ours ?? -1, 's')
  }
  yield figure('compared with promtool', judged.length, 'cases')
  yield figure('more than an evaluation apart', judged.filter(({ isSame }) => !isSame).length, 'cases', '<=', 0)
}

/** A fleet of its own: a service that fails half of its requests and one that fails one in twenty, both at 99.95 %. */
async function* page(): AsyncGenerator<Figure> {
  const cases = [
    { service: 'half-bad', errorShare: 0.5, withinS: 30 },
    { service: 'one-in-twenty', errorShare: 0.05, withinS: 120 },
  ]
  const paged = await pageTimes(cases, 200_000)
  for (const { service, errorShare, afterMs, movedAfterMs, requests, failed } of paged) {
    const withinS = must(
      cases.find((one) => one.service === service),
      service,
    ).withinS
    const name = `${errorShare * 100} % of errors`
    yield figure(`${name}: bad answers`, (100 * failed) / requests, '%')
    if (movedAfterMs !== null) yield figure(`${name}: first bad answer to the objective's move`, movedAfterMs / 1000, 's')
    yield figure(`${name}: first bad answer to the page`, afterMs === null ? Infinity : afterMs / 1000, 's', '<=', withinS)
  }
  yield figure('load average of the last minute', loadavg()[0] ?? 0, '')
}

/** Errors far below every tier, traffic by the hour, and incidents of 10 min at 20 % at random times at least 2 h apart. */
function* noise(): Generator<Figure> {
  let incidents = 0
  let missed = 0
  let invented = 0
  let different = 0
  for (let seed = 1; seed <= seeds; seed += 1) {
    const [first, second] = [simulate(seed), simulate(seed)]
    incidents += first.incidents.length
    if (JSON.stringify(first.moves) !== JSON.stringify(second.moves)) different += 1
    const pages = first.moves.filter(({ kind, sev }) => kind !== 'burn_ended' && sev <= 2)
    missed += first.incidents.filter((at) => !pages.some(({ atMs }) => atMs > at && atMs <= at + 120_000)).length
    invented += pages.filter(({ atMs }) => !first.incidents.some((at) => atMs > at && atMs <= at + 3_600_000)).length
  }
  yield figure('incidents', incidents, '')
  yield figure('missed', missed, '', '<=', 0)
  yield figure('invented', invented, '', '<=', 0)
  yield figure('seeds whose replay moves differently', different, '', '<=', 0)
}

function simulate(seed: number): { incidents: number[]; moves: SloReplay['moves'] } {
  const random = createPrng(seed)
  const replay = new SloReplay(objective, { window: WINDOW, zone: UTC })
  const incidents: number[] = []
  let next = START + 4 * 3_600_000
  for (let at = START; at < START + days * 86_400_000; at += BUCKET_MS) {
    if (at >= next) {
      incidents.push(at)
      next = at + 8 * 3_600_000 + random.below(40) * 3_600_000
    }
    const last = incidents.at(-1)
    const isBad = last !== undefined && at < last + 600_000
    const total = 500 + Math.floor(400 * Math.sin((at / 86_400_000) * 2 * Math.PI)) + random.below(100)
    const bad = isBad ? Math.round(total * 0.2) : random.next() < 0.02 ? 1 : 0
    replay.add(at, { good: total - bad, total })
  }
  return { incidents, moves: replay.moves }
}
