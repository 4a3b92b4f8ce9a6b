import { describe, expect, test } from 'vitest'
import type { DesiredTask } from '../../../../src/core/contracts/node.ts'
import {
  jobDispatch,
  jobForcePeriodic,
  jobPause,
  jobPurge,
  jobResume,
  jobRetry,
  jobRun,
  jobShow,
  jobStop,
  ps,
  taskShow,
} from '../../../../src/core/tw/operations.ts'
import { desiredTasks } from '../../../../src/core/tw/queries.ts'
import { newSimulatedFleet, type Behaviour, type SimulatedFleet } from '../../../support/tw-fleet.ts'

const main = { command: ['x', '{{meta.who}}'], resources: { cpu: '100m', memory: '16MiB' } }
const MINUTE_MS = 60_000
const runsFor =
  (ms: number, state: 'complete' | 'failed' = 'complete') =>
  (): Behaviour => ({
    startMs: 250,
    stopMs: 250,
    end: { afterMs: ms, state, reason: state === 'failed' ? 'exit 3' : '' },
  })
const clock = (overlap: string, more: Record<string, unknown> = {}) => ({
  job: 'backup',
  kind: 'batch',
  periodic: { cron: '* * * * *', overlap },
  groups: { b: { main, ...more } },
})
const shown = (fleet: SimulatedFleet) => {
  const { recurring } = fleet.state.ask(jobShow, { job: 'backup' })
  if (!recurring) throw new Error('backup is not recurring')
  return recurring
}
const outcomes = (fleet: SimulatedFleet): string[] =>
  shown(fleet)
    .runs.map((run) => `${run.run} ${run.cause} ${run.outcome ?? 'active'}`)
    .reverse()
/** A fleet whose clock stands at a full minute. */
function fleetOf(behaviour: (task: DesiredTask) => Behaviour): SimulatedFleet {
  const fleet = newSimulatedFleet({ nodes: 2, behaviour })
  fleet.pass(MINUTE_MS - (fleet.state.now() % MINUTE_MS) + 1000)
  return fleet
}

describe('a periodic job', () => {
  test('runs when it is due, and says when it is due next', () => {
    const fleet = fleetOf(runsFor(5000))
    fleet.state.run(jobRun, { spec: clock('skip') })
    fleet.pass(30_000)
    expect(fleet.state.ask(ps, {}).tasks).toEqual([])
    const start = Math.floor(fleet.state.now() / MINUTE_MS) * MINUTE_MS
    expect(shown(fleet).nextMs).toEqual([1, 2, 3, 4, 5].map((n) => start + n * MINUTE_MS))
    fleet.pass(2 * MINUTE_MS)
    expect(outcomes(fleet)).toEqual(['backup.1 clock complete', 'backup.2 clock complete'])
    expect(shown(fleet).runs[0]?.dueMs).toBe(start + 2 * MINUTE_MS)
    expect(fleet.state.replay().digest()).toBe(fleet.state.digest())
  })

  test('overlap skip leaves a run out while one goes on, and says so', () => {
    const fleet = fleetOf(runsFor(90_000))
    fleet.state.run(jobRun, { spec: clock('skip') })
    fleet.pass(2 * MINUTE_MS + 10_000)
    expect(outcomes(fleet)).toEqual(['backup.1 clock active'])
    expect(shown(fleet).note).toMatch(/was left out: backup\.1 goes on/)
    fleet.pass(2 * MINUTE_MS)
    expect(outcomes(fleet)).toEqual(['backup.1 clock complete', 'backup.2 clock active'])
  })

  test('overlap queue starts it once the one before has ended', () => {
    const fleet = fleetOf(runsFor(90_000))
    fleet.state.run(jobRun, { spec: clock('queue') })
    fleet.pass(2 * MINUTE_MS + 45_000)
    expect(outcomes(fleet)).toEqual(['backup.1 clock complete', 'backup.2 queue active'])
  })

  test('overlap replace ends the one before and never has two at once', () => {
    const fleet = fleetOf(runsFor(90_000))
    fleet.state.run(jobRun, { spec: clock('replace') })
    fleet.pass(3 * MINUTE_MS, () => expect(fleet.state.ask(ps, {}).tasks.length).toBeLessThanOrEqual(1))
    expect(outcomes(fleet)).toEqual(['backup.1 clock stopped', 'backup.2 queue stopped', 'backup.3 queue active'])
  })

  test('due times missed while the server was away are made up for by one run', () => {
    const fleet = fleetOf(runsFor(5000))
    fleet.state.run(jobRun, { spec: clock('skip') })
    fleet.pass(10_000)
    fleet.state.advance(10 * MINUTE_MS)
    fleet.pass(20_000)
    expect(outcomes(fleet)).toEqual(['backup.1 clock complete'])
    expect(shown(fleet).note).toMatch(/^9 due times before .* were missed: one run makes up for all$/)
  })

  test('paused it starts nothing, and what was due meanwhile is not made up for', () => {
    const fleet = fleetOf(runsFor(5000))
    fleet.state.run(jobRun, { spec: clock('skip') })
    fleet.state.run(jobPause, { job: 'backup' })
    fleet.pass(3 * MINUTE_MS)
    expect(outcomes(fleet)).toEqual([])
    expect(() => fleet.state.run(jobForcePeriodic, { job: 'backup' })).toThrow(expect.objectContaining({ code: 'TW_JOB_STATE' }))
    fleet.state.run(jobResume, { job: 'backup' })
    fleet.pass(20_000)
    expect(outcomes(fleet)).toEqual([])
    fleet.pass(MINUTE_MS)
    expect(outcomes(fleet)).toEqual(['backup.1 clock complete'])
  })

  test('is forced by a person beside its clock, but not onto a run that goes on', () => {
    const fleet = fleetOf(runsFor(20_000))
    fleet.state.run(jobRun, { spec: clock('skip') })
    fleet.pass(1000)
    expect(fleet.state.run(jobForcePeriodic, { job: 'backup' })).toMatchObject({ run: 'backup.1', isNew: true })
    expect(() => fleet.state.run(jobForcePeriodic, { job: 'backup' })).toThrow(expect.objectContaining({ code: 'TW_JOB_STATE' }))
  })

  test('of a zone nobody knows runs nothing and says why', () => {
    const fleet = fleetOf(runsFor(5000))
    fleet.state.run(jobRun, { spec: { ...clock('skip'), periodic: { cron: '* * * * *', zone: 'Mars/Olympus' } } })
    fleet.pass(2 * MINUTE_MS)
    expect(outcomes(fleet)).toEqual([])
    expect(shown(fleet).note).toBe('there is no time zone Mars/Olympus')
  })

  test('a run whose tries are used up has failed', () => {
    const fleet = fleetOf(runsFor(1000, 'failed'))
    fleet.state.run(jobRun, { spec: clock('skip', { reschedule: { attempts: 1, delay: '1s' } }) })
    fleet.pass(MINUTE_MS + 20_000)
    expect(outcomes(fleet)).toEqual(['backup.1 clock failed'])
    expect(shown(fleet).runs[0]?.reason).toBe('b[0]: exit 3')
  })
})

describe('a parameterised job', () => {
  const spec = {
    job: 'backup',
    kind: 'batch',
    parameters: { required: ['who'], optional: ['why'], payload: 'optional' },
    groups: { b: { main } },
  }

  test('gives a run its meta and payload, and the same token the same run', () => {
    const fleet = fleetOf(runsFor(5000))
    fleet.state.run(jobRun, { spec })
    fleet.pass(1000)
    const first = fleet.state.run(jobDispatch, { job: 'backup', meta: { who: 'anna' }, payload: 'hello', token: 't1' })
    expect(first).toEqual({ job: 'backup', run: 'backup.1', isNew: true, nextMs: [] })
    expect(fleet.state.run(jobDispatch, { job: 'backup', meta: { who: 'bert' }, token: 't1' })).toMatchObject({
      run: 'backup.1',
      isNew: false,
    })
    fleet.pass(1000)
    const [task] = [...fleet.nodes.keys()].flatMap((node) => desiredTasks(fleet.state.db, node))
    expect(task?.spec).toMatchObject({
      command: ['x', 'anna'],
      env: { MUSTER_RUN: 'backup.1', MUSTER_META_who: 'anna', MUSTER_PAYLOAD: 'hello' },
    })
    fleet.pass(8000)
    expect(fleet.state.run(jobDispatch, { job: 'backup', meta: { who: 'anna' }, token: 't1' })).toMatchObject({ isNew: false })
    expect(fleet.state.run(jobDispatch, { job: 'backup', meta: { who: 'anna' }, token: 't2' })).toMatchObject({ run: 'backup.2' })
  })

  test('refuses what is missing and what is not known, all at once', () => {
    const fleet = fleetOf(runsFor(5000))
    fleet.state.run(jobRun, { spec })
    expect(() => fleet.state.run(jobDispatch, { job: 'backup', meta: { whom: 'x' } })).toThrow(
      '--meta who is missing; --meta whom is not known; known: who, why',
    )
  })
})

test('retry forgives failures: what waits for its back-off is tried at once', () => {
  const fleet = fleetOf(runsFor(1000, 'failed'))
  fleet.state.run(jobRun, { spec: { job: 'web', groups: { api: { main, reschedule: { delay: '1h', max_delay: '2h' } } } } })
  fleet.pass(10_000)
  expect(fleet.state.ask(ps, { job: 'web' }).tasks).toEqual([])
  fleet.behaviour = () => ({ startMs: 250, stopMs: 250 })
  fleet.state.run(jobRetry, { job: 'web' })
  fleet.pass(1000)
  expect(fleet.state.ask(ps, { job: 'web' }).tasks.map((task) => task.state)).toEqual(['running'])
  expect(fleet.state.ask(taskShow, { task: 'web/api[0]' }).attempts).toMatchObject([{ state: 'failed', reason: 'exit 3' }])
})

describe('purging', () => {
  test('is refused while a process may run; then nothing of the job and its runs is left', () => {
    const fleet = fleetOf(runsFor(40_000))
    fleet.state.run(jobRun, { spec: clock('skip') })
    fleet.pass(MINUTE_MS + 5000)
    expect(() => fleet.state.run(jobPurge, { job: 'backup' })).toThrow('the job backup runs')
    fleet.state.run(jobStop, { job: 'backup' })
    expect(() => fleet.state.run(jobPurge, { job: 'backup' })).toThrow(/a process of backup\.1 may still run on n\d/)
    fleet.pass(3000)
    fleet.state.run(jobPurge, { job: 'backup' })
    for (const table of ['tw_job', 'tw_job_version', 'tw_group', 'tw_arm', 'tw_task', 'tw_run', 'tw_recurring'])
      expect(fleet.state.db.all(`SELECT 1 FROM ${table}`), table).toEqual([])
  })

  test('stopped jobs go by themselves after a day', () => {
    const fleet = fleetOf(runsFor(40_000))
    fleet.state.run(jobRun, { spec: { job: 'web', groups: { api: { main } } } })
    fleet.pass(2000)
    fleet.state.run(jobStop, { job: 'web' })
    fleet.pass(5000)
    fleet.state.advance(86_300_000)
    fleet.pass(1000)
    expect(fleet.state.ask(jobShow, { job: 'web' }).status.state).toBe('stopped')
    fleet.state.advance(100_000)
    fleet.pass(1000)
    expect(() => fleet.state.ask(jobShow, { job: 'web' })).toThrow(expect.objectContaining({ code: 'TW_JOB_UNKNOWN' }))
  })
})
