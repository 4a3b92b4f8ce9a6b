import fc from 'fast-check'
import { expect, test } from 'vitest'
import { histBucket, histEdge, LiveAggregate, liveEvent } from '../../../src/core/scuba/live/aggregate.ts'
import { mergeLive } from '../../../src/core/scuba/live/merge.ts'
import { TaskAggregates, TASK_SERVICES_MAX, TASK_UNASKED_MS } from '../../../src/core/scuba/live/by-task.ts'

const T = 1_750_000_000_000
const event = (over: Partial<Parameters<LiveAggregate['add']>[0]>) => ({
  timeMs: T,
  service: 'web',
  arm: 'primary',
  version: 'v1',
  status: 200,
  latencyMs: 10,
  task: 'web/api[0]',
  user: 'u',
  weight: 1,
  ...over,
})

test('bucket i of a latency is (1.02^(i-1), 1.02^i] ms', () => {
  fc.assert(
    fc.property(fc.double({ min: 0.01, max: 1e6, noNaN: true }), (ms) => {
      const i = histBucket(ms)
      expect(ms).toBeLessThanOrEqual(histEdge(i) * (1 + 1e-9))
      expect(ms).toBeGreaterThan(histEdge(i - 1) * (1 - 1e-9))
    }),
  )
  expect([histBucket(1), histBucket(1.02), histBucket(1.021)]).toEqual([0, 1, 2])
  expect(histBucket(0)).toBe(-400)
})

test('a person without a user is told apart by the trace, and fails once a second at the earliest moment', () => {
  const live = new LiveAggregate()
  for (const row of [
    { service: 'web', status: 500, trace: 't1', latency_ms: 1 },
    { service: 'web', status: 500, trace: 't1', user: '', latency_ms: 1 },
    { service: 'web', status: 200, trace: 't1', user: 'anna', latency_ms: 1 },
  ]) {
    const seen = liveEvent(row, T + 5)
    if (seen) live.add(seen)
  }
  expect(live.read('web', T, null, T + 1000)).toMatchObject({
    users: { primary: 2 },
    failingUsers: [{ user: 't1', arm: 'primary', firstMs: T + 5 }],
  })
  expect(liveEvent({ status: 200 }, T)).toBeNull()
})

test('a row stands for as many requests as its sample_rate says, and for one person', () => {
  const live = new LiveAggregate()
  for (const [rate, status] of [
    [10, 200],
    [2.5, 500],
    [0, 200],
    ['7', 200],
  ]) {
    const seen = liveEvent({ service: 'web', status, user: 'anna', latency_ms: 1, sample_rate: rate }, T)
    if (seen) live.add(seen)
  }
  expect(live.read('web', T, null, T + 1000)).toMatchObject({
    buckets: [{ requests: 14.5, failing: 2.5, hist: { 0: 14.5 } }],
    users: { primary: 1 },
  })
})

test('a first failure before the range does not hide one inside of it; late rows are in', () => {
  const live = new LiveAggregate()
  live.add(event({ timeMs: T + 9000, status: 500 }))
  live.add(event({ timeMs: T + 1000, status: 500 }))
  live.add(event({ timeMs: T + 4200, status: 502 }))
  expect(live.read('web', T, null, T + 10_000).failingUsers[0]?.firstMs).toBe(T + 1000)
  expect(live.read('web', T + 2000, null, T + 10_000).failingUsers[0]?.firstMs).toBe(T + 4200)
  expect(live.read('web', T + 2000, T + 4000, T + 10_000)).toMatchObject({ failingUsers: [], buckets: [], isUsersExact: false })
})

test('what is forgotten or unknown lowers the coverage, and never silently', () => {
  const live = new LiveAggregate()
  for (let second = 0; second < 3 * 3600; second += 60) live.add(event({ timeMs: T + second * 1000 }))
  const now = T + 3 * 3_600_000
  live.trim(now)
  expect(live.read('web', now - 3_600_000, null, now).coverage).toBe(1)
  expect(live.read('web', T, null, now).coverage).toBeCloseTo(2 / 3, 2)
  live.markIncompleteBefore(now - 60_000)
  expect(live.read('web', now - 120_000, null, now).coverage).toBeCloseTo(0.5)
  live.markCompleteFrom(0)
  expect(live.read('web', T, null, now).coverage).toBeLessThan(1)
})

test('100,000 rows are read within 30 ms of processor time', () => {
  const live = new LiveAggregate()
  for (let i = 0; i < 100_000; i += 1)
    live.add(
      event({
        timeMs: T + i,
        user: `u${i % 20_000}`,
        status: i % 50 === 0 ? 500 : 200,
        latencyMs: 1 + (i % 400),
        arm: i % 20 ? 'primary' : 'canary',
      }),
    )
  live.read('web', T, null, T + 100_000)
  const before = process.cpuUsage()
  for (let i = 0; i < 5; i += 1) live.read('web', T, null, T + 100_000)
  const { user, system } = process.cpuUsage(before)
  expect((user + system) / 1000 / 5).toBeLessThan(30)
})

test('a service is counted by task from the first question on, and what came before it is no data', () => {
  const tasks = new TaskAggregates()
  tasks.add(event({ timeMs: T, task: 'web/api[0]' }))
  expect(tasks.read('web', T - 1000, null, T + 1000)).toMatchObject({ buckets: [], coverage: 0 })
  tasks.add(event({ timeMs: T + 1500, task: 'web/api[0]' }))
  tasks.add(event({ timeMs: T + 1600, task: 'web/api[1]', status: 500, user: 'eve' }))
  tasks.add(event({ timeMs: T + 1700, service: 'api', task: 'api/api[0]' }))
  const answer = tasks.read('web', T + 1000, null, T + 3000)
  expect(answer.coverage).toBe(1)
  expect(answer.buckets.map(({ arm, requests, failing }) => [arm, requests, failing])).toEqual([
    ['web/api[0]', 1, 0],
    ['web/api[1]', 1, 1],
  ])
  expect(answer.failingUsers).toEqual([{ user: 'eve', arm: 'web/api[1]', firstMs: T + 1600 }])
  expect(tasks.read('api', T + 1000, null, T + 3000).buckets, 'nobody had asked for it').toEqual([])
})

test('what nobody asks for is not counted by task any more, and no more services than a bound', () => {
  const tasks = new TaskAggregates()
  for (let i = 0; i < TASK_SERVICES_MAX; i += 1) tasks.read(`s${i}`, T, null, T)
  tasks.read('web', T, null, T)
  tasks.add(event({ timeMs: T + 100 }))
  expect(tasks.read('web', T, null, T + 1000)).toMatchObject({ buckets: [], coverage: 0 })
  tasks.trim(T + TASK_UNASKED_MS + 1)
  tasks.read('web', T, null, T + TASK_UNASKED_MS + 1)
  tasks.add(event({ timeMs: T + TASK_UNASKED_MS + 100 }))
  expect(tasks.read('web', T + TASK_UNASKED_MS + 1, null, T + TASK_UNASKED_MS + 1000).buckets).toHaveLength(1)
})

test('the live aggregates of two leaves are that of one which had all rows, but for users that both know', () => {
  const row = fc.record({
    timeMs: fc.integer({ min: T, max: T + 4000 }),
    arm: fc.constantFrom('primary', 'canary'),
    status: fc.constantFrom(200, 500),
    latencyMs: fc.constantFrom(1, 7, 300),
    user: fc.constantFrom('anna', 'bert', 'carl'),
  })
  fc.assert(
    fc.property(fc.array(row), fc.array(row), (some, more) => {
      const [whole, one, other] = [new LiveAggregate(), new LiveAggregate(), new LiveAggregate()]
      for (const seen of some) one.add(event(seen))
      for (const seen of more) other.add(event(seen))
      for (const seen of [...some, ...more]) whole.add(event(seen))
      const read = (live: LiveAggregate) => live.read('web', T, null, T + 5000)
      const key = (bucket: object): string => JSON.stringify(bucket)
      const merged = mergeLive(read(one), [read(other)], [])
      const wanted = read(whole)
      const sorted = (list: readonly object[]): string[] => list.map(key).sort()
      expect(sorted(merged.buckets)).toEqual(sorted(wanted.buckets))
      expect(sorted(merged.failingUsers)).toEqual(sorted(wanted.failingUsers))
      expect(merged).toMatchObject({ coverage: 1, hotToMs: wanted.hotToMs })
      if (merged.isUsersExact) expect(merged.users).toEqual(wanted.users)
      for (const [arm, count] of Object.entries(wanted.users)) expect(merged.users[arm]).toBeGreaterThanOrEqual(count)
    }),
  )
})

test('a leaf that is missing, or does not know all, lowers the coverage by what it is thought to have', () => {
  const live = new LiveAggregate()
  live.add(event({ weight: 30 }))
  const [own, none] = [live.read('web', T, null, T + 1000), new LiveAggregate().read('web', T, null, T + 1000)]
  const missing = (rows: number | null) => [{ leaf: 'b', reason: 'does not answer', rows }]
  expect(mergeLive(own, [none], missing(10))).toMatchObject({ coverage: 0.75, missing: ['leaf b: does not answer'] })
  expect(mergeLive(own, [none], missing(null)).coverage).toBeCloseTo(2 / 3)
  // It may have had its first rows since it was last looked at.
  expect(mergeLive(own, [], missing(0)).coverage).toBeLessThan(1)
  expect(mergeLive(none, [], missing(0)).coverage).toBe(0)
  expect(mergeLive(own, [{ ...none, coverage: 0.5 }], []).coverage).toBe(0.5)
})
