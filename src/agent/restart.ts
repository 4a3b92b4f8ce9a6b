import { hashText } from '../core/kernel/hash.ts'

const DELAY_MAX_MS = 300_000
/** Running this long without trouble forgets earlier restarts. */
export const SETTLED_AFTER_MS = 600_000

export interface RestartPolicy {
  attempts: number
  intervalMs: number
  delayMs: number
  mode: 'fail' | 'delay'
}

/**
 * What follows an exit: wait so many ms and start again, or give up.
 * The delay doubles with each restart inside the interval up to five minutes, plus 0–25 % that depends on task and
 * incarnation only, so that a fleet's tasks do not come back in step and a replay gives the same times.
 * @param restartTimes earlier automatic restarts, ms since the epoch
 */
export function nextRestart(
  policy: RestartPolicy,
  restartTimes: readonly number[],
  now: number,
  who: { id: number; incarnation: number },
): { kind: 'restart'; delayMs: number } | { kind: 'fail' } {
  const recent = restartTimes.filter((at) => now - at < policy.intervalMs)
  if (policy.attempts === 0) return { kind: 'fail' }
  if (recent.length >= policy.attempts && policy.mode === 'fail') return { kind: 'fail' }
  const doubled = Math.min(policy.delayMs * 2 ** Math.min(recent.length, 30), DELAY_MAX_MS)
  const jitter = (hashText(`${who.id}/${who.incarnation + restartTimes.length}`) % 250) / 1000
  const delayMs = Math.round(doubled * (1 + jitter))
  if (recent.length < policy.attempts) return { kind: 'restart', delayMs }
  // Mode `delay`: the attempts are used up, so wait until the oldest of them leaves the interval.
  const oldest = recent[0] ?? now
  return { kind: 'restart', delayMs: Math.max(delayMs, oldest + policy.intervalMs - now) }
}
