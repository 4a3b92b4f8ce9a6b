/** Bad events a page stands on; on fewer it is a ticket that says how many there were. */
export const BAD_EVENTS_MIN = 10
/** A threshold above this share of errors could hardly be reached, so it is lowered to it. */
export const ERROR_RATIO_MAX = 0.5

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

export interface TierRule {
  name: 'fast' | 'quick' | '1' | '2' | '3' | '4'
  /** burn rate over both windows */
  factor: number
  longMs: number
  shortMs: number
  /** level of the incident; 4 is a ticket, nobody is paged */
  sev: 2 | 3 | 4
}

/**
 * Multi-window, multi-burn-rate alerts (The Site Reliability Workbook, chapter 5, "Alerting on SLOs", method 6), with two
 * faster pairs before them. 80 and not 100 in the first, so that 5 % of errors at 99.95 % page within 120 s. Most urgent first.
 */
export const TIERS: readonly TierRule[] = [
  { name: 'fast', factor: 80, longMs: 2 * MINUTE, shortMs: 30 * SECOND, sev: 2 },
  { name: 'quick', factor: 43.2, longMs: 5 * MINUTE, shortMs: 30 * SECOND, sev: 2 },
  { name: '1', factor: 14.4, longMs: HOUR, shortMs: 5 * MINUTE, sev: 2 },
  { name: '2', factor: 6, longMs: 6 * HOUR, shortMs: 30 * MINUTE, sev: 3 },
  { name: '3', factor: 3, longMs: DAY, shortMs: 2 * HOUR, sev: 4 },
  { name: '4', factor: 1, longMs: 3 * DAY, shortMs: 6 * HOUR, sev: 4 },
]

export interface Tier extends TierRule {
  /** share of bad events over both windows above which it burns */
  threshold: number
  /** the factor asked for more than 50 % of errors (or for more than there can be), so the threshold was lowered */
  isClamped: boolean
}

/** The tiers at a target, 0 to 1. */
export function tiersOf(target: number): Tier[] {
  return TIERS.map((rule) => {
    const threshold = Number((rule.factor * (1 - target)).toFixed(9))
    return { ...rule, threshold: Math.min(threshold, ERROR_RATIO_MAX), isClamped: threshold > ERROR_RATIO_MAX }
  })
}

/** Longest first: how far back any tier looks, ms. */
export const TIER_LOOK_BACK_MS = Math.max(...TIERS.map(({ longMs }) => longMs))

/** Place in {@link TIERS}; lower is more urgent. */
export function tierRank(name: string): number {
  return TIERS.findIndex((tier) => tier.name === name)
}
