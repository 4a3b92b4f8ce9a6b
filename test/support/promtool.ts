import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Objective } from '../../src/core/scuba/slo/objective.ts'
import { BUCKET_MS, SliSeries } from '../../src/core/scuba/slo/series.ts'
import { burnAt } from '../../src/core/scuba/slo/evaluate.ts'

/** Prometheus' own judge of alert rules, as an oracle for ours: the same rule on the same samples. */
export const hasPromtool = spawnSync('promtool', ['--version']).status === 0

const STEP_S = BUCKET_MS / 1000

/** A tier as a rule of Prometheus over the counters `good` and `total`, sampled every 10 s. */
function ruleOf(name: string, { threshold, longMs, shortMs }: Objective['tiers'][number]): string {
  // increase() stretches to the window's ends; the quotient of two is the ratio of what lies between.
  const ratio = (ms: number): string => `1 - increase(good[${ms / 1000}s]) / increase(total[${ms / 1000}s])`
  return `      - alert: ${name}\n        expr: (${ratio(longMs)}) > ${threshold} and (${ratio(shortMs)}) > ${threshold}\n`
}

/** Seconds after the errors began at which a tier fires by promtool: the first evaluation (each 10 s up to `lastS`) with the alert; null: none. */
export function promtoolFires(objective: Objective, tierName: string, errorRatio: number, calmS: number, lastS: number): number | null {
  const tier = objective.tiers.find(({ name }) => name === tierName)
  if (!tier) return null
  const dir = mkdtempSync(join(tmpdir(), 'promtool-'))
  try {
    writeFileSync(join(dir, 'rules.yml'), `groups:\n  - name: slo\n    interval: 10s\n    rules:\n${ruleOf('burn', tier)}`)
    const total = 10_000
    const bad = Math.round(errorRatio * total)
    const calm = Math.floor(calmS / STEP_S)
    const steps = Math.ceil(lastS / STEP_S)
    const series = (perStep: number, calmPerStep: number): string =>
      `0+${calmPerStep}x${calm} ${calm * calmPerStep + perStep}+${perStep}x${steps}`
    const fires = (atS: number): boolean => {
      const test = [
        'rule_files: [rules.yml]',
        'evaluation_interval: 10s',
        'tests:',
        '  - interval: 10s',
        '    input_series:',
        `      - { series: good, values: '${series(total - bad, total)}' }`,
        `      - { series: total, values: '${series(total, total)}' }`,
        '    alert_rule_test:',
        `      - { eval_time: ${calmS + atS}s, alertname: burn, exp_alerts: [{ exp_labels: {} }] }`,
      ].join('\n')
      writeFileSync(join(dir, 'test.yml'), test)
      return spawnSync('promtool', ['test', 'rules', 'test.yml'], { cwd: dir, stdio: 'ignore' }).status === 0
    }
    if (!fires(lastS)) return null
    // Errors do not stop, so once it fires it goes on firing: halve.
    let low = 0
    let high = steps
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (fires(middle * STEP_S)) high = middle
      else low = middle
    }
    return high * STEP_S
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** The same by our own evaluation, of that tier alone. */
export function oursFires(objective: Objective, tierName: string, errorRatio: number, calmS: number, lastS: number): number | null {
  const only: Objective = { ...objective, tiers: objective.tiers.filter(({ name }) => name === tierName) }
  const series = new SliSeries()
  const startMs = 1_700_000_040_000
  const total = 10_000
  const bad = Math.round(errorRatio * total)
  for (let at = -calmS; at < 0; at += STEP_S) series.put(startMs + at * 1000, { good: total, total })
  for (let at = 0; at < lastS; at += STEP_S) {
    series.put(startMs + at * 1000, { good: total - bad, total })
    if (burnAt(only, series, startMs + (at + STEP_S) * 1000, []) !== null) return at + STEP_S
  }
  return null
}
