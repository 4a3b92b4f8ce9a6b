import { describe, expect, test } from 'vitest'
import { splitSet } from '../../../src/core/tw/entries/mesh.ts'
import {
  jobRun,
  meshFaultSet,
  meshList,
  meshShow,
  meshSplitSet,
  nodeJoin,
  taskStop,
  updateSet,
  jobVersionPut,
} from '../../../src/core/tw/operations.ts'
import { meshSnapshot, splitOf, splitStatus, stoppingTasks, type NodeBeat } from '../../../src/core/tw/queries.ts'
import { twSystem } from '../../../src/core/tw/system.ts'
import { newState, type TestState } from '../../support/state.ts'
import { newSimulatedFleet } from '../../support/tw-fleet.ts'

const job = (port = 'http', service = 'web', name = 'web') => ({
  job: name,
  groups: {
    api: {
      count: 2,
      network: { ports: { [port]: {} } },
      services: { [service]: { port, timeout: '3s', retries: 1 } },
      main: { command: 'x', resources: { cpu: '50m', memory: '32MiB' }, health: { readiness: { http: '/ready' } } },
    },
  },
})

const split = {
  service: 'web',
  shares: { v1: 900_000, v2: 100_000 },
  arms: { v1: 'primary', v2: 'canary' },
  salt: 's',
  sticky: 'header:x-user',
  epoch: 3,
  reason: 'a test',
}

function stateWithService(nodes = 2): TestState {
  const state = newState([twSystem])
  for (let i = 1; i <= nodes; i += 1) {
    state.run(nodeJoin, {
      identity: {
        node: `n${i}`,
        bootId: 'b',
        pid: i,
        region: 'eu',
        zone: 'a',
        rack: 'r',
        address: '127.0.0.1',
        cpuMilli: 1000,
        memoryBytes: 1e9,
        attributes: {},
      },
    })
  }
  state.run(jobRun, { spec: job() })
  return state
}

describe('a split', () => {
  test('of a lower epoch changes nothing: neither by the operation nor by an entry of somebody who was replaced', () => {
    const state = stateWithService()
    state.run(meshSplitSet, split)
    expect(() => state.run(meshSplitSet, { ...split, epoch: 2 })).toThrow(expect.objectContaining({ code: 'MESH_EPOCH_STALE' }))
    const before = state.digest()
    state.append([splitSet.of({ ...split, epoch: 2, shares: { v2: 1_000_000 } })])
    expect(state.digest()).toBe(before)
    expect(splitOf(state.db, 'web')?.shares).toEqual(split.shares)
  })

  test('whose shares do not add up, or of an unknown service, is refused', () => {
    const state = stateWithService()
    expect(() => state.run(meshSplitSet, { ...split, shares: { v1: 1 } })).toThrow(/add up to 1,/)
    expect(() => state.run(meshSplitSet, { ...split, service: 'nope' })).toThrow(expect.objectContaining({ code: 'MESH_SERVICE_UNKNOWN' }))
    expect(() => state.run(meshSplitSet, { ...split, sticky: 'user' })).toThrow(/header:NAME/)
  })

  test('is applied only when the proxy of every node that is not lost works from it', () => {
    const state = stateWithService(3)
    const { position } = state.run(meshSplitSet, split)
    const beat = (meshPosition: number): NodeBeat => ({ ageMs: 0, bootId: 'b', meshPosition, connected: true })
    const beats = new Map([
      ['n1', beat(position)],
      ['n2', beat(position - 1)],
      ['n3', beat(position)],
    ])
    const settle = (): void => void state.settle(twSystem.controllers, () => ({ beats }))
    settle()
    expect(splitStatus(state.db, 'web')?.appliedAtMs).toBe(null)
    beats.set('n2', beat(position + 5))
    settle()
    expect(splitStatus(state.db, 'web')).toMatchObject({ epoch: 3, position, appliedAtMs: state.now() })
    expect(state.entries.filter((entry) => entry.type === 'tw.SplitApplied').length).toBe(1)
  })

  test('with no shares is taken away: all endpoints are equal again, and the epoch stays', () => {
    const state = stateWithService()
    state.run(meshSplitSet, split)
    state.run(meshSplitSet, { ...split, shares: {}, arms: {}, epoch: 4 })
    expect(splitOf(state.db, 'web')).toBe(null)
    expect(splitStatus(state.db, 'web')?.epoch).toBe(4)
  })
})

test('an endpoint is a task that runs, is healthy and is not stopping; the others are named with the reason', () => {
  const fleet = newSimulatedFleet({ nodes: 2, behaviour: (task) => ({ startMs: task.version === 2 ? 1e9 : 500, stopMs: 60_000 }) })
  const { state } = fleet
  state.run(jobRun, { spec: job() })
  fleet.pass(5000)
  state.run(jobVersionPut, { job: 'web', change: { env: { A: '2' } }, release: 'web-2' })
  state.run(updateSet, {
    job: 'web',
    owner: 'rollout:1',
    arms: [
      { arm: 'primary', version: 1, count: 2 },
      { arm: 'canary', version: 2, count: 1 },
    ],
    reason: 'x',
  })
  fleet.pass(5000)
  state.run(taskStop, { task: 'web/api[0]' })
  const [service] = meshSnapshot(state.db, 7).services
  expect(service).toMatchObject({
    name: 'web',
    protocol: 'http',
    policy: { requestTimeoutMs: 3000, tryTimeoutMs: 3000, retriesMax: 1 },
    endpoints: [{ task: 'web/api[1]', subset: 'v1', address: '10.0.0.2', region: 'r2' }],
  })
  expect(state.ask(meshShow, { service: 'web' }).unused).toEqual([
    { task: 'web/api[0]', why: 'stopping' },
    { task: 'web/api[2]', why: 'starting' },
  ])
  expect(stoppingTasks(state.db)).toMatchObject([
    { task: 'web/api[0]', service: 'web', stopPosition: state.entries.length, stopAtMs: state.now() },
  ])
})

test('a service name belongs to one job', () => {
  const state = stateWithService()
  expect(() => state.run(jobRun, { spec: job('http', 'web', 'other') })).toThrow(expect.objectContaining({ code: 'TW_SERVICE_TAKEN' }))
})

test('a service that a new version no longer has leaves the mesh', () => {
  const state = stateWithService()
  state.run(jobRun, { spec: job('http', 'web2') })
  expect(state.ask(meshList, {}).map((service) => service.service)).toEqual(['web2'])
})

test('a mesh fault has an end, and is taken away after it', () => {
  const state = stateWithService()
  const fault = {
    id: 'f1',
    run: 'r1',
    kind: 'delay' as const,
    share: 10_000,
    salt: 's',
    delayMs: 100,
    jitterMs: 0,
    status: 0,
    match: {},
    untilMs: state.now() + 5000,
    usersMax: 10,
  }
  expect(() =>
    state.run(meshFaultSet, { service: 'web', add: [{ ...fault, untilMs: state.now() + 1e9 }], remove: [], reason: 'x' }),
  ).toThrow(/must end/)
  expect(state.run(meshFaultSet, { service: 'web', add: [fault], remove: [], reason: 'x' }).active).toBe(1)
  const wakeAt = state.settle(twSystem.controllers, () => ({ beats: new Map() }))
  expect(wakeAt).toBeLessThanOrEqual(fault.untilMs)
  expect(meshSnapshot(state.db).services[0]?.faults).toEqual([fault])
  state.advance(5001)
  state.settle(twSystem.controllers, () => ({ beats: new Map() }))
  expect(meshSnapshot(state.db).services[0]?.faults).toEqual([])
})
