import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LogClock } from '../../../src/server/state/log-clock.ts'

/** A clock on a machine whose wall clock may be set. */
function machine(startMs: number) {
  let [wall, ms] = [startMs, 0]
  const clock = new LogClock(
    () => wall,
    () => ms,
  )
  return {
    clock,
    pass: (by: number): void => {
      wall += by
      ms += by
    },
    set: (to: number): void => void (wall = to),
    wall: () => wall,
  }
}

test('log time is the wall clock, and never before the last entry', () => {
  const { clock, pass } = machine(1000)
  expect(clock.now(0)).toBe(1000)
  pass(500)
  expect(clock.now(1000)).toBe(1500)
  expect(clock.now(9000)).toBe(9000)
})

test('a wall clock that is behind the last entry does not hold log time up', () => {
  const { clock, pass, set } = machine(1000)
  expect(clock.now(61_000)).toBe(61_000)
  pass(10_000)
  expect(clock.now(61_000)).toBe(66_000)
  // With each entry it goes on from there, and not back.
  expect(clock.now(66_000)).toBe(66_000)
  pass(10_000)
  expect(clock.now(66_000)).toBe(71_000)
  set(200_000)
  expect(clock.now(71_000)).toBe(200_000)
})

test('a wall clock that is set back again and again does not hold it up either', () => {
  const { clock, pass, set } = machine(100_000)
  expect(clock.now(100_000)).toBe(100_000)
  // No entry comes: who waits for 20 s after the last one gets there in 40.
  for (let i = 0; i < 8; i += 1) {
    pass(5000)
    set(90_000)
    clock.now(100_000)
  }
  expect(clock.now(100_000)).toBe(120_000)
})

test('a wall clock that was ahead for a moment is forgotten, unless an entry was written meanwhile', () => {
  const { clock, pass, set } = machine(100_000)
  clock.now(100_000)
  set(90_000_000)
  expect(clock.now(100_000)).toBe(90_000_000)
  set(101_000)
  pass(1000)
  expect(clock.now(100_000)).toBe(102_000)
})

test('after twice the time by which the wall clock was behind, log time is the wall clock again', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10 ** 9 }),
      fc.array(fc.integer({ min: 0, max: 10 ** 8 }), { maxLength: 20 }),
      (behind, steps) => {
        const { clock, pass, wall } = machine(10 ** 9)
        let lastAt = clock.now(10 ** 9 + behind)
        let passed = 0
        for (const step of [...steps, 2 * behind]) {
          pass(step)
          passed += step
          const before = lastAt
          // Each reading is written down: that must not keep it ahead.
          lastAt = clock.now(lastAt)
          expect(lastAt).toBeGreaterThanOrEqual(Math.max(before, wall()))
          if (passed >= 2 * behind) expect(lastAt).toBe(wall())
        }
      },
    ),
  )
})
