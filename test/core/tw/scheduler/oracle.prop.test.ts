import fc from 'fast-check'
import { expect, test } from 'vitest'
import { meets } from '../../../../src/core/tw/constraint.ts'
import type { GroupSpec } from '../../../../src/core/tw/job-spec.ts'
import { planSlice } from '../../../../src/core/tw/scheduler/planner.ts'
import { groupOf, imageWith, indexes, MIB, nobody, nodeWith, type TestNode } from './fleets.ts'

/**
 * The planner beside rules written down as plainly as they can be: every place it gives must be allowed by them, and it
 * may say that there is none only where they allow none. It sees the fleet through bitmaps, a tree of domains and samples;
 * the rules look at every node every time.
 */

interface Load {
  cpu: number
  memory: number
  disk: number
  devices: number[]
  tasks: number
}

class Rules {
  readonly nodes: readonly TestNode[]
  readonly group: GroupSpec
  readonly count: number
  readonly load: Load[]
  constructor(nodes: readonly TestNode[], group: GroupSpec, count: number) {
    this.nodes = nodes
    this.group = group
    this.count = count
    this.load = nodes.map((node) => ({
      cpu: node.cpuMilli - node.cpuHeld,
      memory: (node.memoryMib - node.memoryHeldMib) * MIB,
      disk: node.diskMib * MIB,
      devices: node.gpus.flatMap(({ count: devices }) => Array.from({ length: devices }, () => 1000)),
      tasks: 0,
    }))
  }

  attributesOf(i: number): Record<string, string> {
    const node = this.nodes[i] as TestNode
    const labels = Object.fromEntries(Object.entries(node.labels).map(([key, value]) => [`meta.${key}`, value]))
    const arch = Number(node.name.slice(1)) % 2 ? 'amd64' : 'arm64'
    return { name: node.name, region: node.region, zone: node.zone, rack: node.rack, arch, ...labels }
  }

  valueOf(i: number, attribute: string): string {
    return this.attributesOf(i)[attribute === 'node' ? 'name' : attribute] ?? ''
  }

  suits(i: number): boolean {
    const { constraints, pool } = this.group
    const attributes = this.attributesOf(i)
    return (attributes['meta.pool'] ?? 'default') === (pool ?? 'default') && constraints.every((it) => meets(it, attributes))
  }

  tasksWith(attribute: string, value: string): number {
    return this.nodes.reduce((sum, _, i) => sum + (this.valueOf(i, attribute) === value ? (this.load[i]?.tasks ?? 0) : 0), 0)
  }

  devicesFor(i: number): number[] {
    const { gpu } = this.group.container
    if (gpu === null) return []
    const models = (this.nodes[i] as TestNode).gpus.flatMap(({ model, count }) => Array.from({ length: count }, () => model))
    const isOne = (device: number): boolean =>
      (this.load[i]?.devices[device] ?? 0) >= gpu.shareMilli && (gpu.models.length === 0 || gpu.models.includes(models[device] ?? ''))
    return models.flatMap((_, device) => (isOne(device) ? [device] : []))
  }

  allows(i: number): boolean {
    const [node, load] = [this.nodes[i] as TestNode, this.load[i] as Load]
    const { container, distinct, spread } = this.group
    if (node.closed !== null || !this.suits(i)) return false
    if (load.cpu < container.cpuMilli || load.memory < container.memoryBytes || load.disk < container.diskBytes) return false
    if (container.gpu !== null && this.devicesFor(i).length < container.gpu.count) return false
    const [port] = Object.values(container.ports)
    if (port !== undefined && this.nodes.some((other, at) => other.address === node.address && (this.load[at]?.tasks ?? 0) > 0))
      return false
    if (distinct.some(({ attribute, max }) => this.tasksWith(attribute, this.valueOf(i, attribute)) >= max)) return false
    return spread.every(({ attribute, targets, isHard }) => {
      if (!isHard) return true
      const value = this.valueOf(i, attribute)
      if (targets !== null) {
        const rest = 1_000_000 - Object.values(targets).reduce((sum, ppm) => sum + ppm, 0)
        return this.tasksWith(attribute, value) < Math.ceil(((targets[value] ?? rest) * this.count) / 1_000_000)
      }
      const values = this.nodes.flatMap((other, at) => (other.closed === null && this.suits(at) ? [this.valueOf(at, attribute)] : []))
      return this.tasksWith(attribute, value) <= Math.min(...values.map((it) => this.tasksWith(attribute, it)))
    })
  }

  place(i: number, mask: number): void {
    const load = this.load[i] as Load
    const { container } = this.group
    load.cpu -= container.cpuMilli
    load.memory -= container.memoryBytes
    load.disk -= container.diskBytes
    load.tasks += 1
    load.devices = load.devices.map((free, device) => free - ((mask >> device) & 1) * (container.gpu?.shareMilli ?? 0))
  }
}

const aNode = fc.record({
  cpuMilli: fc.integer({ min: 0, max: 1000 }),
  memoryMib: fc.integer({ min: 0, max: 600 }),
  diskMib: fc.integer({ min: 0, max: 100 }),
  region: fc.constantFrom('eu', 'us'),
  rack: fc.constantFrom('a', 'b', 'c', 'd'),
  address: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5'),
  closed: fc.constantFrom(null, null, null, null, 'draining' as const, 'lost' as const),
  labels: fc.constantFrom({}, {}, { tier: 'gold' }, { pool: 'gpu' }),
  gpus: fc.constantFrom(
    [],
    [{ model: 'T4', count: 2 }],
    [
      { model: 'T4', count: 1 },
      { model: 'V100', count: 2 },
    ],
  ),
})

const aGroup = fc
  .record({
    count: fc.integer({ min: 1, max: 25 }),
    constraints: fc.subarray(['node.arch = amd64', 'node.meta.tier != gold', 'node.name != n003', 'node.rack in [a, b, c]'], {
      maxLength: 2,
    }),
    spread: fc.constantFrom(
      {},
      { region: 'even', node: 'even' },
      { rack: { targets: 'even', hard: true } },
      { region: 'even', rack: { targets: 'even', hard: true } },
      { rack: { targets: { a: 50, b: 30 }, hard: true } },
      { region: { us: 70, eu: 30 } },
      { node: { targets: 'even', hard: true } },
    ),
    distinct: fc.constantFrom({}, {}, { node: 1 }, { rack: 2 }, { node: 2, region: 5 }),
    affinities: fc.constantFrom([], [{ 'node.rack = b': 50 }], [{ 'node.meta.tier = gold': -20 }, { 'node.name = n002': 30 }]),
    pool: fc.constantFrom(null, null, 'gpu'),
    cpu: fc.integer({ min: 1, max: 400 }),
    memory: fc.integer({ min: 1, max: 200 }),
    disk: fc.constantFrom(0, 0, 30),
    gpu: fc.constantFrom<GroupSpec['container']['gpu'][]>(
      null,
      null,
      { count: 1, shareMilli: 460, models: [] },
      { count: 2, shareMilli: 1000, models: ['T4'] },
      { count: 1, shareMilli: 1000, models: ['V100', 'P100'] },
    ),
    isPortFixed: fc.constantFrom(false, false, false, true),
  })
  .map((it): GroupSpec => {
    const more = { count: it.count, constraints: it.constraints, spread: it.spread, distinct: it.distinct, affinities: it.affinities }
    const group = groupOf({ ...more, ...(it.pool === null ? {} : { pool: it.pool }) }, { cpu: `${it.cpu}m`, memory: `${it.memory}MiB` })
    const ports: Record<string, number> = it.isPortFixed ? { http: 8080 } : {}
    return { ...group, container: { ...group.container, diskBytes: it.disk * MIB, gpu: it.gpu, ports } }
  })

const cases = fc.record({ nodes: fc.array(aNode, { maxLength: 14 }), group: aGroup })

test('every place is one the rules allow, and none is left out while they allow one', () => {
  fc.assert(
    fc.property(cases, ({ nodes: shapes, group }) => {
      const nodes = shapes.map((shape, i) => nodeWith(i, { ...shape, zone: shape.region }))
      const image = imageWith(nodes)
      const rules = new Rules(nodes, group, group.count)
      const placed = planSlice(image, { job: 'web', group, indexes: indexes(group.count), standing: nobody })
      placed.nodes.forEach((node, i) => {
        expect(rules.allows(node)).toBe(true)
        const mask = placed.devices[i] ?? 0
        const allowed = rules.devicesFor(node)
        for (let device = 0; device < 16; device += 1) if ((mask >> device) & 1) expect(allowed).toContain(device)
        rules.place(node, mask)
      })
      if (placed.unplaced.length > 0) expect(nodes.map((_, i) => rules.allows(i))).not.toContain(true)
      nodes.forEach((_, i) => {
        expect([image.cpuFree[i], image.memoryFree[i], image.diskFree[i]]).toEqual([
          rules.load[i]?.cpu,
          rules.load[i]?.memory,
          rules.load[i]?.disk,
        ])
        expect(image.freeGpu(i)).toBe(rules.load[i]?.devices.reduce((sum, free) => sum + free, 0))
      })
    }),
    { numRuns: 1000 },
  )
})

test('taking a plan back, or only attempting it, leaves the image exactly as it was: the same plan comes again', () => {
  fc.assert(
    fc.property(cases, aGroup, ({ nodes, group }, other) => {
      const image = imageWith(nodes.map((shape, i) => nodeWith(i, shape)))
      const request = (of: GroupSpec) => ({ job: 'web', group: of, indexes: indexes(of.count), standing: nobody })
      const facts = () => [image.cpuFree, image.memoryFree, image.diskFree, image.devices.free, image.tasks].map((it) => [...it])
      const before = facts()
      const first = planSlice(image, request(group))
      const [places, devices] = [[...first.nodes], [...first.devices]]
      const attempted = image.attempt(() => planSlice(image, request(other)).nodes)
      expect(image.attempt(() => planSlice(image, request(other)).nodes)).toEqual(attempted)
      first.undo()
      expect(facts()).toEqual(before)
      expect(image.shapes.size).toBe(0)
      const again = planSlice(image, request(group))
      expect([again.nodes, again.devices]).toEqual([places, devices])
    }),
    { numRuns: 300 },
  )
})

test('the order in which nodes come, go and change does not matter', () => {
  fc.assert(
    fc.property(cases, fc.array(fc.nat(), { minLength: 14, maxLength: 14 }), ({ nodes: shapes, group }, keys) => {
      const nodes = shapes.map((shape, i) => nodeWith(i, shape))
      const shuffled = nodes.map((node, i) => ({ node, key: keys[i] ?? 0 })).sort((a, b) => a.key - b.key)
      const image = imageWith([
        nodeWith(99, { rack: 'z' }),
        ...shuffled.map(({ node }) => ({ ...node, rack: 'other', gpus: [] })),
        ...shuffled.map(({ node }) => node).reverse(),
      ])
      image.dropNode('n099')
      const request = { job: 'web', group, indexes: indexes(group.count), standing: nobody }
      const places = (of: typeof image) => planSlice(of, request).nodes.map((node) => of.names[node])
      expect(places(image)).toEqual(places(imageWith(nodes)))
    }),
    { numRuns: 300 },
  )
})

test('a hard share is kept where a value without room costs the same', () => {
  const rack = (i: number, name: string, cpuMilli: number) => nodeWith(i, { rack: name, cpuMilli, memoryMib: 100 })
  const image = imageWith([rack(0, 'c', 0), rack(1, 'd', 0), rack(2, 'b', 100)])
  const group = groupOf({ count: 4, spread: { rack: { targets: { a: 50, b: 30 }, hard: true } } }, { cpu: '1m', memory: '1MiB' })
  const placed = planSlice(image, { job: 'web', group, indexes: indexes(4), standing: nobody })
  // 30 % of 4 tasks, rounded up.
  expect(placed.nodes).toEqual([2, 2])
})
