import { loadavg } from 'node:os'
import { must } from '../src/core/kernel/assert.ts'
import { alertRuleSchema, compileRule } from '../src/core/scuba/alert/rule.ts'
import { sloFileSchema } from '../src/core/scuba/slo/file.ts'
import { compileSlo } from '../src/core/scuba/slo/objective.ts'
import { TIERS } from '../src/core/scuba/slo/tiers.ts'
import { NOISE_RULE, simulateNoise, type NoiseOutcome } from '../test/support/scuba-noise.ts'
import { hasPromtool, judgeCases } from '../test/support/promtool.ts'
import { pageTimes } from './lib/scuba-page.ts'
import { figuresOf, type Figure } from './lib/figure.ts'

/**
 * Objectives: `promtool` compares when each tier fires with Prometheus' own judge; `noise` replays 30 days of seeded noise with incidents, late rows, restarts and losses of the leaf
 * among it: none missed, none invented, the same moves each time; `page` times the whole way from a bad request to the pager. MUSTER_BENCH_DAYS, MUSTER_BENCH_SEEDS.
 */
export const parts = ['promtool', 'noise', 'page'] as const

const figure = figuresOf('scuba-slo')
const objective = must(compileSlo(sloFileSchema.parse({ service: 'feed', objectives: [{ availability: '99.95%' }] })).objectives[0], 'one')

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
  for (const { service, errorShare, afterMs, requests, failed } of paged) {
    const withinS = must(
      cases.find((one) => one.service === service),
      service,
    ).withinS
    const name = `${errorShare * 100} % of errors`
    yield figure(`${name}: bad answers`, (100 * failed) / requests, '%')
    yield figure(`${name}: first bad answer to the page`, afterMs === null ? Infinity : afterMs / 1000, 's', '<=', withinS)
  }
  yield figure('load average of the last minute', loadavg()[0] ?? 0, '')
}

/** What test/support/scuba-noise.ts makes: calm but for incidents of 10 min at 20 %, with late rows, restarts and leaf losses. */
function* noise(): Generator<Figure> {
  const rule = compileRule(alertRuleSchema.parse(NOISE_RULE))
  const sums = { incidents: 0, leafLosses: 0, restarts: 0, lateBuckets: 0, missed: 0, invented: 0, lost: 0 }
  let different = 0
  for (let seed = 1; seed <= seeds; seed += 1) {
    const run = (): NoiseOutcome => simulateNoise({ seed, days, windowDays: 30, objective, rule, pageWithinMs: 120_000, isDisturbed: true })
    const [first, second] = [run(), run()]
    if (first.moves !== second.moves) different += 1
    for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += first[name]
  }
  yield figure('incidents', sums.incidents, '')
  yield figure('losses of the leaf', sums.leafLosses, '')
  yield figure('restarts of the server', sums.restarts, '')
  yield figure('buckets with late rows', sums.lateBuckets, '')
  yield figure('missed, by objective or rule', sums.missed, '', '<=', 0)
  yield figure('invented', sums.invented, '', '<=', 0)
  yield figure('said to be over while they went on', sums.lost, '', '<=', 0)
  yield figure('seeds whose replay moves differently', different, '', '<=', 0)
}
