import { expect, test } from 'vitest'
import { must } from '../../../../src/core/kernel/assert.ts'
import { sloFileSchema } from '../../../../src/core/scuba/slo/file.ts'
import { compileSlo } from '../../../../src/core/scuba/slo/objective.ts'
import { hasPromtool, oursFires, promtoolFires } from '../../../support/promtool.ts'

const objective = must(compileSlo(sloFileSchema.parse({ service: 'feed', objectives: [{ availability: '99.95%' }] })).objectives[0], 'one')

/** Tier, share of errors, and how long to watch; the whole matrix is `npm run bench -- scuba-slo matrix`. */
const CASES = [
  ['fast', 1, 300],
  ['fast', 0.2, 300],
  ['fast', 0.05, 300],
  ['quick', 0.1, 600],
  ['quick', 0.02, 600],
  ['1', 0.2, 1200],
] as const

for (const [tier, share, lastS] of CASES) {
  test.skipIf(!hasPromtool)(
    `tier ${tier} at ${share * 100} % of errors fires within one evaluation of what promtool says (needs promtool)`,
    () => {
      const theirs = promtoolFires(objective, tier, share, 7200, lastS)
      const ours = oursFires(objective, tier, share, 7200 - 60, lastS)
      if (theirs === null || ours === null) expect(ours).toBe(theirs)
      else expect(Math.abs(ours - theirs), `ours ${ours} s, promtool ${theirs} s`).toBeLessThanOrEqual(10)
    },
  )
}
