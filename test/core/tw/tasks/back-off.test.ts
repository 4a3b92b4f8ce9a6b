import { expect, test } from 'vitest'
import type { TaskRow } from '../../../../src/core/tw/rows.ts'
import { backOff, failuresOf, isFailure, OVERDUE_CAUSE, OVERRUN_CAUSE } from '../../../../src/core/tw/tasks/back-off.ts'
import type { GroupSpec } from '../../../../src/core/tw/job-spec.ts'

const ended = (more: Partial<TaskRow>): TaskRow =>
  ({ id: 16, want: 'run', state: 'failed', stop_cause: null, ended_at: 1000, ...more }) as TaskRow

test('who was asked to go uses up no try, whatever its process made of the signal; who was too late does', () => {
  expect(isFailure(ended({}), false)).toBe(true)
  for (const stop_cause of ['drain of n1', 'room for high/g[0]', 'rebalance', 'update to v2'])
    expect([stop_cause, isFailure(ended({ want: 'stop', stop_cause }), false)]).toEqual([stop_cause, false])
  for (const stop_cause of [OVERDUE_CAUSE, OVERRUN_CAUSE]) expect(isFailure(ended({ want: 'stop', stop_cause }), false)).toBe(true)
  // The loss of its node is none of its own.
  expect(isFailure(ended({ state: 'lost' }), false)).toBe(false)
})

test('a slot waits as its group says, longer each time, and anew after it was forgiven', () => {
  const spec = { reschedule: { delayMs: 1000, factor: 3, maxDelayMs: 5000, attempts: 3, intervalMs: 60_000 } } as GroupSpec
  const failures = (count: number): TaskRow[] => Array.from({ length: count }, () => ended({}))
  expect([0, 1, 2, 3].map((count) => backOff(failures(count), spec, 2000))).toEqual([0, 2000, 4000, 6000])
  expect(backOff(failures(4), spec, 2000)).toBe(null)
  expect(failuresOf(failures(4), false, 1000)).toEqual([])
})
