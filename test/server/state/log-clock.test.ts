import { expect, test } from 'vitest'
import { LogClock } from '../../../src/server/state/log-clock.ts'

test('log time is the wall clock, and never before the last entry', () => {
  let wall = 1000
  const clock = new LogClock(() => wall)
  expect(clock.now(0)).toBe(1000)
  wall = 1500
  expect(clock.now(1000)).toBe(1500)
  expect(clock.now(9000)).toBe(9000)
})

test('a wall clock that is behind the last entry does not hold log time up', () => {
  let wall = 1000
  const clock = new LogClock(() => wall)
  expect(clock.now(61_000)).toBe(61_000)
  wall = 11_000
  expect(clock.now(61_000)).toBe(66_000)
  // With each entry it goes on from there, and not back.
  expect(clock.now(66_000)).toBe(66_000)
  wall = 21_000
  expect(clock.now(66_000)).toBe(71_000)
  // Set back once more.
  wall = 5000
  expect(clock.now(71_000)).toBe(71_000)
  wall = 7000
  expect(clock.now(71_000)).toBe(72_000)
  // In the end the wall clock is in front again.
  wall = 200_000
  expect(clock.now(72_000)).toBe(200_000)
})
