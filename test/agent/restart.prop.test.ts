import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nextRestart, type RestartPolicy } from '../../src/agent/restart.ts'

const policies = fc.record<RestartPolicy>({
  attempts: fc.integer({ min: 1, max: 20 }),
  intervalMs: fc.integer({ min: 1, max: 3_600_000 }),
  delayMs: fc.integer({ min: 1, max: 60_000 }),
  mode: fc.constantFrom('fail', 'delay'),
})
const who = fc.record({ id: fc.nat(), incarnation: fc.integer({ min: 1, max: 1000 }) })

describe('restarting', () => {
  it('waits delay × 2ⁿ up to five minutes plus at most a quarter, the same for the same task each time', () => {
    fc.assert(
      fc.property(policies, who, fc.nat(30), (policy, task, earlier) => {
        const now = 10_000_000
        const times = Array.from({ length: earlier }, () => now - 1)
        const next = nextRestart(policy, times, now, task)
        expect(nextRestart(policy, times, now, task)).toEqual(next)
        const recent = policy.intervalMs > 1 ? earlier : 0
        const isUsedUp = recent >= policy.attempts
        const plain = Math.min(policy.delayMs * 2 ** recent, 300_000)
        const leastMs = isUsedUp ? Math.max(plain, policy.intervalMs - 1) : plain
        const mostMs = Math.max(Math.round(plain * 1.25), leastMs)
        const isRight =
          next.kind === 'fail'
            ? isUsedUp && policy.mode === 'fail'
            : next.delayMs >= leastMs && next.delayMs <= mostMs && !(isUsedUp && policy.mode === 'fail')
        expect(isRight).toBe(true)
      }),
    )
  })

  it('forgets restarts that are older than the interval', () => {
    const policy: RestartPolicy = { attempts: 1, intervalMs: 1000, delayMs: 10, mode: 'fail' }
    expect(nextRestart(policy, [5000], 5500, { id: 1, incarnation: 1 }).kind).toBe('fail')
    expect(nextRestart(policy, [5000], 6000, { id: 1, incarnation: 1 }).kind).toBe('restart')
  })
})
