import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Entry } from '../../../../src/core/contracts/entry.ts'
import { tasksPlaced } from '../../../../src/core/tw/entries/tasks.ts'
import { jobRun, jobScale, jobStop, nodeCordon, nodeJoin, ps } from '../../../../src/core/tw/operations.ts'
import { taskName, type TaskRow } from '../../../../src/core/tw/rows.ts'
import { twSystem } from '../../../../src/core/tw/system.ts'
import { packRecords } from '../../../../src/core/tw/tasks/records.ts'
import { createEntryRegistry } from '../../../../src/server/state/entry-registry.ts'
import { newState, type TestState } from '../../../support/state.ts'

function fleetOfTwo(): TestState {
  const state = newState([twSystem])
  for (const node of ['n1', 'n2']) {
    state.run(nodeJoin, {
      identity: {
        node,
        bootId: node,
        pid: 1,
        region: 'eu',
        zone: 'a',
        rack: 'r',
        address: '10.0.0.1',
        cpuMilli: 250,
        memoryBytes: 1e9,
        attributes: {},
      },
    })
  }
  state.run(jobRun, {
    spec: {
      job: 'web',
      groups: { api: { count: 3, constraints: ['node.name != n3'], main: { command: 'x', resources: { cpu: '100m', memory: '64MiB' } } } },
    },
  })
  return state
}

const place = (state: TestState, tasks: { index: number; node: string }[], version = 1): void => {
  state.append([tasksPlaced.of({ job: 'web', group: 'api', version, tasks: tasks.map((task) => ({ ...task, why: 'a test' })) })])
}
const placed = (state: TestState): string[] => state.ask(ps, {}).tasks.map((task) => `${task.task} ${task.node}`)
const reasons = (state: TestState): string[] =>
  state.db.all<{ reason: string }>('SELECT reason FROM tw_rejected ORDER BY position, idx').map((row) => row.reason)

test('apply refuses what a planner placed beyond a node, and keeps the rest', () => {
  const state = fleetOfTwo()
  place(state, [
    { index: 0, node: 'n1' },
    { index: 1, node: 'n1' },
    { index: 2, node: 'n1' },
  ])
  expect(placed(state)).toEqual(['web/api[0] n1', 'web/api[1] n1'])
  expect(reasons(state)).toEqual(['stale: not enough cpu'])
})

test('apply refuses lost and cordoned nodes, taken indexes, and versions nobody wants', () => {
  const state = fleetOfTwo()
  state.run(nodeCordon, { node: 'n2' })
  place(state, [
    { index: 0, node: 'n2' },
    { index: 1, node: 'nowhere' },
    { index: 2, node: 'n1' },
  ])
  place(state, [{ index: 2, node: 'n1' }])
  place(state, [{ index: 0, node: 'n1' }], 9)
  expect(placed(state)).toEqual(['web/api[2] n1'])
  expect(reasons(state)).toEqual([
    'stale: the node is cordoned',
    'stale: the node is lost',
    'stale: the index is in use',
    'the version has no such group',
  ])
})

test('a stopped job places nothing, also not by a plan made before', () => {
  const state = fleetOfTwo()
  state.run(jobStop, { job: 'web' })
  place(state, [{ index: 0, node: 'n1' }])
  expect(placed(state)).toEqual([])
  expect(() => state.run(jobScale, { job: 'web', count: 2 })).toThrow(/is stopped/)
})

test('what was refused is told by TasksRejected, and planned again', () => {
  const state = fleetOfTwo()
  place(state, [{ index: 0, node: 'nowhere' }])
  const wakeAt = state.settle(twSystem.controllers, () => ({ beats: new Map() }))
  expect(state.entries.find((entry) => entry.type === 'tw.TasksRejected')?.body).toMatchObject({
    job: 'web',
    group: 'api',
    tasks: [{ index: 0, node: 'nowhere' }],
  })
  expect(placed(state)).toEqual([])
  expect(wakeAt).toBe(state.now() + 1000)
  state.advance(1000)
  state.settle(twSystem.controllers, () => ({ beats: new Map() }))
  expect(placed(state)).toEqual(['web/api[0] n1', 'web/api[1] n2', 'web/api[2] n1'])
})

test('a plan that lost its race for a node is refused as stale, and the same on a node as it was planned on as planned wrongly', () => {
  const state = fleetOfTwo()
  const packed = (indexes: readonly number[], plannedAt: number) => {
    const records = packRecords(indexes.map((index) => ({ index, node: 1, gpuMask: 0, gpuMilli: 0 })))
    return tasksPlaced.of({ job: 'web', group: 'api', version: 1, plannedAt, count: indexes.length, records, why: 'the only place' })
  }
  const plannedAt = state.entries.length
  state.append([packed([0, 1], plannedAt)])
  state.append([packed([2], plannedAt)])
  state.append([packed([2], state.entries.length)])
  expect(placed(state)).toEqual(['web/api[0] n1', 'web/api[1] n1'])
  expect(reasons(state)).toEqual(['stale: not enough cpu', 'planned wrongly: not enough cpu'])
})

test('a log of version 1 gives the same tasks with the same ids, each with its own reason', () => {
  const state = newState([twSystem])
  const log = JSON.parse(readFileSync(new URL('tasks-placed-v1.json', import.meta.url), 'utf8')) as Entry[]
  for (const entry of log) createEntryRegistry([twSystem]).apply(state.db, entry)
  const rows = state.db.all<TaskRow>('SELECT * FROM tw_task ORDER BY id')
  expect(rows.map((row) => [row.id, taskName(row), row.node, row.state, row.why])).toEqual([
    [1, 'web/api[0]', 'n1', 'running', '2 of 2 nodes could take it, 0 of its version in the node before, fit 81'],
    [2, 'web/api[1]', 'n2', 'stopping', '2 of 2 nodes could take it, 0 of its version in the node before, fit 81'],
  ])
  expect(rows.map((row) => [row.placed_position, row.stop_cause, row.pid])).toEqual([
    [5, null, 42],
    [5, 'too many', null],
  ])
})
