import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lintFile } from '../../../src/cli/files/experiment-file.ts'
import { CATALOGUE } from '../../../src/core/chaos/catalogue.ts'
import { startCheck, stepCheck, type CheckState } from '../../../src/core/chaos/guard/step.ts'
import { lintExperiment } from '../../../src/core/chaos/spec/lint.ts'
import type { Check } from '../../../src/core/chaos/spec/checks.ts'
import { experiment, SLOW } from './driver.ts'

const templates = join(import.meta.dirname, '../../../templates/experiments')
const pathsOf = (document: unknown): string[] => lintExperiment(document).map(({ path }) => path.join('.'))

describe('an experiment file', () => {
  it.each(readdirSync(templates))('template %s is valid', (name) => {
    expect(lintFile(join(templates, name)).issues).toEqual([])
  })

  it('with an unknown key, an unknown fault or an argument out of range is refused, with the path of each', () => {
    expect(lintExperiment(experiment())).toEqual([])
    expect(pathsOf({ ...experiment(), surprise: 1 })).toEqual([''])
    expect(pathsOf(experiment({ surprise: 1 }))).toEqual(['muster'])
    expect(pathsOf(experiment({}, { fault: 'legion.nuke' }))).toEqual(['method.0.provider.fault'])
    expect(pathsOf(experiment({}, { ...SLOW, arguments: { delay: 'long' } }))).toEqual(['method.0.provider.arguments.delay'])
    expect(pathsOf(experiment({}, { ...SLOW, fault: 'legion.error', arguments: { status: 200 } }))).toEqual([
      'method.0.provider.arguments.status',
    ])
    expect(pathsOf(experiment({}, { target: { service: 'web', count: 1, all: true } }))).toEqual(['method.0.provider.target'])
    expect(pathsOf(experiment({}, { ...SLOW, target: { service: 'web', count: 1 } }))).toEqual(['method.0.provider.target.count'])
    expect(pathsOf(experiment({ environment: undefined }))).toEqual(['muster.environment'])
    expect(pathsOf(experiment({ lease: '1s', duration: '2h' })).sort()).toEqual(['muster.duration', 'muster.lease'])
    expect(pathsOf(42)).toEqual([''])
  })

  it('of any content is judged, never crashed on', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void lintExperiment(value)))
  })

  it('knows every fault of the catalogue', () => {
    for (const { fault, by } of CATALOGUE) {
      const provider =
        by === 'mesh' ? { fault, target: { service: 'web' }, arguments: fault === 'legion.slow' ? { delay: '1ms' } : {} } : { fault }
      expect(lintExperiment(experiment({}, provider)), fault).toEqual([])
    }
  })
})

describe('a guard', () => {
  const check: Check = { name: 'c', kind: 'guard', source: { sql: '' }, min: 0, max: 10, requestsMin: 0, fromBaseline: false }
  const feed = (values: (number | null)[], stepMs = 250, of: Check = check): CheckState =>
    values.reduce<CheckState>(
      (state, value, i) => stepCheck(of, state, { atMs: (i + 1) * stepMs, value, requests: 100 }, false),
      startCheck(0),
    )

  it('is breached by two bad samples in a row, not by one', () => {
    expect(feed([1, 99, 1, 99, 1]).status).toBe('ok')
    expect(feed([1, 99, 99]).status).toBe('breach')
  })

  it('is blind after three seconds without data, and not before; one sample does not make it well', () => {
    expect(feed([1, ...Array.from({ length: 11 }, () => null)]).status).toBe('ok')
    const blind = feed([1, ...Array.from({ length: 13 }, () => null)])
    expect(blind.status).toBe('blind')
    expect(stepCheck(check, blind, { atMs: 9000, value: 99, requests: 1 }, false).status).not.toBe('ok')
  })

  it('never says ok on a value out of its bounds', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer({ min: -20, max: 30 })), { minLength: 1 }), (values) => {
        const state = feed(values)
        const lastTwo = values.slice(-2)
        const bad = lastTwo.length === 2 && lastTwo.every((value) => value !== null && (value < 0 || value > 10))
        if (bad) expect(state.status).toBe('breach')
        if (state.okSinceMs !== null) expect(state.value).toBeGreaterThanOrEqual(0)
      }),
    )
  })

  it('that is always there takes its bound from the baseline', () => {
    const always: Check = { ...check, min: null, max: 0.005, fromBaseline: true, requestsMin: 50 }
    const base = stepCheck(always, startCheck(0), { atMs: 1, value: 0.01, requests: 100 }, true)
    const after = (value: number, requests = 100) =>
      [2, 3].reduce((state, atMs) => stepCheck(always, state, { atMs, value, requests }, false), base).status
    expect([after(0.03), after(0.031), after(0.5, 49)]).toEqual(['ok', 'breach', 'ok'])
  })
})
