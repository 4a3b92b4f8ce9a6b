import type { ZoneTable } from '../../kernel/zone.ts'
import type { Objective, Window } from './objective.ts'
import type { Counts, Span } from './ring.ts'
import { BUCKET_MS, FINE_MS, MINUTE_MS, type SliSeries } from './series.ts'
import { BAD_EVENTS_MIN, tierRank, type Tier } from './tiers.ts'
import { windowAt } from './window.ts'

/** A burn is over when no tier has held for this long. */
export const CLEAR_AFTER_MS = 60_000

/** A tier that holds at a moment. */
export interface Burn {
  tier: Tier['name']
  /** of the incident it asks for: the tier's, or 4 when it stands on too few events */
  sev: 2 | 3 | 4
  /** error ratio ÷ (1 − target), over the long and the short window */
  long: number
  short: number
  /** events of the long window */
  bad: number
  total: number
  isFew: boolean
}

/** What the target allows of bad events in the window so far, and what is left of it. */
export interface Budget extends Counts {
  bad: number
  allowed: number
  /** share of `allowed` that is left, at most 1; negative when more was spent than there was; 1 without events */
  left: number
  /** as time of full outage over the whole window at its present rate, ms */
  leftMs: number
}

/** What the data say of one objective at a moment. Soft: it is read again from the rows after a restart. */
export interface SloEvaluation {
  /** log position of the SLO it belongs to */
  version: number
  /** log time it was made; rows up to `asOfMs` are in it */
  atMs: number
  asOfMs: number
  /** the tier that holds now; null: none */
  now: Burn | null
  /** whether any tier held within the last minute */
  hasHeld: boolean
  /** burn rates over 2 min and 1 h, whether or not they are above anything */
  burn2m: number
  burn1h: number
  budget: Budget
  /** the same with what was excluded; null when nothing is excluded in the window */
  budgetWithExcluded: Budget | null
  windowFromMs: number
  windowMs: number
  /** oldest data of the window, ms; null without any */
  dataFromMs: number | null
  /** newest 10 s with events, ms; null when the last hours had none */
  lastEventMs: number | null
  /** all history that is to be had is in: until then nothing ends and no budget is spent */
  isWhole: boolean
}

/** Counts of the window that ends at `atMs`: whole buckets, the newest as far as it is there. */
function windowCounts(series: SliSeries, atMs: number, windowMs: number, skip: readonly Span[]): Counts {
  const step = windowMs < FINE_MS ? BUCKET_MS : MINUTE_MS
  const fromMs = Math.ceil(atMs / step) * step - windowMs
  return step === BUCKET_MS ? series.fine(fromMs, atMs, skip) : series.minutes(fromMs, atMs, skip)
}

const ratioOf = ({ good, total }: Counts): number => (total > 0 ? Math.max(0, total - good) / total : 0)

/** The most severe tier that holds at `atMs`, of those the more urgent; null when none does. */
export function burnAt({ target, tiers }: Objective, series: SliSeries, atMs: number, skip: readonly Span[]): Burn | null {
  let worst: Burn | null = null
  for (const { name, longMs, shortMs, threshold, sev } of tiers) {
    const short = ratioOf(windowCounts(series, atMs, shortMs, skip))
    if (short <= threshold) continue
    const counts = windowCounts(series, atMs, longMs, skip)
    const long = ratioOf(counts)
    if (long <= threshold) continue
    const bad = counts.total - counts.good
    const isFew = sev < 4 && bad < BAD_EVENTS_MIN
    const burn: Burn = {
      tier: name,
      sev: isFew ? 4 : sev,
      long: long / (1 - target),
      short: short / (1 - target),
      bad,
      total: counts.total,
      isFew,
    }
    if (worst === null || burn.sev < worst.sev || (burn.sev === worst.sev && tierRank(burn.tier) < tierRank(worst.tier))) worst = burn
  }
  return worst
}

export function budgetOf(target: number, { good, total }: Counts, windowMs: number): Budget {
  const bad = Math.max(0, total - good)
  const allowed = (1 - target) * total
  const left = allowed > 0 ? 1 - bad / allowed : 1
  return { good, total, bad, allowed, left, leftMs: Math.max(0, left) * (1 - target) * windowMs }
}

export interface EvaluateOptions {
  version: number
  atMs: number
  asOfMs: number
  window: Window
  zone: ZoneTable
  excluded: readonly Span[]
  isWhole: boolean
}

/** Judges the series of an objective by its tiers and its budget. */
export function evaluateSlo(objective: Objective, series: SliSeries, options: EvaluateOptions): SloEvaluation {
  const { version, atMs, asOfMs, window, zone, excluded, isWhole } = options
  const { target } = objective
  const now = burnAt(objective, series, asOfMs, excluded)
  let hasHeld = now !== null
  // Taken from the data, so that a server that comes new needs no memory of when it was last above.
  for (let agoMs = BUCKET_MS; !hasHeld && agoMs < CLEAR_AFTER_MS; agoMs += BUCKET_MS) {
    hasHeld = burnAt(objective, series, Math.floor(asOfMs / BUCKET_MS) * BUCKET_MS - agoMs, excluded) !== null
  }
  const { fromMs, lengthMs } = windowAt(window, asOfMs, zone)
  const inWindow = excluded.filter((span) => span.toMs > fromMs && span.fromMs < asOfMs)
  const burnOver = (windowMs: number): number => ratioOf(windowCounts(series, asOfMs, windowMs, excluded)) / (1 - target)
  const dataFromMs = series.firstMs === null ? null : Math.max(series.firstMs, fromMs)
  return {
    version,
    atMs,
    asOfMs,
    now,
    hasHeld,
    burn2m: burnOver(120_000),
    burn1h: burnOver(3_600_000),
    budget: budgetOf(target, series.minutes(fromMs, asOfMs, inWindow), lengthMs),
    budgetWithExcluded: inWindow.length === 0 ? null : budgetOf(target, series.minutes(fromMs, asOfMs), lengthMs),
    windowFromMs: fromMs,
    windowMs: lengthMs,
    dataFromMs,
    lastEventMs: lastEventMs(series, asOfMs),
    isWhole,
  }
}

/** Start of the newest of the last hour's buckets that has events. */
function lastEventMs(series: SliSeries, asOfMs: number): number | null {
  const newest = Math.floor(asOfMs / BUCKET_MS) * BUCKET_MS
  for (let startMs = newest; startMs > asOfMs - 3_600_000; startMs -= BUCKET_MS)
    if ((series.bucket(startMs)?.total ?? 0) > 0) return startMs
  return null
}
