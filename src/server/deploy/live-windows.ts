import { BREAKER_WINDOW_MS } from '../../core/deploy/analysis/breaker.ts'
import { observe, type JudgeState } from '../../core/deploy/analysis/judge.ts'
import type { ArmWindow, Window } from '../../core/deploy/analysis/policy.ts'
import type { LiveAnswer } from '../../core/scuba/live/aggregate.ts'

/** A second is final once rows this much newer have come, or once it is this old: proxies report every few hundred ms. */
const SETTLE_MS = 700
const QUIET_MS = 3000

export type JudgedArm = 'canary' | 'control'

/** To which side requests of an arm of scuba's answer belong at a time; null: to none. */
export type ArmAt = (arm: string, atMs: number) => JudgedArm | null

/** Requests, and those of them that failed. */
export interface Units {
  units: number
  failing: number
}

/** Second since the epoch → what each arm had in it. */
export type Seconds = ReadonlyMap<number, Readonly<Record<JudgedArm, Units & { hist: Map<number, number> }>>>

/** How far a judge has read. */
export interface Reading {
  judge: JudgeState
  /** windows before this are consumed */
  cursorMs: number
  /** `arm\0user` that failed already */
  failing: Set<string>
}

/** The answer by second and arm. */
export function secondsOf(answer: LiveAnswer, armAt: ArmAt): Seconds {
  const seconds = new Map<number, Record<JudgedArm, Units & { hist: Map<number, number> }>>()
  for (const bucket of answer.buckets) {
    const side = armAt(bucket.arm, bucket.second * 1000)
    if (side === null) continue
    const second = seconds.get(bucket.second) ?? {
      canary: { units: 0, failing: 0, hist: new Map() },
      control: { units: 0, failing: 0, hist: new Map() },
    }
    seconds.set(bucket.second, second)
    const arm = second[side]
    arm.units += bucket.requests
    arm.failing += bucket.failing
    for (const [i, n] of Object.entries(bucket.hist)) arm.hist.set(Number(i), (arm.hist.get(Number(i)) ?? 0) + n)
  }
  return seconds
}

/**
 * Gives the judge every second that is final, once, in order.
 * @param before what becomes of the judge before the window that begins there
 */
export function readWindows(
  reading: Reading,
  answer: LiveAnswer,
  seconds: Seconds,
  armAt: ArmAt,
  before: (judge: JudgeState, fromMs: number) => JudgeState = (judge) => judge,
): void {
  const endMs = Math.floor(Math.max(answer.hotToMs - SETTLE_MS, answer.nowMs - QUIET_MS) / 1000) * 1000
  const newlyFailing: { side: JudgedArm; firstMs: number }[] = []
  for (const { user, arm, firstMs } of answer.failingUsers) {
    const side = armAt(arm, firstMs)
    if (side === null || firstMs >= endMs || firstMs < reading.judge.fromMs || reading.failing.has(`${side}\0${user}`)) continue
    reading.failing.add(`${side}\0${user}`)
    newlyFailing.push({ side, firstMs })
  }
  for (let fromMs = reading.cursorMs; fromMs + 1000 <= endMs; fromMs += 1000) {
    const second = seconds.get(fromMs / 1000)
    // A row that came late belongs to a second that is gone: it counts in the oldest that is left.
    const isHere = (firstMs: number): boolean => firstMs < fromMs + 1000 && (firstMs >= fromMs || fromMs === reading.cursorMs)
    const armWindow = (side: JudgedArm): ArmWindow => {
      const { units, hist } = second?.[side] ?? { units: 0, hist: new Map<number, number>() }
      const failing = newlyFailing.filter((one) => one.side === side && isHere(one.firstMs)).length
      return { units, failing: Math.min(units, failing), hist }
    }
    const window: Window = {
      ...{ fromMs, durationMs: 1000, coverage: answer.coverage },
      ...{ canary: armWindow('canary'), control: armWindow('control') },
    }
    reading.judge = observe(before(reading.judge, fromMs), window)
  }
  reading.cursorMs = Math.max(reading.cursorMs, endMs)
}

/** What the breaker looks at: an arm's last seconds, hot or not. */
export function recentUnits(seconds: Seconds, side: JudgedArm, nowMs: number): Units {
  const total = { units: 0, failing: 0 }
  for (const [second, counts] of seconds) {
    if (second * 1000 < nowMs - BREAKER_WINDOW_MS) continue
    total.units += counts[side].units
    total.failing += counts[side].failing
  }
  return total
}
