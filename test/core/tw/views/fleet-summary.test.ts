import { expect, test } from 'vitest'
import {
  agentUpgrade,
  entitlementSetCommand,
  fleetSummaryQuery,
  jobRun,
  nodeCordon,
  nodeDrain,
} from '../../../../src/core/tw/operations.ts'
import { nodeJoined } from '../../../../src/core/tw/entries/nodes.ts'
import { newSimulatedFleet } from '../../../support/tw-fleet.ts'

const MIB = 1_048_576
const job = (name: string, count: number, cpu: string, env: Record<string, string> = {}) => ({
  job: name,
  groups: { api: { count, main: { command: 'x', env, resources: { cpu, memory: '64MiB' } } } },
})

test('a small fleet: a cell a node, what is pending with the reason, those in trouble first', () => {
  const fleet = newSimulatedFleet({ nodes: 4, cpuMilli: 1000 })
  fleet.pass(500)
  fleet.state.run(nodeCordon, { node: 'n4' })
  fleet.state.run(jobRun, { spec: job('api', 2, '100m') })
  fleet.state.run(jobRun, { spec: job('web', 5, '600m') })
  fleet.pass(3000)
  const summary = fleet.state.ask(fleetSummaryQuery, {})
  expect(summary.nodes).toEqual({ total: 4, ready: 3, lost: 0, closed: 1 })
  expect(summary.tasks).toMatchObject({ wanted: 7, placed: 5, healthy: 5, pending: 2 })
  expect(summary.cellOf).toBe('node')
  expect(summary.regions.map(({ region, cells }) => [region, cells.map(({ name }) => name)])).toEqual([
    ['r1', ['n1', 'n3']],
    ['r2', ['n2', 'n4']],
  ])
  expect(summary.jobs.map(({ job: name }) => name)).toEqual(['web', 'api'])
  expect(summary.pending).toEqual([
    { group: 'web/api', count: 2, code: 'TW_NO_CAPACITY', why: expect.stringContaining('without enough free cpu') },
  ])
  expect(summary.hot[0]).toMatchObject({ cpuPpm: 700_000, tasks: 2 })
  expect(fleet.state.ask(fleetSummaryQuery, { filter: 'ap' }).jobs.map(({ job: name }) => name)).toEqual(['api'])
})

test('stranded is what is free where too little of the other dimension is left for the typical task', () => {
  const fleet = newSimulatedFleet({ nodes: 1, cpuMilli: 1000, memoryBytes: 1024 * MIB })
  fleet.pass(500)
  fleet.state.run(jobRun, { spec: job('web', 2, '400m') })
  fleet.pass(2000)
  const [cpu, memory] = fleet.state.ask(fleetSummaryQuery, {}).capacity
  expect(cpu).toEqual({ dimension: 'cpu', total: 1000, reserved: 800, stranded: 0 })
  // 200m hold no task of 400m, so the memory is of no use.
  expect(memory).toEqual({ dimension: 'memory', total: 1024 * MIB, reserved: 128 * MIB, stranded: 14 * 64 * MIB })
})

test('owners whose guarantee has no room come first', () => {
  const fleet = newSimulatedFleet({ nodes: 2, cpuMilli: 1000 })
  fleet.pass(500)
  fleet.state.run(entitlementSetCommand, { name: 'a', cpuMilli: 500 })
  fleet.state.run(entitlementSetCommand, { name: 'b', cpuMilli: 1000, buffer: 'node' })
  expect(fleet.state.ask(fleetSummaryQuery, {}).owners.map(({ name, lacking }) => [name, lacking])).toEqual([
    ['b', 'cpu: 1500m of 1'],
    ['a', null],
  ])
})

test('an update and a drain are among what goes on', () => {
  const fleet = newSimulatedFleet({ nodes: 3 })
  fleet.pass(500)
  fleet.state.run(jobRun, { spec: job('web', 6, '100m') })
  fleet.pass(3000)
  fleet.state.run(jobRun, { spec: job('web', 6, '100m', { A: '1' }) })
  fleet.state.run(nodeDrain, { target: 'n2', reason: 'new disk' })
  fleet.pass(750)
  const doing = fleet.state.ask(fleetSummaryQuery, {}).doing
  expect(doing.find(({ kind }) => kind === 'update')).toMatchObject({
    target: 'web',
    text: expect.stringMatching(/^to v2: \d of 6 healthy, \d old$/),
  })
  expect(doing.find(({ kind }) => kind === 'drain')).toMatchObject({ target: 'n2', text: expect.stringContaining('(new disk)') })
})

test('the wave of an upgrade of agents is among what goes on', () => {
  const fleet = newSimulatedFleet({ nodes: 3 })
  fleet.pass(500)
  fleet.state.run(agentUpgrade, { folder: '/new', version: '2', waves: '1,100%' })
  expect(fleet.state.ask(fleetSummaryQuery, {}).doing).toMatchObject([
    { kind: 'upgrade', target: 'agents to 2', text: '#1, wave 1 of 2: 0 of 1 back' },
  ])
})

test('what has run to its end is neither pending nor wanted any more, in a group that others wait for too', () => {
  const end = { afterMs: 100, state: 'complete' as const, reason: 'exit 0' }
  const fleet = newSimulatedFleet({
    nodes: 1,
    behaviour: ({ task }) => ({ startMs: 50, stopMs: 50, ...(task.startsWith('shop/migrate') ? { end } : {}) }),
  })
  fleet.pass(500)
  const main = { command: 'x', resources: { cpu: '10m', memory: '8MiB' } }
  fleet.state.run(jobRun, { spec: { job: 'shop', groups: { migrate: { main }, api: { after: { migrate: 'completed' }, main } } } })
  fleet.pass(4000)
  const { tasks, pending } = fleet.state.ask(fleetSummaryQuery, {})
  expect(tasks).toMatchObject({ wanted: 1, healthy: 1, pending: 0 })
  expect(pending).toEqual([])
})

test('a large fleet is drawn by rack, then by several racks, and never in more cells than asked for', () => {
  const { state } = newSimulatedFleet({ nodes: 0 })
  state.append(
    Array.from({ length: 1200 }, (_, i) =>
      nodeJoined.of({
        node: `n${String(i).padStart(4, '0')}`,
        bootId: 'b',
        pid: 1,
        region: `r${i % 3}`,
        zone: `z${i % 3}`,
        rack: `k${Math.floor(i / 12)}`,
        address: '10.0.0.1',
        cpuMilli: 1000,
        memoryBytes: MIB,
        attributes: {},
      }),
    ),
  )
  const shape = (cellsMax: number) => {
    const { cellOf, regions } = state.ask(fleetSummaryQuery, { cellsMax })
    const cells = regions.flatMap((it) => it.cells)
    return { cellOf, cells: cells.length, nodes: cells.reduce((sum, cell) => sum + cell.nodes, 0) }
  }
  expect(shape(2000)).toEqual({ cellOf: 'node', cells: 1200, nodes: 1200 })
  expect(shape(600)).toEqual({ cellOf: 'rack', cells: 300, nodes: 1200 })
  expect(shape(100)).toMatchObject({ cellOf: 'racks', nodes: 1200 })
  expect(shape(100).cells).toBeLessThanOrEqual(102)
})
