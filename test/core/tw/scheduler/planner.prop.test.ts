import fc from 'fast-check'
import { expect, test } from 'vitest'
import { must } from '../../../../src/core/kernel/assert.ts'
import { filterText, isInfeasible } from '../../../../src/core/tw/scheduler/filters.ts'
import { plan } from '../../../../src/core/tw/scheduler/planner.ts'
import { groupOf, imageWith, indexes, MIB, nodeWith, nobody, type TestNode } from './fleets.ts'

const request = (group: ReturnType<typeof groupOf>, list: readonly number[], standing = nobody) => ({
  job: 'web',
  group,
  indexes: list,
  standing,
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
const nodesOf = (shape: { cpu: number; memory: number; region: string; closed: TestNode['closed'] }[]): TestNode[] =>
  shape.map((it, i) => nodeWith(i, { cpuMilli: it.cpu, memoryMib: it.memory, region: it.region, closed: it.closed }))

test('the planner never gives a node more than it has, never a closed one, and leaves nothing unplaced that fits', () => {
  fc.assert(
    fc.property(
      fleets,
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 200 }),
      (shape, count, cpu, memory) => {
        const image = imageWith(nodesOf(shape))
        const result = plan(image, request(groupOf({}, { cpu: `${cpu}m`, memory: `${memory}MiB` }), indexes(count)))
        nodesOf(shape).forEach((it, i) => {
          const placed = result.placements.filter((placement) => placement.node === it.name).length
          expect(placed * cpu).toBeLessThanOrEqual(it.cpuMilli)
          expect(placed * memory).toBeLessThanOrEqual(it.memoryMib)
          if (it.closed !== null) expect(placed).toBe(0)
          if (result.unplaced.length > 0 && it.closed === null)
            expect((image.cpuFree[i] ?? 0) < cpu || (image.memoryFree[i] ?? 0) < memory * MIB).toBe(true)
        })
        expect(result.placements.length + result.unplaced.length).toBe(count)
        expect(result.filters === null).toBe(result.unplaced.length === 0)
      },
    ),
  )
})

test('the same fleet and request give the same plan, whatever the order in which the nodes came', () => {
  fc.assert(
    fc.property(fleets, fc.integer({ min: 1, max: 30 }), fc.integer(), (shape, count, seed) => {
      const shuffled = nodesOf(shape).sort((a, b) => ((a.cpuMilli * 31 + seed) % 7) - ((b.cpuMilli * 31 + seed) % 7))
      const wanted = request(groupOf(), indexes(count))
      expect(plan(imageWith(shuffled), wanted)).toEqual(plan(imageWith(nodesOf(shape)), wanted))
    }),
  )
})

test('with room everywhere the tasks are even over regions, and within a region over nodes', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 40 }), (eu, us, count) => {
      const nodes = indexes(eu + us).map((i) => nodeWith(i, { cpuMilli: 100_000, memoryMib: 100_000, region: i < eu ? 'eu' : 'us' }))
      const { placements } = plan(imageWith(nodes), request(groupOf(), indexes(count)))
      const regionOf = new Map(nodes.map((it) => [it.name, it.region]))
      const inEu = placements.filter((placement) => regionOf.get(placement.node) === 'eu').length
      expect(Math.abs(inEu - (count - inEu))).toBeLessThanOrEqual(1)
      for (const region of ['eu', 'us']) {
        const perNode = nodes
          .filter((it) => it.region === region)
          .map((it) => placements.filter((placement) => placement.node === it.name).length)
        expect(Math.max(...perNode) - Math.min(...perNode)).toBeLessThanOrEqual(1)
      }
    }),
  )
})

test('a node where the group failed is taken last', () => {
  const image = imageWith([nodeWith(1), nodeWith(2)])
  expect(plan(image, request(groupOf(), [0], { ...nobody, avoid: new Set(['n001']) })).placements).toMatchObject([{ node: 'n002' }])
})

test('a static port is held once per address, also where nodes share a machine', () => {
  const image = imageWith([nodeWith(1), nodeWith(2, { address: '10.0.0.1' }), nodeWith(3, { region: 'us' })])
  const result = plan(image, request(groupOf({ network: { ports: { http: { static: 8080 } } } }), indexes(3)))
  expect(result.placements.map((placement) => placement.node)).toEqual(['n001', 'n003'])
  expect(filterText(must(result.filters, 'filters'))).toBe('0 of 3 nodes can take it: 3 with the port taken')
})

test('what took each node away is counted once, at the first filter that took it, and what would be enough is said', () => {
  const image = imageWith([
    nodeWith(1, { cpuMilli: 50 }),
    nodeWith(2, { closed: 'lost' }),
    nodeWith(3, { region: 'us' }),
    nodeWith(5, { cpuHeld: 990 }),
    nodeWith(7, { memoryHeldMib: 1000 }),
    nodeWith(9, { labels: { pool: 'db' } }),
  ])
  const { filters } = plan(image, request(groupOf({ constraints: ['node.region = eu'] }), [0]))
  const counts = must(filters, 'filters')
  expect(filterText(counts)).toBe(
    '0 of 6 nodes can take it: 1 lost, 1 of another pool, 1 failed `node.region = eu`, 1 too small even when empty, ' +
      '1 without enough free cpu, 1 without enough free memory; nearest: 1 lacks only 90m cpu, 1 lacks only 64 MiB memory',
  )
  expect(isInfeasible(counts)).toBe(false)
})

test('a request that no node could ever hold is told apart from one that waits for room', () => {
  const image = imageWith([nodeWith(1, { cpuMilli: 100 }), nodeWith(2, { cpuMilli: 100, region: 'us' })])
  const filters = (group: ReturnType<typeof groupOf>) => must(plan(image, request(group, [0])).filters, 'filters')
  expect(isInfeasible(filters(groupOf({}, { cpu: '200m' })))).toBe(true)
  expect(isInfeasible(filters(groupOf({ constraints: ['node.region = asia'] })))).toBe(true)
})

test('an attribute a node does not have fails every constraint but !=', () => {
  const placed = (...constraints: string[]) => plan(imageWith([nodeWith(1)]), request(groupOf({ constraints }), [0])).placements.length
  expect(placed('node.gpu = T4')).toBe(0)
  expect(placed('node.gpu in [T4, V100]')).toBe(0)
  expect(placed('node.gpu != T4', 'node.arch in amd64, arm64')).toBe(1)
})
