import { logMeanExp, logSpaced, xLogY } from './log-math.ts'

/**
 * Sample ratio: does the canary get what it was sent? A tenth of tolerance, because users are unevenly
 * active: without it a quarter of good canaries would alarm.
 */
const SHARE_TOLERANCE = 0.9
/** Alternatives: the canary gets this part of what the tolerance still allows. */
const SHORTFALLS = logSpaced(0.01, 0.95, 32)
/** ln of the threshold 1e4. */
export const SRM_LOG_THRESHOLD = Math.log(1e4)
/** No canary unit while this many were expected is a failure by itself. */
export const SRM_SILENT_EXPECTED = 30

/** ln E against "the canary gets at least 0.9·share of the units": lower tail only. */
export function srmLogE(canaryUnits: number, controlUnits: number, share: number): number {
  const floor = SHARE_TOLERANCE * share
  return logMeanExp(SHORTFALLS.map((part) => xLogY(canaryUnits, part) + controlUnits * Math.log((1 - part * floor) / (1 - floor))))
}

/** Canary units expected beside this many control units, when the split does what it says. */
export function expectedCanaryUnits(controlUnits: number, share: number): number {
  return (controlUnits * share) / (1 - share)
}
