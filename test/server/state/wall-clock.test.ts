import { expect, test, vi } from 'vitest'
import { clockLeadMs, WallClock } from '../../../src/server/state/wall-clock.ts'

const HOUR = 3_600_000
const clocks = (...offsets: (number | null)[]) => offsets.map((off) => ({ isReachable: off !== null, clockOffMs: off ?? 0 }))

test.each([
  ['one that most are behind is ahead by as much', clocks(0, -HOUR, -HOUR + 20), HOUR - 20],
  ['one that is right is not held back by one that is behind', clocks(0, 10, -HOUR), 0],
  ['nor by one that is ahead', clocks(0, 10, HOUR), 0],
  ['of two nobody knows which is wrong', clocks(0, -HOUR), 0],
  ['nor of three when one does not answer', clocks(0, -HOUR, null), 0],
  ['most of five are enough', clocks(0, -HOUR, -HOUR, null, null), HOUR],
  ['three of seven are not', clocks(0, -HOUR, -HOUR, null, null, null, null), 0],
  ['of four that differ two by two it is believed', clocks(0, 0, -HOUR, -HOUR), 0],
  ['one that is behind is not pushed', clocks(0, HOUR, HOUR), 0],
  ['a little is tolerated', clocks(0, -400, -400), 0],
])('%s', (_what, servers, lead) => {
  expect(clockLeadMs(servers)).toBe(lead)
})

test('a clock that is ahead of the others is held back from when they have said so', () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  try {
    const clock = new WallClock(() => 10 * HOUR)
    expect(clock.now()).toBe(10 * HOUR)
    clock.compareWith(() => clocks(0, -HOUR, -HOUR))
    vi.advanceTimersByTime(1000)
    expect(clock.now()).toBe(9 * HOUR)
    clock.compareWith(() => clocks(0, 0, 0))
    vi.advanceTimersByTime(1000)
    expect(clock.now()).toBe(10 * HOUR)
  } finally {
    vi.useRealTimers()
  }
})
