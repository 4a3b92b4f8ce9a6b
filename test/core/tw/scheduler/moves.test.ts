import fc from 'fast-check'
import { expect, test } from 'vitest'
import { must } from '../../../../src/core/kernel/assert.ts'
import { defrag, jobRun, nodeCordon, nodeUncordon, opList, ps } from '../../../../src/core/tw/operations.ts'
import { demandOf } from '../../../../src/core/tw/scheduler/demand.ts'
import { planMoves, Usability, type Movable } from '../../../../src/core/tw/scheduler/moves.ts'
import { newSimulatedFleet } from '../../../support/tw-fleet.ts'
import { groupOf, imageWith, indexes, nobody, nodeWith } from './fleets.ts'

test('moves together make more usable than before, keep to their limit, and leave the image as it was', () => {
  const load = fc.array(fc.record({ cpu: fc.integer({ min: 50, max: 600 }), memory: fc.integer({ min: 16, max: 600 }) }), { maxLength: 6 })
  let moved = 0
  fc.assert(
    fc.property(fc.array(load, { minLength: 2, maxLength: 6 }), fc.integer({ min: 0, max: 4 }), (loads, movesMax) => {
      const image = imageWith(indexes(loads.length).map((i) => nodeWith(i, { cpuMilli: 2000, memoryMib: 2000 })))
      let id = 0
      const onNode = loads.map((tasks, node) =>
        tasks.flatMap((it): Movable[] => {
          const group = groupOf({ spread: {} }, { cpu: `${it.cpu}m`, memory: `${it.memory}MiB` })
          if (!image.fits(node, demandOf(group))) return []
          image.applyTask(node, demandOf(group), 1)
          id += 1
          return [{ id, job: `j${id}`, grp: 'api', idx: 0, group, devices: 0, standing: nobody }]
        }),
      )
      const unusable = (): number => {
        const usability = new Usability(image)
        return loads.reduce((sum, _, node) => sum + usability.of(node), 0)
      }
      const free = [...image.cpuFree]
      const before = unusable()
      const moves = planMoves(image, { movesMax, gainMin: 50 }, (node) => onNode[node] ?? [])
      expect([...image.cpuFree]).toEqual(free)
      expect(moves.length).toBeLessThanOrEqual(movesMax)
      for (const { gain } of moves) expect(gain).toBeGreaterThanOrEqual(50)
      for (const { task, from, to } of moves) {
        const [source, target] = [must(image.indexOf(from), 'from'), must(image.indexOf(to), 'to')]
        expect(image.fits(target, demandOf(task.group))).toBe(true)
        image.applyTask(target, demandOf(task.group), 1)
        image.applyTask(source, demandOf(task.group), -1)
      }
      moved += moves.length
      // Rounding of each node aside, what the moves said they gain is gained.
      const gain = moves.reduce((sum, move) => sum + move.gain, 0)
      expect(Math.abs(before - unusable() - gain)).toBeLessThanOrEqual(loads.length)
    }),
    { numRuns: 200 },
  )
  expect(moved).toBeGreaterThan(0)
})

test('defrag moves a serving task where more becomes usable, as an op, and nothing when it is run again', () => {
  const fleet = newSimulatedFleet({ nodes: 2, cpuMilli: 2000, regions: 1 })
  fleet.pass(500)
  const job = (name: string, count: number, cpu: string, memory: string) => ({
    job: name,
    groups: {
      g: {
        count,
        spread: {},
        availability: { max_unavailable: 1, min_healthy_time: '0s' },
        main: { command: 'x', resources: { cpu, memory } },
      },
    },
  })
  // Those with much memory came while only n1 was open, those with much cpu while only n2 was.
  fleet.state.run(nodeCordon, { node: 'n2' })
  fleet.state.run(jobRun, { spec: job('memory', 3, '100m', '640MiB') })
  fleet.pass(2000)
  fleet.state.run(nodeUncordon, { node: 'n2' })
  fleet.state.run(nodeCordon, { node: 'n1' })
  fleet.state.run(jobRun, { spec: job('cpu', 3, '600m', '32MiB') })
  fleet.pass(2000)
  fleet.state.run(nodeUncordon, { node: 'n1' })
  const done = fleet.state.run(defrag, { movesPpm: 500_000 })
  expect(done.moves.length).toBeGreaterThan(0)
  expect(done.gainMilli).toBeGreaterThan(0)
  expect(fleet.state.ask(opList, {}).ops.map((op) => op.cause)).toContain('rebalance')
  fleet.pass(5000)
  const at = new Map(fleet.state.ask(ps, {}).tasks.map((task) => [task.task.split('[')[0], task.node]))
  const [move] = done.moves
  expect(at.size).toBe(2)
  expect(fleet.state.ask(ps, {}).tasks.filter((task) => task.node === must(move, 'a move').to).length).toBeGreaterThan(3)
  expect(fleet.state.run(defrag, { movesPpm: 500_000 }).moves).toEqual([])
})
