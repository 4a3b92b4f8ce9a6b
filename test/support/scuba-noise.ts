import { createPrng } from '../../src/core/kernel/prng.ts'
import { AlertReplay } from '../../src/core/scuba/alert/replay.ts'
import { lookBackMs } from '../../src/core/scuba/alert/judge.ts'
import type { CompiledRule } from '../../src/core/scuba/alert/rule.ts'
import type { Objective } from '../../src/core/scuba/slo/objective.ts'
import { SloReplay } from '../../src/core/scuba/slo/replay.ts'
import type { Counts } from '../../src/core/scuba/slo/ring.ts'
import { BUCKET_MS } from '../../src/core/scuba/slo/series.ts'

/*
 * Days of a service with seeded noise, judged by an objective and by an alert rule as a server would: errors far below every threshold,
 * traffic by the hour, incidents among it; rows that come late (in some buckets just the bad ones), spans without a leaf, and restarts of the
 * server, all of them also in the midst of incidents.
 */

const UTC = { tz: 'UTC', version: '', transitions: [{ atMs: 0, offsetSec: 0 }] }
export const NOISE_START = 1_700_000_040_000
const INCIDENT_MS = 600_000
/** After an incident its long windows still burn. */
const AFTER_MS = 3_600_000
/** The newest minute is read again at every look. */
const LATE_BUCKETS = 6
/** A server that is new has all history after so many looks. */
const FILL_ROUNDS = 3

export const NOISE_RULE = {
  ...{ name: 'feed-5xx', table: 'requests', sev: 2, calc: 'ratio(status >= 500)', by: ['service'], every: '10s', delay: '20s' },
  ...{ fire: '> 2%', clear: '< 1%', for: '30s', keep_firing_for: '1m', min_events: 50, no_data: 'notify' },
}

export interface NoiseOptions {
  seed: number
  days: number
  objective: Objective
  rule: CompiledRule
  /** a page has to come within this, and the time without a leaf */
  pageWithinMs: number
  /** of the objective; budgets are summed over it at each look */
  windowDays: number
  /** late rows, spans without a leaf, restarts */
  isDisturbed: boolean
}

export interface NoiseOutcome {
  incidents: number
  leafLosses: number
  restarts: number
  lateBuckets: number
  /** incidents without a page of the objective, and of the rule, in time */
  missed: number
  /** pages that belong to no incident */
  invented: number
  /** an alert was said to be over while its incident went on */
  lost: number
  /** all moves, for comparing replays */
  moves: string
}

interface Bucket {
  startMs: number
  now: Counts
  /** once its late rows are there */
  whole: Counts
  lateMs: number
}

export function simulateNoise({ seed, days, objective, rule, pageWithinMs, windowDays, isDisturbed }: NoiseOptions): NoiseOutcome {
  const random = createPrng(seed)
  const slo = new SloReplay(objective, { window: { kind: 'rolling', ms: windowDays * 86_400_000 }, zone: UTC })
  const alert = new AlertReplay(rule)
  const incidents: number[] = []
  const losses: { fromMs: number; toMs: number }[] = []
  const outcome = { leafLosses: 0, restarts: 0, lateBuckets: 0 }
  let nextIncident = NOISE_START + 4 * 3_600_000
  let [nextLoss, nextRestart] = [NOISE_START + 3_600_000, NOISE_START + 2 * 3_600_000]
  let sinceRestart = Infinity
  let failures = 0
  const kept: Bucket[] = []
  const keptMax = (lookBackMs(rule) + rule.delayMs) / BUCKET_MS + LATE_BUCKETS + 30
  const seen = ({ startMs, now, whole, lateMs }: Bucket, atMs: number): Counts => (atMs >= startMs + BUCKET_MS + lateMs ? whole : now)

  for (let at = NOISE_START; at < NOISE_START + days * 86_400_000; at += BUCKET_MS) {
    const end = at + BUCKET_MS
    if (at >= nextIncident) {
      incidents.push(at)
      nextIncident = at + 8 * 3_600_000 + random.below(40) * 3_600_000
      // Half of them begin with the leaf away, or the server restarted in their midst.
      if (random.below(4) === 0) nextLoss = at + random.below(30) * BUCKET_MS
      if (random.below(4) === 0) nextRestart = at + random.below(50) * BUCKET_MS
    }
    const last = incidents.at(-1)
    const isBad = last !== undefined && at < last + INCIDENT_MS
    const total = 500 + Math.floor(400 * Math.sin((at / 86_400_000) * 2 * Math.PI)) + random.below(100)
    const bad = isBad ? Math.round(total * 0.2) : random.next() < 0.02 ? 1 : 0
    const isLate = isDisturbed && random.next() < 0.05
    const late = isLate
      ? random.below(2) === 0
        ? { good: 0, total: bad }
        : { good: Math.floor((total - bad) / 20), total: Math.floor(total / 20) }
      : { good: 0, total: 0 }
    const whole = { good: total - bad, total }
    kept.push({
      startMs: at,
      whole,
      now: { good: whole.good - late.good, total: total - late.total },
      lateMs: isLate ? 10_000 + random.below(4) * 10_000 : 0,
    })
    if (isLate) outcome.lateBuckets += 1
    if (kept.length > keptMax) kept.shift()

    if (isDisturbed && at >= nextLoss) {
      losses.push({ fromMs: at, toMs: at + (2 + random.below(15)) * BUCKET_MS })
      nextLoss = at + 6 * 3_600_000 + random.below(20) * 3_600_000
      outcome.leafLosses += 1
    }
    if (isDisturbed && at >= nextRestart) {
      // Its series are read from `muster_slo` and the newest rows before it judges; until all is in, nothing ends.
      alert.restart(end)
      sinceRestart = 0
      failures = 0
      nextRestart = at + 12 * 3_600_000 + random.below(24) * 3_600_000
      outcome.restarts += 1
    }
    const isAway = losses.some(({ fromMs, toMs }) => at >= fromMs && at < toMs)
    // The objective: nothing is read while the leaf is away, then what was missed and the newest minute again.
    for (const bucket of kept) if (!isAway) slo.put(bucket.startMs, seen(bucket, end))
    sinceRestart += 1
    if (!isAway) slo.judge(end, sinceRestart > FILL_ROUNDS)
    // The rule, by the buckets of its look-back.
    failures = isAway ? failures + 1 : 0
    const untilMs = Math.floor((end - rule.delayMs) / rule.everyMs) * rule.everyMs
    const buckets = kept
      .filter(({ startMs }) => startMs >= untilMs - lookBackMs(rule) && startMs < untilMs)
      .map((bucket) => ({ bucket, counts: seen(bucket, end) }))
      .map(({ bucket, counts }) => ({
        startMs: bucket.startMs,
        value: counts.total > 0 ? 1 - counts.good / counts.total : null,
        events: counts.total,
      }))
    const groups = isAway ? [] : [{ group: 'service=feed', service: 'feed', buckets }]
    alert.add(untilMs, groups, isAway ? { text: 'the leaf does not answer', count: failures } : null)
  }

  const awayMs = (fromMs: number, toMs: number): number =>
    losses.reduce((sum, loss) => sum + Math.max(0, Math.min(toMs, loss.toMs) - Math.max(fromMs, loss.fromMs)), 0)
  const burns = slo.moves.filter(({ kind, sev }) => (kind === 'burn_started' || kind === 'burn_raised') && sev <= 2).map(({ atMs }) => atMs)
  // Rounds are named by their newest bucket's end, which is `delay` before they are made.
  const fires = alert.moves.filter(({ to, from }) => to === 'firing' && from !== 'recovering').map(({ atMs }) => atMs + rule.delayMs)
  const ends = [
    ...slo.moves.filter(({ kind }) => kind === 'burn_ended').map(({ atMs }) => atMs),
    ...alert.moves.filter(({ to, group }) => to === 'inactive' && group !== '').map(({ atMs }) => atMs),
  ]
  const isPaged = (pages: readonly number[], fromMs: number): boolean =>
    pages.some((atMs) => atMs > fromMs && atMs <= fromMs + pageWithinMs + awayMs(fromMs, atMs) + BUCKET_MS)
  const isOf = (atMs: number): boolean => incidents.some((fromMs) => atMs > fromMs && atMs <= fromMs + AFTER_MS)
  return {
    ...outcome,
    incidents: incidents.length,
    missed: [burns, fires].reduce((sum, pages) => sum + incidents.filter((fromMs) => !isPaged(pages, fromMs)).length, 0),
    invented: [...burns, ...fires].filter((atMs) => !isOf(atMs)).length,
    lost: ends.filter((atMs) => incidents.some((fromMs) => atMs > fromMs + pageWithinMs && atMs < fromMs + INCIDENT_MS)).length,
    moves: JSON.stringify([slo.moves, alert.moves]),
  }
}
