import { describe, expect, test } from 'vitest'
import { nodeSet } from '../../../../src/core/tw/entries/nodes.ts'
import { drainer } from '../../../../src/core/tw/controllers/drainer.ts'
import {
  drainShow,
  jobRun,
  maintenanceCreate,
  maintenanceExtend,
  nodeDrain,
  nodeUndrain,
  opList,
  taskRestart,
} from '../../../../src/core/tw/operations.ts'
import { nodesView, tasksBySelector } from '../../../../src/core/tw/queries.ts'
import { newSimulatedFleet, type SimulatedFleet } from '../../../support/tw-fleet.ts'

const job = (count: number, availability: Record<string, unknown> = {}) => ({
  job: 'web',
  groups: {
    api: {
      count,
      availability: { max_unavailable: 1, max_surge: 0, min_healthy_time: '1s', ...availability },
      network: { ports: { http: null } },
      main: { command: ['./serve'], health: { readiness: { http: '/', port: 'http', interval: '1s' } } },
    },
  },
})

function running(
  count: number,
  availability: Record<string, unknown> = {},
  shape: { nodes: number; cpuMilli?: number } = { nodes: 4 },
): SimulatedFleet {
  const fleet = newSimulatedFleet(shape)
  fleet.state.run(jobRun, { spec: job(count, availability) })
  fleet.pass(5000)
  return fleet
}

const on = (fleet: SimulatedFleet, node: string) => tasksBySelector(fleet.state.db, { node })
const types = (fleet: SimulatedFleet): string[] => fleet.state.entries.map((entry) => entry.type)

describe('a drain', () => {
  test('takes a node, a rack, a zone, a region or a label, and undrain takes the same', () => {
    const fleet = running(4)
    fleet.state.append([nodeSet.of({ node: 'n3', labels: { tier: 'gold' }, reason: '' })])
    const nodesOf = (target: string): string[] => fleet.state.run(nodeDrain, { target, force: true }).nodes
    expect(nodesOf('label:tier=gold')).toEqual(['n3'])
    expect(nodesOf('region:r1')).toEqual(['n1', 'n3'])
    expect(nodesOf('zone:r2-a')).toEqual(['n2', 'n4'])
    expect(nodesOf('rack:r1-a-1')).toEqual(['n1', 'n3'])
    expect(() => nodesOf('rack:nowhere')).toThrow(/no node of rack:nowhere/)
    expect(fleet.state.run(nodeUndrain, { target: 'region:r1' })).toMatchObject({ nodes: ['n1', 'n3'], isChanged: true })
    expect(nodesView(fleet.state.db).map((node) => node.isCordoned)).toEqual([false, true, false, true])
  })

  test('of a rack whose tasks fit nowhere else together is refused with their names, and recorded as forced', () => {
    const fleet = running(6, {}, { nodes: 4, cpuMilli: 200 })
    const before = fleet.state.entries.length
    expect(() => fleet.state.run(nodeDrain, { target: 'region:r1' })).toThrow(/no room elsewhere for web\/api\[/)
    expect(fleet.state.entries.length).toBe(before)
    fleet.state.run(nodeDrain, { target: 'region:r1', force: true })
    expect(fleet.state.entries.at(-1)).toMatchObject({ type: 'tw.DrainStarted', body: { isForced: true } })
  })

  test('that goes on takes another deadline, and a hard one forces what was waited for', () => {
    const fleet = running(4, { consent: 'pull' })
    fleet.state.run(nodeDrain, { target: 'n1', reason: 'fan' })
    fleet.pass(5000)
    const opsOf = () => fleet.state.ask(opList, {}).ops.map(({ state, isHard }) => ({ state, isHard }))
    expect(opsOf()).toEqual([{ state: 'asked', isHard: false }])
    expect(fleet.state.run(nodeDrain, { target: 'n1' }).isChanged).toBe(false)
    expect(fleet.state.run(nodeDrain, { target: 'n1', deadlineMs: 10_000, isHard: true }).isChanged).toBe(true)
    expect(fleet.state.entries.at(-1)).toMatchObject({ type: 'tw.DrainStarted', body: { reason: 'fan', isHard: true } })
    fleet.pass(5000)
    expect(opsOf()).toEqual([{ state: 'asked', isHard: true }])
    fleet.pass(10_000)
    expect(fleet.state.ask(drainShow, { target: 'n1' }).isDrained).toBe(true)
  })

  test('is complete only when the agent has reported the processes gone', () => {
    const fleet = running(4)
    fleet.behaviour = () => ({ startMs: 500, stopMs: 20_000 })
    fleet.state.run(nodeDrain, { target: 'n1' })
    fleet.pass(10_000)
    expect(fleet.state.ask(drainShow, { target: 'n1' })).toMatchObject({ isDrained: false, left: [{ waitsFor: 'the end of its process' }] })
    fleet.pass(40_000)
    expect(fleet.state.ask(drainShow, { target: 'n1' })).toMatchObject({ isDrained: true, left: [] })
  })

  test('of a node that is lost meanwhile stays open, and says that nobody can tell, until it returns', () => {
    const fleet = running(4)
    fleet.behaviour = () => ({ startMs: 500, stopMs: 20_000 })
    fleet.state.run(nodeDrain, { target: 'n1' })
    fleet.pass(1000)
    const node = fleet.nodes.get('n1')
    if (node) node.isSilent = true
    fleet.pass(40_000)
    const { isDrained, left } = fleet.state.ask(drainShow, { target: 'n1' })
    expect(isDrained).toBe(false)
    expect(left[0]?.waitsFor).toContain('its node is lost')
    if (node) node.isSilent = false
    fleet.pass(10_000)
    expect(fleet.state.ask(drainShow, { target: 'n1' }).isDrained).toBe(true)
  })

  test('waits for budget and says so; past its deadline it is overdue, and nothing is forced', () => {
    const fleet = running(2, { max_unavailable: 0, max_surge: 1, consent: 'pull' }, { nodes: 2 })
    fleet.state.run(nodeDrain, { target: 'n1', deadlineMs: 30_000 })
    fleet.pass(10_000)
    expect(fleet.state.ask(drainShow, { target: 'n1' }).left).toMatchObject([
      { waitsFor: 'the yes of the application (pull)', code: 'TW_CONSENT_WAIT' },
    ])
    fleet.pass(60_000)
    expect(types(fleet).filter((type) => type === 'tw.DrainOverdue').length).toBe(1)
    expect(types(fleet)).not.toContain('tw.OpForced')
    expect(fleet.state.ask(opList, {}).ops).toMatchObject([{ isLate: true, state: 'asked' }])
    expect(on(fleet, 'n1').length).toBe(1)
  })

  test('that is hard forces what is left at its deadline, in the log by name', () => {
    const fleet = running(2, { max_unavailable: 0, max_surge: 1, consent: 'pull' }, { nodes: 2 })
    fleet.state.run(nodeDrain, { target: 'n1', deadlineMs: 30_000, isHard: true })
    fleet.pass(28_000)
    expect(on(fleet, 'n1').length).toBe(1)
    fleet.pass(10_000)
    expect(on(fleet, 'n1')).toEqual([])
    const forced = fleet.state.entries.find((entry) => entry.type === 'tw.OpForced')
    expect(forced?.notable?.text).toMatch(/forced past budget and consent: web\/api\[\d\] \(its deadline has passed\)/)
  })

  test('that is hard forces at its deadline what else would stay to its end there, or leave last, and is complete then', () => {
    const fleet = newSimulatedFleet({ nodes: 2 })
    const main = { command: ['x'], resources: { cpu: '50m', memory: '16MiB' } }
    const availability = { max_unavailable: 0, max_surge: 1 }
    fleet.state.run(jobRun, { spec: { job: 'agent', kind: 'system', groups: { g: { availability, main } } } })
    fleet.state.run(jobRun, { spec: { job: 'count', kind: 'batch', groups: { g: { count: 2, availability, main } } } })
    // What another group waits for runs to its end in a service, too.
    const first = { count: 2, availability, main }
    fleet.state.run(jobRun, { spec: { job: 'app', groups: { first, then: { after: { first: 'completed' }, main } } } })
    fleet.pass(5000)
    expect(on(fleet, 'n1').length).toBe(3)
    fleet.state.run(nodeDrain, { target: 'n1', deadlineMs: 30_000, isHard: true, force: true })
    fleet.pass(28_000)
    expect(on(fleet, 'n1').length).toBe(3)
    fleet.pass(10_000)
    expect(on(fleet, 'n1')).toEqual([])
    expect(fleet.state.ask(drainShow, { target: 'n1' }).isDrained).toBe(true)
    const stops = fleet.state.entries.flatMap(({ type, notable }) =>
      type === 'tw.StopTask' ? ['a stop that was no op'] : type === 'tw.OpForced' ? [notable?.target] : [],
    )
    // The last one there goes with its node, which its job does not count any more.
    expect(stops.toSorted()).toEqual(['app/first[0]', 'count/g[0]'])
  })

  test('is said to be overdue once more when its maintenance was given longer and is late again', () => {
    const fleet = running(2, { max_unavailable: 0, max_surge: 1, consent: 'pull' }, { nodes: 2 })
    fleet.state.run(maintenanceCreate, { targets: ['n1'], kind: 'reboot', deadlineMs: 10_000 })
    fleet.pass(15_000)
    const overdue = (): number => types(fleet).filter((type) => type === 'tw.DrainOverdue').length
    expect(overdue()).toBe(1)
    fleet.state.run(maintenanceExtend, { maintenance: 1, byMs: 20_000 })
    const extended = fleet.state.entries.at(-1)
    expect(drainer.wakes.some((prefix) => extended?.type.startsWith(prefix))).toBe(true)
    fleet.pass(20_000)
    expect(overdue()).toBe(2)
  })

  test('that is hard waits no longer for consent than the group has patience', () => {
    const fleet = running(2, { max_unavailable: 0, max_surge: 1, consent: 'pull', consent_timeout: '8s' }, { nodes: 2 })
    fleet.state.run(nodeDrain, { target: 'n1', deadlineMs: 600_000, isHard: true })
    fleet.pass(7000)
    expect(types(fleet)).not.toContain('tw.OpForced')
    fleet.pass(5000)
    expect(types(fleet)).toContain('tw.OpForced')
    expect(on(fleet, 'n1')).toEqual([])
  })

  test('without room for a replacement, of a group of which none may be missing, waits with the code for that', () => {
    const fleet = running(4, { max_unavailable: 0, max_surge: 1 }, { nodes: 2, cpuMilli: 200 })
    fleet.state.run(nodeDrain, { target: 'n1', force: true })
    fleet.pass(20_000)
    const { ops } = fleet.state.ask(opList, { node: 'n1' })
    expect(ops.map((op) => op.code)).toEqual(['TW_NO_SURGE_CAPACITY', 'TW_NO_SURGE_CAPACITY'])
    expect(tasksBySelector(fleet.state.db, {}).filter((task) => task.want === 'run').length).toBe(4)
  })
})

test('a restart by hand of a group of which none may be missing waits for a replacement, goes in place, and leaves as many tasks as before', () => {
  const fleet = running(3, { max_unavailable: 0, max_surge: 1 })
  const [first] = tasksBySelector(fleet.state.db, {})
  fleet.state.run(taskRestart, { task: first?.task ?? '' })
  fleet.pass(30_000, () => {
    const [op] = fleet.state.ask(opList, {}).ops
    if (op?.kind === 'restart' && op.state === 'running')
      expect(() => fleet.state.run(taskRestart, { task: first?.task ?? '' })).toThrow(/is not over yet/)
    const serving = tasksBySelector(fleet.state.db, {}).filter((task) => task.state === 'running' && task.health === 'healthy').length
    expect(serving).toBeGreaterThanOrEqual(3)
  })
  const after = tasksBySelector(fleet.state.db, {})
  expect(after.length).toBe(3)
  expect(after.find((task) => task.id === first?.id)).toMatchObject({ incarnation: 2, state: 'running', health: 'healthy' })
  expect(fleet.state.ask(opList, { isAll: true }).ops.map((op) => op.state)).toEqual(['done', 'done'])
})

test('an op whose task was about to end when its node was lost is over', () => {
  const fleet = running(4)
  fleet.behaviour = () => ({ startMs: 500, stopMs: 60_000 })
  fleet.state.run(nodeDrain, { target: 'n1' })
  fleet.pass(1000)
  expect(fleet.state.ask(opList, {}).ops.length).toBe(1)
  const node = fleet.nodes.get('n1')
  if (node) node.isSilent = true
  fleet.pass(40_000)
  expect(fleet.state.ask(opList, {}).ops).toEqual([])
  expect(fleet.state.ask(opList, { isAll: true }).ops).toMatchObject([{ state: 'done', why: 'its node was lost' }])
})
