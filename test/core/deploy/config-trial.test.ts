import { expect, test } from 'vitest'
import { configGet, configHistory, configJudge, configSet } from '../../../src/core/delos/operations.ts'
import { CANARY, ConfigReaders } from '../../../src/core/delos/queries.ts'
import { delosSystem } from '../../../src/core/delos/system.ts'
import { deploySystem } from '../../../src/core/deploy/system.ts'
import { TaskAggregates } from '../../../src/core/scuba/live/by-task.ts'
import { sevSystem } from '../../../src/core/sev/system.ts'
import { scubaSystem } from '../../../src/core/scuba/system.ts'
import { jobRun } from '../../../src/core/tw/operations.ts'
import { tasksBySelector } from '../../../src/core/tw/queries.ts'
import { twSystem } from '../../../src/core/tw/system.ts'
import { createTrialTracker } from '../../../src/server/deploy/trial-tracker.ts'
import { variates } from '../kernel/stats/random.ts'
import { newSimulatedFleet, WEB, type Behaviour } from '../../support/tw-fleet.ts'
import type { DesiredTask } from '../../../src/core/contracts/node.ts'

const NAME = 'web/limits'

interface Conduct {
  fails?: number
  latencyMs?: number
}

/** Real tw, delos and deploy on a simulated fleet of eight tasks that read a configuration each second and answer requests. */
function newTrialDriver(options: { seed?: number; service?: string | null; behaviour?: (task: DesiredTask) => Behaviour } = {}) {
  const { poisson, rng } = variates(options.seed ?? 1)
  const counts = new TaskAggregates()
  let readers = new ConfigReaders()
  let tracker = createTrialTracker(readers)
  let users = 0
  const fleet = newSimulatedFleet({
    nodes: 6,
    systems: [delosSystem, twSystem, sevSystem, scubaSystem, deploySystem],
    softOf: (name) =>
      name === CANARY ? { opinion: (config: string, version: number) => tracker.opinion(config, version, state.now()) } : undefined,
    ...(options.behaviour ? { behaviour: options.behaviour } : {}),
  })
  const { state } = fleet
  const uniform = (): number => rng.next()
  state.advance(1000 - (state.now() % 1000))

  const answer = (task: string, timeMs: number, { fails = 0, latencyMs = 20 }: Conduct): void => {
    users += 1
    const status = uniform() < fails ? 500 : 200
    const rest = { service: 'web', arm: 'primary', version: 'v1', latencyMs: latencyMs * (0.5 + uniform()), user: `u${users}` }
    counts.add({ timeMs, status, task, weight: 1, ...rest })
  }

  const driver = {
    state,
    fleet,
    /** requests a second of the whole service */
    rate: 400,
    /** how a task that has this version does */
    conduct: (_version: number, _task: string): Conduct => ({}),
    /** tasks that read, and by which name; null: it does not say */
    readerOf: (task: string): string | null => task,
    isServed: (_task: string): boolean => true,
    isSeeing: true,
    /** what tasks have, as they last read it */
    has: new Map<string, number>(),
    /** a server that takes the lead: it knows what stands in the log, and nothing else */
    restart: () => {
      readers = new ConfigReaders()
      tracker = createTrialTracker(readers)
    },
    seconds: (n: number) => {
      for (let i = 0; i < n; i += 1) {
        fleet.pass(1000)
        const tasks = tasksBySelector(state.db, { job: 'web' }).map(({ task }) => task)
        for (const task of tasks) {
          const reader = driver.readerOf(task)
          const { version } = state.ask(configGet, { name: NAME, ...(reader === null ? {} : { reader }) })
          driver.has.set(task, version)
          if (reader !== null) readers.note(NAME, reader, version, state.now())
        }
        for (const task of tasks.filter(driver.isServed)) {
          const requests = poisson(driver.rate / tasks.length)
          // Half a second later, so that each second has what its version does.
          for (let k = 0; k < requests; k += 1) answer(task, state.now() - 500, driver.conduct(driver.has.get(task) ?? 0, task))
        }
        for (const { name, service, fromMs } of tracker.questions(state.db, state.now())) {
          if (driver.isSeeing) tracker.absorb(name, counts.read(service, fromMs, null, state.now()), state.now())
        }
      }
    },
    set: (body: string, canaryPpm?: number, canaryForMs = 60_000) =>
      state.run(configSet, {
        name: NAME,
        body,
        service: options.service === undefined ? 'web' : options.service,
        ...(canaryPpm === undefined ? {} : { canaryPpm, canaryForMs, goodBelowPpm: 10_000 }),
      }),
    newest: () => {
      const [version] = state.ask(configHistory, { name: NAME }).versions
      if (version === undefined) throw new Error('it was never set')
      return version
    },
    /** how many tasks have a version */
    count: (version: number) => [...driver.has.values()].filter((one) => one === version).length,
  }
  state.run(jobRun, { spec: WEB })
  driver.set('a')
  driver.seconds(3)
  return driver
}

test('a version that makes half of the requests fail is rolled back within seconds, with its numbers, and only its share had it', () => {
  const driver = newTrialDriver()
  driver.conduct = (version) => ({ fails: version === 2 ? 0.5 : 0.001 })
  driver.set('b', 300_000)
  driver.seconds(2)
  const hit = driver.count(2)
  expect(hit).toBeGreaterThan(0)
  expect(hit).toBeLessThan(6)
  const startedAt = driver.state.now()
  for (let i = 0; i < 10 && driver.newest().state === 'proposed'; i += 1) {
    expect(driver.count(2)).toBe(hit)
    driver.seconds(1)
  }
  expect(driver.newest()).toMatchObject({ state: 'rolled-back', verdict: 'fail' })
  expect(driver.newest().reason).toMatch(/^web: \d+ of \d+ canary requests failed in 5 s \(\d.*, the control 0/)
  expect(driver.state.now() - startedAt).toBeLessThanOrEqual(8000)
  driver.seconds(1)
  expect(driver.count(1)).toBe(8)
  expect(driver.state.entries.findLast(({ notable }) => notable?.kind === 'config-rollback')?.notable?.text).toContain(
    'canary requests failed',
  )
})

test('a version that fails no more than the active one is activated when its time is over, not before', () => {
  const driver = newTrialDriver({ seed: 2 })
  driver.conduct = () => ({ fails: 0.002 })
  driver.set('b', 500_000, 30_000)
  driver.seconds(29)
  expect(driver.newest()).toMatchObject({ state: 'proposed' })
  driver.seconds(3)
  expect(driver.newest()).toMatchObject({ state: 'active', verdict: 'pass' })
  expect(driver.newest().reason).toMatch(/^web: \d+ of \d\d+ canary requests failed .*of the control/)
  driver.seconds(1)
  expect(driver.count(2)).toBe(8)
})

test('a version that makes answers slow is rolled back by latency', () => {
  const driver = newTrialDriver({ seed: 3 })
  driver.conduct = (version) => ({ latencyMs: version === 2 ? 80 : 20 })
  driver.set('b', 500_000)
  driver.seconds(30)
  expect(driver.newest()).toMatchObject({ state: 'rolled-back', verdict: 'fail' })
  expect(driver.newest().reason).toMatch(/^web: the canary is slower: p50/)
})

test('a version by which tasks crash is rolled back although no request fails', () => {
  // The agents start them again; requests go to the others meanwhile.
  const isHit = (task: string): boolean => driver.has.get(task) === 2
  const driver = newTrialDriver({ seed: 4 })
  driver.isServed = (task) => !isHit(task)
  driver.set('b', 500_000)
  driver.seconds(3)
  for (const node of driver.fleet.nodes.values())
    for (const { desired, report } of node.processes.values())
      if (isHit(desired.task)) Object.assign(report, { restarts: report.restarts + 2 })
  driver.seconds(4)
  expect(driver.newest()).toMatchObject({ state: 'rolled-back', verdict: 'fail' })
  expect(driver.newest().reason).toContain('canary tasks restarted')
})

test.each<[string, string, (driver: ReturnType<typeof newTrialDriver>) => void]>([
  ['nobody says who it is', 'no task of web has read version 2; 0 have version 1', (driver) => (driver.readerOf = () => null)],
  ['there is no traffic', 'no request of web came to the', (driver) => (driver.rate = 0)],
  ['there is too little traffic', 'that fewer than 1 % fail takes 300 without a failure', (driver) => (driver.rate = 8)],
  ['no request comes to the tasks that have it', 'no request of web came to the', (d) => (d.isServed = (task) => d.has.get(task) !== 2)],
  ['scuba does not answer', 'no trustworthy counts', (driver) => (driver.isSeeing = false)],
])('where %s it is rolled back at the end of its time, and it is said why', (_, why, make) => {
  const driver = newTrialDriver({ seed: 5 })
  make(driver)
  if (driver.readerOf('x') === null) driver.restart()
  driver.set('b', 500_000, 20_000)
  driver.seconds(18)
  expect(driver.newest()).toMatchObject({ state: 'proposed' })
  driver.seconds(4)
  expect(driver.newest()).toMatchObject({ state: 'rolled-back', verdict: null })
  expect(driver.newest().reason).toMatch(/^no verdict in time: /)
  expect(driver.newest().reason).toContain(why)
})

test('where every task has it, what fails little is left to a person, and what fails much is rolled back at once', () => {
  const few = newTrialDriver({ seed: 10 })
  few.conduct = () => ({ fails: 0.04 })
  few.set('b', 1_000_000, 20_000)
  few.seconds(22)
  expect(few.newest()).toMatchObject({ state: 'rolled-back', verdict: null })
  expect(few.newest().reason).toContain('there is none to compare with')
  const many = newTrialDriver({ seed: 11 })
  many.set('b', 1_000_000)
  many.conduct = (version) => ({ fails: version === 2 ? 0.6 : 0 })
  many.seconds(8)
  expect(many.newest()).toMatchObject({ state: 'rolled-back', verdict: 'fail' })
})

test('without a named service it is judged by the one whose tasks read it', () => {
  const driver = newTrialDriver({ seed: 6, service: null })
  driver.conduct = (version) => ({ fails: version === 2 ? 0.5 : 0 })
  driver.set('b', 500_000)
  driver.seconds(12)
  expect(driver.newest()).toMatchObject({ state: 'rolled-back', verdict: 'fail' })
})

test('readers that are no tasks leave it to a person, and are told how to name the service', () => {
  const driver = newTrialDriver({ seed: 7, service: null })
  driver.restart()
  driver.readerOf = (task) => `host-of-${task}`
  driver.set('b', 500_000, 10_000)
  driver.seconds(12)
  expect(driver.newest()).toMatchObject({ state: 'rolled-back', verdict: null })
  expect(driver.newest().reason).toContain('none of its readers is a task')
})

test("a person's verdict ends the trial, whatever the analysis would say", () => {
  const driver = newTrialDriver({ seed: 8 })
  driver.set('b', 500_000)
  driver.seconds(1)
  driver.conduct = (version) => ({ fails: version === 2 ? 0.5 : 0 })
  driver.state.run(configJudge, { name: NAME, version: 2, verdict: 'pass', reason: 'as it has to be' })
  driver.seconds(10)
  expect(driver.newest()).toMatchObject({ state: 'active', verdict: 'pass', reason: 'as it has to be' })
})

test('a server that takes the lead goes on with a trial once tasks have read again', () => {
  const driver = newTrialDriver({ seed: 9 })
  driver.set('b', 500_000)
  driver.seconds(8)
  driver.conduct = (version) => ({ fails: version === 2 ? 0.5 : 0 })
  driver.restart()
  driver.seconds(10)
  expect(driver.newest()).toMatchObject({ state: 'rolled-back', verdict: 'fail' })
  expect(driver.state.replay().digest()).toBe(driver.state.digest())
})

test('8 good versions on trial, on tasks that differ by a fifth: none is rolled back for harm', () => {
  const bad = Array.from({ length: 8 }, (_, seed) => {
    const driver = newTrialDriver({ seed: seed + 100 })
    const { normal } = variates(seed)
    const own = new Map<string, number>()
    driver.conduct = (_version, task) => {
      const times = own.get(task) ?? Math.exp(0.2 * normal())
      own.set(task, times)
      return { fails: 0.02 * times, latencyMs: 20 * times }
    }
    driver.set('b', 500_000, 30_000)
    driver.seconds(34)
    return driver.newest().verdict === 'fail'
  })
  expect(bad.filter(Boolean)).toHaveLength(0)
}, 120_000)
