import { expect, test } from 'vitest'
import { jobList, jobRun, jobStop, nodeList, ps } from '../../../../src/core/tw/operations.ts'
import { newSimulatedFleet } from '../../../support/tw-fleet.ts'

function world() {
  const fleet = newSimulatedFleet({ nodes: 3, cpuMilli: 20_000 })
  fleet.pass(500)
  for (const [job, count] of [
    ['web', 23],
    ['db', 4],
    ['a-b', 7],
  ] as const) {
    const main = { command: 'x', resources: { cpu: '10m', memory: '1MiB' } }
    fleet.state.run(jobRun, { spec: { job, labels: { team: job }, groups: { api: { count, main }, cache: { count: 2, main } } } })
  }
  fleet.pass(2000)
  fleet.state.run(jobStop, { job: 'db', reason: '' })
  fleet.pass(2000)
  const { state } = fleet
  const pages = (more: Parameters<typeof state.ask<typeof ps.input, typeof ps.output>>[1], limit: number) => {
    const got: string[][] = []
    let after: string | undefined
    for (;;) {
      const page = state.ask(ps, { ...more, limit, ...(after === undefined ? {} : { after }) })
      got.push(page.tasks.map(({ task, id }) => `${task}#${id}`))
      if (page.next === null) return got
      after = page.next
    }
  }
  return { state, pages }
}

test.each([
  ['all that live', {}],
  ['finished ones too', { isAll: true }],
  ['of a job', { job: 'web' }],
  ['of a group', { job: 'web/cache' }],
  ['of a node', { node: 'n2' }],
  ['of a node, finished ones too', { node: 'n2', isAll: true }],
  ['with a label', { labels: { team: 'a-b' } }],
  ['in a state', { isAll: true, state: 'stopped' }],
])('pages together are the whole list, in order, nothing twice: %s', (_name, more) => {
  const { pages } = world()
  const [whole = []] = pages(more, 1000)
  expect(whole.length).toBeGreaterThan(0)
  for (const limit of [1, 2, 5, whole.length]) {
    const parts = pages(more, limit)
    expect(parts.flat()).toEqual(whole)
    expect(parts.every((part) => part.length <= limit)).toBe(true)
  }
})

test('a cursor that is none is refused; one of a task that is gone goes on behind where it was', () => {
  const { state } = world()
  expect(() => state.ask(ps, { after: 'nonsense' })).toThrow(expect.objectContaining({ code: 'USAGE' }))
  expect(state.ask(ps, { after: 'a-b/api[6]#999', limit: 1 }).tasks[0]?.task).toBe('a-b/cache[0]')
})

test('jobs and nodes page by the last name', () => {
  const { state } = world()
  expect(state.ask(jobList, { limit: 2 }).map(({ job }) => job)).toEqual(['a-b', 'db'])
  expect(state.ask(jobList, { after: 'db' }).map(({ job }) => job)).toEqual(['web'])
  expect(state.ask(nodeList, { limit: 1, after: 'n1' }).map(({ node }) => node)).toEqual(['n2'])
  expect(state.ask(nodeList, { region: 'r1', rack: 'r1-a/r1-a-1' }).map(({ node }) => node)).toEqual(['n1', 'n3'])
})
