import { describe, expect, test } from 'vitest'
import { DueTimes } from '../../../../src/core/tw/controllers/due-times.ts'
import { FleetCache } from '../../../../src/core/tw/controllers/fleet-cache.ts'
import { reconciler } from '../../../../src/core/tw/controllers/reconciler.ts'
import { maintainer } from '../../../../src/core/tw/controllers/maintainer.ts'
import { profileSet } from '../../../../src/core/tw/entries/profiles.ts'
import { tasksReported } from '../../../../src/core/tw/entries/tasks.ts'
import {
  entitlementSetCommand,
  explain,
  jobRun,
  jobScale,
  jobStop,
  maintenanceAbort,
  maintenanceCreate,
  maintenanceExtend,
  nodeCordon,
  nodeJoin,
  nodeUncordon,
} from '../../../../src/core/tw/operations.ts'
import { nodeLost, nodeReturned, nodeSet } from '../../../../src/core/tw/entries/nodes.ts'
import { taskName, type TaskRow } from '../../../../src/core/tw/rows.ts'
import { imageOf } from '../../../../src/core/tw/scheduler/fleet.ts'
import type { FleetImage } from '../../../../src/core/tw/scheduler/image.ts'
import { onImage } from '../../../../src/core/tw/soft.ts'
import { twSystem } from '../../../../src/core/tw/system.ts'
import { newState, type TestState } from '../../../support/state.ts'

const MIB = 1_048_576

/** A state whose reconciler works as the server's does: from a cache that is told each entry. */
function cached() {
  const state = newState([twSystem])
  const cache = new FleetCache()
  let told = 0
  /** Entries of the reconciler until it asks for nothing more. */
  const settle = (): string[] => {
    const types: string[] = []
    for (let round = 0; round < 100; round += 1) {
      cache.apply(state.db, state.entries.slice(told))
      told = state.entries.length
      const { entries } = reconciler.decide(state.db, state.now(), { beats: new Map(), cache, position: () => told })
      if (entries.length === 0) return types
      types.push(...entries.map((entry) => entry.type))
      state.append(entries, 'controller:tw.reconcile')
    }
    throw new Error('the reconciler does not come to rest')
  }
  const image = () => cache.image(state.db, told)
  return { state, cache, settle, image }
}

const join = (state: TestState, node: string, more: Record<string, unknown> = {}): void => {
  const place = { region: 'eu', zone: 'a', rack: 'r', address: `10.0.0.${node.slice(1)}` }
  const identity = { node, bootId: node, pid: 1, ...place, cpuMilli: 300, memoryBytes: 300 * MIB, attributes: {}, ...more }
  state.run(nodeJoin, { identity })
}
const run = (
  state: TestState,
  job: string,
  count: number,
  more: Record<string, unknown> = {},
  group: Record<string, unknown> = {},
): void => {
  const main = { command: 'x', resources: { cpu: '100m', memory: '64MiB' } }
  state.run(jobRun, { spec: { job, ...more, groups: { api: { count, availability: { max_surge: 0 }, ...group, main } } } })
}
const live = (state: TestState, job: string): string[] =>
  state.db
    .all<TaskRow>('SELECT * FROM tw_task WHERE job = ? AND is_terminal = 0 ORDER BY idx', job)
    .map((task) => `${taskName(task)} ${task.node}`)
const end = (state: TestState, job: string, index: number): void => {
  const task = state.db.get<TaskRow>('SELECT * FROM tw_task WHERE job = ? AND idx = ? AND is_terminal = 0', job, index) as TaskRow
  const rest = { incarnation: task.incarnation, health: 'none' as const, pid: null, ports: {}, reason: '', restarts: 0, startedAt: 1 }
  state.append([
    tasksReported.of({ node: task.node, bootId: 'b', tasks: [{ id: task.id, task: taskName(task), state: 'stopped', ...rest }] }),
  ])
}

describe('a blocked group is woken', () => {
  /** One full node, and a group that waits. */
  const blocked = (group: Record<string, unknown> = {}) => {
    const it = cached()
    join(it.state, 'n1')
    run(it.state, 'big', 3)
    it.settle()
    run(it.state, 'late', 1, {}, group)
    it.settle()
    expect(live(it.state, 'late')).toEqual([])
    return it
  }

  test('when a task of another job ends', () => {
    const { state, settle } = blocked()
    state.run(jobStop, { job: 'big' })
    settle()
    expect(live(state, 'late'), 'not before its process is gone').toEqual([])
    end(state, 'big', 1)
    settle()
    expect(live(state, 'late')).toEqual(['late/api[0] n1'])
  })

  test('when tasks of another job that were unknown are given up', () => {
    const { state, settle } = cached()
    join(state, 'n1')
    run(state, 'away', 3, {}, { disconnect: { lost_after: '20s' } })
    settle()
    state.append([nodeLost.of({ node: 'n1', silentMs: 1 })])
    state.append([nodeReturned.of({ node: 'n1' })])
    run(state, 'late', 1)
    settle()
    expect(live(state, 'late'), 'unknown tasks hold their place').toEqual([])
    state.run(jobStop, { job: 'away' })
    settle()
    expect(live(state, 'late')).toEqual(['late/api[0] n1'])
  })

  test('when a domain is gone that kept the others to their hard share', () => {
    const { state, settle } = cached()
    join(state, 'n1', { zone: 'a' })
    join(state, 'n2', { zone: 'b' })
    run(state, 'big', 3, {}, { constraints: ['node.zone = b'] })
    settle()
    run(state, 'late', 3, {}, { spread: { zone: { targets: 'even', hard: true } } })
    settle()
    expect(live(state, 'late').length).toBeLessThan(3)
    state.append([nodeLost.of({ node: 'n2', silentMs: 1 })])
    settle()
    expect(live(state, 'late')).toEqual(['late/api[0] n1', 'late/api[1] n1', 'late/api[2] n1'])
  })

  test('when another job is scaled down', () => {
    const { state, settle } = blocked()
    state.run(jobScale, { job: 'big', count: 2 })
    settle()
    end(state, 'big', 2)
    settle()
    expect(live(state, 'late')).toEqual(['late/api[0] n1'])
  })

  test('when a node joins', () => {
    const { state, settle } = blocked()
    join(state, 'n2')
    settle()
    expect(live(state, 'late')).toEqual(['late/api[0] n2'])
  })

  test('when a node grows', () => {
    const { state, settle } = blocked()
    join(state, 'n1', { cpuMilli: 400, memoryBytes: 400 * MIB })
    settle()
    expect(live(state, 'late')).toEqual(['late/api[0] n1'])
  })

  test('when a node is uncordoned, and when a lost one returns', () => {
    const { state, settle } = cached()
    join(state, 'n1')
    join(state, 'n2')
    state.run(nodeCordon, { node: 'n1' })
    state.append([nodeLost.of({ node: 'n2', silentMs: 1 })])
    run(state, 'web', 4)
    settle()
    expect(live(state, 'web')).toEqual([])
    state.run(nodeUncordon, { node: 'n1' })
    settle()
    expect(live(state, 'web').length).toBe(3)
    state.append([nodeReturned.of({ node: 'n2' })])
    settle()
    expect(live(state, 'web').length).toBe(4)
  })

  test('when a node gets the label it asks for', () => {
    const { state, settle } = cached()
    join(state, 'n1')
    run(state, 'web', 1, {}, { constraints: ['node.meta.tier = gold'] })
    settle()
    expect(live(state, 'web')).toEqual([])
    state.append([nodeSet.of({ node: 'n1', labels: { tier: 'gold' }, reason: '' })])
    settle()
    expect(live(state, 'web')).toEqual(['web/api[0] n1'])
  })

  test('when the static port it asks for is given back', () => {
    const { state, settle } = cached()
    join(state, 'n1')
    const port = { network: { ports: { http: { static: 80 } } } }
    run(state, 'web', 1, {}, port)
    settle()
    run(state, 'late', 1, {}, port)
    settle()
    expect(live(state, 'late')).toEqual([])
    state.run(jobStop, { job: 'web' })
    settle()
    end(state, 'web', 0)
    settle()
    expect(live(state, 'late')).toEqual(['late/api[0] n1'])
  })

  test('by priority first, and only as far as there is room', () => {
    const { state, settle } = blocked()
    run(state, 'first', 1, { priority: 90 })
    settle()
    state.run(jobScale, { job: 'big', count: 2 })
    settle()
    end(state, 'big', 2)
    settle()
    expect([live(state, 'first'), live(state, 'late')]).toEqual([['first/api[0] n1'], []])
  })
})

test('one huge job does not keep a small one of its priority waiting', () => {
  const { state, settle, cache } = cached()
  for (let i = 1; i <= 3; i += 1) join(state, `n${i}`, { cpuMilli: 1_000_000, memoryBytes: 1_000_000 * MIB })
  settle()
  run(state, 'huge', 12_000)
  run(state, 'small', 1)
  const { entries } = reconciler.decide(state.db, state.now(), {
    beats: new Map(),
    cache: told(state, cache),
    position: () => state.entries.length,
  })
  expect(entries.map((entry) => (entry.body as { job: string }).job)).toContain('small')
  expect(entries.reduce((sum, entry) => sum + ((entry.body as { count?: number }).count ?? 1), 0)).toBe(1001)
})

function told(state: TestState, cache: FleetCache): FleetCache {
  cache.apply(state.db, state.entries.slice(state.entries.findIndex((entry) => entry.type === 'tw.JobSubmitted')))
  return cache
}

test('what is kept beside the state is what would be made of it anew, and a missing position makes it anew', () => {
  const { state, settle, cache, image } = cached()
  for (let i = 1; i <= 4; i += 1) join(state, `n${i}`)
  run(state, 'web', 6)
  settle()
  end(state, 'web', 3)
  state.append([nodeLost.of({ node: 'n2', silentMs: 1 })])
  state.run(nodeCordon, { node: 'n3' })
  settle()
  const facts = (it: ReturnType<typeof image>) =>
    [...it.order].map((node) => [it.names[node], it.cpuFree[node], it.memoryFree[node], it.tasks[node], it.closedOf(node)])
  expect(facts(image())).toEqual(facts(imageOf(state.db)))
  const before = image()
  cache.apply(state.db, [{ position: state.entries.length + 7, type: 'tw.JobStopped', v: 1, at: 0, actor: 'x', body: { job: 'web' } }])
  expect(cache.image(state.db, state.entries.length + 7)).not.toBe(before)
})

test('a job that comes is looked at before those whose tasks failed, and behind those of higher priority', () => {
  const { state, cache, settle } = cached()
  for (let i = 1; i <= 4; i += 1) join(state, `n${i}`)
  for (const job of ['a', 'b', 'c']) run(state, job, 3)
  settle()
  const before = state.entries.length
  for (const job of ['a', 'b', 'c']) end(state, job, 1)
  run(state, 'new', 1)
  run(state, 'urgent', 1, { priority: 60 })
  cache.apply(state.db, state.entries.slice(before))
  expect([...cache.groups(state.db, state.now())].map(({ key }) => key.job)).toEqual(['urgent', 'new', 'a', 'b', 'c'])
})

test('who lacks room and may not be placed either is told the other reason once there is room', () => {
  const { state, cache, settle } = cached()
  join(state, 'n1')
  state.run(entitlementSetCommand, { name: 'shop', cpuMilli: 300, memoryBytes: 64 * MIB, buffer: 'none' })
  run(state, 'idle', 3, {}, { best_effort: true })
  settle()
  run(state, 'late', 1)
  settle()
  const codes = (): string[] => cache.reasonsOf({ job: 'late', group: 'api' }).map(({ code }) => code)
  expect(codes()).toEqual(['TW_NO_CAPACITY'])
  state.run(jobStop, { job: 'idle' })
  end(state, 'idle', 1)
  settle()
  expect(codes()).toEqual(['TW_QUOTA'])
})

test('a question is answered on the kept image where that has exactly what the asker sees, else on one of its own, and leaves it as it was', () => {
  const { state, cache, settle, image } = cached()
  for (let i = 1; i <= 3; i += 1) join(state, `n${i}`)
  run(state, 'web', 4)
  settle()
  const before = [...image().cpuFree]
  const ask = (position: number): FleetImage =>
    onImage(state.db, { now: state.now(), position, soft: { cache } }, (it) => {
      it.applyTask(0, { cpuMilli: 50, memoryBytes: 1, diskBytes: 0, ports: [], gpu: null }, 1)
      it.setClosed(1, 'draining')
      return it
    })
  expect(ask(state.entries.length + 1)).toBe(image())
  expect([[...image().cpuFree], image().closedOf(1)]).toEqual([before, null])
  // Somebody before it in the same transaction appended: it may be taken back.
  expect(ask(state.entries.length + 2)).not.toBe(image())
  const reads = countReads(state)
  const context = { now: state.now(), actor: 'user:test', role: 'viewer', position: state.entries.length + 1 } as const
  const said = explain.answer(state.db, { target: 'web', node: 'n2' }, { ...context, soft: { cache } })
  expect(reads.filter((sql) => sql.includes('FROM tw_node ORDER'))).toEqual([])
  expect(said).toEqual(explain.answer(state.db, { target: 'web', node: 'n2' }, context))
})

test('a group that has what it wants is not looked at again when its tasks report', () => {
  const { state, settle } = cached()
  for (let i = 1; i <= 4; i += 1) join(state, `n${i}`)
  run(state, 'web', 6)
  expect(settle()).toEqual(['tw.TasksPlaced'])
  const reads = countReads(state)
  const task = state.db.get<TaskRow>('SELECT * FROM tw_task WHERE id = 1') as TaskRow
  const rest = { incarnation: 1, health: 'none' as const, pid: 7, ports: {}, reason: '', restarts: 0, startedAt: 1 }
  state.append([tasksReported.of({ node: task.node, bootId: 'b', tasks: [{ id: 1, task: taskName(task), state: 'running', ...rest }] })])
  reads.length = 0
  expect(settle()).toEqual([])
  expect(reads.filter((sql) => sql.includes('FROM tw_task'))).toEqual([])
})

function countReads(state: TestState): string[] {
  const reads: string[] = []
  const { all } = state.db
  state.db.all = (sql, ...params) => {
    reads.push(sql)
    return all(sql, ...params)
  }
  return reads
}

test('a group that asks for places is looked at again when its tasks that are there have a deadline', () => {
  const cache = new FleetCache()
  cache.later({ job: 'web', group: 'api' }, 5000, true)
  cache.settled({ job: 'web', group: 'api' }, 9000)
  expect(cache.wakeAt()).toBe(5000)
})

test('how planned work comes on leaves the image as it is, and a drain that is given longer is looked at again', () => {
  const { state, cache, settle, image } = cached()
  for (const node of ['n1', 'n2']) join(state, node)
  run(state, 'a', 1, {}, { availability: { max_unavailable: 0, max_surge: 1, consent: 'pull' } })
  settle()
  const [task] = state.db.all<TaskRow>("SELECT * FROM tw_task WHERE job = 'a'")
  const node = task?.node ?? ''
  const report = {
    ...task,
    task: task && taskName(task),
    state: 'running',
    health: 'none',
    pid: 1,
    ports: {},
    reason: '',
    restarts: 0,
    startedAt: 1,
  }
  state.append([tasksReported.of({ node, bootId: 'b', tasks: [report as never] })])
  settle()
  const kept = image()
  const deadline = (): number | undefined => state.db.get<{ at: number }>('SELECT deadline_at AS at FROM tw_op WHERE ended_at IS NULL')?.at
  state.run(maintenanceCreate, { targets: [node], kind: 'reboot', deadlineMs: 10_000 })
  state.append(maintainer.decide(state.db, state.now(), { beats: new Map() }).entries)
  settle()
  expect(deadline()).toBe(state.now() + 10_000)
  state.run(maintenanceExtend, { maintenance: 1, byMs: 5000 })
  settle()
  expect(deadline()).toBe(state.now() + 15_000)
  state.run(maintenanceAbort, { maintenance: 1 })
  state.append([profileSet.of({ profile: 'p', drains: false, settings: {}, labels: {} })])
  settle()
  expect(cache.imageAt(state.entries.length)).toBe(kept)
})

test('times that were set again and again are kept once a key', () => {
  const due = new DueTimes()
  for (let at = 1; at <= 100_000; at += 1) due.set(`k${at % 3}`, at)
  expect(due.kept).toBeLessThan(500)
  expect(due.first()).toBe(99_998)
  expect(due.take(99_999).toSorted()).toEqual(['k0', 'k2'])
  expect(due.take(1e9)).toEqual(['k1'])
})
