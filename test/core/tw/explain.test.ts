import { describe, expect, test } from 'vitest'
import {
  explain,
  jobPlan,
  jobRun,
  jobScale,
  jobScalePlan,
  jobShow,
  jobStop,
  jobStopPlan,
  nodeCordon,
  ps,
} from '../../../src/core/tw/operations.ts'
import { newSimulatedFleet, WEB } from '../../support/tw-fleet.ts'

const job = (more: Record<string, unknown>, cpu = '100m') => ({
  job: 'web',
  groups: { api: { count: 2, ...more, main: { command: 'x', resources: { cpu, memory: '64MiB' } } } },
})

test('explain says which filter took how many nodes from a task without a place', () => {
  const fleet = newSimulatedFleet({ nodes: 4, cpuMilli: 500 })
  fleet.pass(500)
  fleet.state.run(nodeCordon, { node: 'n1' })
  fleet.state.run(jobRun, { spec: job({ constraints: ['node.region = r1'] }, '400m') })
  fleet.pass(1000)
  const said = fleet.state.ask(explain, { target: 'web' })
  expect(said.blocked).toMatchObject([
    {
      group: 'api',
      tasks: ['web/api[1]'],
      code: 'TW_NO_CAPACITY',
      why: '0 of 4 nodes can take it: 1 cordoned, 2 failed `node.region = r1`, 1 without enough free cpu; nearest: 1 lacks only 300m cpu',
    },
  ])
  expect(said.isFine).toBe(false)
  expect(fleet.state.ask(explain, { target: 'web/api[1]' }).blocked.length).toBe(1)
  expect(fleet.state.ask(ps, {}).blocked['web/api']).toMatchObject({ count: 1 })
  expect(fleet.state.ask(jobShow, { job: 'web' }).blocked.length).toBe(1)
})

test('explain says of one node why it is not taken', () => {
  const fleet = newSimulatedFleet({ nodes: 3, cpuMilli: 500 })
  fleet.state.run(jobRun, { spec: job({ constraints: ['node.arch = amd64'] }, '400m') })
  fleet.pass(2000)
  const line = (node: string): string => fleet.state.ask(explain, { target: 'web', node }).lines.at(-1) ?? ''
  expect(line('n2')).toBe('n2 fails `node.arch = amd64`: its arch is arm64')
  expect(line('n1')).toBe('n1 cannot take it: 300m cpu are lacking (wanted 400m, free 100m)')
  expect(line('n9')).toBe('there is no node n9')
})

test('explain of a task says why it is where it is, and its events in order', () => {
  const fleet = newSimulatedFleet({ nodes: 2 })
  fleet.state.run(jobRun, { spec: job({}) })
  fleet.pass(3000)
  const said = fleet.state.ask(explain, { target: 'web/api[0]' })
  expect(said.isFine).toBe(true)
  expect(said.tasks[0]?.lines[0]).toMatch(/^placed on n1 \d+s ago: best of 2 compared nodes of 2, 0 of its version in the region before/)
  expect(said.tasks[0]?.events.map((event) => event.text.split(':')[0])).toEqual(['placed on n1', 'running, starting', 'running'])
})

test('explain of a large job tells of twenty tasks, those first that do not serve', () => {
  const fleet = newSimulatedFleet({ nodes: 4, cpuMilli: 4000 })
  fleet.state.run(jobRun, { spec: job({ count: 40 }, '50m') })
  fleet.pass(3000)
  const well = fleet.state.ask(explain, { target: 'web' })
  expect([well.tasks.length, well.more, well.tasks.every((it) => it.isServing)]).toEqual([20, 20, true])
  fleet.state.run(jobScale, { job: 'web', count: 42, reason: '' })
  fleet.pass(250)
  const said = fleet.state.ask(explain, { target: 'web' })
  expect(said.tasks.slice(0, 3).map((it) => [it.task, it.isServing])).toEqual([
    ['web/api[40]', false],
    ['web/api[41]', false],
    ['web/api[0]', true],
  ])
  expect(said.more).toBe(22)
})

test('explain says what the reason of an end means, and where to read on', () => {
  const fleet = newSimulatedFleet({ nodes: 1 })
  fleet.behaviour = () => ({ startMs: 250, stopMs: 250, end: { afterMs: 1000, state: 'failed', reason: 'oom' } })
  fleet.state.run(jobRun, { spec: job({ count: 1 }) })
  fleet.pass(2000)
  expect(fleet.state.ask(explain, { target: 'web/api[0]' }).tasks[0]?.lines.slice(1)).toEqual([
    expect.stringMatching(/^failed \d+s ago: oom, it wanted more than its memory_max of 64MiB$/),
    "what it wrote last: muster tw logs 'web/api[0]' -n 20",
  ])
})

test('explain of batch work that is over says so', () => {
  const fleet = newSimulatedFleet({ nodes: 2 })
  fleet.behaviour = () => ({ startMs: 250, stopMs: 250, end: { afterMs: 3000, state: 'complete', reason: 'exit 0' } })
  fleet.state.run(jobRun, { spec: { ...job({}), kind: 'batch' } })
  fleet.pass(2000)
  expect(fleet.state.ask(explain, { target: 'web' })).toMatchObject({ isFine: true, lines: [] })
  fleet.pass(4000)
  expect(fleet.state.ask(explain, { target: 'web' })).toMatchObject({ isFine: true, lines: ['web/api: all 2 ran to their end'], tasks: [] })
})

test('explain of something unknown is refused with the right code', () => {
  const fleet = newSimulatedFleet({ nodes: 1 })
  expect(() => fleet.state.ask(explain, { target: 'nope' })).toThrow(expect.objectContaining({ code: 'TW_JOB_UNKNOWN' }))
  expect(() => fleet.state.ask(explain, { target: 'Not A Name' })).toThrow(expect.objectContaining({ code: 'USAGE' }))
})

test('the plan of a job names the places, and running it takes exactly these', () => {
  const fleet = newSimulatedFleet({ nodes: 3 })
  fleet.pass(500)
  const planned = fleet.state.ask(jobPlan, { spec: job({ count: 5 }) })
  expect(planned).toMatchObject({ isNew: true, groups: [{ group: 'api', action: 'start', count: 5, unplaced: 0 }] })
  fleet.state.run(jobRun, { spec: job({ count: 5 }) })
  fleet.pass(500)
  expect(fleet.state.ask(ps, {}).tasks.map((task) => ({ task: task.task, node: task.node }))).toEqual(planned.groups[0]?.places)
  const again = fleet.state.ask(jobPlan, { spec: job({ count: 6 }) })
  expect(again.changes).toEqual([{ path: 'groups.api.count', before: '5', after: '6' }])
})

test('a plan says of one given node what it is given, and if nothing, why', () => {
  const fleet = newSimulatedFleet({ nodes: 4, cpuMilli: 500 })
  fleet.pass(500)
  fleet.state.run(nodeCordon, { node: 'n4' })
  const ofNode = (node: string, more: Record<string, unknown> = {}, cpu = '300m') =>
    fleet.state.ask(jobPlan, { spec: job({ constraints: ['node.arch = amd64'], ...more }, cpu), node }).groups[0]?.ofNode
  expect(ofNode('n1')).toBe('n1 is given web/api[0]')
  expect(ofNode('n2')).toBe('n2 fails `node.arch = amd64`: its arch is arm64')
  expect(ofNode('n4')).toBe('n4 takes nothing: it is cordoned')
  expect(ofNode('n3', { count: 1 })).toBe(
    'n3 could take one (500m cpu and 2048 MiB are free), and others come first by spread, affinity or load',
  )
  expect(ofNode('n3', {}, '600m')).toBe('n3 cannot take it: 600m cpu are more than its 500m')
  expect(() => ofNode('n9')).toThrow(expect.objectContaining({ code: 'TW_NODE_UNKNOWN' }))
  expect(ofNode('n1', { count: 1, constraints: ['node.name = n3'] })).toBe('n1 fails `node.name = n3`: its name is n1')
})

test('a run with its plan’s places takes exactly these, also while old tasks stand there', () => {
  const fleet = newSimulatedFleet({ nodes: 4 })
  fleet.pass(500)
  const spec = (version: string) => ({
    job: 'web',
    groups: { api: { count: 6, main: { command: 'x', env: { V: version }, resources: { cpu: '100m', memory: '64MiB' } } } },
  })
  fleet.state.run(jobRun, { spec: spec('1') })
  fleet.pass(20_000)
  const planned = fleet.state.ask(jobPlan, { spec: spec('2') })
  expect(planned.groups[0]).toMatchObject({ action: 'replace', running: 6, unplaced: 0 })
  expect(planned.groups[0]?.places.length).toBe(2)
  expect(planned.free.cpuMilli).toBe(8000 - 800)
  fleet.state.run(jobRun, { spec: spec('2'), isPlaced: true })
  const placed = fleet.state.ask(ps, {}).tasks.filter((task) => task.version === 2)
  expect(placed.map((task) => ({ task: task.task, node: task.node }))).toEqual(planned.groups[0]?.places)
  fleet.pass(60_000)
  expect(fleet.state.ask(ps, {}).tasks.map((task) => task.version)).toEqual([2, 2, 2, 2, 2, 2])
})

test('the plan of a system job counts the nodes, and a plan says who would make room', () => {
  const fleet = newSimulatedFleet({ nodes: 3, cpuMilli: 1000 })
  fleet.pass(500)
  const main = (cpu: string) => ({ command: 'x', resources: { cpu, memory: '64MiB' } })
  const system = { job: 'agent', kind: 'system', groups: { a: { main: main('100m') } } }
  expect(fleet.state.ask(jobPlan, { spec: system }).groups[0]).toMatchObject({ action: 'start', count: 3, unplaced: 0 })
  fleet.state.run(jobRun, { spec: { job: 'low', priority: 20, groups: { g: { count: 3, main: main('900m') } } } })
  fleet.pass(3000)
  const high = { job: 'high', priority: 80, groups: { g: { preempts: true, main: main('900m') } } }
  const planned = fleet.state.ask(jobPlan, { spec: high }).groups[0]
  expect(planned).toMatchObject({ unplaced: 1, code: 'TW_NO_CAPACITY', preempts: [{ for: 'high/g[0]' }] })
})

describe('the plan of another number of tasks', () => {
  const scaled = (fleet: ReturnType<typeof newSimulatedFleet>, count: number) =>
    fleet.state.ask(jobScalePlan, { job: 'web', count }).groups.map(({ count: wanted, action, places, unplaced, code, stops }) => ({
      ...{ wanted, action, unplaced, code, waitsFor: stops.waitsFor, later: stops.later },
      starts: places.map(({ task }) => task),
      ends: stops.now.map(({ task, why }) => `${task}: ${why}`),
    }))
  const nothing = { unplaced: 0, code: null, waitsFor: null, later: 0, starts: [], ends: [] }

  test('says what starts and what has no place, and changes nothing', () => {
    const fleet = newSimulatedFleet({ nodes: 2, cpuMilli: 400 })
    fleet.state.run(jobRun, { spec: job({}) })
    fleet.pass(20_000)
    const before = fleet.state.digest()
    const starts = Array.from({ length: 6 }, (_, i) => `web/api[${i + 2}]`)
    expect(scaled(fleet, 9)).toEqual([{ ...nothing, wanted: 9, action: 'scale', starts, unplaced: 1, code: 'TW_NO_CAPACITY' }])
    expect(scaled(fleet, 2)).toEqual([{ ...nothing, wanted: 2, action: 'none' }])
    expect(fleet.state.digest()).toBe(before)
    fleet.state.run(jobScale, { job: 'web', count: 9 })
    fleet.pass(1000)
    expect(fleet.state.ask(ps, { job: 'web' }).tasks.map(({ task }) => task)).toEqual(['web/api[0]', 'web/api[1]', ...starts])
  })

  test('says what ends at once, and what the rest waits for', () => {
    const fleet = newSimulatedFleet({ nodes: 2 })
    fleet.state.run(jobRun, { spec: job({ count: 10 }) })
    fleet.pass(20_000)
    expect(scaled(fleet, 7)[0]?.ends.length).toBe(3)
    expect(scaled(fleet, 0)[0]?.ends.length).toBe(10)
    const asked = job({ count: 10, availability: { consent: 'pull', max_unavailable: 2 } })
    fleet.state.run(jobRun, { spec: asked })
    fleet.pass(1000)
    expect(scaled(fleet, 7)).toEqual([{ ...nothing, wanted: 7, action: 'scale', later: 3, waitsFor: 'the yes of the application (pull)' }])
  })

  test('of a stop names every task, and the services that nothing answers then', () => {
    const fleet = newSimulatedFleet({ nodes: 2 })
    fleet.state.run(jobRun, { spec: WEB })
    fleet.pass(3000)
    const planned = fleet.state.ask(jobStopPlan, { job: 'web' })
    expect(planned).toMatchObject({
      isChanged: true,
      services: ['web'],
      groups: [{ job: 'web', group: 'api', action: 'stop', count: 0, running: 8 }],
    })
    expect(planned.groups[0]?.stops.now.length).toBe(8)
    fleet.state.run(jobStop, { job: 'web' })
    fleet.pass(3000)
    expect(fleet.state.ask(jobStopPlan, { job: 'web' })).toMatchObject({ isChanged: false, groups: [], services: [] })
    expect(() => fleet.state.ask(jobScalePlan, { job: 'web', count: 3 })).toThrow(expect.objectContaining({ code: 'TW_JOB_STATE' }))
  })
})

test('a plan warns of attributes, values and pools that no node has, and names the nearest', () => {
  const fleet = newSimulatedFleet({ nodes: 4 })
  fleet.pass(500)
  const warned = (more: Record<string, unknown>): string[] => fleet.state.ask(jobPlan, { spec: job(more) }).groups[0]?.warnings ?? []
  expect(warned({ constraints: ['node.region in [r1, r2]', 'node.name = n4', 'node.tpu is not set'], spread: { zone: 'even' } })).toEqual(
    [],
  )
  expect(warned({ constraints: ['node.zone = r1-b'] })).toEqual([
    'constraint `node.zone = r1-b`: no node has the zone r1-b; nearest known: r1-a',
  ])
  expect(warned({ constraints: ['node.arhc = amd64', 'node.name != node-77'], pool: 'defualt', distinct: { 'meta.tear': 2 } })).toEqual([
    'constraint `node.arhc = amd64`: no node has arhc; nearest known: arch',
    'constraint `node.name != node-77`: no node has the name node-77; known: n1, n2, n3, n4',
    'distinct meta.tear: no node has meta.tear; known: arch, name, rack, region, zone',
    'pool defualt: no node is of that pool; nearest known: default',
  ])
  expect(warned({ spread: { region: { r1: 70, r9: 30 } }, affinities: [{ 'node.arch = arm65': 10 }] })).toEqual([
    'affinity `node.arch = arm65`: no node has the arch arm65; nearest known: arm64',
    'spread over region: no node has the region r9; nearest known: r1',
  ])
})
