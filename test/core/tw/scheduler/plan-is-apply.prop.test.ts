import { expect, test } from 'vitest'
import { planCases } from '../../../support/tw-plan-cases.ts'

test('running a job places exactly what its plan said, in random jobs on fleets that fill up and empty', { timeout: 60_000 }, () => {
  // The benchmark tw-plan runs 10,000 of them.
  expect(planCases(200, 7)).toEqual({ cases: 200, different: 0, first: null })
})
