import { describe, expect, test } from 'vitest'
import { observe, restartGate, startJudge, verdict, type JudgeState, type VerdictKind } from '../../../../src/core/deploy/analysis/judge.ts'
import { POLICY, windowMaker, type Traffic } from './windows.ts'

const GOOD: Traffic = { rate: 500, controlFails: 0, canaryFails: 0 }

function run(seed: number, seconds: number, traffic: (second: number) => Traffic): { state: JudgeState; verdicts: VerdictKind[] } {
  const make = windowMaker(seed, POLICY.share)
  let state = startJudge(POLICY, 0)
  const verdicts: VerdictKind[] = []
  for (let second = 0; second < seconds; second += 1) {
    state = observe(state, make(second, traffic(second)))
    verdicts.push(verdict(state, (second + 1) * 1000).verdict)
  }
  return { state, verdicts }
}

describe('the judge of a step', () => {
  test('a good canary passes its gates and never fails', () => {
    const { verdicts } = run(1, 30, () => GOOD)
    expect(verdicts).not.toContain('fail')
    expect(verdicts.indexOf('pass')).toBeGreaterThan(2)
    expect(verdicts.indexOf('pass')).toBeLessThan(15)
  })

  test('a canary that fails 5 % beside a control that never fails is failed within 15 s at 25 requests a second', () => {
    const seconds = Array.from(
      { length: 40 },
      (_, seed) => run(seed + 10, 30, () => ({ ...GOOD, canaryFails: 0.05 })).verdicts.indexOf('fail') + 1,
    )
    expect(Math.min(...seconds)).toBeGreaterThan(0)
    expect(Math.max(...seconds)).toBeLessThanOrEqual(15)
  })

  test('a failed step stays failed when the harm stops', () => {
    const { verdicts, state } = run(2, 40, (second) => ({ ...GOOD, canaryFails: second < 15 ? 0.3 : 0 }))
    expect(verdicts.slice(verdicts.indexOf('fail'))).toEqual(verdicts.slice(verdicts.indexOf('fail')).map(() => 'fail'))
    expect(state.crossed?.metric).toBe('errors')
  })

  test('a canary that is half as slow again fails by latency alone', () => {
    const { state, verdicts } = run(3, 60, () => ({ ...GOOD, canarySlower: 1.5 }))
    expect(verdicts).toContain('fail')
    expect(verdicts).not.toContain('pass')
    expect(state.crossed?.metric).toBe('latency')
  })

  test('errors that both arms share cancel', () => {
    const { verdicts } = run(4, 60, (second) => {
      const fails = second % 20 < 5 ? 0.1 : 0.01
      return { ...GOOD, controlFails: fails, canaryFails: fails }
    })
    expect(verdicts).not.toContain('fail')
  })

  test('a canary that falls silent fails the sample ratio within 10 s and never passes', () => {
    const { verdicts, state } = run(5, 12, (second) => ({ ...GOOD, canaryServes: second < 2 }))
    expect(verdicts.indexOf('fail')).toBeGreaterThan(0)
    expect(verdicts.indexOf('fail')).toBeLessThan(12)
    expect(verdicts).not.toContain('pass')
    expect(verdict(state, 12_000).reason).toBe('srm')
  })

  test('no traffic is inconclusive, never a pass', () => {
    const { verdicts } = run(6, 60, () => ({ rate: 0, controlFails: 0, canaryFails: 0 }))
    expect(new Set(verdicts)).toEqual(new Set(['inconclusive']))
  })

  test('data that does not arrive is blind, as is data of which a part is missing', () => {
    const { state } = run(2, 40, () => GOOD)
    expect(verdict(state, 40_000).verdict).toBe('pass')
    expect(verdict(state, 71_000)).toMatchObject({ verdict: 'blind', reason: 'late' })
    const partial = run(7, 20, (second) => ({ ...GOOD, coverage: second < 15 ? 1 : 0.9 }))
    expect(partial.verdicts.at(-1)).toBe('blind')
    expect(partial.state.refused).toEqual({ coverage: 5 })
  })

  test.each([
    ['not-a-number', { units: Number.NaN, failing: 0, hist: new Map() }, 5],
    ['negative', { units: -1, failing: -2, hist: new Map() }, 5],
    ['failing-over-units', { units: 3, failing: 4, hist: new Map() }, 5],
    ['time-runs-back', { units: 3, failing: 0, hist: new Map() }, 1],
  ])('a window that is wrong (%s) is refused and counted, not added', (reason, canary, second) => {
    const { state } = run(8, 3, () => GOOD)
    const control = { units: 10, failing: 0, hist: new Map() }
    const next = observe(state, { fromMs: second * 1000, durationMs: 1000, canary, control, coverage: 1 })
    expect(next.refused).toEqual({ [reason]: 1 })
    expect(next.units).toEqual(state.units)
  })

  test('evidence of harm is kept when the gate starts again', () => {
    const { state } = run(9, 8, () => ({ ...GOOD, controlFails: 0.002, canaryFails: 0.01 }))
    const again = restartGate(state)
    expect(verdict(again, 8000).numbers.harm).toEqual(verdict(state, 8000).numbers.harm)
    expect(verdict(again, 8000).verdict).not.toBe('pass')
  })

  test('a second step goes on from the evidence of the first', () => {
    const parts = [{ share: 0.01, canary: 4, control: 3 }]
    const fresh = observe(startJudge(POLICY, 0), windowMaker(1, 0.05)(0, GOOD))
    const carried = observe(startJudge(POLICY, 0, { parts, latencyLogE: 0 }), windowMaker(1, 0.05)(0, GOOD))
    expect(verdict(carried, 1000).numbers.harm.errors).toBeGreaterThan(verdict(fresh, 1000).numbers.harm.errors)
  })
})

describe('where the mesh decides which arm gets how many requests', () => {
  const observed = { ...POLICY, split: 'observed', share: 0.2 } as const

  /** The canary gets `share` of the requests, whatever it was to get. */
  function observing(seed: number, share: (second: number) => number, traffic: (second: number) => Traffic): JudgeState {
    let state = startJudge(observed, 0)
    for (let second = 0; second < 40; second += 1)
      state = observe(state, windowMaker(seed + second, share(second))(second, traffic(second)))
    return state
  }

  test('a canary that gets a quarter of what it was to get is not harmed by that, and is judged by what came', () => {
    const good = observing(
      1,
      () => 0.05,
      () => GOOD,
    )
    expect(verdict(good, 40_000).verdict).toBe('pass')
    const bad = observing(
      2,
      () => 0.05,
      () => ({ ...GOOD, controlFails: 0.02, canaryFails: 0.2 }),
    )
    expect(verdict(bad, 40_000)).toMatchObject({ verdict: 'fail', reason: 'errors' })
  })

  test('errors that both arms share cancel although the shares change with them', () => {
    // With one share for the whole time this would look like harm: the canary has most requests while both arms fail.
    const share = (second: number): number => (second % 20 < 5 ? 0.6 : 0.1)
    const state = observing(3, share, (second) => {
      const fails = second % 20 < 5 ? 0.2 : 0.001
      return { ...GOOD, controlFails: fails, canaryFails: fails }
    })
    expect(verdict(state, 40_000).verdict).not.toBe('fail')
    expect(state.parts.length, 'as many parts as shares, not as windows').toBeLessThan(20)
  })

  test('a failure where the other arm had no requests is no evidence', () => {
    const state = observing(
      4,
      () => 1,
      () => ({ ...GOOD, canaryFails: 0.5 }),
    )
    expect(verdict(state, 40_000).verdict).not.toBe('fail')
  })
})

test('200 good canaries of 20 s, looked at each second: none fails', () => {
  const failed = Array.from({ length: 200 }, (_, seed) =>
    run(seed + 1000, 20, () => ({ rate: 300, controlFails: 0.01, canaryFails: 0.01 })).verdicts.includes('fail'),
  ).filter(Boolean)
  expect(failed).toHaveLength(0)
})
