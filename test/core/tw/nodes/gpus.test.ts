import { expect, test } from 'vitest'
import { renderNode } from '../../../../src/cli/render/tw-nodes.ts'
import { renderTasks } from '../../../../src/cli/render/tw-tasks.ts'
import { PLAIN } from '../../../../src/cli/terminal.ts'
import { capacity, explain, jobRun, nodeShow, ps } from '../../../../src/core/tw/operations.ts'
import { desiredTasks, isJoined } from '../../../../src/core/tw/queries.ts'
import { nodeRow } from '../../../../src/core/tw/rows.ts'
import { newSimulatedFleet } from '../../../support/tw-fleet.ts'

const GIB = 1_073_741_824
const job = (name: string, count: number, resources: Record<string, unknown>) => ({
  job: name,
  groups: { g: { count, main: { command: 'x', resources: { cpu: '10m', memory: '8MiB', ...resources } } } },
})
const fleetOfOne = () => {
  const fleet = newSimulatedFleet({ nodes: 1, diskBytes: 10 * GIB, gpus: [{ model: 'T4', count: 2 }] })
  fleet.pass(500)
  return fleet
}

test('shares of a GPU lie on one device, a whole one goes to the other, and the agent is told which', () => {
  const fleet = fleetOfOne()
  fleet.state.run(jobRun, { spec: job('half', 2, { gpu: { share: '50%' } }) })
  fleet.pass(1000)
  fleet.state.run(jobRun, { spec: job('whole', 1, { gpu: { models: ['T4'] } }) })
  fleet.pass(1000)
  const devices = desiredTasks(fleet.state.db, 'n1').map((task) => [task.job, task.devices])
  expect(devices).toEqual([
    ['half', { indexes: [0], shareMilli: 500 }],
    ['half', { indexes: [0], shareMilli: 500 }],
    ['whole', { indexes: [1], shareMilli: 1000 }],
  ])

  const { node } = fleet.state.ask(nodeShow, { node: 'n1' })
  expect(node.gpus).toEqual([
    { model: 'T4', reservedMilli: 1000 },
    { model: 'T4', reservedMilli: 1000 },
  ])
  expect(renderNode(PLAIN, fleet.state.ask(nodeShow, { node: 'n1' }))).toContain('0 T4 100 %, 1 T4 100 %')
  const listed = renderTasks({ ...PLAIN, isWide: true }, fleet.state.ask(ps, {}))
  expect(listed).toContain('T4 0 (50 %)')
  expect(listed).toContain('T4 1')
  expect(fleet.state.ask(capacity, { by: 'model' })).toMatchObject([{ of: 'T4', total: { gpuMilli: 2000 }, reserved: { gpuMilli: 2000 } }])
  const lines = (target: string): string => fleet.state.ask(explain, { target }).tasks[0]?.lines.join('\n') ?? ''
  expect(lines('half/g[0]')).toContain(
    'holds 50 % of GPU 0 (T4) of n1: a share divides memory and time by agreement only, the program has to keep to MUSTER_GPU_SHARE',
  )
  expect(lines('whole/g[0]')).toMatch(/holds GPU 1 \(T4\) of n1$/)

  fleet.state.run(jobRun, { spec: job('more', 1, { gpu: { share: '1%' } }) })
  fleet.pass(1000)
  expect(fleet.state.ask(explain, { target: 'more' }).blocked[0]).toMatchObject({
    code: 'TW_NO_CAPACITY',
    why: '0 of 1 nodes can take it: 1 without enough free GPU',
  })
})

test('a model that no node has is never found, and explain says of a node what it has', () => {
  const fleet = fleetOfOne()
  fleet.state.run(jobRun, { spec: job('big', 1, { gpu: { models: ['H100'] } }) })
  fleet.pass(1000)
  const said = fleet.state.ask(explain, { target: 'big', node: 'n1' })
  expect(said.blocked[0]?.code).toBe('TW_NO_FEASIBLE_NODE')
  expect(said.lines.at(-1)).toBe('n1 cannot take it: 1 × GPU of H100 wanted, it has 0 and of them 0 with so much free')
})

test('disk is counted, shown, and what does not fit waits', () => {
  const fleet = fleetOfOne()
  fleet.state.run(jobRun, { spec: job('store', 3, { disk: '4GiB' }) })
  fleet.pass(1000)
  expect(fleet.state.ask(nodeShow, { node: 'n1' }).node).toMatchObject({ diskBytes: 10 * GIB, diskReserved: 8 * GIB })
  expect(fleet.state.ask(explain, { target: 'store' }).blocked[0]?.why).toBe(
    '0 of 1 nodes can take it: 1 without enough free disk; nearest: 1 lacks only 2048 MiB disk',
  )
  const [task] = fleet.state.ask(explain, { target: 'store/g[0]' }).tasks
  expect(task?.lines.at(-1)).toBe('counted with 4GiB of disk, which nothing enforces')
})

test('a node of an older agent, which says neither, has none; one that says more is joined anew', () => {
  const fleet = newSimulatedFleet({ nodes: 1 })
  fleet.pass(500)
  expect(nodeRow(fleet.state.db, 'n1')).toMatchObject({ disk_bytes: 0, gpus: '[]' })
  const identity = fleet.nodes.get('n1')?.identity
  if (identity === undefined) throw new Error('no node')
  expect(isJoined(fleet.state.db, identity)).toBe(true)
  identity.gpus = [{ model: 'V100', count: 1 }]
  expect(isJoined(fleet.state.db, identity)).toBe(false)
  fleet.pass(500)
  expect(fleet.state.ask(nodeShow, { node: 'n1' }).node.gpus).toEqual([{ model: 'V100', reservedMilli: 0 }])
  expect(fleet.state.replay().digest()).toBe(fleet.state.digest())
})

test('a fleet with more models than a set holds is planned on: the GPUs beyond go to who names no model', () => {
  const gpus = Array.from({ length: 14 }, (_, i) => ({ model: `m${i}`, count: 1 }))
  const fleet = newSimulatedFleet({ nodes: 3, cpuMilli: 8000, gpus })
  let n = 0
  for (const node of fleet.nodes.values()) node.identity.gpus = gpus.map(({ count }) => ({ model: `m${n++}`, count }))
  fleet.pass(500)
  fleet.state.run(jobRun, { spec: job('any', 41, { gpu: { share: '100%' } }) })
  fleet.state.run(jobRun, { spec: job('named', 1, { gpu: { models: ['m41'] } }) })
  fleet.pass(2000)
  expect(fleet.state.ask(ps, { job: 'any' }).tasks).toHaveLength(41)
  expect(fleet.state.ask(explain, { target: 'named' }).blocked[0]?.code).toBe('TW_NO_FEASIBLE_NODE')
})
