import type { Logger } from '../../../platform/logger.ts'
import { Seldom } from '../quorum/seldom.ts'

/** A difference of clocks that is worth a word: leases do not depend on it, but times in logs, tokens and certificates do. */
const SKEW_MAX_MS = 500
/** An answer may have been on its way for long; of so many the quickest is believed. */
const SAMPLES = 8

/** Logs whose wall clock is off. What it gives is told each answer to `Aside.onPong`. */
export function watchClocks(log: Logger): (from: bigint, roundTripMs: number, aheadMs: number) => void {
  const answers = new Map<bigint, { roundTripMs: number; aheadMs: number }[]>()
  const seldom = new Seldom()
  return (from, roundTripMs, aheadMs) => {
    const latest = [...(answers.get(from) ?? []), { roundTripMs, aheadMs }].slice(-SAMPLES)
    answers.set(from, latest)
    if (latest.length < SAMPLES) return
    const quickest = latest.reduce((best, one) => (one.roundTripMs < best.roundTripMs ? one : best))
    const server = from.toString(16)
    if (Math.abs(quickest.aheadMs) > SKEW_MAX_MS && seldom.isDue(server))
      log.warn('the clock of another server differs from ours', { server, aheadMs: Math.round(quickest.aheadMs) })
  }
}
