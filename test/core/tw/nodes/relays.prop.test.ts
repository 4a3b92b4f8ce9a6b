import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RelayPlan, type RelayPlace } from '../../../../src/core/tw/nodes/relays.ts'

const place = (number: number): RelayPlace => {
  const [zone, rack] = [number % 3, Math.floor(number / 3) % 4]
  return { node: `n${number}`, region: 'r', zone: `z${zone}`, rack: `k${rack}` }
}
/** who joins, and who leaves, in turn */
const steps = fc.array(fc.record({ isLeaving: fc.boolean(), nodes: fc.array(fc.nat({ max: 60 }), { maxLength: 25 }) }), { maxLength: 15 })

function follow(plan: RelayPlan, given: { isLeaving: boolean; nodes: number[] }[], look: () => void = () => {}): void {
  for (const { isLeaving, nodes } of given) {
    if (isLeaving) for (const node of nodes) plan.join(plan.leave(`n${node}`))
    else plan.join(nodes.map(place))
    look()
  }
}
const all = (plan: RelayPlan): (string | null)[] => Array.from({ length: 61 }, (_, i) => plan.relayOf(`n${i}`))

test('no relay is over another or has more agents than it may, and each is of the zone of its agents', () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 9 }), (given, agentsMax) => {
      const plan = new RelayPlan(agentsMax)
      follow(plan, given, () => {
        const over = new Map<string, number>()
        all(plan).forEach((relay, i) => {
          if (relay === null) return
          expect([plan.has(relay), plan.relayOf(relay)]).toEqual([true, null])
          expect(place(Number(relay.slice(1))).zone).toBe(place(i).zone)
          over.set(relay, (over.get(relay) ?? 0) + 1)
        })
        for (const [relay, count] of over) expect([relay, plan.agentsOver(relay)]).toEqual([relay, count])
        for (const relay of plan.relays) expect(plan.agentsOver(relay) + 1).toBeLessThanOrEqual(agentsMax)
      })
    }),
  )
})

test('the same calls make the same plan, and whoever joins or leaves moves nobody but those that beat over it', () => {
  fc.assert(
    fc.property(steps, fc.nat({ max: 60 }), (given, node) => {
      const [plan, other] = [new RelayPlan(5), new RelayPlan(5)]
      follow(plan, given)
      follow(other, given)
      const before = all(plan)
      expect(all(other)).toEqual(before)
      plan.leave(`n${node}`)
      all(plan).forEach((relay, i) => expect(relay).toBe(i === node || before[i] === `n${node}` ? null : before[i]))
    }),
  )
})

test('whoever comes goes over a relay of its rack first, then over one of its zone, and never over one of another zone', () => {
  const plan = new RelayPlan(3)
  const at = (node: string, zone: string, rack: string): RelayPlace => ({ node, region: 'r', zone, rack })
  plan.join([at('a1', 'z', 'a'), at('a2', 'z', 'a'), at('a3', 'z', 'a'), at('b1', 'z', 'b'), at('other', 'y', 'b')])
  expect(['a1', 'a2', 'a3', 'b1', 'other'].map((node) => plan.relayOf(node))).toEqual([null, 'a1', 'a1', null, null])
  plan.leave('a2')
  plan.join([at('b2', 'z', 'b'), at('c1', 'z', 'c')])
  expect([plan.relayOf('b2'), plan.relayOf('c1')]).toEqual(['b1', 'b1'])
  plan.join([at('c2', 'z', 'c')])
  expect(plan.relayOf('c2')).toBe('a1')
})
