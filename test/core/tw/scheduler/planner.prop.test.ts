import fc from 'fast-check'
import { expect, test } from 'vitest'
import { must } from '../../../../src/core/kernel/assert.ts'
import { jobSpecOf, type GroupSpec } from '../../../../src/core/tw/job-spec.ts'
import type { Fleet, FleetNode } from '../../../../src/core/tw/scheduler/fleet.ts'
import { filterText, isInfeasible, plan } from '../../../../src/core/tw/scheduler/planner.ts'

const MIB = 1_048_576

function groupOf(more: Record<string, unknown> = {}, cpu = '100m', memory = '64MiB'): GroupSpec {
  const result = jobSpecOf({ job: 'web', groups: { api: { ...more, main: { command: 'x', resources: { cpu, memory } } } } })
  if (!result.ok) throw new Error(JSON.stringify(result.issues))
  return must(result.spec.groups[0], 'the group')
}

const node = (i: number, cpuMilli: number, memoryMib: number, region: string, closed: FleetNode['closed'] = null): FleetNode => ({
  name: `n${String(i).padStart(3, '0')}`,
  address: `10.0.0.${i}`,
  attributes: { name: `n${String(i).padStart(3, '0')}`, region, zone: region, rack: region, arch: i % 2 ? 'amd64' : 'arm64' },
  closed,
  cpuMilli,
  memoryBytes: memoryMib * MIB,
  cpuFree: cpuMilli,
  memoryFree: memoryMib * MIB,
})

const fleets = fc.array(
  fc.record({
    cpu: fc.integer({ min: 0, max: 800 }),
    memory: fc.integer({ min: 0, max: 512 }),
    region: fc.constantFrom('eu', 'us'),
    closed: fc.constantFrom(null, null, null, 'lost' as const, 'cordoned' as const),
  }),
  { maxLength: 12 },
)
const build = (shape: { cpu: number; memory: number; region: string; closed: FleetNode['closed'] }[]): Fleet => ({
  nodes: shape.map((it, i) => node(i, it.cpu, it.memory, it.region, it.closed)),
  portsTaken: new Set(),
})
const nobody = { sameVersion: [], group: [], avoid: new Set<string>() }
const indexes = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

test('the planner never gives a node more than it has, never a closed one, and leaves nothing unplaced that fits', () => {
  fc.assert(
    fc.property(
      fleets,
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 200 }),
      (shape, count, cpu, memory) => {
        const fleet = build(shape)
        const group = groupOf({}, `${cpu}m`, `${memory}MiB`)
        const result = plan(fleet, group, indexes(count), nobody)
        for (const it of fleet.nodes) {
          const placed = result.placements.filter((placement) => placement.node === it.name).length
          expect(placed * cpu).toBeLessThanOrEqual(it.cpuMilli)
          expect(placed * memory * MIB).toBeLessThanOrEqual(it.memoryBytes)
          if (it.closed !== null) expect(placed).toBe(0)
          if (result.unplaced.length > 0 && it.closed === null) expect(it.cpuFree < cpu || it.memoryFree < memory * MIB).toBe(true)
        }
        expect(result.placements.length + result.unplaced.length).toBe(count)
        expect(result.filters === null).toBe(result.unplaced.length === 0)
      },
    ),
  )
})

test('the same fleet and request give the same plan', () => {
  fc.assert(
    fc.property(fleets, fc.integer({ min: 1, max: 30 }), (shape, count) => {
      expect(plan(build(shape), groupOf(), indexes(count), nobody)).toEqual(plan(build(shape), groupOf(), indexes(count), nobody))
    }),
  )
})

test('with room everywhere the tasks are even over regions, and within a region over nodes', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 40 }), (eu, us, count) => {
      const fleet: Fleet = {
        nodes: [
          ...indexes(eu).map((i) => node(i, 100_000, 100_000, 'eu')),
          ...indexes(us).map((i) => node(eu + i, 100_000, 100_000, 'us')),
        ],
        portsTaken: new Set(),
      }
      const { placements } = plan(fleet, groupOf(), indexes(count), nobody)
      const regionOf = new Map(fleet.nodes.map((it) => [it.name, it.attributes['region']]))
      const inEu = placements.filter((placement) => regionOf.get(placement.node) === 'eu').length
      expect(Math.abs(inEu - (count - inEu))).toBeLessThanOrEqual(1)
      for (const region of ['eu', 'us']) {
        const perNode = fleet.nodes
          .filter((it) => it.attributes['region'] === region)
          .map((it) => placements.filter((placement) => placement.node === it.name).length)
        expect(Math.max(...perNode) - Math.min(...perNode)).toBeLessThanOrEqual(1)
      }
    }),
  )
})

test('a node where the group failed is taken last', () => {
  const fleet: Fleet = { nodes: [node(1, 1000, 1000, 'eu'), node(2, 1000, 1000, 'eu')], portsTaken: new Set() }
  expect(plan(fleet, groupOf(), [0], { ...nobody, avoid: new Set(['n001']) }).placements).toMatchObject([{ node: 'n002' }])
})

test('a static port is held once per address, also where nodes share a machine', () => {
  const shared = [node(1, 1000, 1000, 'eu'), { ...node(2, 1000, 1000, 'eu'), address: '10.0.0.1' }, node(3, 1000, 1000, 'us')]
  const group = groupOf({ network: { ports: { http: { static: 8080 } } } })
  const result = plan({ nodes: shared, portsTaken: new Set() }, group, indexes(3), nobody)
  expect(result.placements.map((placement) => placement.node)).toEqual(['n001', 'n003'])
  expect(filterText(must(result.filters, 'filters'))).toBe('0 of 3 nodes can take it: 3 with the port taken')
})

test('what took each node away is counted once, at the first filter that took it', () => {
  const fleet: Fleet = {
    nodes: [
      node(1, 50, 1000, 'eu'),
      node(2, 1000, 1000, 'eu', 'lost'),
      node(3, 1000, 1000, 'us'),
      { ...node(5, 1000, 1000, 'eu'), cpuFree: 10 },
      { ...node(7, 1000, 1000, 'eu'), memoryFree: 0 },
    ],
    portsTaken: new Set(),
  }
  const { filters } = plan(fleet, groupOf({ constraints: ['node.region = eu'] }), [0], nobody)
  const counts = must(filters, 'filters')
  expect(filterText(counts)).toBe(
    '0 of 5 nodes can take it: 1 lost, 1 failed `node.region = eu`, 1 too small even when empty, 1 without enough free cpu, 1 without enough free memory',
  )
  expect(isInfeasible(counts)).toBe(false)
})

test('a request that no node could ever hold is told apart from one that waits for room', () => {
  const fleet: Fleet = { nodes: [node(1, 100, 100, 'eu'), node(2, 100, 100, 'us')], portsTaken: new Set() }
  expect(isInfeasible(must(plan(fleet, groupOf({}, '200m'), [0], nobody).filters, 'filters'))).toBe(true)
  expect(isInfeasible(must(plan(fleet, groupOf({ constraints: ['node.region = asia'] }), [0], nobody).filters, 'filters'))).toBe(true)
})

test('an attribute a node does not have fails every constraint but !=', () => {
  const fleet = (): Fleet => ({ nodes: [node(1, 1000, 1000, 'eu')], portsTaken: new Set() })
  expect(plan(fleet(), groupOf({ constraints: ['node.gpu = T4'] }), [0], nobody).placements).toEqual([])
  expect(plan(fleet(), groupOf({ constraints: ['node.gpu in [T4, V100]'] }), [0], nobody).placements).toEqual([])
  expect(plan(fleet(), groupOf({ constraints: ['node.gpu != T4', 'node.arch in amd64, arm64'] }), [0], nobody).placements.length).toBe(1)
})
