import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { REGISTER, checkLinearizable, simplifyRegister, type Operation, type RegisterInput } from '../../sim/check/linearizability.ts'

type Op = Operation<RegisterInput, number>
const write = (value: number, calledAt: number, returnedAt: number): Op => ({
  input: { kind: 'write', value },
  output: returnedAt === Infinity ? null : 0,
  calledAt,
  returnedAt,
})
const read = (value: number, calledAt: number, returnedAt: number): Op => ({ input: { kind: 'read' }, output: value, calledAt, returnedAt })
const verdict = (...history: Op[]): string => checkLinearizable(REGISTER, history)

describe('good histories pass', () => {
  test('a read sees a write that overlaps it, or not yet', () => {
    expect(verdict(write(1, 0, 10), read(1, 2, 4))).toBe('linearizable')
    expect(verdict(write(1, 0, 10), read(0, 2, 4))).toBe('linearizable')
  })

  test('a write without an answer may take effect late, or never', () => {
    expect(verdict(write(1, 0, Infinity), read(0, 5, 6), read(1, 20, 21))).toBe('linearizable')
    expect(verdict(write(1, 0, Infinity), read(0, 5, 6), read(0, 20, 21))).toBe('linearizable')
  })

  test('whatever one copy answers in some order of points in time is linearizable', () => {
    const steps = fc.array(fc.record({ isRead: fc.boolean(), before: fc.nat(9), after: fc.nat(9), isLost: fc.boolean() }), {
      maxLength: 40,
    })
    fc.assert(
      fc.property(steps, (list) => {
        let value = 0
        const history = list.map(({ isRead, before, after, isLost }, i): Op => {
          const at = 5 * i
          const returnedAt = isLost ? Infinity : at + after
          if (isRead) return { ...read(value, at - before, returnedAt), output: isLost ? null : value }
          value = i + 1
          return write(value, at - before, returnedAt)
        })
        expect(checkLinearizable(REGISTER, history)).toBe('linearizable')
        expect(checkLinearizable(REGISTER, simplifyRegister(history))).toBe('linearizable')
      }),
    )
  })
})

describe('planted bad histories are rejected', () => {
  test('a stale read: the old value after a finished write', () => {
    expect(verdict(write(1, 0, 1), read(0, 2, 3))).toBe('violation')
  })

  test('a value from nowhere', () => {
    expect(verdict(write(1, 0, 1), read(7, 2, 3))).toBe('violation')
  })

  test('going back in time: two reads in turn see new, then old', () => {
    expect(verdict(write(1, 0, 10), read(1, 2, 3), read(0, 4, 5))).toBe('violation')
  })

  test('a lost write: read once, then gone', () => {
    expect(verdict(write(1, 0, 1), write(2, 2, 3), read(2, 4, 5), read(1, 6, 7))).toBe('violation')
  })

  test('a write that takes effect twice', () => {
    expect(verdict(write(1, 0, Infinity), read(1, 2, 3), write(2, 4, 5), read(2, 6, 7), read(1, 8, 9))).toBe('violation')
  })

  test('a read of a write before it was called', () => {
    expect(verdict(read(1, 0, 1), write(1, 2, 3))).toBe('violation')
  })

  test('one changed answer in a long history of one copy', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 2, maxLength: 40 }), fc.nat(), (list, pick) => {
        let value = 0
        const history = list.map((isRead, i): Op => {
          if (isRead) return read(value, 2 * i, 2 * i + 1)
          value = i + 1
          return write(value, 2 * i, 2 * i + 1)
        })
        const reads = history.filter(({ input }) => input.kind === 'read')
        fc.pre(reads.length > 0)
        const chosen = reads[pick % reads.length]
        if (chosen !== undefined) chosen.output = (chosen.output ?? 0) + 1000
        expect(checkLinearizable(REGISTER, history)).toBe('violation')
      }),
    )
  })
})

test('a search that would take too long says so instead of guessing', () => {
  const history = Array.from({ length: 12 }, (_, i) => write(i + 1, 0, 100))
  expect(checkLinearizable(REGISTER, [...history, read(99, 101, 102)], 100)).toBe('undecided')
})
