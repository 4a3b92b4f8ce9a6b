import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createHealth, isEjected, isPanic, observeOutcome, type Outcome } from '../../../../src/core/tw/mesh/outlier.ts'

const POLICY = 340_000
const poolOf = (count: number) => Array.from({ length: count }, createHealth)

describe('outlier ejection', () => {
  it('five connect failures in a row eject one of three for 30 s, then 60 s', () => {
    const pool = poolOf(3)
    const sick = pool[0]!
    for (let i = 0; i < 4; i += 1) expect(observeOutcome(pool, sick, 'connect', i, POLICY)).toBe(false)
    expect(observeOutcome(pool, sick, 'connect', 4, POLICY)).toBe(true)
    expect([isEjected(sick, 30_003), isEjected(sick, 30_004)]).toEqual([true, false])
    for (let i = 0; i < 5; i += 1) observeOutcome(pool, sick, 'connect', 40_000, POLICY)
    expect([isEjected(sick, 99_999), isEjected(sick, 100_000)]).toEqual([true, false])
  })

  it('a success in between starts the count again', () => {
    const pool = poolOf(3)
    for (let i = 0; i < 40; i += 1) expect(observeOutcome(pool, pool[0]!, i % 5 === 4 ? 'ok' : 'error', i, POLICY)).toBe(false)
  })

  it('one of two stays, and the only one stays', () => {
    for (const count of [1, 2]) {
      const pool = poolOf(count)
      for (let i = 0; i < 50; i += 1) expect(observeOutcome(pool, pool[0]!, 'connect', i, POLICY)).toBe(false)
    }
  })

  it('a 5xx of all endpoints alike ejects nobody; of one, while others answer, ejects it', () => {
    const all = poolOf(6)
    for (let i = 0; i < 600; i += 1) expect(observeOutcome(all, all[i % 6]!, 'error', i, POLICY)).toBe(false)
    const one = poolOf(6)
    const ejected = Array.from({ length: 60 }, (_, i) => observeOutcome(one, one[i % 6]!, i % 6 === 0 ? 'error' : 'ok', i, POLICY))
    expect(ejected.indexOf(true)).toBe(24)
  })

  it('never more than the allowed share is ejected, never the last endpoint, never for more than 300 s', () => {
    const event = fc.record({
      who: fc.nat(20),
      outcome: fc.constantFrom<Outcome>('ok', 'error', 'connect', 'connect'),
      afterMs: fc.nat(4000),
    })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0, max: 1_000_000 }),
        fc.array(event, { minLength: 50, maxLength: 400 }),
        (count, ejectedMax, events) => {
          const pool = poolOf(count)
          let nowMs = 0
          for (const { who, outcome, afterMs } of events) {
            nowMs += afterMs
            const self = pool[who % count]!
            observeOutcome(pool, self, outcome, nowMs, ejectedMax)
            const ejected = pool.filter((health) => isEjected(health, nowMs)).length
            expect(ejected).toBeLessThanOrEqual(Math.floor((count * ejectedMax) / 1_000_000))
            expect(ejected).toBeLessThan(count)
            expect(self.ejectedUntilMs - nowMs).toBeLessThanOrEqual(300_000)
          }
        },
      ),
    )
  })

  it('panic begins below one half', () => {
    expect([isPanic(2, 4), isPanic(1, 4), isPanic(0, 0)]).toEqual([false, true, false])
  })
})
