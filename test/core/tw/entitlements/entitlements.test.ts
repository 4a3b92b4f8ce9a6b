import { expect, test } from 'vitest'
import { tasksPlaced } from '../../../../src/core/tw/entries/tasks.ts'
import {
  entitlementList,
  entitlementSetCommand,
  entitlementShow,
  explain,
  jobPlan,
  jobRun,
  jobStop,
  nodeCordon,
  ps,
  quotaSet,
} from '../../../../src/core/tw/operations.ts'
import { charges } from '../../../../src/core/tw/entitlements/tables.ts'
import { fleetAmounts, bufferAmounts } from '../../../../src/core/tw/entitlements/domains.ts'
import { newSimulatedFleet, type SimulatedFleet } from '../../../support/tw-fleet.ts'

const MIB = 1_048_576

const job = (
  name: string,
  count: number,
  more: { entitlement?: string; bestEffort?: boolean; cpu?: string; env?: Record<string, string> } = {},
) => ({
  job: name,
  ...(more.entitlement === undefined ? {} : { entitlement: more.entitlement }),
  groups: {
    api: {
      count,
      availability: { max_unavailable: 1, max_surge: 0 },
      ...(more.bestEffort ? { best_effort: true } : {}),
      main: { command: 'x', env: more.env ?? {}, resources: { cpu: more.cpu ?? '500m', memory: '64MiB' } },
    },
  },
})

const placed = (fleet: SimulatedFleet, name: string): number => fleet.state.ask(ps, { job: name }).tasks.length

/** Four nodes of two cores, one rack for each region. */
function world() {
  const fleet = newSimulatedFleet({ nodes: 4, cpuMilli: 2000 })
  fleet.pass(500)
  return fleet
}

test('what is over quota is blocked with its reason, never failed, and woken when the quota is raised', () => {
  const fleet = world()
  fleet.state.run(quotaSet, { name: 'shop', cpuMilli: 1000 })
  fleet.state.run(jobRun, { spec: job('web', 4, { entitlement: 'shop' }) })
  fleet.pass(2000)
  expect(placed(fleet, 'web')).toBe(2)
  const said = fleet.state.ask(explain, { target: 'web' })
  expect(said.blocked).toEqual([
    {
      job: 'web',
      group: 'api',
      version: 1,
      tasks: ['web/api[2]', 'web/api[3]'],
      code: 'TW_QUOTA',
      why: 'shop is at its quota: one more would take cpu: 1500m of 1',
    },
  ])
  expect(fleet.state.ask(ps, {}).blocked['web/api']).toMatchObject({ count: 2, code: 'TW_QUOTA' })
  fleet.state.run(quotaSet, { name: 'shop', cpuMilli: 1500 })
  fleet.pass(1000)
  expect(placed(fleet, 'web')).toBe(3)
  fleet.state.run(quotaSet, { name: 'shop', isLifted: true })
  fleet.pass(1000)
  expect(placed(fleet, 'web')).toBe(4)
})

test('what another of the owner gives back is taken at once', () => {
  const fleet = world()
  fleet.state.run(quotaSet, { name: 'shop', cpuMilli: 1000 })
  fleet.state.run(jobRun, { spec: job('a', 2, { entitlement: 'shop' }) })
  fleet.pass(1000)
  fleet.state.run(jobRun, { spec: job('b', 2, { entitlement: 'shop' }) })
  fleet.pass(1000)
  expect([placed(fleet, 'a'), placed(fleet, 'b')]).toEqual([2, 0])
  fleet.state.run(jobStop, { job: 'a', reason: '' })
  fleet.pass(2000)
  expect(placed(fleet, 'b')).toBe(2)
})

test('the plan of a job says that its quota would hold it', () => {
  const fleet = world()
  fleet.state.run(quotaSet, { name: 'shop', cpuMilli: 1000 })
  const { groups } = fleet.state.ask(jobPlan, { spec: job('web', 4, { entitlement: 'shop' }) })
  expect(groups[0]).toMatchObject({ unplaced: 2, code: 'TW_QUOTA' })
  expect(groups[0]?.places.length).toBe(2)
})

test('the shared rest is what nobody is guaranteed and no buffer keeps; the guaranteed comes into its own', () => {
  const fleet = world()
  // 8 cores; 3 are guaranteed, and 2 go with the largest node.
  fleet.state.run(entitlementSetCommand, { name: 'shop', cpuMilli: 3000, memoryBytes: 512 * MIB, buffer: 'node' })
  fleet.state.run(jobRun, { spec: job('rest', 20) })
  fleet.pass(2000)
  expect(placed(fleet, 'rest')).toBe(6)
  expect(fleet.state.ask(explain, { target: 'rest' }).blocked[0]).toMatchObject({
    code: 'TW_QUOTA',
    why: expect.stringContaining('no shared capacity is left without an entitlement'),
  })
  fleet.state.run(jobRun, { spec: job('web', 8, { entitlement: 'shop' }) })
  fleet.pass(2000)
  // Six within the guarantee; beyond it nothing is shared any more.
  expect(placed(fleet, 'web')).toBe(6)
  expect(fleet.state.ask(explain, { target: 'web' }).blocked[0]?.why).toContain('beyond what shop is guaranteed')
})

test('after the loss its buffer is for, all that is guaranteed is placed again', () => {
  const fleet = world()
  fleet.state.run(entitlementSetCommand, { name: 'shop', cpuMilli: 3000, memoryBytes: 512 * MIB, buffer: 'node' })
  fleet.state.run(jobRun, { spec: job('rest', 20) })
  fleet.state.run(jobRun, { spec: job('web', 6, { entitlement: 'shop' }) })
  fleet.pass(2000)
  const busiest = ['n1', 'n2', 'n3', 'n4']
    .map((node) => ({ node, tasks: fleet.state.ask(ps, { node, job: 'web' }).tasks.length }))
    .sort((a, b) => b.tasks - a.tasks)[0]
  const lost = fleet.nodes.get(busiest?.node ?? '')
  if (lost) lost.isSilent = true
  fleet.pass(15_000)
  expect(placed(fleet, 'web')).toBe(6)
  expect(fleet.state.ask(entitlementShow, { name: 'shop' })).toMatchObject({ used: { cpuMilli: 3000 }, tasks: 6 })
})

test('best-effort tasks use what is idle and count for nobody', () => {
  const fleet = world()
  fleet.state.run(entitlementSetCommand, { name: 'shop', cpuMilli: 6000, memoryBytes: 512 * MIB, buffer: 'node' })
  fleet.state.run(quotaSet, { name: 'shop', cpuMilli: 6000 })
  fleet.state.run(jobRun, { spec: job('scraps', 16, { entitlement: 'shop', bestEffort: true }) })
  fleet.pass(2000)
  expect(placed(fleet, 'scraps')).toBe(16)
  expect(fleet.state.ask(entitlementShow, { name: 'shop' })).toMatchObject({
    used: { cpuMilli: 0 },
    idle: { cpuMilli: 8000 },
    isCovered: true,
  })
})

test('the referee refuses what is over quota, whatever a planner did, and takes the first that are not', () => {
  const fleet = world()
  for (const node of fleet.nodes.keys()) fleet.state.run(nodeCordon, { node })
  fleet.state.run(quotaSet, { name: 'shop', cpuMilli: 1000 })
  fleet.state.run(jobRun, { spec: job('web', 4, { entitlement: 'shop' }) })
  fleet.state.db.run('UPDATE tw_node SET is_cordoned = 0')
  const tasks = [0, 1, 2].map((index) => ({ index, node: `n${index + 1}`, why: '' }))
  fleet.state.append([tasksPlaced.of({ job: 'web', group: 'api', version: 1, tasks })])
  expect(placed(fleet, 'web')).toBe(2)
  expect(fleet.state.db.all('SELECT idx, reason FROM tw_rejected')).toEqual([
    { idx: 2, reason: 'stale: shop is at its quota: one more would take cpu: 1500m of 1' },
  ])
})

test('counters are what a count of all tasks gives, also after losses and updates; the log gives the same again', () => {
  const fleet = world()
  fleet.state.run(entitlementSetCommand, { name: 'shop', cpuMilli: 2000 })
  fleet.state.run(jobRun, { spec: job('web', 4, { entitlement: 'shop' }) })
  fleet.state.run(jobRun, { spec: job('rest', 3) })
  fleet.pass(2000)
  fleet.state.run(jobRun, { spec: job('web', 3, { entitlement: 'other', env: { A: '1' } }) })
  fleet.pass(500)
  const lost = fleet.nodes.get('n2')
  if (lost) lost.isSilent = true
  fleet.pass(14_000, () => {
    const live = fleet.state.db.get<{ tasks: number; cpu: number }>(
      'SELECT count(*) AS tasks, coalesce(sum(cpu_milli), 0) AS cpu FROM tw_task WHERE is_terminal = 0',
    )
    const sum = charges(fleet.state.db)
    expect(sum.reduce((total, it) => total + it.tasks, 0)).toBe(live?.tasks)
    expect(sum.reduce((total, it) => total + it.used.cpuMilli, 0)).toBe(live?.cpu)
  })
  fleet.pass(30_000)
  expect(charges(fleet.state.db).find(({ owner }) => owner === 'other')?.tasks).toBe(3)
  expect(fleetAmounts(fleet.state.db).cpuMilli).toBe(6000)
  expect(bufferAmounts(fleet.state.db, ['rack'])).toMatchObject({ cpuMilli: 4000 })
  if (lost) lost.isSilent = false
  fleet.pass(3000)
  expect(fleetAmounts(fleet.state.db).cpuMilli).toBe(8000)
  expect(fleet.state.replay().digest()).toBe(fleet.state.digest())
})

test('what is set is kept where it is not said again; more than the fleet can keep is said, not refused', () => {
  const { state } = world()
  state.run(entitlementSetCommand, { name: 'shop', cpuMilli: 7000, buffer: 'rack', gpus: { T4: 4000 } })
  state.run(quotaSet, { name: 'shop', cpuMilli: 9000 })
  state.run(entitlementSetCommand, { name: 'shop', memoryBytes: MIB })
  expect(state.ask(entitlementList, {})).toMatchObject([
    {
      name: 'shop',
      guaranteed: { cpuMilli: 7000, memoryBytes: MIB, gpus: { T4: 4000 } },
      buffer: 'rack',
      quota: { cpuMilli: 9000, memoryBytes: null },
      isCovered: false,
      lacking: 'cpu: 7 of 4',
    },
  ])
  expect(() => state.ask(entitlementShow, { name: 'nope' })).toThrow(expect.objectContaining({ code: 'TW_ENTITLEMENT_UNKNOWN' }))
})

test('what no node can hold, has no room now or is over quota is told apart, with an entitlement too, in plan, explain and lists alike', () => {
  const fleet = world()
  fleet.state.run(entitlementSetCommand, { name: 'shop', cpuMilli: 1000, memoryBytes: 64 * MIB, buffer: 'none' })
  fleet.state.run(quotaSet, { name: 'shop', cpuMilli: 2000 })
  const said = (spec: ReturnType<typeof job>) => {
    const planned = fleet.state.ask(jobPlan, { spec }).groups[0]
    fleet.state.run(jobRun, { spec })
    fleet.pass(1000)
    const explained = fleet.state.ask(explain, { target: spec.job }).blocked[0]
    const listed = fleet.state.ask(ps, { job: spec.job }).blocked[`${spec.job}/api`]
    expect([explained?.code, explained?.why, explained?.tasks.length]).toEqual([planned?.code, planned?.why, planned?.unplaced])
    expect([listed?.code, listed?.why, listed?.count]).toEqual([planned?.code, planned?.why, planned?.unplaced])
    return `${planned?.code}: ${planned?.why}`
  }
  expect(said(job('huge', 1, { cpu: '3' }))).toMatch(/^TW_NO_FEASIBLE_NODE: 0 of 4 nodes can take it: 4 too small even when empty/)
  expect(said(job('mine', 1, { cpu: '3', entitlement: 'shop' }))).toBe(
    'TW_NO_FEASIBLE_NODE: 0 of 4 nodes can take it: 4 too small even when empty; besides, shop is at its quota: one more would take cpu: 3 of 2',
  )
  expect(said(job('over', 5, { entitlement: 'shop' }))).toMatch(/^TW_QUOTA: shop is at its quota/)
  // Two of the eight cores are taken; the rest goes to others, so nothing is left for anybody.
  expect(said(job('rest', 13))).toBe(
    'TW_NO_CAPACITY: 0 of 4 nodes can take it: 4 without enough free cpu; nearest: 4 lack only 500m cpu; besides, ' +
      'no shared capacity is left without an entitlement: the rest is guaranteed to others or kept for the loss of a domain (one more: cpu: 8500m of 8)',
  )
})
