import { describe, expect, test } from 'vitest'
import type { DesiredTask } from '../../../../src/core/contracts/node.ts'
import {
  jobRun,
  jobScale,
  jobShow,
  ps,
  updateFail,
  updateList,
  updatePause,
  updatePromote,
  updateResume,
} from '../../../../src/core/tw/operations.ts'
import { newSimulatedFleet, type SimulatedFleet } from '../../../support/tw-fleet.ts'

const web = (version: string, update: Record<string, unknown> = {}) => ({
  job: 'web',
  groups: {
    api: {
      count: 4,
      availability: { max_unavailable: 1, max_surge: 1, min_healthy_time: '2s' },
      network: { ports: { http: null } },
      update,
      main: {
        command: ['x'],
        env: { V: version },
        resources: { cpu: '100m', memory: '16MiB' },
        health: { readiness: { http: '/', port: 'http' } },
      },
    },
  },
})
/** A fleet with version 1 of web up, whose version `bad` never gets healthy. */
function fleetWithWeb(bad = '-'): SimulatedFleet {
  const behaviour = (task: DesiredTask) => ({ startMs: task.spec.env['V'] === bad ? 1e9 : 500, stopMs: 250 })
  const fleet = newSimulatedFleet({ nodes: 4, behaviour })
  fleet.pass(500)
  fleet.state.run(jobRun, { spec: web('1') })
  fleet.pass(8000)
  return fleet
}
const versions = (fleet: SimulatedFleet): number[] =>
  fleet.state
    .ask(ps, { job: 'web' })
    .tasks.filter((task) => task.want === 'run')
    .map((task) => task.version)
    .sort()
const update = (fleet: SimulatedFleet) => fleet.state.ask(updateList, { job: 'web' })[0]

describe('a rolling update', () => {
  test('is listed while it goes on, with what it waits for, and is done at its end', () => {
    const fleet = fleetWithWeb()
    expect(update(fleet)).toBeUndefined()
    fleet.state.run(jobRun, { spec: web('2') })
    fleet.pass(1000)
    expect(update(fleet)).toMatchObject({ from: 1, to: 2, state: 'running', total: 4 })
    fleet.pass(40_000)
    expect(update(fleet)).toMatchObject({ state: 'done', old: 0, new: 4, healthy: 4 })
    expect(versions(fleet)).toEqual([2, 2, 2, 2])
    expect(fleet.state.replay().digest()).toBe(fleet.state.digest())
  })

  test('a change in place or of the count alone is no update', () => {
    const fleet = fleetWithWeb()
    const spec = web('1')
    fleet.state.run(jobRun, { spec: { ...spec, groups: { api: { ...spec.groups.api, count: 5 } } } })
    fleet.pass(5000)
    expect(update(fleet)).toBeUndefined()
  })

  test('paused it replaces nothing more, however long; resumed it ends', () => {
    const fleet = fleetWithWeb()
    fleet.state.run(jobRun, { spec: web('2', { progress_deadline: '30s' }) })
    fleet.pass(4000)
    fleet.state.run(updatePause, { job: 'web', reason: 'looks slow' })
    fleet.pass(5000)
    const held = versions(fleet)
    expect(new Set(held)).toEqual(new Set([1, 2]))
    fleet.pass(120_000, () => expect(versions(fleet)).toEqual(held))
    expect(update(fleet)).toMatchObject({ state: 'paused', waitsFor: 'to be resumed: looks slow' })
    expect(() => fleet.state.run(jobScale, { job: 'web', count: 9 })).toThrow(expect.objectContaining({ code: 'TW_JOB_STATE' }))
    fleet.state.run(updateResume, { job: 'web' })
    fleet.pass(40_000)
    expect(versions(fleet)).toEqual([2, 2, 2, 2])
  })

  test('failed by hand it goes back to the version before', () => {
    const fleet = fleetWithWeb()
    fleet.state.run(jobRun, { spec: web('2') })
    fleet.pass(4000)
    fleet.state.run(updateFail, { job: 'web', reason: 'no' })
    fleet.pass(40_000)
    expect(versions(fleet)).toEqual([1, 1, 1, 1])
    expect(update(fleet)).toMatchObject({ state: 'failed', waitsFor: 'no' })
    expect(() => fleet.state.run(updateResume, { job: 'web' })).toThrow(expect.objectContaining({ code: 'TW_JOB_STATE' }))
  })

  test('whose task misses its healthy deadline goes back by itself', () => {
    const fleet = fleetWithWeb('2')
    fleet.state.run(jobRun, { spec: web('2', { healthy_deadline: '10s' }) })
    fleet.pass(40_000)
    expect(versions(fleet)).toEqual([1, 1, 1, 1])
    expect(update(fleet)).toMatchObject({ state: 'failed', waitsFor: 'a task was not healthy before its deadline: back to version 1' })
    expect(fleet.state.ask(jobShow, { job: 'web' }).status.currentVersion).toBe(1)
  })

  test('that makes no progress fails at its deadline; without auto_revert it stays as it is', () => {
    const fleet = fleetWithWeb('2')
    fleet.state.run(jobRun, { spec: web('2', { progress_deadline: '20s', auto_revert: false }) })
    fleet.pass(30_000)
    const held = versions(fleet)
    expect(update(fleet)).toMatchObject({ state: 'failed', waitsFor: 'not one more task became healthy within 20s' })
    expect(held).toContain(1)
    fleet.pass(60_000)
    expect(versions(fleet)).toEqual(held)
  })
})

describe('canaries', () => {
  test('run beside the old tasks until they are promoted, in steps or at once', () => {
    const fleet = fleetWithWeb()
    fleet.state.run(jobRun, { spec: web('2', { canary: 1, progress_deadline: '30s' }) })
    fleet.pass(90_000)
    expect(versions(fleet)).toEqual([1, 1, 1, 1, 2])
    expect(update(fleet)).toMatchObject({ state: 'canary', healthy: 1, waitsFor: 'to be promoted' })
    expect(fleet.state.run(jobRun, { spec: web('2', { canary: 1, progress_deadline: '30s' }) }).isChanged).toBe(false)
    fleet.state.run(updatePromote, { job: 'web', to: 2 })
    fleet.pass(20_000)
    expect(versions(fleet)).toEqual([1, 1, 2, 2])
    fleet.state.run(updatePromote, { job: 'web' })
    fleet.pass(30_000)
    expect(versions(fleet)).toEqual([2, 2, 2, 2])
    expect(update(fleet)).toMatchObject({ state: 'done' })
  })

  test('that are not healthy cannot be promoted', () => {
    const fleet = fleetWithWeb('2')
    fleet.state.run(jobRun, { spec: web('2', { canary: 2 }) })
    fleet.pass(3000)
    expect(() => fleet.state.run(updatePromote, { job: 'web' })).toThrow(/only 0 of the 2 canaries of web\/api are healthy/)
  })
})
