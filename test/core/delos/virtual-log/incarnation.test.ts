import { expect, test } from 'vitest'
import { isReplayed, withNumber } from '../../../../src/core/delos/virtual-log/incarnation.ts'

test('a number is about the time, and above the last one whatever the clock says', () => {
  expect(withNumber([], 5)).toEqual([5])
  expect(withNumber([5], 9)).toEqual([5, 9])
  expect(withNumber([5], 3)).toEqual([5, 6])
})

test('a directory that was brought back is found out however often it was started since, one that went on never is', () => {
  let original = withNumber(withNumber([], 10), 20)
  let copy = original
  original = withNumber(original, 30)
  const told = original.at(-1) as number
  for (const at of [40, 50, 60]) {
    copy = withNumber(copy, at)
    original = withNumber(original, at)
    expect(isReplayed(copy, told)).toBe(true)
    expect(isReplayed(original, told)).toBe(false)
  }
  // Who was away remembers an old number, also one that the directory has given up.
  expect(isReplayed(original, 10)).toBe(false)
  expect(isReplayed(original, 5)).toBe(false)
  expect(isReplayed(original, null)).toBe(false)
})

test('it remembers so many numbers, and those it gave up prove nothing', () => {
  let own: number[] = []
  for (let at = 1; at <= 1500; at += 1) own = withNumber(own, at)
  expect([own.length, own[0]]).toEqual([1000, 501])
  expect(isReplayed(own, 500)).toBe(false)
})
