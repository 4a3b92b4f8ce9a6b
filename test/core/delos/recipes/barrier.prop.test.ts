import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  barrier,
  leaveBarrier,
  quitBarrier,
  type BarrierState,
  type Inside,
  type LeaveState,
} from '../../../../src/core/delos/recipes/etcd/barrier.ts'
import { closeGate, openGate, passGate } from '../../../../src/core/delos/recipes/etcd/gate.ts'
import { rangeRequest, under } from '../../../../src/core/delos/recipes/etcd/request.ts'
import { Client, newWorld, text, type World } from './world.ts'

interface Participant {
  lease: bigint
  entering: Client<BarrierState, Inside>
  leaving: Client<LeaveState, { name: string }> | null
  rounds: number
}

/** Every opening in the history of the store: its revision, and who was let in. */
function openings(world: World): { revision: number; upTo: number }[] {
  return world.store
    .changesFrom(1, 1_000_000)
    .filter((change) => change.key === 'b/open' && !change.isDeleted)
    .map((change) => ({ revision: change.mod_revision, upTo: Number(text(change.value)) }))
}

test('a barrier opens only with enough participants, at once for all, and leaves none of them behind', () => {
  const move = fc.record({ who: fc.nat({ max: 5 }), what: fc.constantFrom('step', 'step', 'step', 'lost', 'leave', 'leave', 'die') })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(move, { maxLength: 300 }), (count, moves) => {
      const world = newWorld()
      const arrive = (): Participant => {
        const lease = world.grant()
        return { lease, entering: new Client(world, barrier('b', lease, count)), leaving: null, rounds: 0 }
      }
      const all = Array.from({ length: 6 }, arrive)
      const isAlive = ({ lease }: Participant): boolean => world.store.lease(lease) !== null
      const stepOf = (one: Participant, isLost: boolean): boolean => {
        if (one.leaving === null) return one.entering.step(isLost)
        const went = one.leaving.step(isLost)
        if (one.leaving.phase.is === 'held') {
          one.rounds += 1
          one.leaving = null
          one.entering = new Client(world, barrier('b', one.lease, count))
        }
        return went
      }
      for (const { who, what } of moves) {
        const one = all[who]
        if (one === undefined) continue
        if (what === 'die') {
          world.end(one.lease)
          all[who] = arrive()
        } else if (what === 'leave') {
          if (one.leaving === null && one.entering.phase.is === 'held') one.leaving = new Client(world, leaveBarrier(one.entering.held))
        } else stepOf(one, what === 'lost')
      }
      // Everybody comes to rest, those inside stay inside.
      for (let went = true; went;) went = all.map((one) => stepOf(one, false)).some(Boolean)

      for (const { revision, upTo } of openings(world)) {
        const { kvs } = world.range(rangeRequest(under('b/in'), { revision }))
        const inside = kvs.filter((kv) => kv.create_revision <= upTo)
        expect(inside.length, `open at ${revision}`).toBe(count)
      }
      const [gate] = world.range(rangeRequest({ key: 'b/open', range_end: '' })).kvs
      const here = world.range(rangeRequest(under('b/in'))).kvs
      const upTo = gate === undefined ? 0 : Number(text(gate.value))
      for (const one of all.filter(isAlive)) {
        const own = here.find((kv) => kv.lease === one.lease)
        const isLetIn = own !== undefined && own.create_revision <= upTo
        expect(one.leaving === null && one.entering.phase.is === 'held', 'inside are exactly those who were let in').toBe(isLetIn)
      }
      // Nobody is inside: then fewer wait than the barrier needs, or it would be open.
      if (gate === undefined) expect(here.length).toBeLessThan(count)
      // And it is never open for nobody.
      else expect(here.some((kv) => kv.create_revision <= upTo)).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test('a participant that never looked while the barrier was open still gets through, however late', () => {
  const world = newWorld()
  const [slow, quick] = [world.grant(), world.grant()]
  const late = new Client(world, barrier('b', slow, 2))
  expect(late.run().is).toBe('waiting')
  const first = new Client(world, barrier('b', quick, 2))
  first.run()
  const leaving = new Client(world, leaveBarrier(first.held))
  expect(leaving.run().is, 'it waits for the slow one').toBe('waiting')
  expect(late.run().is).toBe('held')
  new Client(world, leaveBarrier(late.held)).run()
  expect(leaving.run().is).toBe('held')
})

test('who expects another number of participants is refused', () => {
  const world = newWorld()
  new Client(world, barrier('b', world.grant(), 3)).run()
  expect(new Client(world, barrier('b', world.grant(), 2)).run()).toMatchObject({ is: 'refused', refused: { why: 'differs' } })
})

test('who gives up before the barrier opens is not counted', () => {
  const world = newWorld()
  const [a, b] = [world.grant(), world.grant()]
  new Client(world, barrier('b', a, 2)).run()
  world.commit(quitBarrier('b', a))
  expect(new Client(world, barrier('b', b, 2)).run().is).toBe('waiting')
})

test('a round whose participants all died is cleared by the next who comes', () => {
  const world = newWorld()
  const leases = [world.grant(), world.grant()]
  const inside = leases.map((lease) => new Client(world, barrier('b', lease, 2)))
  for (const client of [...inside, ...inside]) client.run()
  expect(inside.map((client) => client.phase.is)).toEqual(['held', 'held'])
  for (const lease of leases) world.end(lease)
  const again = [world.grant(), world.grant()].map((lease) => new Client(world, barrier('b', lease, 2)))
  for (const client of [...again, ...again]) client.run()
  expect(again.map((client) => client.phase.is)).toEqual(['held', 'held'])
  expect(openings(world)).toHaveLength(2)
})

test('a gate lets all pass by one revision, and only while it is open', () => {
  const world = newWorld()
  expect(world.commit(closeGate('g'))?.succeeded).toBe(true)
  expect(world.commit(closeGate('g'))?.succeeded, 'closed already').toBe(false)
  const waiting = [1, 2, 3].map(() => new Client(world, passGate('g')))
  expect(waiting.map((client) => client.run().is)).toEqual(['waiting', 'waiting', 'waiting'])
  const before = world.store.revision
  world.commit(openGate('g'))
  expect(world.store.revision).toBe(before + 1)
  expect(waiting.map((client) => client.run().is)).toEqual(['held', 'held', 'held'])
})
