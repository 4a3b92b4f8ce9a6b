import { expect, test } from 'vitest'
import { must } from '../../../../src/core/kernel/assert.ts'
import { alertRuleSchema, compileRule } from '../../../../src/core/scuba/alert/rule.ts'
import { sloFileSchema } from '../../../../src/core/scuba/slo/file.ts'
import { compileSlo } from '../../../../src/core/scuba/slo/objective.ts'
import { NOISE_RULE, simulateNoise } from '../../../support/scuba-noise.ts'

const objective = must(compileSlo(sloFileSchema.parse({ service: 'feed', objectives: [{ availability: '99.95%' }] })).objectives[0], 'one')
const rule = compileRule(alertRuleSchema.parse(NOISE_RULE))

/** Thirty days of many seeds are `npm run bench -- scuba-slo noise`. */
test.each([1])('in noise with late rows, restarts and losses of the leaf no incident is missed and none invented (seed %i)', (seed) => {
  const run = () => simulateNoise({ seed, days: 2, windowDays: 30, objective, rule, pageWithinMs: 120_000, isDisturbed: true })
  const { moves, ...first } = run()
  expect(first).toMatchObject({ missed: 0, invented: 0, lost: 0 })
  expect(Math.min(first.incidents, first.leafLosses, first.restarts, first.lateBuckets)).toBeGreaterThan(0)
  expect(run().moves).toBe(moves)
})
