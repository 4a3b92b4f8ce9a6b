import { expect, test } from 'vitest'
import { SRM_LOG_THRESHOLD, expectedCanaryUnits, srmLogE } from '../../../../src/core/kernel/stats/srm.ts'
import { chiSquare99, taskSpread, toleranceOf } from '../../../../src/core/kernel/stats/tolerance.ts'
import { variates } from './random.ts'

test('a canary that gets half of what it was sent is found, one that gets 95 % is not', () => {
  expect(srmLogE(250, 9500, 0.05)).toBeGreaterThan(SRM_LOG_THRESHOLD)
  expect(srmLogE(475, 9500, 0.05)).toBeLessThan(SRM_LOG_THRESHOLD)
  expect(expectedCanaryUnits(9500, 0.05)).toBeCloseTo(500)
})

test('a canary that gets more than its share is no sample ratio failure', () => {
  expect(srmLogE(900, 9500, 0.05)).toBeLessThan(0)
})

test('the spread between tasks is 0 for chance alone, and found when it is there', () => {
  const { poisson, normal } = variates(2)
  const chance = Array.from({ length: 50 }, () => poisson(60))
  const spread = Array.from({ length: 50 }, () => poisson(60 * Math.exp(0.3 * normal())))
  expect(taskSpread(chance)).toBe(0)
  expect(taskSpread(spread)).toBeGreaterThan(0.18)
  expect(taskSpread(spread)).toBeLessThan(0.45)
})

test('too few tasks to learn from count as a spread of 0.2', () => {
  expect(taskSpread([1, 2, 3])).toBe(0.2)
  expect(toleranceOf(0.2, 4)).toBeCloseTo(Math.exp(0.26) - 1)
})

test('χ² at 1 % agrees with the tables', () => {
  expect(chiSquare99(7)).toBeCloseTo(18.475, 0)
  expect(chiSquare99(49)).toBeCloseTo(74.92, 0)
})
