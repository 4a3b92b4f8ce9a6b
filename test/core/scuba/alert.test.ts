import { expect, test } from 'vitest'
import { judgedRound, lateVerdicts } from '../../../src/core/scuba/alert/late.ts'
import { judge, type AlertStateRow, type Evaluation } from '../../../src/core/scuba/alert/judge.ts'
import { AlertReplay } from '../../../src/core/scuba/alert/replay.ts'
import { alertRuleSchema, compileRule } from '../../../src/core/scuba/alert/rule.ts'
import { alertController } from '../../../src/core/scuba/controller.ts'
import { scubaAlertPause, scubaAlertPut, scubaAlertRm, scubaAlertShow } from '../../../src/core/scuba/operations.ts'
import { scubaAlertHistory } from '../../../src/core/scuba/operations/alert.ts'
import { scubaSystem } from '../../../src/core/scuba/system.ts'
import { newState } from '../../support/state.ts'

const RULE = {
  name: 'feed-5xx',
  table: 'requests',
  sev: 2,
  calc: 'ratio(status >= 500)',
  by: ['service'],
  fire: '> 1%',
  clear: '< 0.5%',
  every: '10s',
  for: '30s',
  keep_firing_for: '20s',
  min_events: 50,
  no_data: 'notify',
}
const compiled = compileRule(alertRuleSchema.parse(RULE))
const END = 1_700_000_000_000

/** The newest bucket is the last; null leaves one out. */
const evaluation = (ratios: (number | null)[], over: Partial<Evaluation> = {}, events = 100): Evaluation => ({
  version: 1,
  atMs: END,
  untilMs: END,
  failure: null,
  failures: 0,
  lastSeen: new Map(),
  sinceMs: END - 60_000,
  groupsCut: 0,
  isSettling: false,
  groups: [
    {
      group: 'service=web',
      service: 'web',
      buckets: ratios.flatMap((value, i) => (value === null ? [] : [{ startMs: END - (ratios.length - i) * 10_000, value, events }])),
    },
  ],
  ...over,
})
const firing: AlertStateRow[] = [{ group: 'service=web', state: 'firing', movesInHour: 1 }]
const moves = (states: AlertStateRow[], ...args: Parameters<typeof evaluation>) =>
  judge(compiled, states, evaluation(...args)).map(({ group, from, to, sev }) => [group, from, to, sev])

test('it fires when every bucket of its window breached, and not when one is under, absent or on the threshold', () => {
  expect(moves([], [0.02, 0.02, 0.02])).toEqual([['service=web', 'inactive', 'firing', 2]])
  expect(moves([], [0.02, 0.009, 0.02])).toEqual([])
  expect(moves([], [0.02, null, 0.02])).toEqual([])
  expect(moves([], [0.01, 0.01, 0.01])).toEqual([])
  expect(moves(firing, [0.02, 0.02, 0.02])).toEqual([])
})

test('it clears only after every bucket of keep_firing_for is below clear: between the two thresholds it goes on firing', () => {
  expect(moves(firing, [0.02, 0.004, 0.004])).toEqual([['service=web', 'firing', 'inactive', 2]])
  expect(moves(firing, [0.02, 0.02, 0.004])).toEqual([['service=web', 'firing', 'recovering', 2]])
  const recovering: AlertStateRow[] = [{ group: 'service=web', state: 'recovering', movesInHour: 2 }]
  expect(moves(recovering, [0.02, 0.02, 0.02])).toEqual([['service=web', 'recovering', 'firing', 2]])
  expect(moves(recovering, [0.02, 0.004, 0.004])).toEqual([['service=web', 'recovering', 'inactive', 2]])
  expect(moves(firing, [0.02, 0.007, 0.007])).toEqual([])
})

test('a breach on too few events is a SEV4 that says so, not silence', () => {
  const [move] = judge(compiled, [], evaluation([0.5, 0.5, 0.5], {}, 2))
  expect(move).toMatchObject({ to: 'firing', sev: 4, reason: expect.stringContaining('only 6 of 50 events') as string })
})

test('no rows is not zero: it is told, and takes no alert back', () => {
  const empty = { groups: [] }
  expect(moves([], [], empty)).toEqual([['', 'inactive', 'no_data', 2]])
  expect(moves(firing, [], empty)).toEqual([['', 'inactive', 'no_data', 2]])
  const kept = compileRule(alertRuleSchema.parse({ ...RULE, no_data: 'keep' }))
  expect(judge(kept, firing, evaluation([], empty))).toEqual([])
  expect(moves([{ group: '', state: 'no_data', movesInHour: 0 }], [0, 0, 0])).toEqual([['', 'no_data', 'inactive', 2]])
})

test('a failed or partial evaluation never clears; three in a row are unknown', () => {
  expect(moves(firing, [0, 0, 0], { failure: 'leaf away', failures: 2 })).toEqual([])
  expect(moves(firing, [0, 0, 0], { failure: 'leaf away', failures: 3 })).toEqual([['', 'inactive', 'unknown', 2]])
  expect(moves([{ group: '', state: 'unknown', movesInHour: 0 }], [0, 0, 0])).toEqual([['', 'unknown', 'inactive', 2]])
})

test('a firing group that is gone for 15 minutes is inactive, one that is gone for a moment is not', () => {
  const other = { groups: [{ group: 'service=api', service: 'api', buckets: [{ startMs: END - 10_000, value: 0, events: 9 }] }] }
  expect(moves(firing, [], { ...other, lastSeen: new Map([['service=web', END - 60_000]]) })).toEqual([])
  expect(moves(firing, [], { ...other, lastSeen: new Map([['service=web', END - 16 * 60_000]]) })).toEqual([
    ['service=web', 'firing', 'inactive', 2],
  ])
  const kept = compileRule(alertRuleSchema.parse({ ...RULE, no_data: 'keep' }))
  const silent = evaluation([], { groups: [], lastSeen: new Map([['service=web', END - 16 * 60_000]]) })
  expect(judge(kept, firing, silent)).toMatchObject([{ group: 'service=web', to: 'inactive', reason: 'group gone' }])
})

test("moves become entries once, with service and sev, and the rule's end ends what fires", () => {
  const state = newState([scubaSystem])
  state.run(scubaAlertPut, { rules: [RULE as never] })
  const { version } = state.ask(scubaAlertShow, { name: 'feed-5xx' })
  const soft = (name: string) =>
    name === alertController.name
      ? { evaluations: new Map([['feed-5xx', evaluation([0.02, 0.02, 0.02], { version, atMs: state.now() })]]) }
      : undefined
  state.settle(scubaSystem.controllers, soft)
  state.settle(scubaSystem.controllers, soft)
  const moved = state.entries.filter(({ type }) => type === 'scuba.AlertMoved')
  expect(moved).toHaveLength(1)
  expect(moved[0]).toMatchObject({
    body: { rule: 'feed-5xx', group: 'service=web', to: 'firing', sev: 2, service: 'web' },
    notable: { system: 'scuba', kind: 'alert', service: 'web' },
  })
  expect(state.ask(scubaAlertShow, { name: 'feed-5xx' }).states).toMatchObject([{ group: 'service=web', state: 'firing' }])
  state.run(scubaAlertRm, { name: 'feed-5xx' })
  expect(state.entries.filter(({ type }) => type === 'scuba.AlertMoved').at(-1)).toMatchObject({
    body: { to: 'inactive', reason: 'rule removed' },
  })
  expect(state.replay().digest()).toBe(state.digest())
})

test('a paused rule moves nothing until its time is over', () => {
  const state = newState([scubaSystem])
  state.run(scubaAlertPut, { rules: [RULE as never] })
  state.run(scubaAlertPause, { name: 'feed-5xx', for: '1h', reason: 'test' })
  const soft = (name: string) => {
    const { version } = state.ask(scubaAlertShow, { name: 'feed-5xx' })
    return name === alertController.name
      ? { evaluations: new Map([['feed-5xx', evaluation([0.02, 0.02, 0.02], { version, atMs: state.now() })]]) }
      : undefined
  }
  state.settle(scubaSystem.controllers, soft)
  expect(state.entries.some(({ type }) => type === 'scuba.AlertMoved')).toBe(false)
  state.advance(3_600_001)
  state.settle(scubaSystem.controllers, soft)
  expect(state.entries.some(({ type }) => type === 'scuba.AlertMoved')).toBe(true)
})

test('what moves more than six times within an hour flaps: it counts as firing, is told once, and is over after 30 quiet minutes', () => {
  const restless: AlertStateRow[] = [{ group: 'service=web', state: 'inactive', movesInHour: 7 }]
  expect(moves(restless, [0.02, 0.02, 0.02])).toEqual([['service=web', 'inactive', 'flapping', 2]])
  const flapping: AlertStateRow[] = [{ group: 'service=web', state: 'flapping', movesInHour: 8 }]
  const minutes = (clearMin: number): number[] => Array.from({ length: 180 }, (_, i) => (i >= 180 - clearMin * 6 ? 0 : 0.02))
  expect(moves(flapping, minutes(29))).toEqual([])
  expect(moves(flapping, minutes(30))).toEqual([['service=web', 'flapping', 'inactive', 2]])
  expect(moves(flapping, minutes(0))).toEqual([['service=web', 'flapping', 'firing', 2]])
})

test('a part of the rows may prove that a count is over its threshold, never that all is well', () => {
  const rule = compileRule(alertRuleSchema.parse({ ...RULE, calc: 'count', fire: '> 50', clear: undefined, min_events: 1 }))
  const partly = (value: number): Evaluation => evaluation([value, value, value], { failure: 'only 60 % of the rows', failures: 1 })
  expect(judge(rule, [], partly(80))).toMatchObject([{ to: 'firing' }])
  expect(judge(rule, firing, partly(10))).toEqual([])
  expect(moves([], [0.9, 0.9, 0.9], { failure: 'only 60 % of the rows', failures: 1 })).toEqual([])
})

test('a rule with more groups than it may look at says so to the owner of scuba', () => {
  const [cut] = judge(compiled, [], evaluation([0, 0, 0], { groupsCut: 12 }))
  expect(cut).toMatchObject({
    group: '',
    to: 'unknown',
    service: 'muster-scuba',
    reason: expect.stringContaining('12 groups more') as string,
  })
})

test('after a leap of the clock only what breaches is believed, until the windows are full again', () => {
  const settling = { isSettling: true }
  expect(moves(firing, [0, 0, 0], settling)).toEqual([])
  expect(moves([], [], { ...settling, groups: [] })).toEqual([])
  expect(moves([], [0.02, 0.02, 0.02], settling)).toEqual([['service=web', 'inactive', 'firing', 2]])
})

test('a rule has either a calculation over a table or a query of its own', () => {
  const { calc: _calc, table: _table, by: _by, ...rest } = RULE
  expect(alertRuleSchema.safeParse({ ...rest, sql: 'select 1' }).success).toBe(true)
  expect(alertRuleSchema.safeParse({ ...RULE, sql: 'select 1' }).success).toBe(false)
  expect(alertRuleSchema.safeParse(rest).success).toBe(false)
})

test('moves are kept for the history, and a rule tried on past buckets moves as it would have', () => {
  const replay = new AlertReplay(compiled)
  const ratio = (at: number): number => (at >= END - 300_000 && at < END - 200_000 ? 0.02 : 0)
  for (let at = END - 600_000; at <= END; at += 10_000) {
    const buckets = Array.from({ length: 6 }, (_, i) => at - (6 - i) * 10_000).map((startMs) => ({
      startMs,
      value: ratio(startMs),
      events: 100,
    }))
    replay.add(at, [{ group: 'service=web', service: 'web', buckets }])
  }
  expect(replay.moves.map(({ to, atMs }) => [to, (atMs - END) / 1000])).toEqual([
    ['firing', -270],
    ['recovering', -190],
    ['inactive', -180],
  ])
})

test('rows that came late are noted where they would have fired or not, and not where somebody had been told', () => {
  const then = [0.02, 0.02, 0.02, 0, 0, 0, 0]
  const now = [0, 0.02, 0.02, 0.02, 0.02, 0, 0]
  const bucketsOf = (values: number[]) => values.map((value, i) => ({ startMs: END + i * 10_000, value, events: 100 }))
  const groups = (values: number[]) => [{ group: 'service=web', service: 'web', buckets: bucketsOf(values) }]
  const rounds = (states: AlertStateRow[]) =>
    [3, 4, 5, 6, 7].map((n) => judgedRound(compiled, groups(then.slice(0, n)), states, END + n * 10_000))
  expect(lateVerdicts(compiled, rounds([]), groups(now))).toEqual([
    { group: 'service=web', fromMs: END + 30_000, toMs: END + 30_000, would: 'not fire', value: 0.02 },
    { group: 'service=web', fromMs: END + 40_000, toMs: END + 50_000, would: 'fire', value: 0.02 },
  ])
  expect(lateVerdicts(compiled, rounds(firing), groups(now))).toEqual([])
  expect(lateVerdicts(compiled, rounds([]), groups(then))).toEqual([])
  // All of its rows are gone from the answer: it would not have fired either.
  expect(lateVerdicts(compiled, rounds([]), [])).toMatchObject([{ would: 'not fire', value: null }])
})

test('what late rows would have changed becomes a note once, and moves no state', () => {
  const state = newState([scubaSystem])
  state.run(scubaAlertPut, { rules: [RULE as never] })
  const { version } = state.ask(scubaAlertShow, { name: 'feed-5xx' })
  const verdict = { group: 'service=web', fromMs: END, toMs: END + 10_000, would: 'fire', value: 0.02 } as const
  const soft = (of: number) => (name: string) =>
    name === alertController.name ? { evaluations: new Map(), late: () => ({ version: of, verdicts: [verdict] }) } : undefined
  state.settle(scubaSystem.controllers, soft(version + 1))
  expect(state.ask(scubaAlertHistory, {}).late).toEqual([])
  for (let i = 0; i < 2; i += 1) state.settle(scubaSystem.controllers, soft(version))
  expect(state.ask(scubaAlertHistory, { name: 'feed-5xx' })).toMatchObject({ moves: [], late: [{ ...verdict, rule: 'feed-5xx' }] })
  expect(state.entries.at(-1)?.notable).toMatchObject({ kind: 'late-verdict', target: 'feed-5xx', service: 'web' })
  expect(state.ask(scubaAlertShow, { name: 'feed-5xx' }).states).toEqual([])
  expect(state.replay().digest()).toBe(state.digest())
  state.run(scubaAlertRm, { name: 'feed-5xx' })
  expect(state.ask(scubaAlertHistory, {}).late).toEqual([])
})
