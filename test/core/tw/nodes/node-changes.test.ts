import { expect, test } from 'vitest'
import {
  jobRun,
  nodeAdmit,
  nodeConditions,
  nodeCordon,
  nodeLabel,
  nodeList,
  nodeRetire,
  nodeShow,
  nodeTokenIssue,
} from '../../../../src/core/tw/operations.ts'
import { newSimulatedFleet, WEB, type SimulatedFleet, type SimulatedNode } from '../../../support/tw-fleet.ts'

const oneTask = { ...WEB, groups: { api: { ...WEB.groups.api, count: 1 } } }
const nodesOfTasks = (fleet: SimulatedFleet): string[] =>
  fleet.state.db.all<{ id: number; node: string }>('SELECT id, node FROM tw_task ORDER BY id').map(({ node }) => node)

test('a node is not retired while tasks run there, nor while it may be given some; then its name and key are free', () => {
  const fleet = newSimulatedFleet({ nodes: 1 })
  const hash = 'a'.repeat(64)
  fleet.state.run(nodeTokenIssue, { hash, ttlMs: 600_000, uses: 2 })
  fleet.state.run(nodeAdmit, { node: 'n1', key: 'b'.repeat(64), token: hash })
  fleet.state.run(jobRun, { spec: oneTask })
  fleet.pass(5000)
  expect(() => fleet.state.run(nodeRetire, { node: 'n1' })).toThrow(
    expect.objectContaining({ code: 'TW_NODE_BUSY', message: expect.stringContaining('web/api[0]') }),
  )
  const agent = fleet.nodes.get('n1') as { isSilent: boolean }
  agent.isSilent = true
  fleet.pass(15_000)
  fleet.state.run(nodeRetire, { node: 'n1' })
  expect(() => fleet.state.ask(nodeShow, { node: 'n1' })).toThrow(expect.objectContaining({ code: 'TW_NODE_UNKNOWN' }))
  expect(fleet.state.run(nodeAdmit, { node: 'n1', key: 'c'.repeat(64), token: hash })).toEqual({ node: 'n1', isNew: true })
  fleet.pass(2000)
  expect(fleet.state.replay().digest()).toBe(fleet.state.digest())
})

test('an empty node in service is cordoned before it is retired', () => {
  const fleet = newSimulatedFleet({ nodes: 1 })
  fleet.pass(1000)
  expect(() => fleet.state.run(nodeRetire, { node: 'n1' })).toThrow(expect.objectContaining({ code: 'TW_NODE_BUSY' }))
  fleet.state.run(nodeCordon, { node: 'n1' })
  expect(fleet.state.run(nodeRetire, { node: 'n1' })).toEqual({ node: 'n1' })
  expect(fleet.state.db.all('SELECT * FROM tw_domain')).toEqual([])
})

test('a node that is lost for a day is forgotten, unless something was said of it; one that returns after all ends what it still runs', () => {
  const fleet = newSimulatedFleet({ nodes: 3 })
  const hash = 'a'.repeat(64)
  fleet.state.run(nodeTokenIssue, { hash, ttlMs: 600_000, uses: 2 })
  fleet.state.run(nodeAdmit, { node: 'n2', key: 'b'.repeat(64), token: hash })
  fleet.state.run(jobRun, { spec: { ...WEB, groups: { api: { ...WEB.groups.api, count: 6 } } } })
  fleet.pass(5000)
  fleet.state.run(nodeLabel, { node: 'n3', set: { room: '7' } })
  const [two, three] = ['n2', 'n3'].map((name) => fleet.nodes.get(name) as SimulatedNode)
  for (const agent of [two, three]) if (agent) agent.isSilent = true
  fleet.pass(15_000)
  const names = (): string[] => fleet.state.ask(nodeList, {}).map(({ node }) => node)
  fleet.state.advance(86_300_000)
  fleet.pass(1000)
  expect(names()).toEqual(['n1', 'n2', 'n3'])
  fleet.state.advance(600_000)
  fleet.pass(1000)
  expect(names()).toEqual(['n1', 'n3'])
  expect(fleet.state.db.get<{ nodes: number }>("SELECT nodes FROM tw_domain WHERE level = 'fleet'")?.nodes).toBe(1)
  // Who may speak for it is known still.
  expect(fleet.state.db.all('SELECT node FROM tw_node_key')).toEqual([{ node: 'n2' }])
  expect(two?.processes.size).toBeGreaterThan(0)
  if (two) two.isSilent = false
  fleet.pass(5000)
  expect(names()).toEqual(['n1', 'n2', 'n3'])
  expect([...(two?.processes.values() ?? [])].filter(({ report }) => report.pid !== null)).toEqual([])
  expect(fleet.state.replay().digest()).toBe(fleet.state.digest())
})

test('labels are set and removed one by one, and are what constraints see', () => {
  const fleet = newSimulatedFleet({ nodes: 1 })
  fleet.pass(1000)
  fleet.state.run(nodeLabel, { node: 'n1', set: { tier: 'gold', room: '7' } })
  expect(fleet.state.run(nodeLabel, { node: 'n1', set: { tier: 'iron' }, remove: ['room'] })).toEqual({
    node: 'n1',
    labels: { tier: 'iron' },
    isChanged: true,
  })
  expect(fleet.state.run(nodeLabel, { node: 'n1', set: { tier: 'iron' } }).isChanged).toBe(false)
  expect(fleet.state.ask(nodeShow, { node: 'n1' }).node.attributes).toMatchObject({ 'meta.tier': 'iron' })
})

test('a machine with a full disk takes nothing new until there is room again; what runs there stays', () => {
  const fleet = newSimulatedFleet({ nodes: 2 })
  fleet.pass(1000)
  fleet.state.run(nodeConditions, { node: 'n1', conditions: { 'disk-full': '3 % free' } })
  fleet.state.run(jobRun, { spec: { ...WEB, groups: { api: { ...WEB.groups.api, count: 4 } } } })
  fleet.pass(3000)
  expect(new Set(nodesOfTasks(fleet))).toEqual(new Set(['n2']))
  expect(fleet.state.run(nodeConditions, { node: 'n1', conditions: { 'disk-full': '2 % free' } }).isChanged).toBe(false)
  fleet.state.run(nodeConditions, { node: 'n1', conditions: { 'clock-off': '400 ms' } })
  fleet.state.run(jobRun, { spec: { ...WEB, job: 'more', groups: { api: { ...WEB.groups.api, services: {}, count: 4 } } } })
  fleet.pass(3000)
  expect(nodesOfTasks(fleet)).toContain('n1')
})
