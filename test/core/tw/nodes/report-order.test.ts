import { expect, test } from 'vitest'
import { isLater } from '../../../../src/core/tw/nodes/report-order.ts'
import { jobRun, tasksReport } from '../../../../src/core/tw/operations.ts'
import { newSimulatedFleet, WEB } from '../../../support/tw-fleet.ts'

const mark = (instance: number, seq: number, bootId = 'b1') => ({ bootId, instance, seq })

test('the next report of a life is later, and so is any of the next life and of the next boot', () => {
  expect(isLater(undefined, mark(5, 1))).toBe(true)
  expect(isLater(mark(5, 7), mark(5, 8))).toBe(true)
  expect(isLater(mark(5, 7), mark(9, 1))).toBe(true)
  expect(isLater(mark(5, 7), mark(1, 1, 'b2'))).toBe(true)
})

test('a doubled one, one that was overtaken, and one of an earlier life are not', () => {
  for (const old of [mark(5, 7), mark(5, 6), mark(4, 99)]) expect(isLater(mark(5, 7), old)).toBe(false)
})

test('a late report does not take a serving task back, and neither does one that comes twice', () => {
  const fleet = newSimulatedFleet({ nodes: 1 })
  fleet.state.run(jobRun, { spec: { ...WEB, groups: { api: { ...WEB.groups.api, count: 1 } } } })
  fleet.pass(5000)
  const row = () => fleet.state.db.get<{ id: number; state: string; health: string }>('SELECT id, state, health FROM tw_task')
  const { id } = row() as { id: number }
  const report = (seq: number, health: 'starting' | 'healthy') => ({
    ...{ node: 'n1', bootId: 'boot-1', instance: 1, seq },
    tasks: [
      {
        id,
        task: 'web/api[0]',
        incarnation: 1,
        state: 'running' as const,
        health,
        pid: 9,
        ports: {},
        reason: '',
        restarts: 0,
        startedAt: 1,
      },
    ],
  })
  fleet.state.run(tasksReport, report(12, 'healthy'))
  expect(row()).toMatchObject({ health: 'healthy' })
  fleet.state.run(tasksReport, report(11, 'starting'))
  fleet.state.run(tasksReport, report(12, 'starting'))
  expect(row()).toMatchObject({ health: 'healthy' })
  fleet.state.run(tasksReport, report(13, 'starting'))
  expect(row()).toMatchObject({ health: 'starting' })
  expect(fleet.state.replay().digest()).toBe(fleet.state.digest())
})
