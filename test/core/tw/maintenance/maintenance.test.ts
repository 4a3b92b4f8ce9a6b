import { describe, expect, test } from 'vitest'
import { maintainer } from '../../../../src/core/tw/controllers/maintainer.ts'
import { maintenanceStepped } from '../../../../src/core/tw/entries/maintenance.ts'
import {
  jobRun,
  maintenanceAbort,
  maintenanceCreate,
  maintenanceExtend,
  maintenanceShow,
  nodeRetire,
  nodeUndrain,
} from '../../../../src/core/tw/operations.ts'
import { nodesView, tasksBySelector, type WorkView } from '../../../../src/core/tw/queries.ts'
import { newSimulatedFleet, type SimulatedFleet } from '../../../support/tw-fleet.ts'

function running(nodes = 4, availability: Record<string, unknown> = {}): SimulatedFleet {
  const fleet = newSimulatedFleet({ nodes })
  const main = { command: ['./serve'], health: { readiness: { http: '/', port: 'http', interval: '1s' } } }
  const group = {
    count: 4,
    availability: { max_unavailable: 1, max_surge: 0, min_healthy_time: '1s', ...availability },
    network: { ports: { http: null } },
    main,
  }
  fleet.state.run(jobRun, { spec: { job: 'web', groups: { api: group } } })
  fleet.pass(5000)
  return fleet
}

const works = (fleet: SimulatedFleet, maintenance = 1): Record<string, WorkView> =>
  Object.fromEntries(fleet.state.ask(maintenanceShow, { maintenance }).works.map((work) => [work.node, work as WorkView]))
const stateOf = (fleet: SimulatedFleet, node: string): string | undefined => works(fleet)[node]?.state
const boot = (fleet: SimulatedFleet, node: string): void => {
  const it = fleet.nodes.get(node)
  if (it) it.identity.bootId = `${it.identity.bootId}+`
}
const underWay = (fleet: SimulatedFleet): string[] =>
  Object.values(works(fleet)).flatMap((work) => (['draining', 'ready', 'working', 'verifying'].includes(work.state) ? [work.node] : []))

describe('planned work', () => {
  test('drains a node, waits for its reboot, gives it back and takes the next; never two racks at once', () => {
    const fleet = running()
    fleet.state.run(maintenanceCreate, { targets: ['region:r1', 'region:r2'], kind: 'reboot' })
    const seen: string[][] = []
    const look = (): void => {
      const now = underWay(fleet)
      if (now.length > 0 && now.join() !== seen.at(-1)?.join()) seen.push(now)
      const serving = tasksBySelector(fleet.state.db, {}).filter((task) => task.health === 'healthy' && task.want === 'run').length
      expect(serving).toBeGreaterThanOrEqual(3)
    }
    for (let i = 0; i < 4; i += 1) {
      fleet.pass(20_000, look)
      const [node] = underWay(fleet)
      expect(stateOf(fleet, node ?? '')).toBe('working')
      expect(tasksBySelector(fleet.state.db, { node: node ?? '' })).toEqual([])
      boot(fleet, node ?? '')
      fleet.pass(2000, look)
    }
    // n1 and n3 are one rack, n2 and n4 the other.
    expect(seen).toEqual([['n1'], ['n3'], ['n2'], ['n4']])
    expect(fleet.state.ask(maintenanceShow, { maintenance: 1 }).state).toBe('finished')
    expect(nodesView(fleet.state.db).some((node) => node.isCordoned)).toBe(false)
  })

  test('takes as many of one domain at once as it may, and none of another', () => {
    const fleet = running()
    fleet.state.run(maintenanceCreate, { targets: ['region:r1', 'region:r2'], kind: 'power', maxConcurrent: 2 })
    fleet.pass(30_000)
    expect(underWay(fleet)).toEqual(['n1', 'n3'])
    expect(works(fleet)['n2']?.waitsFor).toBe('maintenance 1 of r1-a-1')
  })

  test('waits for its window, and for room elsewhere', () => {
    const fleet = running(2)
    fleet.state.run(maintenanceCreate, { targets: ['n1'], kind: 'reboot', window: 'FREQ=DAILY;BYHOUR=22;BYMINUTE=30' })
    // The clock of the test starts at 22:13:20 UTC.
    fleet.pass(60_000)
    expect(works(fleet)['n1']).toMatchObject({ state: 'scheduled', waitsFor: 'its window' })
    fleet.state.advance(16 * 60_000)
    fleet.pass(30_000)
    expect(stateOf(fleet, 'n1')).toBe('working')
    const full = newSimulatedFleet({ nodes: 2, cpuMilli: 200 })
    full.state.run(jobRun, { spec: { job: 'web', groups: { api: { count: 4, main: { command: 'true' } } } } })
    full.pass(5000)
    full.state.run(maintenanceCreate, { targets: ['n1'], kind: 'reboot' })
    full.pass(5000)
    expect(works(full)['n1']).toMatchObject({ state: 'checking', waitsFor: expect.stringMatching(/^room elsewhere for web\/api/) })
  })

  test('asks for its command to be run once it is empty; what it says is kept, and a failure stops everything and leaves the node out', () => {
    const fleet = running()
    fleet.state.run(maintenanceCreate, { targets: ['n1', 'n2'], kind: 'command', command: ['true'], level: 'node' })
    fleet.pass(20_000)
    const effects = maintainer.effects?.(fleet.state.db, fleet.state.now(), { beats: new Map() }) ?? []
    expect(effects).toMatchObject([{ key: 'tw.maintain:1:n1', body: { node: 'n1', command: ['true'] } }])
    const ended = { maintenance: 1, node: 'n1', state: 'verifying' as const, why: '', exitCode: 0, output: 'patched' }
    fleet.state.append([maintenanceStepped.of(ended)])
    fleet.pass(30_000)
    expect(works(fleet)['n1']).toMatchObject({ state: 'returned', exitCode: 0, output: 'patched' })
    expect(stateOf(fleet, 'n2')).toBe('working')
    fleet.state.append([maintenanceStepped.of({ ...ended, node: 'n2', state: 'aborted', why: 'its command ended with 1', exitCode: 1 })])
    fleet.pass(5000)
    expect(fleet.state.ask(maintenanceShow, { maintenance: 1 }).state).toBe('aborted')
    expect(nodesView(fleet.state.db).find((node) => node.node === 'n2')?.isCordoned).toBe(true)
  })

  test('that takes too long is overdue, once, and may be extended; hard, it forces tasks off', () => {
    const fleet = running(4, { consent: 'pull' })
    fleet.state.run(maintenanceCreate, { targets: ['n1'], kind: 'reboot', deadlineMs: 20_000 })
    fleet.pass(30_000)
    expect(works(fleet)['n1']).toMatchObject({
      state: 'draining',
      isOverdue: true,
      waitsFor: expect.stringContaining('the yes of the application'),
    })
    const overdue = (): number => fleet.state.entries.filter((entry) => entry.type === 'tw.MaintenanceOverdue').length
    expect(overdue()).toBe(1)
    fleet.state.run(maintenanceExtend, { maintenance: 1, byMs: 60_000 })
    expect(works(fleet)['n1']?.isOverdue).toBe(false)
    fleet.state.run(maintenanceAbort, { maintenance: 1 })
    fleet.pass(1000)
    expect(nodesView(fleet.state.db)[0]).toMatchObject({ drain: null, isCordoned: false })
    fleet.state.run(maintenanceCreate, { targets: ['n1'], kind: 'reboot', deadlineMs: 20_000, isHard: true })
    fleet.pass(40_000)
    expect(fleet.state.entries.find((entry) => entry.type === 'tw.OpForced')).toBeDefined()
    expect(works(fleet, 2)['n1']?.state).toBe('working')
  })

  test('gives a node up whose drain is called off, and keeps one out of service that was so before', () => {
    const fleet = running(4, { consent: 'pull' })
    fleet.state.run(maintenanceCreate, { targets: ['n1'], kind: 'reboot' })
    fleet.pass(2000)
    fleet.state.run(nodeUndrain, { target: 'n1' })
    fleet.pass(1000)
    expect(works(fleet)['n1']).toMatchObject({ state: 'aborted', waitsFor: 'its drain was called off' })
  })

  test('says of the first that waits what it waits for, and nothing of those behind it', () => {
    const fleet = running(12)
    fleet.state.run(maintenanceCreate, { targets: ['region:r1', 'region:r2'], kind: 'reboot' })
    fleet.pass(30_000)
    const waits = fleet.state.entries.filter(
      ({ type, body }) => type === 'tw.MaintenanceStepped' && (body as WorkView).state === 'checking',
    )
    expect(waits.map(({ body }) => (body as WorkView).node)).toEqual(['n11'])
    expect(Object.values(works(fleet)).map((work) => work.waitsFor)).toContain('its turn')
  })

  test('is over for a node that is retired, and goes on with the others', () => {
    const fleet = running(4)
    fleet.state.run(maintenanceCreate, { targets: ['region:r1'], kind: 'reboot' })
    fleet.pass(20_000)
    expect(stateOf(fleet, 'n1')).toBe('working')
    fleet.nodes.delete('n1')
    fleet.state.run(nodeRetire, { node: 'n1' })
    fleet.pass(20_000)
    expect(works(fleet)['n1']).toMatchObject({ state: 'returned', waitsFor: 'node n1 retired' })
    expect(stateOf(fleet, 'n3')).toBe('working')
    expect(fleet.state.replay().digest()).toBe(fleet.state.digest())
  })

  test('is refused when it makes no sense', () => {
    const fleet = running(2)
    const create = (input: object) => () => fleet.state.run(maintenanceCreate, { targets: ['n1'], kind: 'reboot', ...input })
    expect(create({ kind: 'command' })).toThrow(/a command is for kind command/)
    expect(create({ window: 'FREQ=NEVER' })).toThrow(/the window is not valid/)
    expect(create({ targets: ['n9'] })).toThrow(/no node n9/)
    expect(() => fleet.state.run(maintenanceAbort, { maintenance: 7 })).toThrow(/no maintenance 7/)
  })
})

test('a replayed log gives the same state', () => {
  const fleet = running()
  fleet.state.run(maintenanceCreate, { targets: ['n1'], kind: 'reboot' })
  fleet.pass(20_000)
  boot(fleet, 'n1')
  fleet.pass(5000)
  expect(fleet.state.replay().digest()).toBe(fleet.state.digest())
})
