import { describe, expect, test } from 'vitest'
import { jobRun, nodeDrain, nodeUndrain, opAllow, opAnswer, opList, taskRestart } from '../../../../src/core/tw/operations.ts'
import { consentAsks, consentRequest, tasksBySelector } from '../../../../src/core/tw/queries.ts'
import { newSimulatedFleet, type SimulatedFleet } from '../../../support/tw-fleet.ts'

const job = (version: string, availability: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  job: 'db',
  groups: {
    main: {
      count: 3,
      availability: { max_unavailable: 1, max_surge: 0, min_healthy_time: '1s', ...availability },
      network: { ports: { http: null } },
      main: { command: ['./serve'], env: { VERSION: version }, health: { readiness: { http: '/', port: 'http', interval: '1s' } } },
      ...more,
    },
  },
})

function updated(availability: Record<string, unknown>): SimulatedFleet {
  const fleet = newSimulatedFleet({ nodes: 4 })
  fleet.state.run(jobRun, { spec: job('1', availability) })
  fleet.pass(5000)
  fleet.state.run(jobRun, { spec: job('2', availability) })
  return fleet
}

/** Names of the tasks whose ops were carried out, in that order. */
const gone = (fleet: SimulatedFleet): string[] =>
  fleet.state
    .ask(opList, { isAll: true })
    .ops.filter((op) => op.decidedAtMs !== null)
    .sort((a, b) => (a.decidedAtMs ?? 0) - (b.decidedAtMs ?? 0) || a.op - b.op)
    .map((op) => op.task)

describe('planned stops go', () => {
  test('by index, or the other way round, when the group says so', () => {
    for (const [order, names] of [
      ['index', ['db/main[0]', 'db/main[1]', 'db/main[2]']],
      ['reverse-index', ['db/main[2]', 'db/main[1]', 'db/main[0]']],
    ] as const) {
      const fleet = updated({ order })
      fleet.pass(40_000)
      expect(gone(fleet)).toEqual(names)
    }
  })

  test('in the order the application answers, and the last of it alone, though it allows all at once', () => {
    const fleet = updated({ max_unavailable: 3, consent: 'pull', order: 'leader-last' })
    fleet.pass(250)
    const [ask] = consentAsks(fleet.state.db, fleet.state.now())
    const byName = (ask?.request.pending ?? []).toSorted((a, b) => (a.task < b.task ? -1 : 1)).map((op) => op.op)
    const [first = 0, leader = 0, second = 0] = byName
    const answer = { job: 'db', group: 'main', allow: byName, order: [second, first, leader] }
    expect(fleet.state.run(opAnswer, answer).allowed).toEqual([second, first])
    // These are under way.
    expect(fleet.state.run(opAnswer, answer).allowed).toEqual([])
    fleet.pass(20_000)
    expect(gone(fleet).toSorted()).toEqual(['db/main[0]', 'db/main[2]'])
    expect(fleet.state.run(opAnswer, answer).allowed).toEqual([leader])
    fleet.pass(20_000)
    expect(gone(fleet).at(-1)).toBe('db/main[1]')
    expect(fleet.state.replay().digest()).toBe(fleet.state.digest())
  })

  test('before the last of the newest order, when that leaves them out', () => {
    const fleet = updated({ max_unavailable: 3, consent: 'pull', order: 'leader-last' })
    fleet.pass(250)
    const ops = consentAsks(fleet.state.db, fleet.state.now())[0]?.request.pending.map((op) => op.op) ?? []
    const [leader = 0, first = 0, second = 0] = ops
    const answer = (allow: number[], order: number[]): number[] =>
      fleet.state.run(opAnswer, { job: 'db', group: 'main', allow, order }).allowed
    expect(answer([], [second, first, leader])).toEqual([])
    expect(answer([leader], [leader])).toEqual([])
    expect(answer([first, second], [])).toEqual([first, second])
  })

  test('by the word of the application alone once there are more of them than its order knew', () => {
    const fleet = updated({ max_unavailable: 3, consent: 'pull', order: 'leader-last' })
    fleet.pass(250)
    const [first = 0, second = 0, third = 0] = consentAsks(fleet.state.db, fleet.state.now())[0]?.request.pending.map((op) => op.op) ?? []
    const answer = (allow: number[], order: number[]): number[] =>
      fleet.state.run(opAnswer, { job: 'db', group: 'main', allow, order }).allowed
    expect(answer([first], [first, second, third])).toEqual([first])
    fleet.pass(15_000)
    const [fresh] = tasksBySelector(fleet.state.db, {}).filter((task) => task.version === 2)
    fleet.state.run(taskRestart, { task: fresh?.task ?? '' })
    // It was the last one, and is a follower by now.
    expect(answer([third], [])).toEqual([third])
  })

  test('as many as the budget has of those the application allows; the others it is asked about again', () => {
    const fleet = updated({ consent: 'pull' })
    fleet.pass(250)
    const ops = consentAsks(fleet.state.db, fleet.state.now())[0]?.request.pending.map((op) => op.op) ?? []
    expect(fleet.state.run(opAnswer, { job: 'db', group: 'main', allow: ops }).allowed.length).toBe(1)
    fleet.pass(20_000)
    expect(fleet.state.ask(opList, {}).ops.map((op) => op.state)).toEqual(['asked', 'asked'])
  })

  test('an op that an operator allowed and that waits for budget is told too, and nobody is asked about it', () => {
    const fleet = updated({ consent: 'pull' })
    fleet.pass(250)
    const [first = 0, second = 0] = fleet.state.ask(opList, {}).ops.map((op) => op.op)
    fleet.state.run(opAllow, { op: first })
    fleet.state.run(opAllow, { op: second })
    fleet.pass(250)
    const { pending = [], running = [] } = consentRequest(fleet.state.db, 'db', 'main', fleet.state.now()) ?? {}
    expect(running.map((op) => op.op)).toEqual([first])
    expect(pending.map((op) => [op.op, op.allowed])).toEqual([
      [second, true],
      [expect.any(Number), false],
    ])
  })

  test('an op that is put off stays so, whatever is allowed meanwhile', () => {
    const fleet = updated({ consent: 'pull', max_unavailable: 3 })
    fleet.pass(250)
    const ops = consentAsks(fleet.state.db, fleet.state.now())[0]?.request.pending.map((op) => op.op) ?? []
    const until = fleet.state.now() + 10_000
    fleet.state.run(opAnswer, { job: 'db', group: 'main', delay: ops.map((op) => ({ op, until, why: 'backup' })) })
    expect(fleet.state.run(opAnswer, { job: 'db', group: 'main', allow: ops }).allowed).toEqual([])
    expect(fleet.state.ask(opList, {}).ops[0]).toMatchObject({ state: 'delayed', waitsFor: 'delayed for 10 s more: backup' })
    expect(consentAsks(fleet.state.db, fleet.state.now())).toEqual([])
    fleet.pass(11_000)
    expect(fleet.state.run(opAnswer, { job: 'db', group: 'main', allow: ops }).allowed.length).toBe(3)
  })
})

test('tasks that are moved off a node use up no try, however often', () => {
  const fleet = newSimulatedFleet({ nodes: 3 })
  fleet.state.run(jobRun, { spec: job('1', {}, { reschedule: { attempts: 1, interval: '1h', delay: '10m', unlimited: false } }) })
  fleet.pass(5000)
  for (const node of ['n1', 'n2', 'n3', 'n1', 'n2']) {
    fleet.state.run(nodeDrain, { target: node })
    fleet.pass(20_000)
    fleet.state.run(nodeUndrain, { target: node })
  }
  expect(tasksBySelector(fleet.state.db, {}).filter((task) => task.health === 'healthy').length).toBe(3)
})

test('tasks of system jobs leave a drained node last, or stay there when asked', () => {
  const agents = { job: 'agents', kind: 'system', groups: { main: { main: { command: ['./agent'] } } } }
  const left = (fleet: SimulatedFleet): string[] => tasksBySelector(fleet.state.db, { node: 'n1' }).map((task) => task.job)
  for (const ignoresSystem of [false, true]) {
    const fleet = newSimulatedFleet({ nodes: 3, behaviour: () => ({ startMs: 500, stopMs: 3000 }) })
    fleet.state.run(jobRun, { spec: agents })
    fleet.state.run(jobRun, { spec: job('1', {}) })
    fleet.pass(5000)
    expect(left(fleet).toSorted()).toEqual(['agents', 'db'])
    fleet.state.run(nodeDrain, { target: 'n1', ignoresSystem })
    fleet.pass(40_000, () => {
      if (left(fleet).includes('db'))
        expect(tasksBySelector(fleet.state.db, { node: 'n1', job: 'agents' })).toMatchObject([{ want: 'run' }])
    })
    expect(left(fleet)).toEqual(ignoresSystem ? ['agents'] : [])
  }
})
