import { expect, test } from 'vitest'
import { renderCapacity } from '../../../src/cli/render/tw-capacity.ts'
import { capacity, entitlementSetCommand, fleetSummaryQuery, jobRun, nodeCordon, quotaSet } from '../../../src/core/tw/operations.ts'
import { newSimulatedFleet } from '../../support/tw-fleet.ts'
import { PLAIN } from '../../../src/cli/terminal.ts'

const GIB = 1_073_741_824
const job = (name: string, count: number, cpu: string, memory: string, node: string) => ({
  job: name,
  groups: { g: { count, constraints: [`node.name = ${node}`], main: { command: 'x', resources: { cpu, memory } } } },
})

test('capacity tells what is there, open, reserved and stranded, and the node where most is left', () => {
  const fleet = newSimulatedFleet({ nodes: 3, cpuMilli: 4000, memoryBytes: 4 * GIB })
  fleet.pass(500)
  // All memory of n1 is gone and half its cpu is left: no mean task can use that.
  fleet.state.run(jobRun, { spec: job('hungry', 4, '500m', '1GiB', 'n1') })
  fleet.state.run(jobRun, { spec: job('small', 1, '1000m', '1GiB', 'n2') })
  fleet.pass(500)
  fleet.state.run(nodeCordon, { node: 'n3' })
  const [all, ...none] = fleet.state.ask(capacity, {})
  expect(none).toEqual([])
  expect(all).toMatchObject({
    of: 'fleet',
    nodes: 3,
    total: { cpuMilli: 12_000, memoryBytes: 12 * GIB },
    allocatable: { cpuMilli: 8000, memoryBytes: 8 * GIB },
    reserved: { cpuMilli: 3000, memoryBytes: 5 * GIB },
    largest: { node: 'n2', cpuMilli: 3000, memoryBytes: 3 * GIB, gpus: 0 },
  })
  // The typical task is 600m and 1 GiB: n1 has no memory for it; n2 has room for three.
  expect(all?.stranded).toEqual({ cpuMilli: 2000, memoryBytes: 0 })
  const top = fleet.state.ask(fleetSummaryQuery, {}).capacity
  expect(top.map(({ stranded }) => stranded)).toEqual([2000, 0])
  expect(fleet.state.ask(capacity, { by: 'region' }).map(({ of, nodes, reserved }) => [of, nodes, reserved.cpuMilli])).toEqual([
    ['r1', 2, 2000],
    ['r2', 1, 1000],
  ])
  expect(fleet.state.ask(capacity, { by: 'pool' }).map(({ of }) => of)).toEqual(['default'])
  expect(fleet.state.ask(capacity, { by: 'model' }).map(({ of }) => of)).toEqual(['no GPU'])
  const [head, line] = renderCapacity(PLAIN, fleet.state.ask(capacity, {})).split('\n')
  expect(head).toMatch(/^OF +NODES +CPU +MEMORY +STRANDED +LARGEST THAT FITS/)
  expect(line).toContain('3GiB on n2')
})

test('by entitlement, each owner has its guarantee and what it takes, and the rest is shared', () => {
  const fleet = newSimulatedFleet({ nodes: 2, cpuMilli: 4000, memoryBytes: 4 * GIB })
  fleet.pass(500)
  fleet.state.run(entitlementSetCommand, { name: 'shop', cpuMilli: 1000, memoryBytes: 2 * GIB, buffer: 'node' })
  fleet.state.run(quotaSet, { name: 'shop', cpuMilli: 3000 })
  fleet.state.run(jobRun, { spec: { ...job('web', 2, '750m', '1GiB', 'n1'), entitlement: 'shop' } })
  fleet.state.run(jobRun, { spec: job('other', 1, '250m', '1GiB', 'n2') })
  fleet.pass(500)
  const parts = fleet.state.ask(capacity, { by: 'entitlement' })
  expect(parts.map(({ of, total, allocatable, reserved }) => [of, total.cpuMilli, allocatable.cpuMilli, reserved.cpuMilli])).toEqual([
    ['shop', 1000, 3000, 1500],
    // Half a core of it is taken by shop, beyond its guarantee; a node of four cores is kept for a loss.
    ['shared', 7000, 3000, 750],
  ])
  expect(parts.map(({ total, reserved }) => [total.memoryBytes / GIB, reserved.memoryBytes / GIB])).toEqual([
    [2, 2],
    [6, 1],
  ])
  expect(renderCapacity(PLAIN, parts).split('\n')[0]).toMatch(/^OF +CPU +MEMORY +ALLOCATABLE$/)
})
