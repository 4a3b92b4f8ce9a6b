import { describe, expect, test } from 'vitest'
import type { DesiredTask } from '../../../../src/core/contracts/node.ts'
import { jobRevert, jobRun, jobScale, jobShow, nodeCordon, nodeDrain, nodeUncordon, ps } from '../../../../src/core/tw/operations.ts'
import { newSimulatedFleet, type Behaviour, type SimulatedFleet } from '../../../support/tw-fleet.ts'

const main = { command: ['x'], resources: { cpu: '100m', memory: '16MiB' } }
const live = (fleet: SimulatedFleet, job: string) => fleet.state.ask(ps, { job }).tasks.filter((task) => task.want === 'run')
const nodes = (fleet: SimulatedFleet, job: string): string[] =>
  live(fleet, job)
    .map((task) => task.node)
    .sort()
const ends =
  (state: 'complete' | 'failed', afterMs = 1000) =>
  (_task: DesiredTask): Behaviour => ({ startMs: 250, stopMs: 250, end: { afterMs, state, reason: state === 'failed' ? 'exit 1' : '' } })

describe('a system job', () => {
  const agent = { job: 'agent', kind: 'system', groups: { a: { main, availability: { min_healthy_time: '0s' } } } }

  test('has one task on each eligible node, new nodes get theirs, and its count follows', () => {
    const fleet = newSimulatedFleet({ nodes: 4 })
    fleet.pass(500)
    fleet.state.run(jobRun, { spec: { ...agent, groups: { a: { main, constraints: ['node.arch = amd64'] } } } })
    fleet.pass(2000)
    expect(nodes(fleet, 'agent')).toEqual(['n1', 'n3'])
    expect(fleet.state.ask(jobShow, { job: 'agent' }).status.groups[0]).toMatchObject({ count: 2, arms: [{ wanted: 2, healthy: 2 }] })
    fleet.state.run(jobRevert, { job: 'agent', to: 1 })
    fleet.state.run(jobRun, { spec: agent })
    fleet.pass(5000)
    expect(nodes(fleet, 'agent')).toEqual(['n1', 'n2', 'n3', 'n4'])
  })

  test('stays on a cordoned node, comes to none, and leaves a drained node last', () => {
    const fleet = newSimulatedFleet({ nodes: 3 })
    fleet.pass(500)
    fleet.state.run(nodeCordon, { node: 'n3' })
    fleet.state.run(jobRun, { spec: agent })
    fleet.state.run(jobRun, { spec: { job: 'web', groups: { api: { count: 2, main } } } })
    fleet.pass(2000)
    expect(nodes(fleet, 'agent')).toEqual(['n1', 'n2'])
    fleet.state.run(nodeUncordon, { node: 'n3' })
    fleet.pass(1000)
    expect(nodes(fleet, 'agent')).toEqual(['n1', 'n2', 'n3'])
    fleet.state.run(nodeDrain, { target: 'n1' })
    let wasLast = true
    fleet.pass(20_000, () => {
      const here = fleet.state.ask(ps, { node: 'n1' }).tasks.filter((task) => task.want === 'run')
      if (here.some((task) => task.job === 'web') && !here.some((task) => task.job === 'agent')) wasLast = false
    })
    expect(wasLast).toBe(true)
    expect(fleet.state.ask(ps, { node: 'n1' }).tasks).toEqual([])
    expect(nodes(fleet, 'agent')).toEqual(['n2', 'n3'])
  })

  test('an update replaces a task a node at a time and never has two on one node', () => {
    const fleet = newSimulatedFleet({ nodes: 4 })
    fleet.pass(500)
    fleet.state.run(jobRun, { spec: agent })
    fleet.pass(3000)
    fleet.state.run(jobRun, {
      spec: { ...agent, groups: { a: { main: { ...main, env: { V: '2' } }, availability: { min_healthy_time: '0s' } } } },
    })
    fleet.pass(20_000, () => {
      const all = fleet.state.ask(ps, { job: 'agent' }).tasks
      expect(new Set(all.map((task) => task.node)).size).toBe(all.length)
      expect(live(fleet, 'agent').length).toBeGreaterThanOrEqual(3)
    })
    expect(live(fleet, 'agent').map((task) => task.version)).toEqual([2, 2, 2, 2])
  })

  test('refuses to be scaled', () => {
    const fleet = newSimulatedFleet({ nodes: 1 })
    fleet.state.run(jobRun, { spec: agent })
    expect(() => fleet.state.run(jobScale, { job: 'agent', count: 3 })).toThrow(expect.objectContaining({ code: 'TW_JOB_STATE' }))
  })
})

test('a sysbatch job runs once to the end on each node, and on a node that comes later', () => {
  const fleet = newSimulatedFleet({ nodes: 3, behaviour: ends('complete') })
  fleet.pass(500)
  fleet.state.run(nodeCordon, { node: 'n3' })
  fleet.state.run(jobRun, { spec: { job: 'scan', kind: 'sysbatch', groups: { s: { main } } } })
  fleet.pass(8000)
  const complete = (): string[] =>
    fleet.state
      .ask(ps, { job: 'scan', isAll: true })
      .tasks.map((task) => `${task.node} ${task.state}`)
      .sort()
  expect(complete()).toEqual(['n1 complete', 'n2 complete'])
  fleet.state.run(nodeUncordon, { node: 'n3' })
  fleet.pass(8000)
  expect(complete()).toEqual(['n1 complete', 'n2 complete', 'n3 complete'])
})

describe('after', () => {
  const job = (until: string) => ({
    job: 'shop',
    groups: {
      db: { count: 2, network: { ports: { p: null } }, main: { ...main, health: { readiness: { tcp: true, port: 'p' } } } },
      api: { count: 1, after: { db: until }, main },
    },
  })
  const group = (task: DesiredTask): Behaviour =>
    task.group === 'db'
      ? { startMs: 4000, stopMs: 250, end: { afterMs: 6000, state: 'complete', reason: '' } }
      : { startMs: 250, stopMs: 250 }

  test.each([
    ['started', 1500],
    ['healthy', 5500],
    ['completed', 7500],
  ])('%s: no task starts before the other group has come so far', (until, byMs) => {
    const fleet = newSimulatedFleet({ nodes: 2, behaviour: group })
    fleet.pass(500)
    fleet.state.run(jobRun, { spec: job(until) })
    const states = { started: ['running'], healthy: ['healthy'], completed: ['complete'] }[until] ?? []
    fleet.pass(byMs, () => {
      if (!live(fleet, 'shop').some((task) => task.group === 'api')) return
      const db = fleet.state.ask(ps, { job: 'shop', isAll: true }).tasks.filter((task) => task.group === 'db')
      expect(db.every((task) => states.includes(task.state) || states.includes(task.health) || task.state === 'complete')).toBe(true)
    })
    expect(live(fleet, 'shop').some((task) => task.group === 'api')).toBe(true)
  })

  test('says what it waits for', () => {
    const fleet = newSimulatedFleet({ nodes: 2, behaviour: group })
    fleet.pass(500)
    fleet.state.run(jobRun, { spec: job('healthy') })
    fleet.pass(1500)
    expect(fleet.state.ask(jobShow, { job: 'shop' }).waiting).toContain('shop/api: waits until db is healthy: 0 of 2 tasks are')
  })
})

test('a task that runs longer than its max_run_time is ended, and its slot is given up', () => {
  const fleet = newSimulatedFleet({ nodes: 2 })
  fleet.pass(500)
  fleet.state.run(jobRun, { spec: { job: 'crunch', kind: 'batch', groups: { c: { max_run_time: '5s', main } } } })
  fleet.pass(20_000)
  const tasks = fleet.state.ask(ps, { job: 'crunch', isAll: true }).tasks
  expect(tasks.map((task) => task.state)).toEqual(['stopped'])
  expect(fleet.state.ask(jobShow, { job: 'crunch' }).waiting).toContain('crunch/c: 1 slot was given up: ran longer than its max_run_time')
})

test('a group that wants all or nothing gets no place until all of it fits', () => {
  const fleet = newSimulatedFleet({ nodes: 2, cpuMilli: 1000 })
  fleet.pass(500)
  const gang = {
    job: 'gang',
    groups: { g: { count: 3, all_or_nothing: true, main: { command: 'x', resources: { cpu: '600m', memory: '16MiB' } } } },
  }
  fleet.state.run(jobRun, { spec: gang })
  fleet.pass(3000)
  expect(live(fleet, 'gang')).toEqual([])
  expect(fleet.state.ask(jobShow, { job: 'gang' }).blocked[0]?.tasks.length).toBe(3)
  fleet.state.run(jobScale, { job: 'gang', count: 2 })
  fleet.pass(3000)
  expect(nodes(fleet, 'gang')).toEqual(['n1', 'n2'])
})
