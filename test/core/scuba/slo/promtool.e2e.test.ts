import { expect, test } from 'vitest'
import { must } from '../../../../src/core/kernel/assert.ts'
import { sloFileSchema } from '../../../../src/core/scuba/slo/file.ts'
import { compileSlo, type Objective } from '../../../../src/core/scuba/slo/objective.ts'
import { hasPromtool, judgeCases } from '../../../support/promtool.ts'

const objectiveOf = (availability: string): Objective =>
  must(compileSlo(sloFileSchema.parse({ service: 'feed', objectives: [{ availability }] })).objectives[0], 'one')
const objective = objectiveOf('99.95%')

/** The whole matrix, of all tiers, is `npm run bench -- scuba-slo promtool`. */
const CASES = [
  { tier: 'fast', share: 1, lastS: 300 },
  { tier: 'fast', share: 0.2, lastS: 300 },
  { tier: 'fast', share: 0.05, lastS: 300 },
  { tier: 'fast', share: 0.02, lastS: 300 },
  { tier: 'quick', share: 0.1, lastS: 600 },
  { tier: 'quick', share: 0.02, lastS: 600 },
  { tier: '1', share: 0.2, lastS: 600 },
]

test.skipIf(!hasPromtool)('each tier fires within one evaluation of when promtool says so (needs promtool, Debian: prometheus)', () => {
  const judged = judgeCases(objective, CASES)
  expect(judged.filter(({ isSame }) => !isSame)).toEqual([])
  expect(judged.map(({ ours }) => ours)).toEqual([10, 30, 100, null, 70, null, 130])
})

test.skipIf(!hasPromtool)('promtool tells a rule that fires at another time (needs promtool, Debian: prometheus)', () => {
  const [wrong] = judgeCases(objective, [{ tier: 'fast', share: 0.1, lastS: 300 }], objectiveOf('99.9%'))
  expect(wrong).toMatchObject({ ours: 50, isSame: false })
  expect(wrong?.words).toContain('FAILED')
})
