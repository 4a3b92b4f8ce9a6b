import { expect, test } from 'vitest'
import { jobRun } from '../../../src/core/tw/operations.ts'
import { newSimulatedFleet, type SimulatedFleet } from '../../support/tw-fleet.ts'

/* A run that is planned places its first tasks in the same step: the referee then takes back none of them. */

const job = (version: string, group: Record<string, unknown>) => ({
  job: 'web',
  groups: {
    api: {
      count: 3,
      availability: { max_unavailable: 0, max_surge: 1 },
      network: { ports: { http: null } },
      main: { command: ['./serve'], env: { VERSION: version }, health: { readiness: { http: '/', port: 'http', interval: '1s' } } },
      ...group,
    },
  },
})

const fleetOf = (nodes: number, startMs: number): SimulatedFleet =>
  newSimulatedFleet({ nodes, behaviour: () => ({ startMs, stopMs: 100 }) })

const rejected = (fleet: SimulatedFleet): unknown[] => fleet.state.db.all('SELECT * FROM tw_rejected')
const placed = (fleet: SimulatedFleet, version: number): number =>
  fleet.state.db.all('SELECT id FROM tw_task WHERE version = ? AND is_terminal = 0', version).length

test('only as many as have room before the old ones, which do not serve, are stopped', () => {
  const fleet = fleetOf(3, 1_000_000)
  fleet.state.run(jobRun, { spec: job('1', {}) })
  fleet.pass(2000)
  fleet.state.run(jobRun, { spec: job('2', {}), isPlaced: true })
  expect(rejected(fleet)).toEqual([])
  expect(placed(fleet, 2)).toBe(1)
  fleet.pass(1000)
  expect(placed(fleet, 2)).toBe(3)
})

test('those of two versions are counted together where only so many may be', () => {
  const fleet = fleetOf(1, 100)
  const distinct = { distinct: { node: 4 }, update: { canary: 1 } }
  fleet.state.run(jobRun, { spec: job('1', { ...distinct, count: 2 }) })
  fleet.pass(20_000)
  fleet.state.run(jobRun, { spec: job('2', { ...distinct, count: 4 }), isPlaced: true })
  expect(rejected(fleet)).toEqual([])
  expect([placed(fleet, 1), placed(fleet, 2)]).toEqual([4, 0])
})
