import { expect, test } from 'vitest'
import { isAbout } from '../../../../src/core/tw/queries.ts'
import { jobRun, jobStop, nodeCordon } from '../../../../src/core/tw/operations.ts'
import { newSimulatedFleet } from '../../../support/tw-fleet.ts'

const job = (name: string, count: number) => ({
  job: name,
  groups: { api: { count, main: { command: 'x', resources: { cpu: '100m', memory: '64MiB' } } } },
})

function world() {
  const fleet = newSimulatedFleet({ nodes: 2 })
  fleet.pass(500)
  fleet.state.run(jobRun, { spec: job('web', 2) })
  fleet.state.run(jobRun, { spec: job('db', 1) })
  fleet.pass(2000)
  fleet.state.run(jobStop, { job: 'web', reason: '' })
  fleet.state.run(nodeCordon, { node: 'n2' })
  fleet.pass(2000)
  const typesOf = (about: { job?: string; node?: string }): Set<string> =>
    new Set(fleet.state.entries.filter((entry) => isAbout(fleet.state.db, entry, about)).map((entry) => entry.type))
  return { fleet, typesOf }
}

test('what tells of a job is found by its name, by its tasks and by the ids of its tasks', () => {
  const { typesOf } = world()
  expect(typesOf({ job: 'web' })).toEqual(
    new Set(['tw.JobSubmitted', 'tw.UpdateTargetSet', 'tw.TasksPlaced', 'tw.TasksReported', 'tw.StopTask', 'tw.JobStopped']),
  )
  expect(typesOf({ job: 'db' }).has('tw.StopTask')).toBe(false)
  expect(typesOf({ job: 'nope' })).toEqual(new Set())
})

test('what tells of a node is what it did, what was placed there and what was stopped there', () => {
  const { typesOf } = world()
  expect(typesOf({ node: 'n2' })).toEqual(new Set(['tw.NodeJoined', 'tw.TasksPlaced', 'tw.TasksReported', 'tw.StopTask', 'tw.NodeSet']))
  expect(typesOf({ job: 'db', node: 'n9' })).toEqual(new Set())
})

test('without a wish every entry is meant, of other systems too', () => {
  const { fleet } = world()
  expect(isAbout(fleet.state.db, { type: 'sev.Paged', body: {} }, {})).toBe(true)
  expect(isAbout(fleet.state.db, { type: 'sev.Paged', body: { job: 'web' } }, { job: 'web' })).toBe(false)
})
