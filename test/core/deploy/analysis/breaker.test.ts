import { expect, test } from 'vitest'
import { breakerTrip, type BreakerView } from '../../../../src/core/deploy/analysis/breaker.ts'

const CALM: BreakerView = {
  canary: { units: 100, failing: 0 },
  control: { units: 2000, failing: 0 },
  usualRate: 0,
  tasks: { wanted: 4, unhealthy: 0, unhealthyForMs: 0, restartsLastMinute: 0 },
}

test('a calm canary trips nothing', () => expect(breakerTrip(CALM)).toBeNull())

test('ten failures of at least twenty requests, ten times the control, trip', () => {
  expect(breakerTrip({ ...CALM, canary: { units: 100, failing: 10 } })?.rule).toBe('failing')
  expect(breakerTrip({ ...CALM, canary: { units: 100, failing: 9 } })).toBeNull()
  expect(breakerTrip({ ...CALM, canary: { units: 15, failing: 15 } })).toBeNull()
})

test('a canary that fails like its control does not trip', () => {
  expect(breakerTrip({ ...CALM, canary: { units: 100, failing: 30 }, control: { units: 2000, failing: 500 } })).toBeNull()
})

test('availability below 95 % trips while the control is above, although less than ten times worse', () => {
  const view = { ...CALM, canary: { units: 200, failing: 12 }, control: { units: 2000, failing: 40 } }
  expect(breakerTrip(view)?.rule).toBe('availability')
})

test('without a control, as in the bake, the usual rate is the measure', () => {
  const bake = { ...CALM, canary: { units: 500, failing: 15 }, control: { units: 0, failing: 0 } }
  expect(breakerTrip({ ...bake, usualRate: 0.001 })?.rule).toBe('failing')
  expect(breakerTrip({ ...bake, usualRate: 0.02 })).toBeNull()
})

test('two restarts in a minute trip, as do too many unhealthy tasks for 10 s', () => {
  expect(breakerTrip({ ...CALM, tasks: { ...CALM.tasks, restartsLastMinute: 2 } })?.rule).toBe('restarts')
  expect(breakerTrip({ ...CALM, tasks: { ...CALM.tasks, unhealthy: 2, unhealthyForMs: 10_000 } })?.rule).toBe('unhealthy')
  expect(breakerTrip({ ...CALM, tasks: { ...CALM.tasks, unhealthy: 1, unhealthyForMs: 60_000 } })).toBeNull()
})
