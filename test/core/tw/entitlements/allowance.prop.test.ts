import fc from 'fast-check'
import { expect, test } from 'vitest'
import { newAllowance } from '../../../../src/core/tw/entitlements/allowance.ts'
import type { Amounts } from '../../../../src/core/tw/entitlements/amounts.ts'

const cores = (n: number): Amounts => ({ cpuMilli: n * 1000, memoryBytes: 0, gpus: {} })
const one = cores(1)

interface Placed {
  owner: string
  rack: number
}

/** Racks of so many cores, owners with guarantees that fit beside the largest rack, and who asks for a core, in turn. */
const worlds = fc
  .record({
    racks: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 2, maxLength: 6 }),
    guaranteed: fc.record({ a: fc.integer({ min: 0, max: 12 }), b: fc.integer({ min: 0, max: 12 }) }),
    quota: fc.option(fc.integer({ min: 0, max: 20 })),
    asks: fc.array(fc.record({ owner: fc.constantFrom('', 'a', 'b'), rack: fc.nat(5), n: fc.integer({ min: 1, max: 4 }) }), {
      maxLength: 60,
    }),
  })
  .filter(({ racks, guaranteed }) => {
    const total = racks.reduce((sum, n) => sum + n, 0)
    return guaranteed.a + guaranteed.b <= total - Math.max(...racks)
  })

function fill({
  racks,
  guaranteed,
  quota,
  asks,
}: {
  racks: number[]
  guaranteed: Record<'a' | 'b', number>
  quota: number | null
  asks: { owner: string; rack: number; n: number }[]
}) {
  const allowance = newAllowance({
    total: cores(racks.reduce((sum, n) => sum + n, 0)),
    buffer: cores(Math.max(...racks)),
    entitlements: [
      { name: 'a', guaranteed: cores(guaranteed.a), quota: null },
      { name: 'b', guaranteed: cores(guaranteed.b), quota: quota === null ? null : { ...cores(quota) } },
    ],
    used: new Map(),
  })
  const free = [...racks]
  const placed: Placed[] = []
  for (const { owner, rack, n } of asks) {
    const task = { owner, isIdle: false, each: one }
    const { granted } = allowance.take(task, n)
    let found = 0
    for (let i = 0; i < granted; i += 1) {
      const at = free.findIndex((_, k) => (free[(rack + k) % free.length] ?? 0) > 0)
      if (at < 0) break
      const where = (rack + at) % free.length
      free[where] = (free[where] ?? 0) - 1
      placed.push({ owner, rack: where })
      found += 1
    }
    allowance.giveBack(task, granted - found)
  }
  return { placed, allowance }
}

const countOf = (placed: readonly Placed[], owner: string): number => placed.filter((it) => it.owner === owner).length

test('whatever rack fails, what is left has room for all that is guaranteed', () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const { placed } = fill(world)
      world.racks.forEach((_, lost) => {
        const left = placed.filter(({ rack }) => rack !== lost)
        const room = world.racks.reduce((sum, n, rack) => sum + (rack === lost ? 0 : n), 0) - left.length
        const owed = (['a', 'b'] as const).reduce((sum, owner) => sum + Math.max(0, world.guaranteed[owner] - countOf(left, owner)), 0)
        expect(owed).toBeLessThanOrEqual(room)
      })
    }),
  )
})

test('an owner below its guarantee and its quota is never held; nobody passes a quota', () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const { placed, allowance } = fill(world)
      for (const owner of ['a', 'b'] as const) {
        const used = countOf(placed, owner)
        const quota = owner === 'b' ? (world.quota ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY
        expect(used).toBeLessThanOrEqual(quota)
        const due = Math.min(world.guaranteed[owner], quota) - used
        if (due > 0) expect(allowance.take({ owner, isIdle: false, each: one }, due).granted).toBe(due)
      }
    }),
  )
})
