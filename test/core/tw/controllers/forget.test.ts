import { describe, expect, test } from 'vitest'
import { finishedController } from '../../../../src/core/tw/controllers/finished.ts'
import { janitor } from '../../../../src/core/tw/controllers/janitor.ts'
import { jobDispatch, jobPurge, jobRun, jobStop } from '../../../../src/core/tw/operations.ts'
import { newSimulatedFleet, type SimulatedFleet } from '../../../support/tw-fleet.ts'

const HOUR_MS = 3_600_000
const main = { command: ['x'], resources: { cpu: '100m', memory: '16MiB' } }
const SOFT = { beats: new Map() }

/** A job that failed so often and is stopped. */
function failed(fleet: SimulatedFleet, job: string): void {
  fleet.state.run(jobRun, { spec: { job, groups: { g: { reschedule: { delay: '1s', factor: 1, unlimited: true }, main } } } })
}

const rowsOf = (fleet: SimulatedFleet, table: string, job: string): number =>
  fleet.state.db.get<{ n: number }>(`SELECT count(*) AS n FROM ${table} WHERE job = ?`, job)?.n ?? 0

describe('the janitor', () => {
  test('forgets what ended an hour ago of every job within ten minutes, but the last five of each index', () => {
    const fleet = newSimulatedFleet({
      nodes: 2,
      behaviour: () => ({ startMs: 250, stopMs: 250, end: { afterMs: 500, state: 'failed', reason: 'exit 1' } }),
    })
    const jobs = ['a', 'b', 'c', 'd']
    for (const job of jobs) failed(fleet, job)
    fleet.pass(60_000)
    for (const job of jobs) fleet.state.run(jobStop, { job })
    fleet.pass(5000)
    for (const job of jobs) expect(rowsOf(fleet, 'tw_task', job)).toBeGreaterThan(10)
    fleet.state.advance(HOUR_MS)
    const until = fleet.state.now() + 650_000
    while (fleet.state.now() < until) {
      const { entries, wakeAt } = janitor.decide(fleet.state.db, fleet.state.now(), SOFT)
      fleet.state.append(entries)
      fleet.state.advance((wakeAt ?? Infinity) - fleet.state.now())
    }
    for (const job of jobs) expect(rowsOf(fleet, 'tw_task', job)).toBe(5)
    expect(fleet.state.replay().digest()).toBe(fleet.state.digest())
  })
})

describe('a job that is purged', () => {
  test('leaves nothing behind that is in the way of another one of its name', () => {
    const fleet = newSimulatedFleet({ nodes: 2 })
    const spec = { job: 'web', groups: { g: { count: 2, disconnect: { lost_after: '30s' }, main } } }
    fleet.state.run(jobRun, { spec })
    fleet.pass(5000)
    fleet.state.run(jobRun, { spec: { ...spec, groups: { g: { ...spec.groups.g, main: { ...main, command: ['y'] } } } } })
    fleet.pass(30_000)
    expect(rowsOf(fleet, 'tw_op', 'web')).toBe(2)
    fleet.state.run(jobStop, { job: 'web' })
    fleet.pass(5000)
    fleet.state.run(jobPurge, { job: 'web' })
    for (const table of ['tw_task', 'tw_slice', 'tw_tally', 'tw_op', 'tw_patience', 'tw_group_charge', 'tw_group'])
      expect([table, rowsOf(fleet, table, 'web')]).toEqual([table, 0])
    for (const table of ['tw_placed', 'tw_said', 'tw_stop', 'tw_task_event'])
      expect([table, fleet.state.db.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)?.n]).toEqual([table, 0])
    fleet.state.run(jobRun, { spec })
    fleet.pass(5000)
    expect(rowsOf(fleet, 'tw_task', 'web')).toBe(2)
    expect(fleet.state.replay().digest()).toBe(fleet.state.digest())
  })

  test('goes by age even when many that ended before it wait for a silent node', () => {
    const fleet = newSimulatedFleet({ nodes: 2 })
    const { db } = fleet.state
    const names = Array.from({ length: 120 }, (_, i) => `held${i}`)
    for (const job of names)
      fleet.state.run(jobRun, { spec: { job, groups: { g: { main: { ...main, resources: { cpu: '10m', memory: '1MiB' } } } } } })
    fleet.pass(3000)
    for (const node of fleet.nodes.values()) node.isSilent = true
    for (const job of names) fleet.state.run(jobStop, { job })
    fleet.state.advance(1000)
    fleet.state.run(jobRun, { spec: { job: 'later', groups: { g: { count: 0, main } } } })
    fleet.state.run(jobStop, { job: 'later' })
    fleet.state.advance(25 * HOUR_MS)
    const { entries, wakeAt } = finishedController.decide(db, fleet.state.now(), SOFT)
    expect(entries.map((entry) => entry.body)).toEqual([{ job: 'later', reason: 'stopped for a day' }])
    expect(wakeAt).toBe(fleet.state.now() + HOUR_MS)
  })
})

test('a run is charged to the owner of its job', () => {
  const fleet = newSimulatedFleet({
    nodes: 1,
    behaviour: () => ({ startMs: 250, stopMs: 250, end: { afterMs: 60_000, state: 'complete', reason: '' } }),
  })
  const spec = { job: 'report', kind: 'batch', entitlement: 'shop', parameters: {}, groups: { g: { main } } }
  fleet.state.run(jobRun, { spec })
  fleet.state.run(jobDispatch, { job: 'report' })
  fleet.pass(3000)
  expect(fleet.state.db.all('SELECT owner, tasks FROM tw_charge WHERE tasks > 0')).toEqual([{ owner: 'shop', tasks: 1 }])
})
