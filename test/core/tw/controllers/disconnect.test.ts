import { describe, expect, test } from 'vitest'
import { jobRun, jobScale, jobStop, nodeRetire } from '../../../../src/core/tw/operations.ts'
import { explain } from '../../../../src/core/tw/operations/task-reads.ts'
import { meshSnapshot } from '../../../../src/core/tw/queries.ts'
import type { TaskRow } from '../../../../src/core/tw/rows.ts'
import { newSimulatedFleet, type SimulatedFleet, type SimulatedNode } from '../../../support/tw-fleet.ts'

const COUNT = 6
const job = (disconnect: object, count = COUNT) => ({
  job: 'web',
  groups: {
    api: {
      count,
      availability: { max_unavailable: 1, max_surge: 1, min_healthy_time: '1s' },
      network: { ports: { http: {} } },
      services: { web: { port: 'http' } },
      disconnect,
      main: { command: ['server'], resources: { cpu: '100m', memory: '64MiB' }, health: { readiness: { http: '/ready' } } },
    },
  },
})

const rows = (fleet: SimulatedFleet): TaskRow[] => fleet.state.db.all<TaskRow>("SELECT * FROM tw_task WHERE job = 'web' ORDER BY id")
const live = (fleet: SimulatedFleet): TaskRow[] => rows(fleet).filter((task) => !task.is_terminal)
const unknown = (fleet: SimulatedFleet): TaskRow[] => rows(fleet).filter((task) => task.state === 'unknown')
const serving = (fleet: SimulatedFleet): number => meshSnapshot(fleet.state.db).services[0]?.endpoints.length ?? 0
const node = (fleet: SimulatedFleet, name: string): SimulatedNode => fleet.nodes.get(name) as SimulatedNode
const pids = ({ processes }: SimulatedNode): number[] =>
  [...processes.values()].flatMap(({ report }) => report.pid ?? []).sort((a, b) => a - b)
const allPids = (fleet: SimulatedFleet): number[] => [...fleet.nodes.values()].flatMap(pids)

function started(disconnect: object, nodes = 3): SimulatedFleet {
  const fleet = newSimulatedFleet({ nodes })
  fleet.state.run(jobRun, { spec: job(disconnect) })
  fleet.pass(5000)
  expect(serving(fleet)).toBe(COUNT)
  return fleet
}

function expectSettled(fleet: SimulatedFleet): void {
  expect(live(fleet).map((task) => task.state)).toEqual(Array.from({ length: COUNT }, () => 'running'))
  expect(serving(fleet)).toBe(COUNT)
  expect(allPids(fleet)).toHaveLength(COUNT)
  expect(rows(fleet).every((task) => !task.is_terminal || task.is_reaped)).toBe(true)
  expect(fleet.state.replay().digest()).toBe(fleet.state.digest())
}

describe('the tasks of a silent node', () => {
  test('are unknown until lost_after, hold their place, and are what they were when it returns', () => {
    const fleet = started({ lost_after: '20s', keep: 'best' })
    const [before, ids] = [pids(node(fleet, 'n1')), rows(fleet).map((task) => task.id)]
    node(fleet, 'n1').isSilent = true
    fleet.pass(25_000)
    expect(unknown(fleet).map((task) => task.node)).toEqual(before.map(() => 'n1'))
    expect(fleet.state.db.get<{ tasks: number }>("SELECT tasks FROM tw_node_use WHERE node = 'n1'")?.tasks).toBe(before.length)
    expect(serving(fleet)).toBe(COUNT - before.length)
    const [first] = unknown(fleet)
    const told = fleet.state.ask(explain, { target: `web/api[${first?.idx}]` })
    expect(JSON.stringify(told)).toContain('It is replaced in')
    node(fleet, 'n1').isSilent = false
    fleet.pass(5000)
    expect(pids(node(fleet, 'n1'))).toEqual(before)
    expect(rows(fleet).map((task) => task.id)).toEqual(ids)
    expectSettled(fleet)
    expect(fleet.state.db.all('SELECT * FROM tw_away')).toEqual([])
  })

  test('are replaced then; `original` keeps the old processes when it returns and ends the replacements', () => {
    const fleet = started({ lost_after: '5s', keep: 'original' })
    const before = pids(node(fleet, 'n1'))
    node(fleet, 'n1').isSilent = true
    fleet.pass(30_000)
    expect(serving(fleet)).toBe(COUNT)
    expect(unknown(fleet)).toHaveLength(before.length)
    node(fleet, 'n1').isSilent = false
    fleet.pass(15_000, () => expect(serving(fleet)).toBeGreaterThanOrEqual(COUNT - 1))
    expect(pids(node(fleet, 'n1'))).toEqual(before)
    expectSettled(fleet)
  })

  test('`replacement` gives them up at that time, and their processes end when it returns', () => {
    const fleet = started({ lost_after: '5s', keep: 'replacement' })
    const held = pids(node(fleet, 'n1')).length
    node(fleet, 'n1').isSilent = true
    fleet.pass(30_000)
    expect(unknown(fleet)).toEqual([])
    expect(rows(fleet).filter((task) => task.state === 'lost')).toHaveLength(held)
    node(fleet, 'n1').isSilent = false
    fleet.pass(15_000)
    expect(pids(node(fleet, 'n1'))).toEqual([])
    expectSettled(fleet)
  })

  test('`best` keeps whichever serves', () => {
    const fleet = started({ lost_after: '5s', keep: 'best' })
    node(fleet, 'n1').isSilent = true
    fleet.pass(30_000)
    const old = new Set(node(fleet, 'n1').processes.keys())
    fleet.behaviour = (task) => ({ startMs: old.has(task.id) ? 1e9 : 500, stopMs: 500 })
    fleet.pass(1000)
    node(fleet, 'n1').isSilent = false
    fleet.pass(15_000)
    expect(pids(node(fleet, 'n1'))).toEqual([])
    expect(serving(fleet)).toBe(COUNT)
  })

  test('are at most doubled, whichever nodes fall silent after each other, and end in a final state but for those wanted', () => {
    const fleet = started({ lost_after: '1s', keep: 'original' }, 6)
    for (const name of ['n1', 'n2', 'n3', 'n4', 'n5']) {
      node(fleet, name).isSilent = true
      fleet.pass(20_000, () => {
        expect(unknown(fleet).length).toBeLessThanOrEqual(COUNT)
        expect(live(fleet).filter((task) => task.want === 'run' && task.state !== 'unknown').length).toBeLessThanOrEqual(COUNT + 1)
      })
    }
    expect(unknown(fleet).length).toBeGreaterThan(0)
    for (const { identity } of fleet.nodes.values()) node(fleet, identity.node).isSilent = false
    fleet.pass(40_000, () => expect(live(fleet).length).toBeLessThanOrEqual(2 * COUNT + 1))
    expectSettled(fleet)
  })

  test('end for good when nobody wants them any more: their job stops, shrinks, or the node is retired', () => {
    const fleet = started({ lost_after: '10m', keep: 'original' })
    node(fleet, 'n1').isSilent = true
    fleet.pass(15_000)
    const held = unknown(fleet).length
    fleet.state.run(jobScale, { job: 'web', count: COUNT - held })
    fleet.pass(2000)
    expect(unknown(fleet)).toEqual([])
    expect(serving(fleet)).toBe(COUNT - held)
    node(fleet, 'n2').isSilent = true
    fleet.pass(15_000)
    expect(unknown(fleet).length).toBeGreaterThan(0)
    fleet.state.run(nodeRetire, { node: 'n2' })
    expect(unknown(fleet)).toEqual([])
    fleet.state.run(jobStop, { job: 'web' })
    node(fleet, 'n1').isSilent = false
    fleet.pass(5000)
    expect(live(fleet)).toEqual([])
    expect(pids(node(fleet, 'n1'))).toEqual([])
  })

  test('are given up with it when the group says nothing', () => {
    const fleet = started({})
    node(fleet, 'n1').isSilent = true
    fleet.pass(15_000)
    expect(unknown(fleet)).toEqual([])
    expect(serving(fleet)).toBe(COUNT)
  })
})

test('a policy that could not be carried out is refused', () => {
  const fleet = newSimulatedFleet({ nodes: 1 })
  expect(() => fleet.state.run(jobRun, { spec: job({ keep: 'original' }) })).toThrow(/nothing to keep/)
})
