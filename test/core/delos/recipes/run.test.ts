import { expect, test } from 'vitest'
import { lock } from '../../../../src/core/delos/recipes/etcd/lock.ts'
import { leaveQueue, type Turn } from '../../../../src/core/delos/recipes/etcd/queue.ts'
import { runRecipe, type Outcome, type Ports } from '../../../../src/core/delos/recipes/etcd/run.ts'
import { newWorld, type World } from './world.ts'

/** Answers at once; tells those who wait of every change below the lock, by hand. */
function portsOf(world: World): Ports & { tell: () => void; waiting: () => number } {
  const waiting = new Set<() => void>()
  return {
    commit: (request, reply) => {
      const answer = world.commit(request)
      if (answer === null) reply({ code: 5, text: 'etcdserver: requested lease not found' }, null)
      else reply(null, answer)
    },
    wait: (_range, _from, _until, changed) => {
      waiting.add(changed)
      return () => void waiting.delete(changed)
    },
    tell: () => {
      for (const changed of [...waiting]) changed()
    },
    waiting: () => waiting.size,
  }
}

function start(world: World, ports: Ports, lease = world.grant()): { outcomes: Outcome<Turn>[]; stop: () => void; lease: bigint } {
  const outcomes: Outcome<Turn>[] = []
  return { outcomes, lease, stop: runRecipe(lock('db', lease), ports, (outcome) => outcomes.push(outcome)) }
}

test('a recipe is run to its end, asking again only when told of a change, and told of in vain it goes on waiting', () => {
  const world = newWorld()
  const ports = portsOf(world)
  const [first, second] = [start(world, ports), start(world, ports)]
  const [turn] = first.outcomes
  if (turn?.do !== 'held') throw new Error('the first holds')
  expect(second.outcomes).toEqual([])
  ports.tell()
  expect(second.outcomes, 'nothing was freed').toEqual([])
  expect(ports.waiting()).toBe(1)
  world.commit(leaveQueue(turn.held))
  ports.tell()
  expect(second.outcomes).toMatchObject([{ do: 'held' }])
  expect(ports.waiting()).toBe(0)
})

test('one that is stopped says nothing any more and waits for nothing', () => {
  const world = newWorld()
  const ports = portsOf(world)
  const [first, second] = [start(world, ports), start(world, ports)]
  second.stop()
  expect(ports.waiting()).toBe(0)
  world.end(first.lease)
  ports.tell()
  expect(second.outcomes).toEqual([])
})

test('a lease that is gone before the first answer is a loss, any other failure of the store is told as it is', () => {
  const world = newWorld()
  const gone = world.grant()
  world.end(gone)
  expect(start(world, portsOf(world), gone).outcomes).toMatchObject([{ do: 'refused', why: 'lost' }])
  const error = { code: 14, text: 'etcdserver: no leader' }
  expect(start(world, { ...portsOf(world), commit: (_request, reply) => reply(error, null) }).outcomes).toEqual([{ do: 'failed', error }])
})
