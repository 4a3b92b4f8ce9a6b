import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { burnAt } from '../../src/core/scuba/slo/evaluate.ts'
import type { Objective } from '../../src/core/scuba/slo/objective.ts'
import { BUCKET_MS, SliSeries } from '../../src/core/scuba/slo/series.ts'

/** Prometheus' own judge of alert rules, as an oracle for ours: the same rule on the same samples. */
export const hasPromtool = spawnSync('promtool', ['--version']).status === 0

const BUCKET_S = BUCKET_MS / 1000
const TOTAL = 10_000
const HOUR_S = 3600

/** All is well for as long as the tier looks back, then this share of requests fails for `lastS`. */
export interface BurnCase {
  tier: string
  share: number
  lastS: number
}

export interface JudgedCase extends BurnCase {
  /** s after the errors began at which the tier fires by our own evaluation; null: not at all */
  ours: number | null
  /** whether promtool fires no earlier and no later than one evaluation from it */
  isSame: boolean
  /** what promtool said if not */
  words: string
}

/**
 * Judges all cases by ours, and by promtool in one call: two evaluations before ours it must be silent, one after it must fire,
 * so that it fires within one evaluation of ours.
 * @param asked what promtool gets as the rule
 */
export function judgeCases(objective: Objective, cases: readonly BurnCase[], asked: Objective = objective): JudgedCase[] {
  const dir = mkdtempSync(join(tmpdir(), 'promtool-'))
  try {
    const fires = cases.map((one) => oursFires(objective, one))
    cases.forEach((one, number) => {
      const { file, rules } = testOf(asked, one, number, fires[number] ?? null)
      writeFileSync(join(dir, `rules-${number}.yml`), rules)
      writeFileSync(join(dir, `case-${number}.yml`), file)
    })
    const files = cases.map((_, number) => `case-${number}.yml`)
    const { stdout, stderr } = spawnSync('promtool', ['test', 'rules', ...files], { cwd: dir, encoding: 'utf8' })
    const said = stdout.split('Unit Testing:').slice(1)
    return cases.map((one, number) => {
      const words = said.find((text) => text.trimStart().startsWith(`case-${number}.yml`)) ?? ''
      const isSame = words.includes('SUCCESS')
      return { ...one, ours: fires[number] ?? null, isSame, words: isSame ? '' : `${words.trim()} ${stderr}` }
    })
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

const tierOf = ({ tiers, text }: Objective, name: string): Objective['tiers'][number] => {
  const tier = tiers.find((one) => one.name === name)
  if (!tier) throw new Error(`${text} has no tier ${name}`)
  return tier
}

/** Windows of days are looked at by the minute: they would be 26,000 samples else. */
const stepOf = (longMs: number): number => (longMs > 6 * HOUR_S * 1000 ? 60 : BUCKET_S)
/** Ours knows nothing of before, so it need not be longer than the windows. */
const calmOf = (longMs: number): number => longMs / 1000 + 120

/** A tier as a rule of Prometheus over the counters `good` and `total`, and the test of a case. */
function testOf(objective: Objective, one: BurnCase, number: number, ours: number | null): { rules: string; file: string } {
  const { threshold, longMs, shortMs } = tierOf(objective, one.tier)
  const step = stepOf(longMs)
  // increase() stretches to the window's ends; the quotient of two is the ratio of what lies between.
  const ratio = (ms: number): string => `1 - increase(good[${ms / 1000}s]) / increase(total[${ms / 1000}s])`
  const calmS = calmOf(longMs)
  const perStep = (TOTAL / BUCKET_S) * step
  const calm = calmS / step
  const series = (bad: number): string =>
    `0+${perStep}x${calm} ${calm * perStep + perStep - bad}+${perStep - bad}x${Math.ceil(one.lastS / step) + 2}`
  const check = (atS: number, isFiring: boolean): string =>
    `      - { eval_time: ${calmS + atS}s, alertname: burn${isFiring ? ', exp_alerts: [{ exp_labels: {} }]' : ''} }`
  const before = Math.max(0, Math.floor((ours ?? one.lastS) / step) * step - (ours === null ? 0 : 2 * step))
  const after = Math.ceil((ours ?? 0) / step) * step + step
  return {
    rules: `groups:
  - name: slo
    interval: ${step}s
    rules:
      - alert: burn
        expr: (${ratio(longMs)}) > ${threshold} and (${ratio(shortMs)}) > ${threshold}
`,
    file: [
      `rule_files: [rules-${number}.yml]`,
      `evaluation_interval: ${step}s`,
      'tests:',
      `  - interval: ${step}s`,
      '    input_series:',
      `      - { series: good, values: '${series(Math.round(one.share * perStep))}' }`,
      `      - { series: total, values: '${series(0)}' }`,
      '    alert_rule_test:',
      check(before, false),
      ...(ours === null ? [] : [check(after, true)]),
    ].join('\n'),
  }
}

/** The same by our own evaluation, of that tier alone. */
function oursFires(objective: Objective, { tier, share, lastS }: BurnCase): number | null {
  const one = tierOf(objective, tier)
  const only: Objective = { ...objective, tiers: [one] }
  const series = new SliSeries()
  const startMs = 1_700_000_040_000
  const bad = Math.round(share * TOTAL)
  for (let at = -calmOf(one.longMs); at < 0; at += BUCKET_S) series.put(startMs + at * 1000, { good: TOTAL, total: TOTAL })
  for (let at = 0; at < lastS; at += BUCKET_S) {
    series.put(startMs + at * 1000, { good: TOTAL - bad, total: TOTAL })
    if (burnAt(only, series, startMs + (at + BUCKET_S) * 1000, []) !== null) return at + BUCKET_S
  }
  return null
}
