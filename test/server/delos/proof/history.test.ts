import { describe, expect, test } from 'vitest'
import {
  checkAcknowledged,
  checkPairs,
  checkRevisions,
  checkWatch,
  stateAfter,
  type PairInput,
  type PairOutput,
  type Recorded,
} from '../../../../bench/soak/history.ts'

/** One operation from `at` to `until` (ms). */
function done(at: number, until: number, input: PairInput, output: PairOutput, revision = 0): Recorded {
  const hasChanged = input.kind === 'put' || output.isSwapped === true || (input.kind === 'delete' && output.before.some(Boolean))
  return { pair: 'p', input, output, calledAt: at, returnedAt: until, revision, hasChanged }
}
const open = (at: number, input: PairInput): Recorded => ({
  pair: 'p',
  input,
  output: null,
  calledAt: at,
  returnedAt: Infinity,
  revision: 0,
  hasChanged: false,
})
const put = (value: string): PairInput => ({ kind: 'put', side: 0, value })
const get: PairInput = { kind: 'get' }
const verdict = (...history: Recorded[]): string | undefined =>
  Object.entries(checkPairs(history)).find(([, pairs]) => pairs.length > 0)?.[0]

describe('a history', () => {
  test('of a write and a later read of it is linearizable; a read of what was before is not', () => {
    const written = done(0, 10, put('1'), { before: [null] })
    expect(verdict(written, done(20, 30, get, { before: ['1', null] }))).toBe('linearizable')
    expect(verdict(written, done(20, 30, get, { before: [null, null] }))).toBe('violation')
    expect(verdict(written, done(5, 30, get, { before: [null, null] }))).toBe('linearizable')
  })

  test('in which a write of unknown outcome shows late, or never, is linearizable; one in which it comes and goes is not', () => {
    const unknown = open(0, put('1'))
    const before = done(20, 30, get, { before: [null, null] })
    const after = done(40, 50, get, { before: ['1', null] })
    expect(verdict(unknown, before)).toBe('linearizable')
    expect(verdict(unknown, before, after)).toBe('linearizable')
    expect(verdict(unknown, after, done(60, 70, get, { before: [null, null] }))).toBe('violation')
  })

  test('in which an acknowledged write is gone without a trace is a violation, also if only who overwrites it is told so', () => {
    expect(verdict(done(0, 10, put('1'), { before: [null] }), done(20, 30, put('2'), { before: [null] }))).toBe('violation')
  })

  test('in which two swaps of the same value are both made is a violation, and so is half of one', () => {
    const swap = (value: string): PairInput => ({ kind: 'swap', expected: null, value })
    const one = done(0, 10, swap('1'), { before: [null, null], isSwapped: true })
    expect(verdict(one, done(5, 20, swap('2'), { before: ['1', '1'], isSwapped: false }))).toBe('linearizable')
    expect(verdict(one, done(5, 20, swap('2'), { before: [null, null], isSwapped: true }))).toBe('violation')
    expect(verdict(one, done(20, 30, get, { before: ['1', null] }))).toBe('violation')
  })
})

describe('revisions', () => {
  test('that fall between an answer and a later question, of whatever key, are found', () => {
    const one = done(0, 10, put('1'), { before: [null] }, 5)
    expect(checkRevisions([one, done(20, 30, get, { before: ['1', null] }, 5)])).toEqual([])
    expect(checkRevisions([one, { ...done(20, 30, get, { before: [null, null] }, 4), pair: 'q' }])).toHaveLength(1)
    expect(checkRevisions([one, done(5, 30, get, { before: [null, null] }, 4)])).toEqual([])
  })

  test('that two changes share are found', () => {
    const one = done(0, 10, put('1'), { before: [null] }, 5)
    expect(checkRevisions([one, done(5, 20, put('2'), { before: ['1'] }, 5)])).toHaveLength(1)
  })
})

describe('a watch', () => {
  const event = (revision: number, key = 'k', value: string | null = 'v') => ({ revision, key, value })

  test('of every revision, with several keys in one, is as it has to be', () => {
    expect(checkWatch('w', [event(2), event(3, 'a'), event(3, 'b'), event(4)], 2, 4)).toEqual([])
  })

  test('that leaves one out, says one twice, goes back, or ends too early is found', () => {
    expect(checkWatch('w', [event(2), event(4)], 2, 4)).toHaveLength(1)
    expect(checkWatch('w', [event(2), event(3), event(3)], 2, 3)).toHaveLength(1)
    expect(checkWatch('w', [event(2), event(3), event(2)], 2, 3)).toHaveLength(1)
    expect(checkWatch('w', [event(2), event(3)], 2, 4)).toHaveLength(1)
    expect(checkWatch('w', [event(3)], 2, 3)).toHaveLength(1)
  })

  test('without an acknowledged change, or with it at another revision, is found', () => {
    const written = done(0, 10, put('v'), { before: [null] }, 3)
    expect(checkAcknowledged([written], [event(3, 'p/x', 'v')])).toEqual([])
    expect(checkAcknowledged([written], [event(4, 'p/x', 'v')])).toHaveLength(1)
    expect(checkAcknowledged([written], [event(3, 'p/x', 'w')])).toHaveLength(1)
    expect(checkAcknowledged([written], [])).toHaveLength(1)
  })

  test('tells what is there in the end', () => {
    const events = [event(2, 'a', '1'), event(3, 'b', '2'), event(4, 'a', '3'), event(5, 'b', null)]
    expect([...stateAfter(events)]).toEqual([['a', '3']])
  })
})
