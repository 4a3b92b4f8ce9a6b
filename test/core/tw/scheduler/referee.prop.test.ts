import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jobSubmitted, updateTargetSet } from '../../../../src/core/tw/entries/jobs.ts'
import { nodeLost, nodeReturned } from '../../../../src/core/tw/entries/nodes.ts'
import { stopTask, tasksPlaced, tasksReported } from '../../../../src/core/tw/entries/tasks.ts'
import { jobScale, nodeJoin } from '../../../../src/core/tw/operations.ts'
import type { NodeRow, TaskRow } from '../../../../src/core/tw/rows.ts'
import { jobFileSchema } from '../../../../src/core/tw/schema.ts'
import { resolveJob } from '../../../../src/core/tw/spec/resolve.ts'
import { twSystem } from '../../../../src/core/tw/system.ts'
import { devicesIn, idsIn, type NodeLoad } from '../../../../src/core/tw/tasks/load.ts'
import { idsOnNode, tasksOnNode } from '../../../../src/core/tw/tasks/read.ts'
import { packRecords } from '../../../../src/core/tw/tasks/records.ts'
import { newState, type TestState } from '../../../support/state.ts'

const NODES = 4
const COUNT = 12
const MIB = 1_048_576

/** Four small nodes of two racks, of which two share an address and one has two GPUs, and a job that uses everything there is to count. */
function smallFleet(isAllOrNothing: boolean): TestState {
  const state = newState([twSystem])
  for (let i = 1; i <= NODES; i += 1) {
    const identity = {
      ...{ node: `n${i}`, bootId: 'b', pid: 1, region: 'eu', zone: 'a', rack: `r${i % 2}`, address: `10.0.0.${Math.min(i, 3)}` },
      ...{ cpuMilli: 400, memoryBytes: 256 * MIB, attributes: { arch: i === 2 ? 'arm64' : 'amd64' } },
    }
    state.run(nodeJoin, { identity })
    state.db.run('UPDATE tw_node SET disk_bytes = 1000, gpus = ? WHERE name = ?', i < 3 ? '[{"model":"T4","count":2}]' : '[]', `n${i}`)
  }
  const main = { command: 'x', resources: { cpu: '100m', memory: '64MiB' } }
  const document = {
    job: 'web',
    groups: {
      api: { count: COUNT, availability: { max_surge: 2 }, constraints: ['node.arch = amd64'], distinct: { rack: 5, node: 3 }, main },
      port: { count: COUNT, network: { ports: { http: { static: 80 } } }, main },
      gpu: {
        count: COUNT,
        all_or_nothing: isAllOrNothing,
        main: { ...main, resources: { ...main.resources, gpu: { count: 1, share: '40%' } } },
      },
    },
  }
  const spec = resolveJob(jobFileSchema.parse(document))
  state.append([jobSubmitted.of({ job: 'web', version: 1, document, spec, release: null, reason: '', isStarted: true })])
  for (const { name, count } of spec.groups) {
    const arms = [{ arm: 'primary' as const, version: 1, count }]
    state.append([updateTargetSet.of({ job: 'web', group: name, owner: null, arms, count, reason: '' })])
  }
  return state
}

const record = fc.record({
  index: fc.integer({ min: 0, max: 15 }),
  node: fc.integer({ min: 0, max: NODES + 1 }),
  gpuMask: fc.constantFrom(0, 1, 1, 2, 2, 3, 4),
  gpuMilli: fc.constantFrom(0, 400, 400, 400, 900, 1000),
})
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('place' as const),
      group: fc.constantFrom('api', 'port', 'gpu'),
      records: fc.array(record, { maxLength: 25 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('named' as const),
      group: fc.constantFrom('api', 'port', 'gpu'),
      records: fc.array(record, { maxLength: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stop' as const), id: fc.integer({ min: 1, max: 30 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end' as const), id: fc.integer({ min: 1, max: 30 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), node: fc.integer({ min: 1, max: NODES }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('scale' as const), count: fc.integer({ min: 0, max: COUNT }) }) },
)

test('whatever a planner places, no node and no GPU is over 100 %, and no group has more than it may', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.boolean(), (steps, isAllOrNothing) => {
      const state = smallFleet(isAllOrNothing)
      // The job's own plan is not made: everything that comes is the liar's.
      for (const it of steps) {
        state.advance(1000)
        const task = 'id' in it ? state.db.get<TaskRow>('SELECT * FROM tw_task WHERE id = ?', it.id) : undefined
        if (it.kind === 'place') {
          const packed = { count: it.records.length, records: packRecords(it.records), why: 'a lie' }
          state.append([tasksPlaced.of({ job: 'web', group: it.group, version: 1, plannedAt: 1, ...packed })])
        } else if (it.kind === 'named') {
          const tasks = it.records.map(({ index, node, gpuMask }) => ({ index, node: `n${node}`, devices: gpuMask, why: 'a lie' }))
          state.append([tasksPlaced.of({ job: 'web', group: it.group, version: 1, tasks })])
        } else if (it.kind === 'stop') state.append([stopTask.of({ ids: [it.id], cause: 'a test' })])
        else if (it.kind === 'end' && task) state.append([ended(task)])
        else if (it.kind === 'lose') {
          state.append([nodeLost.of({ node: `n${it.node}`, silentMs: 10_000 })])
          expect(loads(state).find((load) => load.name === `n${it.node}`)).toMatchObject({ cpu_milli: 0, tasks: 0 })
          state.append([nodeReturned.of({ node: `n${it.node}` })])
        } else if (it.kind === 'scale') state.run(jobScale, { job: 'web', group: 'api', count: it.count })
        const most = state.db.get<{ count: number }>("SELECT count FROM tw_arm WHERE job = 'web' AND grp = 'api'")?.count ?? 0
        if (it.kind === 'place' || it.kind === 'named')
          expectRules(state, it.group === 'api' ? most : null, isAllOrNothing && it.group === 'gpu')
        expectLoads(state)
      }
    }),
    { numRuns: 60 },
  )
})

const loads = (state: TestState): NodeLoad[] => state.db.all<NodeLoad>('SELECT * FROM tw_node_load ORDER BY id')
const live = (state: TestState): TaskRow[] => state.db.all<TaskRow>('SELECT * FROM tw_task WHERE is_terminal = 0 ORDER BY id')

function ended(task: TaskRow) {
  const report = { health: 'none' as const, pid: null, ports: {}, reason: '', restarts: 0, startedAt: 1 }
  const { id, incarnation, node } = task
  return tasksReported.of({ node, bootId: 'b', tasks: [{ id, task: 'x', incarnation, state: 'failed', ...report }] })
}

/** I2: what lies in the load is what the live tasks reserve, and is not more than there is. */
function expectLoads(state: TestState): void {
  for (const load of loads(state)) {
    const node = state.db.get<NodeRow>('SELECT * FROM tw_node WHERE name = ?', load.name) as NodeRow
    const own = live(state).filter((task) => task.node === load.name)
    const sum = (of: (task: TaskRow) => number): number => own.reduce((total, task) => total + of(task), 0)
    expect([load.cpu_milli, load.memory_bytes, load.disk_bytes, load.tasks]).toEqual([
      ...[sum((task) => task.cpu_milli), sum((task) => task.memory_bytes), sum((task) => task.disk_bytes), own.length],
    ])
    expect(load.cpu_milli).toBeLessThanOrEqual(node.cpu_milli)
    expect(load.memory_bytes).toBeLessThanOrEqual(node.memory_bytes)
    devicesIn(load).forEach((used, device) => {
      expect(used).toBe(sum((task) => ((task.gpu_mask >> device) & 1) * task.gpu_milli))
      expect(used).toBeLessThanOrEqual(1000)
    })
    expect(devicesIn(load).length).toBeLessThanOrEqual(load.id < 3 ? 2 : 0)
    const known = state.db.all<{ id: number }>('SELECT id FROM tw_task WHERE node = ? AND is_reaped = 0 ORDER BY id', load.name)
    expect(idsIn(load.runs).sort((a, b) => a - b)).toEqual(known.map((row) => row.id))
    expect(tasksOnNode(state.db, load.name).map((task) => task.id)).toEqual(idsOnNode(state.db, load.name))
  }
}

/** I3 and I7, after something was placed. */
function expectRules(state: TestState, apiCount: number | null, isWhole: boolean): void {
  const tasks = live(state)
  const slots = tasks.map((task) => `${task.grp}[${task.idx}]`)
  expect(new Set(slots).size, 'an index is held once').toBe(slots.length)
  const api = tasks.filter((task) => task.grp === 'api')
  if (apiCount !== null) {
    const placedNow = state.db.get("SELECT id FROM tw_slice WHERE placed_position = ? AND grp = 'api'", state.entries.length)
    if (placedNow) expect(api.filter((task) => task.want === 'run').length).toBeLessThanOrEqual(apiCount + 2)
  }
  const perNode = Map.groupBy(api, (task) => task.node)
  expect(perNode.has('n2'), 'the constraint').toBe(false)
  for (const own of perNode.values()) expect(own.length).toBeLessThanOrEqual(3)
  for (const own of Map.groupBy(api, (task) => Number(task.node.slice(1)) % 2).values()) expect(own.length).toBeLessThanOrEqual(5)
  const held = tasks.filter((task) => task.grp === 'port').map((task) => Math.min(3, Number(task.node.slice(1))))
  expect(new Set(held).size, 'one task an address holds the port').toBe(held.length)
  if (!isWhole) return
  const refused = state.db.get('SELECT idx FROM tw_rejected WHERE position = ?', state.entries.length) !== undefined
  if (refused)
    expect(state.db.get('SELECT id FROM tw_slice WHERE placed_position = ?', state.entries.length), 'all or none').toBeUndefined()
}
