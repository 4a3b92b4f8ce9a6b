import { describe, expect, test } from 'vitest'
import { opAllowed, opForced, opsProposed } from '../../../../src/core/tw/entries/ops.ts'
import { jobRun, nodeDrain } from '../../../../src/core/tw/operations.ts'
import { openOps } from '../../../../src/core/tw/ops/op-row.ts'
import { tasksBySelector } from '../../../../src/core/tw/queries.ts'
import { newSimulatedFleet, type SimulatedFleet } from '../../../support/tw-fleet.ts'

const job = (
  count: number,
  version: string,
  availability: Record<string, unknown> = {},
  ports: Record<string, unknown> = { http: null },
) => ({
  job: 'web',
  groups: {
    api: {
      count,
      availability: { max_unavailable: 1, max_surge: 0, min_healthy_time: '1s', ...availability },
      network: { ports },
      main: { command: ['./serve'], env: { VERSION: version }, health: { readiness: { http: '/', port: 'http', interval: '1s' } } },
    },
  },
})

function running(count: number, availability: Record<string, unknown> = {}): SimulatedFleet {
  const fleet = newSimulatedFleet({ nodes: 3 })
  fleet.state.run(jobRun, { spec: job(count, '1', availability) })
  fleet.pass(5000)
  return fleet
}

const ids = (fleet: SimulatedFleet): number[] => tasksBySelector(fleet.state.db, {}).map((task) => task.id)
const stopping = (fleet: SimulatedFleet): number[] =>
  tasksBySelector(fleet.state.db, {}).flatMap((task) => (task.want === 'stop' ? [task.id] : []))
const op = (task: number) => ({ task, kind: 'move', cause: 'operator', text: 'by hand' }) as const

describe('the budget is checked in apply', () => {
  test('of ops that are all said to be allowed, as many go as may be unavailable at once', () => {
    const fleet = running(4, { max_unavailable: 2 })
    const ops = ids(fleet).map((task) => ({ ...op(task), isAllowed: true }))
    fleet.state.append([opsProposed.of({ job: 'web', group: 'api', ops })])
    expect(stopping(fleet).length).toBe(2)
    const waiting = openOps(fleet.state.db, 'web', 'api').filter((it) => it.state === 'proposed')
    fleet.state.append([opAllowed.of({ job: 'web', group: 'api', ops: waiting.map((it) => it.id) })])
    expect(stopping(fleet).length).toBe(2)
  })

  test('a crash uses it up', () => {
    const fleet = running(4)
    fleet.behaviour = (task) =>
      task.id === ids(fleet)[0]
        ? { startMs: 0, stopMs: 0, end: { afterMs: 0, state: 'failed', reason: 'exit 1' } }
        : { startMs: 500, stopMs: 500 }
    const [, second] = ids(fleet)
    fleet.pass(250)
    fleet.state.append([opsProposed.of({ job: 'web', group: 'api', ops: [{ ...op(second ?? 0), isAllowed: true }] })])
    expect(stopping(fleet)).toEqual([])
  })

  test('a task that does not serve costs nothing', () => {
    const fleet = running(4)
    const [first, second] = ids(fleet)
    fleet.behaviour = (task) => ({ startMs: task.id === first ? 1e9 : 500, stopMs: 60_000 })
    fleet.pass(500)
    fleet.state.append([opsProposed.of({ job: 'web', group: 'api', ops: [{ ...op(first ?? 0), isAllowed: true }] })])
    expect(stopping(fleet)).toEqual([first])
    fleet.state.append([opsProposed.of({ job: 'web', group: 'api', ops: [{ ...op(second ?? 0), isAllowed: true }] })])
    expect(stopping(fleet)).toEqual([first])
  })

  test('only a forced op goes past it, and it is notable with the names', () => {
    const fleet = running(2)
    fleet.state.append([opsProposed.of({ job: 'web', group: 'api', ops: ids(fleet).map(op) })])
    const ops = openOps(fleet.state.db, 'web', 'api').map((it) => it.id)
    const [entry] = fleet.state.append([opForced.of({ job: 'web', group: 'api', ops, why: 'the rack burns' })])
    expect(stopping(fleet).length).toBe(2)
    expect(entry?.notable?.text).toBe('forced past budget and consent: web/api[0], web/api[1] (the rack burns)')
  })
})

describe('planned stops of the controllers', () => {
  test('go as ops, one entry for what the budget has, and end when the processes are gone', () => {
    const fleet = running(6, { max_unavailable: 2 })
    fleet.state.run(jobRun, { spec: job(6, '2', { max_unavailable: 2 }) })
    const before = fleet.state.entries.length
    fleet.pass(250)
    const said = fleet.state.entries.slice(before).map((entry) => entry.type)
    expect(said.filter((type) => type === 'tw.OpsProposed').length).toBe(1)
    expect(said).not.toContain('tw.StopTask')
    expect(said).not.toContain('tw.OpAllowed')
    expect(stopping(fleet).length).toBe(2)
    fleet.pass(30_000)
    expect(tasksBySelector(fleet.state.db, {}).map((task) => task.version)).toEqual(Array(6).fill(2))
    expect(openOps(fleet.state.db, 'web', 'api')).toEqual([])
    expect(fleet.state.replay().digest()).toBe(fleet.state.digest())
  })

  test('of a drain and an update at once never make more unavailable than one of them may', () => {
    const fleet = running(6)
    fleet.state.run(nodeDrain, { target: 'n1' })
    fleet.state.run(jobRun, { spec: job(6, '2') })
    fleet.pass(60_000, () => {
      const serving = tasksBySelector(fleet.state.db, {}).filter((task) => task.state === 'running' && task.health === 'healthy').length
      expect(serving).toBeGreaterThanOrEqual(5)
    })
    expect(new Set(tasksBySelector(fleet.state.db, {}).map((task) => `${task.version} ${task.node === 'n1'}`))).toEqual(
      new Set(['2 false']),
    )
  })

  test('max_unavailable 0 stops nothing old before as many new ones are available', () => {
    const fleet = running(4, { max_unavailable: 0, max_surge: 1 })
    fleet.state.run(jobRun, { spec: job(4, '2', { max_unavailable: 0, max_surge: 1 }) })
    fleet.pass(60_000, () => {
      const serving = tasksBySelector(fleet.state.db, {}).filter((task) => task.state === 'running' && task.health === 'healthy').length
      expect(serving).toBeGreaterThanOrEqual(4)
    })
    expect(tasksBySelector(fleet.state.db, {}).map((task) => task.version)).toEqual([2, 2, 2, 2])
  })

  test('a share of max_unavailable is rounded down: 34 % of 4 is one', () => {
    const fleet = running(4, { max_unavailable: '34%', max_surge: '25%' })
    fleet.state.run(jobRun, { spec: job(4, '2', { max_unavailable: '34%', max_surge: '25%' }) })
    fleet.pass(250)
    expect(stopping(fleet).length).toBe(1)
  })
})
