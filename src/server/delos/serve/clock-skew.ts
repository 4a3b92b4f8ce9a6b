import type { Logger } from '../../../platform/logger.ts'
import { Seldom } from '../quorum/seldom.ts'
import type { Aside } from './aside.ts'

/** A difference of clocks that is worth a word: leases do not depend on it, but times in logs, tokens and certificates do. */
const SKEW_MAX_MS = 500
/** What is heard may have been on its way for long; the least of so many is taken. */
const SAMPLES = 8
const WALL_CLOCK = 'clock.wall'

export interface ClockSkews {
  /** by server, ms that its clock is ahead of ours; those heard often enough */
  readonly aheadMs: ReadonlyMap<string, number>
}

/** Compares the wall clocks of the servers and logs who is off. @param self id in hexadecimal, as it is logged */
export function watchClocks(aside: Aside, self: string, log: Logger, now: () => number = Date.now): ClockSkews {
  const delays = new Map<string, number[]>()
  const aheadMs = new Map<string, number>()
  const seldom = new Seldom()
  aside.announce(WALL_CLOCK, () => ({ id: self, atMs: now() }))
  aside.onTell(WALL_CLOCK, ({ id, atMs }: { id: string; atMs: number }) => {
    // Ours minus theirs: the way it took, and how far theirs is behind.
    const latest = [...(delays.get(id) ?? []), now() - atMs].slice(-SAMPLES)
    delays.set(id, latest)
    if (latest.length < SAMPLES) return
    const skewMs = -Math.min(...latest)
    aheadMs.set(id, skewMs)
    if (Math.abs(skewMs) > SKEW_MAX_MS && seldom.isDue(id))
      log.warn('the clock of another server differs from ours', { server: id, aheadMs: Math.round(skewMs) })
  })
  return { aheadMs }
}
