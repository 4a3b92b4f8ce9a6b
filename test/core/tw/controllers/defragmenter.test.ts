import { expect, test } from 'vitest'
import { defragSchedule, defragShow, jobRun, nodeCordon, nodeUncordon, opList, ps } from '../../../../src/core/tw/operations.ts'
import { newSimulatedFleet } from '../../../support/tw-fleet.ts'

/** Two nodes: one is full of memory, the other of cpu, so that moving a task of either makes more usable. */
function uneven(consent: string) {
  const fleet = newSimulatedFleet({ nodes: 2, cpuMilli: 2000, regions: 1 })
  fleet.pass(500)
  const job = (name: string, cpu: string, memory: string) => ({
    job: name,
    groups: {
      g: {
        count: 3,
        spread: {},
        availability: { max_unavailable: 1, min_healthy_time: '0s', consent },
        main: { command: 'x', resources: { cpu, memory } },
      },
    },
  })
  for (const [open, closed, spec] of [
    ['n1', 'n2', job('memory', '100m', '640MiB')],
    ['n2', 'n1', job('cpu', '600m', '32MiB')],
  ] as const) {
    fleet.state.run(nodeUncordon, { node: open })
    fleet.state.run(nodeCordon, { node: closed })
    fleet.state.run(jobRun, { spec })
    fleet.pass(2000)
  }
  fleet.state.run(nodeUncordon, { node: 'n1' })
  return fleet
}

/** Log time begins at 22:13:20 of a Tuesday. */
const SCHEDULE = { window: 'FREQ=DAILY;BYHOUR=22;BYMINUTE=15', windowMs: 60_000, movesPpm: 500_000 }
const DAY_MS = 86_400_000

const moves = (fleet: ReturnType<typeof uneven>) => fleet.state.ask(opList, { isAll: true }).ops.filter((op) => op.cause === 'rebalance')
const rounds = (fleet: ReturnType<typeof uneven>) => fleet.state.entries.filter((entry) => entry.type === 'tw.DefragRan').length

test('when its window opens a round is run once, and its moves are carried out within the budget', () => {
  const fleet = uneven('none')
  const before = fleet.state.ask(ps, {}).tasks.map(({ task, node }) => `${task} ${node}`)
  fleet.state.run(defragSchedule, SCHEDULE)
  const openAt = Date.UTC(2023, 10, 14, 22, 15)
  expect(fleet.state.ask(defragShow, {}).schedule).toMatchObject({ nextMs: openAt, last: null })
  fleet.pass(openAt - fleet.state.now() - 1000)
  expect(moves(fleet)).toEqual([])
  fleet.pass(40_000)
  const done = moves(fleet)
  expect(done.length).toBeGreaterThan(0)
  expect(new Set(done.map(({ state }) => state))).toEqual(new Set(['done']))
  expect(fleet.state.ask(ps, {}).tasks.map(({ task, node }) => `${task} ${node}`)).not.toEqual(before)
  expect(fleet.state.ask(defragShow, {})).toMatchObject({
    schedule: { last: { atMs: openAt, closesAtMs: openAt + 60_000, moves: done.length }, nextMs: openAt },
    openMoves: 0,
  })
  fleet.pass(60_000)
  expect(rounds(fleet)).toBe(1)
  expect(fleet.state.ask(defragShow, {}).schedule?.nextMs).toBe(openAt + DAY_MS)
})

test('moves that have not begun when the window closes are given up', () => {
  const fleet = uneven('pull')
  fleet.state.run(defragSchedule, SCHEDULE)
  fleet.pass(120_000)
  const waiting = moves(fleet)
  expect(waiting.length).toBeGreaterThan(0)
  expect(new Set(waiting.map(({ state }) => state))).toEqual(new Set(['asked']))
  fleet.pass(60_000)
  expect(moves(fleet).map(({ state, why }) => `${state}: ${why}`)).toEqual(waiting.map(() => 'withdrawn: its window has closed'))
})

test('what nobody was there for is left out, and by hand alone nothing is due', () => {
  const fleet = uneven('none')
  fleet.state.run(defragSchedule, SCHEDULE)
  fleet.state.advance(DAY_MS)
  fleet.pass(5000)
  expect([rounds(fleet), moves(fleet)]).toEqual([0, []])
  fleet.state.run(defragSchedule, { window: null })
  expect(fleet.state.ask(defragShow, {})).toEqual({ schedule: null, openMoves: 0 })
  fleet.pass(120_000)
  expect(rounds(fleet)).toBe(0)
})

test('a schedule that is none is refused, and one in a zone nobody knows says so', () => {
  const fleet = newSimulatedFleet({ nodes: 1 })
  expect(() => fleet.state.run(defragSchedule, { window: 'FREQ=SOMETIMES' })).toThrow(expect.objectContaining({ code: 'USAGE' }))
  fleet.state.run(defragSchedule, { ...SCHEDULE, zone: 'Mars/Base' })
  expect(fleet.state.ask(defragShow, {}).schedule).toMatchObject({
    nextMs: null,
    problem: 'a time zone Mars/Base, which nobody here knows',
  })
})
