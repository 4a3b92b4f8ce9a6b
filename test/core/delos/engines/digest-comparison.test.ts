import { describe, expect, test } from 'vitest'
import { DigestComparison, MARKS_MAX } from '../../../../src/core/delos/engines/digest-comparison.ts'

const mark = (position: number, digest: number): { position: number; digest: number } => ({ position, digest })

describe('of three servers', () => {
  test('the one that two others contradict is the odd one; until the second was heard nothing is said', () => {
    const odd = new DigestComparison(() => 3)
    odd.applied(1000, 7)
    odd.heard('b', [mark(1000, 8)])
    expect(odd.verdict).toEqual({ kind: 'fine' })
    odd.heard('c', [mark(1000, 8)])
    expect(odd.verdict).toEqual({ kind: 'odd', position: 1000, mine: 7, theirs: 8 })
  })

  test('one of the majority goes on, and can say who is odd', () => {
    const right = new DigestComparison(() => 3)
    right.heard('b', [mark(1000, 8)])
    right.heard('c', [mark(1000, 7)])
    right.applied(1000, 8)
    expect(right.verdict).toEqual({ kind: 'fine' })
    expect(right.oddOnes()).toEqual(['c'])
    expect(right.agreedPosition()).toBe(1000)
  })

  test('when all three differ nobody is right', () => {
    const one = new DigestComparison(() => 3)
    one.heard('b', [mark(1000, 8)])
    one.heard('c', [mark(1000, 9)])
    one.applied(1000, 7)
    expect(one.verdict).toEqual({ kind: 'split', position: 1000 })
  })

  test('different positions are never compared', () => {
    const one = new DigestComparison(() => 3)
    one.heard('b', [mark(2000, 8)])
    one.heard('c', [mark(2000, 8)])
    one.applied(1000, 7)
    expect(one.verdict).toEqual({ kind: 'fine' })
  })
})

test('one server that is heard twice has one vote', () => {
  const one = new DigestComparison(() => 5)
  one.applied(1000, 7)
  for (let i = 0; i < 5; i += 1) one.heard('b', [mark(1000, 8)])
  one.heard('c', [mark(1000, 8)])
  expect(one.verdict).toEqual({ kind: 'fine' })
  one.heard('d', [mark(1000, 8)])
  expect(one.verdict.kind).toBe('odd')
})

test('who was found odd stays so: memory that was wrong does not become right', () => {
  const one = new DigestComparison(() => 3)
  one.applied(1000, 7)
  for (const other of ['b', 'c']) one.heard(other, [mark(1000, 8)])
  one.applied(2000, 9)
  for (const other of ['b', 'c']) one.heard(other, [mark(2000, 9)])
  expect(one.verdict.kind).toBe('odd')
})

test('another copy in the place of one that was found odd is judged anew, by what it is itself', () => {
  const one = new DigestComparison(() => 3)
  one.applied(1000, 7)
  for (const other of ['b', 'c']) one.heard(other, [mark(1000, 8)])
  expect(one.verdict.kind).toBe('odd')
  one.beginAnew()
  // They say it again and again.
  for (const other of ['b', 'c']) one.heard(other, [mark(1000, 8)])
  expect([one.verdict.kind, one.marks(), one.agreedPosition()]).toEqual(['fine', [], 0])
  for (const other of ['b', 'c']) one.heard(other, [mark(2000, 9)])
  one.applied(2000, 9)
  expect([one.verdict.kind, one.agreedPosition()]).toEqual(['fine', 2000])
  one.applied(3000, 1)
  for (const other of ['b', 'c']) one.heard(other, [mark(3000, 2)])
  expect(one.verdict.kind).toBe('odd')
})

test('after a split newer marks are kept to oneself, until a majority of others who began anew is alike with this one, or is not', () => {
  const split = (): DigestComparison => {
    const one = new DigestComparison(() => 3)
    one.applied(1000, 7)
    one.heard('b', [mark(1000, 8)])
    one.heard('c', [mark(1000, 9)])
    one.applied(2000, 70)
    return one
  }
  const right = split()
  // The others still have to find it out; what comes after is no use to those who began anew.
  expect([right.verdict.kind, right.marks()]).toEqual(['split', [mark(1000, 7)]])
  right.heard('b', [mark(2000, 70)])
  expect([right.verdict.kind, right.marks()]).toEqual(['fine', [mark(1000, 7), mark(2000, 70)]])
  right.heard('c', [mark(2000, 71)])
  expect(right.verdict.kind).toBe('fine')

  const wrong = split()
  wrong.heard('b', [mark(2000, 71)])
  expect(wrong.verdict).toEqual({ kind: 'split', position: 1000 })
  wrong.heard('c', [mark(2000, 71)])
  expect(wrong.verdict).toEqual({ kind: 'odd', position: 2000, mine: 70, theirs: 71 })
})

test('of two servers that differ neither is right; one alone compares with nobody', () => {
  const two = new DigestComparison(() => 2)
  two.applied(1000, 7)
  expect(two.verdict.kind).toBe('fine')
  two.heard('b', [mark(1000, 8)])
  expect(two.verdict).toEqual({ kind: 'split', position: 1000 })
  const alone = new DigestComparison(() => 1)
  alone.applied(1000, 7)
  expect([alone.verdict.kind, alone.agreedPosition()]).toEqual(['fine', 1000])
})

test('only so many marks are remembered', () => {
  const one = new DigestComparison(() => 3)
  for (let i = 1; i <= MARKS_MAX * 3; i += 1) one.applied(i * 1000, i)
  expect(one.marks()).toHaveLength(MARKS_MAX)
  expect(one.marks().at(-1)).toEqual(mark(MARKS_MAX * 3000, MARKS_MAX * 3))
})
