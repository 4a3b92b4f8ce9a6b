import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ephemeralKey } from '../../../../src/core/delos/recipes/etcd/ephemeral.ts'
import { groupEvent, joinGroup, leaveGroup, members, membersRequest, setMemberData } from '../../../../src/core/delos/recipes/etcd/group.ts'
import type { Turn } from '../../../../src/core/delos/recipes/etcd/queue.ts'
import { only, rangeRequest, remove, txn, put } from '../../../../src/core/delos/recipes/etcd/request.ts'
import { counterKey, sequentialKey } from '../../../../src/core/delos/recipes/etcd/sequence.ts'
import { bytes, Client, newWorld, text, type World } from './world.ts'

function join(world: World, id: string, data: string, lease = world.grant()): Client<null, Turn> {
  const client = new Client(world, joinGroup('g', id, lease, bytes(data)))
  client.run()
  return client
}

const list = (world: World): string[] => members('g', world.range(membersRequest('g'))).map(({ id, data }) => `${id}=${text(data)}`)

test('members are in the order of joining, whatever their ids and their data do', () => {
  const world = newWorld()
  const lease = world.grant()
  const [z, a] = [join(world, 'z', '1', lease), join(world, 'a', '1')]
  expect(world.commit(setMemberData(z.held, bytes('2')))?.succeeded).toBe(true)
  expect(list(world)).toEqual(['z=2', 'a=1'])
  join(world, 'z', '3', lease)
  expect(list(world), 'joining again keeps the place').toEqual(['z=3', 'a=1'])
  world.commit(leaveGroup(a.held))
  expect(world.commit(setMemberData(a.held, bytes('x')))?.succeeded, 'it is no member any more').toBe(false)
  world.end(lease)
  expect(list(world)).toEqual([])
})

test('an id that another lease has is refused until that lease ends', () => {
  const world = newWorld()
  const old = world.grant()
  join(world, 'n1', 'old', old)
  expect(join(world, 'n1', 'new').phase).toMatchObject({ is: 'refused', refused: { why: 'taken' } })
  expect(list(world)).toEqual(['n1=old'])
  world.end(old)
  expect(join(world, 'n1', 'new').phase.is).toBe('held')
})

test('a change below the group says who joined, changed or left', () => {
  const world = newWorld()
  const lease = world.grant()
  const one = join(world, 'a', '1', lease)
  world.commit(setMemberData(one.held, bytes('2')))
  world.end(lease)
  const told = world.store.changesFrom(1, 1000).map((kv) => {
    const { what, member } = groupEvent('g', { type: kv.isDeleted ? 1 : 0, kv, prev_kv: world.store.previousOf(kv) })
    return `${what} ${member.id}=${text(member.data)}`
  })
  expect(told).toEqual(['joined a=1', 'changed a=2', 'left a=2'])
})

test('numbers of sequential keys are given once, in order, also when answers are lost or keys removed meanwhile', () => {
  const move = fc.record({ who: fc.nat({ max: 3 }), what: fc.constantFrom('step', 'step', 'step', 'lost', 'remove all') })
  fc.assert(
    fc.property(fc.array(move, { maxLength: 100 }), (moves) => {
      const world = newWorld()
      const start = () => new Client(world, sequentialKey('q', 'job-', bytes(''), 0n))
      const all = Array.from({ length: 4 }, start)
      const given: { key: string; number: number; token: number }[] = []
      for (const { who, what } of moves) {
        if (what === 'remove all') world.commit(txn([], [remove({ key: 'q/', range_end: 'q0' })]))
        else all[who]?.step(what === 'lost')
        const client = all[who]
        if (client?.phase.is !== 'held') continue
        given.push(client.phase.held)
        all[who] = start()
      }
      const byToken = given.toSorted((a, b) => a.token - b.token).map(({ number }) => number)
      expect(byToken).toEqual([...new Set(byToken)].toSorted((a, b) => a - b))
      for (const { key, number } of given) expect(key).toBe(`q/job-${String(number).padStart(10, '0')}`)
      // Every child that was ever made had a number of its own.
      const made = world.store.changesFrom(1, 1_000_000).filter((change) => change.key.startsWith('q/') && !change.isDeleted)
      expect(new Set(made.map((change) => change.key)).size).toBe(made.length)
    }),
    { numRuns: 200 },
  )
})

test('a number whose child was made by hand is passed over, and one above ten digits is refused', () => {
  const world = newWorld()
  const next = () => {
    const client = new Client(world, sequentialKey('q', '', bytes(''), 0n))
    client.run()
    return client
  }
  world.commit(txn([], [put('q/0000000000', bytes('by hand'), 0n), put('q/0000000001', bytes('by hand'), 0n)]))
  expect(next().held.number).toBe(2)
  world.commit(txn([], [put('q/0000000003', bytes('by hand'), 0n)]))
  expect(next().held.number).toBe(4)
  world.commit(txn([], [put(counterKey('q'), bytes('9999999998'), 0n)]))
  expect(next().held.key).toBe('q/9999999999')
  expect(next().phase).toMatchObject({ is: 'refused', refused: { why: 'full' } })
})

test('an ephemeral key is there as long as its lease, and belongs to one', () => {
  const world = newWorld()
  const lease = world.grant()
  const make = (owner: bigint, value: string) => {
    const client = new Client(world, ephemeralKey('e', bytes(value), owner))
    client.run()
    return client
  }
  const first = make(lease, '1')
  expect(make(world.grant(), '2').phase).toMatchObject({ is: 'refused', refused: { why: 'taken' } })
  expect(make(lease, '3').held.token).toBe(first.held.token)
  world.end(lease)
  expect(world.range(rangeRequest(only('e'))).count).toBe(0)
  expect(make(world.grant(), '2').phase.is).toBe('held')
})
