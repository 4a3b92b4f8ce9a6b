import fc from 'fast-check'
import { expect, test } from 'vitest'
import { planReplicas, type Holder } from '../../../../src/core/scuba/shards/replicas.ts'

const holder = fc.record({
  id: fc.constantFrom(...'abcdefgh'),
  address: fc.constantFrom(null, 'unix:/a', 'https://10.0.0.1:1'),
  node: fc.constantFrom(null, 'n1', 'n2', 'n3', 'n4', 'n5'),
  server: fc.constantFrom(null, 's1', 's2'),
  isLost: fc.boolean(),
})
const fleet = fc.uniqueArray(holder, { selector: ({ id }) => id, minLength: 1, maxLength: 8 })
const count = fc.integer({ min: 0, max: 2 })
const kept = fc.uniqueArray(fc.constantFrom(...'abcdefgh'), { maxLength: 3 })

const isHere = ({ address }: Holder): boolean => !address?.startsWith('https:')

test('copies are on nodes of their own, never beside the rows, and only where their leaf can call', () => {
  fc.assert(
    fc.property(fleet, count, kept, ([primary, ...others], wanted, before) => {
      if (!primary) return
      const chosen = planReplicas(primary, [primary, ...others], before, wanted)
      const leaves = chosen.map((id) => others.find((leaf) => leaf.id === id))
      expect(chosen.length).toBeLessThanOrEqual(wanted)
      const places = [primary, ...leaves].map((leaf) => (leaf?.node == null ? `${leaf?.server}'s own` : leaf.node))
      expect(new Set(places).size).toBe(chosen.length + 1)
      for (const leaf of leaves) {
        expect(leaf?.address ?? null).not.toBeNull()
        // A server's own has a certificate, and is beside the sockets.
        if (primary.node !== null && leaf) expect(isHere(leaf)).toBe(isHere(primary))
        // A lost one is waited for only if it had a copy.
        if (leaf?.isLost) expect(before).toContain(leaf.id)
      }
    }),
  )
})

test('who holds a copy keeps it while it is there, whoever comes or goes beside it', () => {
  fc.assert(
    fc.property(fleet, count, holder, ([primary, ...others], wanted, more) => {
      if (!primary || others.some(({ id }) => id === more.id) || more.id === primary.id) return
      const before = planReplicas(primary, [primary, ...others], [], wanted)
      expect(planReplicas(primary, [primary, ...others], before, wanted)).toEqual(before)
      const after = planReplicas(primary, [primary, ...others, more], before, wanted)
      expect(after).toEqual(expect.arrayContaining(before))
    }),
  )
})
