import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { NodeReport } from '../../../src/core/contracts/node.ts'
import { Beat } from '../../../src/server/tw/beat.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'Date'] }))
afterEach(() => void vi.useRealTimers())

const report = (instance: number, seq: number, bootId = 'b1'): NodeReport => ({
  identity: { node: 'n1', bootId, pid: 1, region: '', zone: '', rack: '', address: '', cpuMilli: 0, memoryBytes: 0, attributes: {} },
  ...{ instance, seq, position: 0, meshPosition: 0, gateway: null, tasks: [], faults: [] },
})

test('a step of the clock makes no beat older', () => {
  const beat = new Beat()
  beat.hear(report(1, 1))
  vi.setSystemTime(Date.now() + 3_600_000)
  expect(beat.ageMs).toBe(0)
  vi.advanceTimersByTime(500)
  expect(beat.ageMs).toBe(500)
})

test('a late or doubled report is none, and keeps nobody alive', () => {
  const beat = new Beat()
  expect(beat.hear(report(1, 2))).toBe(true)
  vi.advanceTimersByTime(700)
  expect(beat.hear(report(1, 2))).toBe(false)
  expect(beat.hear(report(1, 1))).toBe(false)
  expect(beat.ageMs).toBe(700)
})

test('while an agent lives, no other one is its node: not of this boot, and not of another machine', () => {
  const beat = new Beat()
  beat.connect('n1', { bootId: 'b1', instance: 1 })
  beat.hear(report(1, 1))
  for (const other of [report(2, 1), report(1, 1, 'b2')]) {
    expect(() => beat.connect('n1', { bootId: other.identity.bootId, instance: other.instance })).toThrow(
      expect.objectContaining({ code: 'TW_NODE_CLAIMED' }),
    )
    expect(() => beat.hear(other)).toThrow(expect.objectContaining({ code: 'TW_NODE_CLAIMED' }))
  }
  expect(beat.hear(report(1, 2))).toBe(true)
})

test('the next life takes over as soon as the one before has let go, or was not heard for a while', () => {
  const beat = new Beat()
  beat.connect('n1', { bootId: 'b1', instance: 1 })
  beat.hear(report(1, 1))
  beat.disconnect()
  beat.connect('n1', { bootId: 'b1', instance: 2 })
  expect(beat.hear(report(2, 1))).toBe(true)
  expect(beat.hear(report(1, 9))).toBe(false)
  vi.advanceTimersByTime(3000)
  beat.connect('n1', { bootId: 'b2', instance: 1 })
  expect(beat.hear(report(1, 1, 'b2'))).toBe(true)
})
