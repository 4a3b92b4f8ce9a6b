import fc from 'fast-check'
import { expect, test } from 'vitest'
import { must } from '../../../../src/core/kernel/assert.ts'
import { jobPlan, jobRun, opList, ps } from '../../../../src/core/tw/operations.ts'
import { demandOf } from '../../../../src/core/tw/scheduler/demand.ts'
import { preempt, type Victim } from '../../../../src/core/tw/scheduler/preempt.ts'
import { newSimulatedFleet } from '../../../support/tw-fleet.ts'
import { groupOf, imageWith, indexes, nobody, nodeWith } from './fleets.ts'

const job = (name: string, priority: number, more: Record<string, unknown>, cpu: string) => ({
  job: name,
  priority,
  groups: { g: { availability: { min_healthy_time: '0s' }, ...more, main: { command: 'x', resources: { cpu, memory: '64MiB' } } } },
})

test('the set of victims is enough, none of it could stay, and no single task would have been enough when several go', () => {
  const tasks = fc.array(
    fc.record({ cpu: fc.integer({ min: 50, max: 400 }), priority: fc.integer({ min: 1, max: 40 }), isBestEffort: fc.boolean() }),
    { minLength: 1, maxLength: 8 },
  )
  fc.assert(
    fc.property(fc.array(tasks, { minLength: 1, maxLength: 4 }), fc.integer({ min: 100, max: 1000 }), (loads, cpu) => {
      const image = imageWith(indexes(loads.length).map((i) => nodeWith(i, { cpuMilli: 1000 })))
      let id = 0
      const onNode = loads.map((load, node): Victim[] => {
        let free = 1000
        return load.flatMap((task) => {
          if (task.cpu > free) return []
          free -= task.cpu
          const demand = demandOf(groupOf({}, { cpu: `${task.cpu}m`, memory: '1MiB' }))
          image.applyTask(node, demand, 1)
          id += 1
          return [{ id, job: 'low', grp: 'g', idx: id, priority: task.priority, isBestEffort: task.isBestEffort, demand, devices: 0 }]
        })
      })
      const free = [...image.cpuFree]
      const group = groupOf({ spread: {} }, { cpu: `${cpu}m`, memory: '1MiB' })
      const [found] = preempt(image, { job: 'web', group, indexes: [0], standing: nobody }, (node) => onNode[node] ?? [])
      expect([...image.cpuFree]).toEqual(free)
      expect(image.shapes.size).toBe(0)
      const { node: name, victims } = must(found, 'every node can be emptied')
      const node = must(image.indexOf(name), 'its node')
      const gain = (set: readonly Victim[]): number => set.reduce((sum, victim) => sum + victim.demand.cpuMilli, must(free[node], 'free'))
      expect(gain(victims)).toBeGreaterThanOrEqual(cpu)
      for (const victim of victims) expect(gain(victims.filter((it) => it !== victim))).toBeLessThan(cpu)
      if (victims.length > 1 && !victims.some((it) => it.isBestEffort)) {
        for (const victim of onNode[node] ?? []) expect(gain([victim])).toBeLessThan(cpu)
      }
    }),
    { numRuns: 300 },
  )
})

test('a task of a group that preempts takes the place of one at least ten points lower, which goes elsewhere without a failure', () => {
  const fleet = newSimulatedFleet({ nodes: 2, cpuMilli: 1000 })
  fleet.pass(500)
  fleet.state.run(jobRun, {
    spec: job(
      'low',
      30,
      { count: 2, constraints: ['node.name = n1'], availability: { max_unavailable: 1, min_healthy_time: '0s' } },
      '500m',
    ),
  })
  fleet.state.run(jobRun, { spec: job('near', 45, { constraints: ['node.name = n2'] }, '900m') })
  fleet.pass(3000)
  const planned = fleet.state.ask(jobPlan, { spec: job('high', 50, { preempts: true }, '500m') })
  expect(planned.free.cpuMilli).toBe(100)
  fleet.state.run(jobRun, { spec: job('high', 50, { preempts: true }, '500m') })
  fleet.pass(500)
  const ops = fleet.state.ask(opList, {}).ops
  expect(ops.map((op) => [op.cause, op.task.startsWith('low/'), op.text])).toEqual([['preempt', true, 'room for high/g[0]']])
  expect(planned.groups[0]?.preempts).toEqual([{ task: ops[0]?.task, node: 'n1', for: 'high/g[0]' }])
  fleet.pass(5000)
  const tasks = fleet.state.ask(ps, {}).tasks.map((task) => [task.task.split('[')[0], task.node, task.state])
  expect(tasks).toContainEqual(['high/g', 'n1', 'running'])
  expect(tasks).toContainEqual(['near/g', 'n2', 'running'])
  expect(tasks.filter(([name]) => name === 'low/g').length).toBe(1)
  expect(fleet.state.entries.filter((entry) => entry.type === 'tw.OpsProposed').length).toBe(1)
})

test('nothing is preempted for a group that does not say so, below ten points, or of a group that would itself preempt', () => {
  for (const [priority, lower, upper] of [
    [50, {}, {}],
    [39, {}, { preempts: true }],
    [50, { preempts: true }, { preempts: true }],
  ] as const) {
    const fleet = newSimulatedFleet({ nodes: 1, cpuMilli: 1000 })
    fleet.pass(500)
    fleet.state.run(jobRun, { spec: job('low', 30, lower, '900m') })
    fleet.pass(2000)
    fleet.state.run(jobRun, { spec: job('high', priority, upper, '500m') })
    fleet.pass(3000)
    expect(fleet.state.ask(opList, {}).ops).toEqual([])
    expect(fleet.state.ask(ps, {}).blocked['high/g']?.count).toBe(1)
  }
})

test('a best-effort task goes at once, whatever its budget says', () => {
  const fleet = newSimulatedFleet({ nodes: 1, cpuMilli: 1000 })
  fleet.pass(500)
  const budget = { max_unavailable: 0, max_surge: 1, min_healthy_time: '0s' }
  fleet.state.run(jobRun, { spec: job('idle', 20, { best_effort: true, availability: budget }, '900m') })
  fleet.pass(2000)
  fleet.state.run(jobRun, { spec: job('high', 50, { preempts: true }, '500m') })
  fleet.pass(4000)
  expect(fleet.state.ask(ps, {}).tasks.map((task) => task.task)).toEqual(['high/g[0]'])
})

test('a task that keeps its budget is asked for thirty seconds, then it goes', () => {
  const fleet = newSimulatedFleet({ nodes: 1, cpuMilli: 1000 })
  fleet.pass(500)
  const budget = { max_unavailable: 0, max_surge: 1, min_healthy_time: '0s' }
  fleet.state.run(jobRun, { spec: job('low', 20, { availability: budget }, '900m') })
  fleet.pass(2000)
  fleet.state.run(jobRun, { spec: job('high', 50, { preempts: true }, '500m') })
  fleet.pass(25_000)
  expect(fleet.state.ask(ps, {}).tasks.map((task) => task.task)).toEqual(['low/g[0]'])
  fleet.pass(10_000)
  expect(fleet.state.ask(ps, {}).tasks.map((task) => task.task)).toEqual(['high/g[0]'])
})
