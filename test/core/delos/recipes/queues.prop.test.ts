import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lock, sharedLock } from '../../../../src/core/delos/recipes/etcd/lock.ts'
import { leaveQueue, whileHeld, type QueueState, type Turn } from '../../../../src/core/delos/recipes/etcd/queue.ts'
import { put, txn, under, rangeRequest } from '../../../../src/core/delos/recipes/etcd/request.ts'
import { releasePermits, semaphore, type Permit, type SemaphoreState } from '../../../../src/core/delos/recipes/etcd/semaphore.ts'
import { bytes, Client, newWorld, type World } from './world.ts'

/** What happens next: to which client, and what. */
interface Move {
  who: number
  what: 'step' | 'step, answer lost' | 'leave' | 'die' | 'start anew'
}

const move: fc.Arbitrary<Move> = fc.record({
  who: fc.nat({ max: 5 }),
  what: fc.oneof(
    { weight: 8, arbitrary: fc.constant('step' as const) },
    { weight: 2, arbitrary: fc.constant('step, answer lost' as const) },
    { weight: 2, arbitrary: fc.constant('leave' as const) },
    { weight: 1, arbitrary: fc.constant('die' as const) },
    { weight: 1, arbitrary: fc.constant('start anew' as const) },
  ),
})
const moves = fc.array(move, { maxLength: 200 })

interface Held {
  key: string
  token: number
}

interface Contender<State, H extends Held> {
  lease: bigint
  client: Client<State, H>
}

/** Plays the moves with contenders made by `make`; calls `check` with all who hold truly after each. Then lets all come to their end. */
function play<State, H extends Held>(
  moves: readonly Move[],
  make: (world: World, lease: bigint, who: number) => Client<State, H>,
  release: (held: H) => Parameters<World['commit']>[0],
  check: (holders: { who: number; held: H }[], world: World) => void,
): void {
  const world = newWorld()
  const all: Contender<State, H>[] = []
  const renew = (who: number): Contender<State, H> => {
    const lease = world.grant()
    return (all[who] = { lease, client: make(world, lease, who) })
  }
  for (let who = 0; who < 6; who += 1) renew(who)
  const holders = (): { who: number; held: H }[] =>
    all.flatMap(({ lease, client }, who) =>
      client.phase.is === 'held' && world.store.lease(lease) !== null ? [{ who, held: client.phase.held }] : [],
    )
  const act = ({ who, what }: Move): void => {
    const contender = all[who]
    if (contender === undefined) return
    const { client, lease } = contender
    if (what === 'step' || what === 'step, answer lost') client.step(what !== 'step')
    else if (what === 'die') world.end(lease)
    else if (client.phase.is === 'refused' || world.store.lease(lease) === null) {
      if (what === 'start anew') renew(who)
    } else if (what === 'leave' && client.phase.is === 'held') {
      world.commit(release(client.phase.held))
      renew(who)
      world.end(lease)
    }
  }
  for (const next of moves) {
    act(next)
    check(holders(), world)
  }
  // Whoever lives gets its turn in the end, and no wake-up is missed: nobody asks without being woken.
  for (let round = 0; round < 100; round += 1) {
    for (const { client } of all) while (client.step());
    check(holders(), world)
    const done = holders()
    if (done.length === 0) break
    for (const { who, held } of done) {
      world.commit(release(held))
      world.end(all[who]?.lease ?? 0n)
    }
  }
  const left = all.filter(({ client, lease }) => world.store.lease(lease) !== null && client.phase.is === 'waiting')
  expect(left.length, 'waiting for ever').toBe(0)
}

test('at any time at most one holds a lock, tokens grow, and everybody who lives gets it', () => {
  fc.assert(
    fc.property(moves, (moves) => {
      let highest = 0
      let holder = ''
      play<QueueState, Turn>(
        moves,
        (world, lease) => new Client(world, lock('db', lease)),
        leaveQueue,
        (holders) => {
          expect(holders.length).toBeLessThanOrEqual(1)
          const [now] = holders
          if (now === undefined || now.held.key === holder) return
          expect(now.held.token).toBeGreaterThan(highest)
          highest = now.held.token
          holder = now.held.key
        },
      )
    }),
    { numRuns: 300 },
  )
})

test('a lock is either shared or held by one', () => {
  fc.assert(
    fc.property(moves, fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }), (moves, shares) => {
      play<QueueState, Turn>(
        moves,
        (world, lease, who) => new Client(world, shares[who] ? sharedLock('db', lease) : lock('db', lease)),
        leaveQueue,
        (holders) => {
          const alone = holders.filter(({ who }) => !shares[who])
          expect(alone.length === 0 || holders.length === 1).toBe(true)
        },
      )
    }),
    { numRuns: 300 },
  )
})

test('a semaphore never gives more permits than its limit, and never fewer than it could in the end', () => {
  fc.assert(
    fc.property(
      moves,
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 6, maxLength: 6 }),
      (moves, limit, wants) => {
        play<SemaphoreState, Permit>(
          moves,
          (world, lease, who) => new Client(world, semaphore('pool', lease, limit, Math.min(limit, wants[who] ?? 1))),
          releasePermits,
          (holders, world) => {
            expect(holders.reduce((sum, { held }) => sum + held.permits, 0)).toBeLessThanOrEqual(limit)
            const { kvs } = world.range(rangeRequest(under('pool')))
            expect(kvs.every((kv) => new TextDecoder().decode(kv.value) === String(limit))).toBe(true)
          },
        )
      },
    ),
    { numRuns: 300 },
  )
})

test('a holder that was paused while its lease ended cannot write what it guards, its successor can', () => {
  const world = newWorld()
  const [paused, next] = [world.grant(), world.grant()]
  const first = new Client(world, lock('db', paused))
  const second = new Client(world, lock('db', next))
  first.run()
  expect(second.run().is).toBe('waiting')
  world.end(paused)
  second.run()
  expect(second.held.token).toBeGreaterThan(first.held.token)
  const write = (turn: Turn): boolean | undefined => world.commit(txn([whileHeld(turn)], [put('rows', bytes('x'), 0n)]))?.succeeded
  expect(write(first.held), 'it still believes that it holds').toBe(false)
  expect(write(second.held)).toBe(true)
  // Nor does its release free what is not its own any more.
  world.commit(leaveQueue(first.held))
  expect(write(second.held)).toBe(true)
})

test('a waiter that dies leaves the queue, and nobody waits for it', () => {
  const world = newWorld()
  const leases = [world.grant(), world.grant(), world.grant()] as const
  const [first, second, third] = leases.map((lease) => new Client(world, lock('db', lease)))
  for (const client of [first, second, third]) client?.run()
  world.end(leases[1])
  expect(third?.run().is, 'the one before it went, but the first still holds').toBe('waiting')
  world.end(leases[0])
  expect(third?.run().is).toBe('held')
  expect(second?.run().is).toBe('refused')
})

test('a turn is never told to a contender whose own lease ended while it waited', () => {
  const world = newWorld()
  const [holder, waiter] = [world.grant(), world.grant()]
  const [first, second] = [new Client(world, lock('db', holder)), new Client(world, lock('db', waiter))]
  first.run()
  second.run()
  world.end(waiter)
  world.end(holder)
  expect(second.run()).toMatchObject({ is: 'refused', refused: { why: 'lost' } })
})

test('the limit of a semaphore is fixed by the first in it; another one is refused, and so is asking for more than there are', () => {
  const world = newWorld()
  const [a, b] = [world.grant(), world.grant()]
  const first = new Client(world, semaphore('pool', a, 2))
  first.run()
  expect(new Client(world, semaphore('pool', b, 3)).run()).toMatchObject({
    is: 'refused',
    refused: { why: 'differs', text: expect.stringContaining('is 2') as string },
  })
  expect(new Client(world, semaphore('pool', b, 2, 3)).run()).toMatchObject({ is: 'refused', refused: { why: 'full' } })
  expect(new Client(world, semaphore('pool', a, 2, 2)).run()).toMatchObject({ is: 'refused', refused: { why: 'taken' } })
  world.commit(releasePermits(first.held))
  expect(new Client(world, semaphore('pool', b, 3)).run().is, 'nobody is in it any more').toBe('held')
})

test('who wants many permits is not passed by those who want one', () => {
  const world = newWorld()
  const start = (permits: number): Client<SemaphoreState, Permit> => new Client(world, semaphore('pool', world.grant(), 3, permits))
  const [one, many, late] = [start(1), start(3), start(1)]
  expect([one.run().is, many.run().is, late.run().is]).toEqual(['held', 'waiting', 'waiting'])
  world.commit(releasePermits(one.held))
  expect([late.run().is, many.run().is]).toEqual(['waiting', 'held'])
  world.commit(releasePermits(many.held))
  expect(late.run().is).toBe('held')
})
