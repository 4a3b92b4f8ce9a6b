import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  jobRevert,
  jobRun,
  jobScale,
  jobStop,
  jobVersionPut,
  nodeDrain,
  nodeUndrain,
  ps,
  taskStop,
  updateSet,
} from '../../../../src/core/tw/operations.ts'
import { desiredTasks, jobStatus, meshSnapshot, nodesView, tasksBySelector } from '../../../../src/core/tw/queries.ts'
import { newSimulatedFleet, type SimulatedFleet } from '../../../support/tw-fleet.ts'

const job = (count: number, version: string, more: Record<string, unknown> = {}, main: Record<string, unknown> = {}) => ({
  job: 'web',
  groups: {
    api: {
      count,
      availability: { max_unavailable: '10%', max_surge: '25%', min_healthy_time: '1s' },
      network: { ports: { http: {} } },
      services: { web: { port: 'http' } },
      reschedule: { delay: '2s' },
      ...more,
      main: {
        command: ['server'],
        env: { VERSION: version },
        resources: { cpu: '100m', memory: '64MiB' },
        health: { readiness: { http: '/ready' } },
        ...main,
      },
    },
  },
})

const serving = (fleet: SimulatedFleet): number =>
  meshSnapshot(fleet.state.db).services.find((service) => service.name === 'web')?.endpoints.length ?? 0
const live = (fleet: SimulatedFleet) => tasksBySelector(fleet.state.db, {})
const versions = (fleet: SimulatedFleet): number[] => [...new Set(live(fleet).map((task) => task.version))]

/** I2 on the whole state: what runs by the agents' own word and by tw's, against each node's size. */
function expectNoOverCommit(fleet: SimulatedFleet): void {
  for (const node of nodesView(fleet.state.db)) {
    expect(node.cpuReserved, `cpu of ${node.node}`).toBeLessThanOrEqual(node.cpuMilli)
    expect(node.memoryReserved, `memory of ${node.node}`).toBeLessThanOrEqual(node.memoryBytes)
    const held = live(fleet)
      .filter((task) => task.node === node.node)
      .reduce((sum, task) => sum + task.cpuMilli, 0)
    expect(node.cpuReserved, `the reservation of ${node.node} counts its tasks`).toBe(held)
  }
}

describe('a rolling update', () => {
  test('keeps count - max_unavailable tasks in service at every step, and never more than count + max_surge wanted', () => {
    fc.assert(
      fc.property(
        fc.record({
          count: fc.integer({ min: 1, max: 12 }),
          nodes: fc.integer({ min: 1, max: 6 }),
          startMs: fc.integer({ min: 0, max: 3000 }),
          stopMs: fc.integer({ min: 0, max: 3000 }),
          unavailable: fc.integer({ min: 0, max: 3 }),
          surge: fc.integer({ min: 0, max: 3 }),
        }),
        ({ count, nodes, startMs, stopMs, unavailable, surge }) => {
          fc.pre(unavailable + surge > 0)
          const availability = { availability: { max_unavailable: unavailable, max_surge: surge, min_healthy_time: '1s' } }
          const fleet = newSimulatedFleet({ nodes, behaviour: () => ({ startMs, stopMs }) })
          fleet.state.run(jobRun, { spec: job(count, '1', availability) })
          fleet.pass(10_000)
          expect(serving(fleet)).toBe(count)
          fleet.state.run(jobRun, { spec: job(count, '2', availability) })
          fleet.pass(90_000, () => {
            expect(serving(fleet)).toBeGreaterThanOrEqual(Math.min(count, count - unavailable))
            expect(live(fleet).filter((task) => task.want === 'run').length).toBeLessThanOrEqual(count + surge)
          })
          expect(versions(fleet)).toEqual([2])
          expect(serving(fleet)).toBe(count)
          expectNoOverCommit(fleet)
        },
      ),
      { numRuns: 8 },
    )
  }, 120_000)

  test('to a version that never becomes healthy leaves the old tasks serving', () => {
    const fleet = newSimulatedFleet({ nodes: 4, behaviour: (task) => ({ startMs: task.version === 2 ? 1e9 : 500, stopMs: 500 }) })
    fleet.state.run(jobRun, { spec: job(8, '1') })
    fleet.pass(10_000)
    fleet.state.run(jobRun, { spec: job(8, '2') })
    fleet.pass(60_000, () => expect(serving(fleet)).toBe(8))
    fleet.state.run(jobRevert, { job: 'web', to: 1 })
    fleet.pass(30_000, () => expect(serving(fleet)).toBeGreaterThanOrEqual(8))
    expect(versions(fleet)).toEqual([3])
  })

  test('with a static port stops the old task first, because two cannot hold it', () => {
    const fleet = newSimulatedFleet({ nodes: 1 })
    const spec = (version: string) => job(1, version, { network: { ports: { http: { static: 8080 } } } })
    fleet.state.run(jobRun, { spec: spec('1') })
    fleet.pass(5000)
    fleet.state.run(jobRun, { spec: spec('2') })
    fleet.pass(10_000, () => expect(live(fleet).length).toBeLessThanOrEqual(1))
    expect(versions(fleet)).toEqual([2])
  })
})

test('after any sequence of runs, scales, stops, drains and lost nodes no node is over-committed and the job ends as wanted', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('run' as const), count: fc.integer({ min: 0, max: 10 }), version: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant('scale' as const), count: fc.integer({ min: 0, max: 10 }) }),
    fc.record({ kind: fc.constant('stop' as const) }),
    fc.record({ kind: fc.constant('silence' as const), node: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constant('return' as const), node: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constant('drain' as const), node: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constant('undrain' as const), node: fc.integer({ min: 1, max: 4 }) }),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.integer({ min: 0, max: 15 })), { maxLength: 8 }), (steps) => {
      const fleet = newSimulatedFleet({ nodes: 4, cpuMilli: 400 })
      fleet.state.run(jobRun, { spec: job(4, '1') })
      fleet.pass(2000)
      for (const [it, seconds] of steps) {
        const status = jobStatus(fleet.state.db, 'web')
        if (it.kind === 'run') fleet.state.run(jobRun, { spec: job(it.count, String(it.version)) })
        else if (it.kind === 'scale' && status?.state === 'running') fleet.state.run(jobScale, { job: 'web', count: it.count })
        else if (it.kind === 'stop') fleet.state.run(jobStop, { job: 'web' })
        else if (it.kind === 'silence') (fleet.nodes.get(`n${it.node}`) as { isSilent: boolean }).isSilent = true
        else if (it.kind === 'return') (fleet.nodes.get(`n${it.node}`) as { isSilent: boolean }).isSilent = false
        else if (it.kind === 'drain') fleet.state.run(nodeDrain, { target: `n${it.node}`, force: true })
        else if (it.kind === 'undrain') fleet.state.run(nodeUndrain, { target: `n${it.node}` })
        fleet.pass(seconds * 1000, () => expectNoOverCommit(fleet))
      }
      for (const [name, node] of fleet.nodes) {
        node.isSilent = false
        fleet.state.run(nodeUndrain, { target: name })
      }
      fleet.pass(120_000)
      const status = jobStatus(fleet.state.db, 'web')
      const wanted = status?.state === 'running' ? (status.groups[0]?.arms[0]?.wanted ?? 0) : 0
      expect(live(fleet).length).toBe(wanted)
      expect(serving(fleet)).toBe(wanted)
      // I5: no process is left that tw does not know, and none is known that does not run.
      expect(
        [...fleet.nodes.values()].flatMap((node) => [...node.processes.values()]).filter((process) => process.report.pid !== null).length,
      ).toBe(wanted)
      expect(fleet.state.replay().digest()).toBe(fleet.state.digest())
    }),
    { numRuns: 12 },
  )
}, 120_000)

describe('when a node is lost', () => {
  test('its tasks are replaced at once elsewhere, and its old processes are stopped when it returns', () => {
    const fleet = newSimulatedFleet({ nodes: 3 })
    fleet.state.run(jobRun, { spec: job(6, '1') })
    fleet.pass(5000)
    const node = fleet.nodes.get('n1') as { isSilent: boolean; processes: Map<number, { report: { pid: number | null } }> }
    node.isSilent = true
    let silentMs = 0
    let servingMs: number | null = null
    fleet.pass(20_000, () => {
      silentMs += 250
      const elsewhere = meshSnapshot(fleet.state.db).services[0]?.endpoints.filter((endpoint) => endpoint.node !== 'n1').length ?? 0
      if (elsewhere === 6) servingMs ??= silentMs
    })
    expect(servingMs).toBeLessThanOrEqual(12_000)
    expect(fleet.state.entries.filter((entry) => entry.type === 'tw.NodeLost').length).toBe(1)
    node.isSilent = false
    fleet.pass(5000)
    expect([...node.processes.values()].filter((process) => process.report.pid !== null)).toEqual([])
    expect(nodesView(fleet.state.db).map((it) => it.state)).toEqual(['ready', 'ready', 'ready'])
    expect(desiredTasks(fleet.state.db, 'n1').filter((task) => task.want === 'stop')).toEqual([])
    expect(serving(fleet)).toBe(6)
  })

  test('but when most of a larger fleet falls silent at once, nothing is given up', () => {
    const fleet = newSimulatedFleet({ nodes: 8 })
    fleet.state.run(jobRun, { spec: job(8, '1') })
    fleet.pass(5000)
    for (const node of fleet.nodes.values()) node.isSilent = true
    fleet.pass(60_000)
    expect(fleet.state.entries.some((entry) => entry.type === 'tw.NodeLost')).toBe(false)
    expect(fleet.state.entries.filter((entry) => entry.type === 'tw.LossHeld').map((entry) => entry.notable?.kind)).toEqual(['loss-held'])
    for (const node of fleet.nodes.values()) node.isSilent = false
    fleet.pass(2000)
    expect(fleet.state.entries.filter((entry) => entry.type === 'tw.LossEnded')).toHaveLength(1)
  })

  test('and who is silent still when the others are back is given time to return as well', () => {
    const fleet = newSimulatedFleet({ nodes: 8 })
    fleet.state.run(jobRun, { spec: job(8, '1') })
    fleet.pass(5000)
    const nodes = [...fleet.nodes.values()]
    for (const node of nodes) node.isSilent = true
    fleet.pass(30_000)
    for (const node of nodes.slice(0, 4)) node.isSilent = false
    fleet.pass(7000)
    expect(fleet.state.entries.filter((entry) => entry.type === 'tw.LossEnded')).toHaveLength(1)
    for (const node of nodes.slice(4, 7)) node.isSilent = false
    fleet.pass(1000)
    expect(fleet.state.entries.some((entry) => entry.type === 'tw.NodeLost')).toBe(false)
    fleet.pass(5000)
    expect(fleet.state.entries.filter((entry) => entry.type === 'tw.NodeLost').map(({ body }) => body)).toMatchObject([{ node: 'n8' }])
  })

  test('but a step of the clock by an hour loses nobody', () => {
    const fleet = newSimulatedFleet({ nodes: 3 })
    fleet.state.run(jobRun, { spec: job(6, '1') })
    fleet.pass(5000)
    fleet.state.advance(3_600_000)
    fleet.pass(5000)
    expect(fleet.state.entries.some((entry) => entry.type === 'tw.NodeLost')).toBe(false)
    expect(serving(fleet)).toBe(6)
  })
})

test('a drained node ends without tasks, at no cost of service, and takes none until it is undrained', () => {
  const fleet = newSimulatedFleet({ nodes: 3 })
  fleet.state.run(jobRun, { spec: job(6, '1') })
  fleet.pass(5000)
  const { left } = fleet.state.run(nodeDrain, { target: 'n2' })
  // n2 is alone in its region, and the tasks are spread over regions first.
  expect(left.length).toBe(3)
  fleet.pass(20_000, () => expect(serving(fleet)).toBeGreaterThanOrEqual(6))
  expect(live(fleet).filter((task) => task.node === 'n2')).toEqual([])
  expect(nodesView(fleet.state.db).find((node) => node.node === 'n2')).toMatchObject({ drain: 'drained', isCordoned: true })
  fleet.state.run(jobScale, { job: 'web', count: 9 })
  fleet.pass(5000)
  expect(live(fleet).filter((task) => task.node === 'n2')).toEqual([])
  fleet.state.run(nodeUndrain, { target: 'n2' })
  fleet.state.run(jobScale, { job: 'web', count: 12 })
  fleet.pass(5000)
  expect(live(fleet).filter((task) => task.node === 'n2').length).toBeGreaterThanOrEqual(3)
})

test('a drain that would leave tasks homeless is refused and names them', () => {
  const fleet = newSimulatedFleet({ nodes: 2, cpuMilli: 300 })
  fleet.state.run(jobRun, { spec: job(4, '1') })
  fleet.pass(5000)
  expect(() => fleet.state.run(nodeDrain, { target: 'n1' })).toThrow(/no room elsewhere for web\/api\[/)
})

test('tasks that fail are tried again with a growing wait, not in a tight loop', () => {
  const fleet = newSimulatedFleet({
    nodes: 2,
    behaviour: () => ({ startMs: 1e9, stopMs: 0, end: { afterMs: 250, state: 'failed', reason: 'exit 1' } }),
  })
  fleet.state.run(jobRun, { spec: job(1, '1') })
  fleet.pass(60_000)
  const starts = fleet.state.entries.filter((entry) => entry.type === 'tw.TasksPlaced').length
  // 2, 4, 8, 16, 32 s of waiting fit six starts into a minute.
  expect(starts).toBeGreaterThanOrEqual(4)
  expect(starts).toBeLessThanOrEqual(6)
})

test('a batch job runs its tasks to completion once and does not start them again', () => {
  const fleet = newSimulatedFleet({
    nodes: 2,
    behaviour: () => ({ startMs: 0, stopMs: 0, end: { afterMs: 1000, state: 'complete', reason: 'exit 0' } }),
  })
  fleet.state.run(jobRun, { spec: { job: 'sum', kind: 'batch', groups: { main: { count: 3, main: { command: 'true' } } } } })
  fleet.pass(30_000)
  expect(fleet.state.ask(ps, { job: 'sum', isAll: true }).tasks.map((task) => task.state)).toEqual(['complete', 'complete', 'complete'])
})

describe('a job that a rollout owns', () => {
  const owned = (): SimulatedFleet => {
    const fleet = newSimulatedFleet({ nodes: 3 })
    fleet.state.run(jobRun, { spec: job(8, '1') })
    fleet.pass(5000)
    const { version } = fleet.state.run(jobVersionPut, { job: 'web', change: { env: { VERSION: '2' } }, release: 'web-2' })
    expect(version).toBe(2)
    fleet.state.run(updateSet, {
      job: 'web',
      owner: 'rollout:1',
      arms: [
        { arm: 'primary', version: 1, count: 8 },
        { arm: 'canary', version: 2, count: 1 },
      ],
      reason: 'step 1',
    })
    fleet.pass(5000)
    return fleet
  }

  test('refuses a plain run and scale, and names the rollout', () => {
    const fleet = owned()
    expect(() => fleet.state.run(jobScale, { job: 'web', count: 2 })).toThrow(/owned by rollout:1/)
    expect(() => fleet.state.run(jobRun, { spec: job(2, '9') })).toThrow(/owned by rollout:1/)
    expect(() =>
      fleet.state.run(updateSet, { job: 'web', owner: 'rollout:2', arms: [{ arm: 'primary', version: 1, count: 1 }], reason: '' }),
    ).toThrow(/owned/)
  })

  test('runs both arms side by side, and ends with the new version after promotion without a task too few', () => {
    const fleet = owned()
    expect(jobStatus(fleet.state.db, 'web')?.groups[0]?.arms).toMatchObject([
      { arm: 'primary', version: 1, wanted: 8, healthy: 8 },
      { arm: 'canary', version: 2, wanted: 1, healthy: 1 },
    ])
    expect(live(fleet).find((task) => task.version === 2)).toMatchObject({ release: 'web-2', arm: 'canary' })
    fleet.state.run(updateSet, { job: 'web', owner: null, arms: [{ arm: 'primary', version: 2, count: 8 }], reason: 'done' })
    fleet.pass(30_000, () => expect(serving(fleet)).toBeGreaterThanOrEqual(8))
    expect(versions(fleet)).toEqual([2])
    expect(jobStatus(fleet.state.db, 'web')).toMatchObject({ owner: null, currentVersion: 2 })
  })
})

test('a task stopped by hand is replaced', () => {
  const fleet = newSimulatedFleet({ nodes: 2 })
  fleet.state.run(jobRun, { spec: job(2, '1') })
  fleet.pass(5000)
  fleet.state.run(taskStop, { task: 'web/api[0]' })
  expect(serving(fleet)).toBe(1)
  fleet.pass(5000)
  expect(serving(fleet)).toBe(2)
})

test('a version that differs only in counts, budgets or labels keeps the processes, and the same file brings scaled counts back without a version', () => {
  const fleet = newSimulatedFleet({ nodes: 2 })
  fleet.state.run(jobRun, { spec: job(2, '1') })
  fleet.pass(5000)
  const pids = live(fleet).map((task) => task.pid)
  expect(fleet.state.run(jobRun, { spec: job(3, '1', { labels: { team: 'a' } }) }).version).toBe(2)
  fleet.pass(5000)
  expect(live(fleet).map((task) => [task.version, task.pid])).toMatchObject([
    [2, pids[0]],
    [2, pids[1]],
    [2, expect.any(Number)],
  ])
  expect(meshSnapshot(fleet.state.db).services[0]?.endpoints.map((endpoint) => endpoint.subset)).toEqual(['v2', 'v2', 'v2'])
  fleet.state.run(jobScale, { job: 'web', count: 1 })
  fleet.pass(5000)
  expect(fleet.state.run(jobRun, { spec: job(3, '1', { labels: { team: 'a' } }) })).toMatchObject({ version: 2, isChanged: true })
  fleet.pass(5000)
  expect(serving(fleet)).toBe(3)
})

test('a task that is not healthy within its deadline is stopped and counts as a failure, so the next try waits', () => {
  const fleet = newSimulatedFleet({ nodes: 2, behaviour: () => ({ startMs: 1e9, stopMs: 0 }) })
  fleet.state.run(jobRun, { spec: job(1, '1', { update: { healthy_deadline: '5s' } }) })
  fleet.pass(30_000)
  const stops = fleet.state.entries.filter((entry) => entry.type === 'tw.StopTask')
  expect(stops.map((entry) => (entry.body as { cause: string }).cause)).toEqual(Array(stops.length).fill('not healthy before its deadline'))
  // 5 s to become healthy and 2, 4, 8 s of waiting: three stops in half a minute.
  expect(stops.length).toBe(3)
  expect(new Set(fleet.state.ask(ps, { isAll: true }).tasks.map((task) => task.node)).size).toBe(2)
})
