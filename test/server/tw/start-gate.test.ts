import { expect, test } from 'vitest'
import type { Entry } from '../../../src/core/contracts/entry.ts'
import { domainLost } from '../../../src/core/tw/entries/nodes.ts'
import { jobRun, settingsSetCommand } from '../../../src/core/tw/operations.ts'
import { desiredTasks, settingsOf } from '../../../src/core/tw/queries.ts'
import { StartGate } from '../../../src/server/tw/start-gate.ts'
import { newSimulatedFleet, type SimulatedFleet } from '../../support/tw-fleet.ts'

const job = (name: string, count: number, disconnect: object = {}) => ({
  job: name,
  groups: { api: { count, disconnect, main: { command: ['server'], resources: { cpu: '10m', memory: '8MiB' } } } },
})
const NODES = ['n1', 'n2', 'n3']

/** Loses a node as a domain; gives the entry and how many tasks were there. */
function lose(fleet: SimulatedFleet, node: string): { entry: Entry; lost: number } {
  const silent = fleet.nodes.get(node)
  if (silent) silent.isSilent = true
  fleet.pass(5000)
  const lost = desiredTasks(fleet.state.db, node).length
  const [entry] = fleet.state.append([domainLost.of({ domain: 'rack k', total: 1, isFirst: true, silentMs: 10_000, nodes: [node] })])
  return { entry: entry as Entry, lost }
}

function fleetOf(disconnect: object = {}): SimulatedFleet {
  const fleet = newSimulatedFleet({ nodes: 3 })
  fleet.state.run(jobRun, { spec: job('web', 120, disconnect) })
  fleet.pass(5000)
  return fleet
}

/** What the agents of the nodes are told to run, by job. */
const told = (fleet: SimulatedFleet, gate: StartGate, of: string): number =>
  NODES.slice(1).flatMap((node) => desiredTasks(fleet.state.db, node).filter((task) => task.job === of && !gate.holds(node, task))).length

test('replacements of a lost domain start at the rate, in their order, and other jobs at once', () => {
  let clock = 0
  const gate = new StartGate(
    () => 100,
    () => clock,
  )
  const fleet = fleetOf()
  const { entry, lost } = lose(fleet, 'n1')
  expect(lost).toBeGreaterThan(15)
  // What is placed in the same batch counts as placed after it.
  fleet.state.run(jobRun, { spec: job('other', 4) })
  fleet.pass(2000)
  gate.note(fleet.state.db, entry)
  expect(told(fleet, gate, 'other')).toBe(4)
  expect(told(fleet, gate, 'web')).toBe(120 - lost)
  expect(gate.isBusy).toBe(true)
  clock += 50
  expect(gate.release().size).toBeGreaterThan(0)
  expect(told(fleet, gate, 'web')).toBe(120 - lost + 5)
  // However long nobody looked, no more than a tenth of a second is made up for.
  clock += 5000
  gate.release()
  expect(told(fleet, gate, 'web')).toBe(120 - lost + 15)
  for (let i = 0; i < 20; i += 1) {
    clock += 100
    gate.release()
  }
  expect(told(fleet, gate, 'web')).toBe(120)
  expect(gate.isBusy).toBe(false)
})

test('replacements that come late, after lost_after, are spread as well; ten minutes later nothing is', () => {
  let clock = 0
  const gate = new StartGate(
    () => 1,
    () => clock,
  )
  const fleet = fleetOf({ lost_after: '30s' })
  const { entry, lost } = lose(fleet, 'n1')
  gate.note(fleet.state.db, entry)
  fleet.pass(45_000)
  clock += 45_000
  expect(told(fleet, gate, 'web')).toBe(120 - lost)
  clock += 600_000
  gate.release()
  expect(told(fleet, gate, 'web')).toBe(120)
  fleet.state.run(jobRun, { spec: job('other', 4) })
  fleet.pass(2000)
  expect(told(fleet, gate, 'other')).toBe(4)
})

test('when more tasks fail than may start in a second, what replaces them is spread at the rate that is set, and other jobs start at once', () => {
  let clock = 0
  let isFailing = false
  const fleet = newSimulatedFleet({
    nodes: 3,
    behaviour: (task) => ({
      ...{ startMs: 500, stopMs: 500 },
      ...(isFailing && task.job === 'web' ? { end: { afterMs: 0, state: 'failed' as const, reason: 'exit 1' } } : {}),
    }),
  })
  const gate = new StartGate(
    () => settingsOf(fleet.state.db).stormRate,
    () => clock,
  )
  let seen = 0
  const pass = (ms: number): void => {
    fleet.pass(ms)
    clock += ms
    for (const entry of fleet.state.entries.slice(seen)) gate.note(fleet.state.db, entry)
    seen = fleet.state.entries.length
  }
  const spec = job('web', 120)
  fleet.state.run(jobRun, { spec: { ...spec, groups: { api: { ...spec.groups.api, restart: { attempts: 0, mode: 'fail' } } } } })
  pass(5000)
  fleet.state.run(settingsSetCommand, { stormRate: 40 })
  isFailing = true
  pass(250)
  isFailing = false
  pass(250)
  expect(fleet.state.db.get("SELECT count(*) AS n FROM tw_task WHERE job = 'web' AND state = 'failed'")).toEqual({ n: 120 })
  fleet.state.run(jobRun, { spec: job('other', 4) })
  pass(1000)
  expect(told(fleet, gate, 'other'), 'placed within a second, and started').toBeGreaterThan(0)
  pass(60_000)
  const back = (): number =>
    NODES.flatMap((node) => desiredTasks(fleet.state.db, node).filter((it) => it.job === 'web' && !gate.holds(node, it))).length
  expect(back(), 'they have places').toBe(0)
  expect(gate.isBusy).toBe(true)
  gate.release()
  expect(back()).toBe(4)
  fleet.state.run(settingsSetCommand, { stormRate: 400 })
  clock += 100
  gate.release()
  expect(back()).toBe(44)
})
