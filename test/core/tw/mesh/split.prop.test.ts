import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MeshSplit } from '../../../../src/core/contracts/mesh.ts'
import { BUCKETS, userBucket } from '../../../../src/core/kernel/hash.ts'
import { compileSplit, subsetOf } from '../../../../src/core/tw/mesh/split.ts'

const split = (canary: number): MeshSplit => ({
  shares: { v7: BUCKETS - canary, v8: canary },
  arms: { v7: 'primary', v8: 'canary' },
  salt: 'r8',
  sticky: 'header:x-user',
  epoch: 1,
})

describe('split', () => {
  it('every bucket below the share of the new version is in it, and no other', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: BUCKETS }), fc.integer({ min: 0, max: BUCKETS - 1 }), (share, bucket) => {
        expect(subsetOf(compileSplit(split(share)), bucket)).toBe(bucket < share ? 'v8' : 'v7')
      }),
    )
  })

  it('a share that only grows keeps every user who is in', () => {
    const steps = [0, 1_000, 10_000, 50_000, 250_000, 1_000_000].map((share) => compileSplit(split(share)))
    for (let user = 0; user < 20_000; user += 1) {
      const arms = steps.map((step) => subsetOf(step, userBucket(`u${user}`, 'r8')))
      expect(arms.lastIndexOf('v7'), `user ${user}: ${arms.join(' ')}`).toBe(arms.indexOf('v8') - 1)
    }
  })

  it('1 % of 1,000,000 users is within 4 sigma', () => {
    const compiled = compileSplit(split(10_000))
    let canary = 0
    for (let user = 0; user < 1_000_000; user += 1) if (subsetOf(compiled, userBucket(`user-${user}`, 'r8')) === 'v8') canary += 1
    expect(Math.abs(canary - 10_000)).toBeLessThan(4 * Math.sqrt(10_000 * 0.99))
  })
})
