import { expect, test } from 'vitest'
import {
  campaign,
  leaderRequest,
  NOTHING_OBSERVED,
  observe,
  proclaim,
  resign,
  type Observed,
} from '../../../../src/core/delos/recipes/etcd/election.ts'
import { lock, standing, standingRequest, sharedLock } from '../../../../src/core/delos/recipes/etcd/lock.ts'
import { bytes, Client, newWorld, text, type World } from './world.ts'

function stand(world: World, value: string, lease = world.grant()) {
  const client = new Client(world, campaign('job', lease, bytes(value)))
  client.run()
  return client
}

const leaderOf = (world: World): string | null => {
  const [kv] = world.range(leaderRequest('job')).kvs
  return kv === undefined ? null : text(kv.value)
}

test('the first who stands leads, the next follows when it resigns or dies', () => {
  const world = newWorld()
  const lease = world.grant()
  const [a, b, c] = [stand(world, 'a'), stand(world, 'b', lease), stand(world, 'c')]
  expect([a.phase.is, b.phase.is, c.phase.is]).toEqual(['held', 'waiting', 'waiting'])
  expect(world.commit(resign(a.held))?.succeeded).toBe(true)
  expect([b.run().is, c.run().is]).toEqual(['held', 'waiting'])
  world.end(lease)
  expect(c.run().is).toBe('held')
  expect(leaderOf(world)).toBe('c')
})

test('a leader proclaims; one whose term is over writes nothing, also when its key is there again', () => {
  const world = newWorld()
  const lease = world.grant()
  const first = stand(world, 'a', lease)
  expect(world.commit(proclaim(first.held, bytes('a2')))?.succeeded).toBe(true)
  expect(leaderOf(world)).toBe('a2')
  world.commit(resign(first.held))
  expect(world.commit(proclaim(first.held, bytes('a3')))?.succeeded, 'resigned').toBe(false)
  const again = stand(world, 'a4', lease)
  expect(again.held.key).toBe(first.held.key)
  expect(world.commit(proclaim(first.held, bytes('a5')))?.succeeded, 'the same key in a later term').toBe(false)
  expect(world.commit(resign(first.held))?.succeeded).toBe(false)
  expect(leaderOf(world)).toBe('a4')
})

test('standing again under the same lease keeps the place and gives the new value; the same value is no change', () => {
  const world = newWorld()
  const lease = world.grant()
  const first = stand(world, 'a', lease)
  const again = stand(world, 'a2', lease)
  expect(again.held.token).toBe(first.held.token)
  expect(leaderOf(world)).toBe('a2')
  const before = world.store.revision
  stand(world, 'a2', lease)
  expect(world.store.revision).toBe(before)
})

test('an observer hears of each leader and value once, and never of an older one after a newer', () => {
  const world = newWorld()
  let state: Observed = NOTHING_OBSERVED
  const look = (answer = world.range(leaderRequest('job'))): string | null => {
    const seen = observe('job', state, answer)
    state = seen.state
    return seen.tell === null ? null : text(seen.tell.value)
  }
  expect(look()).toBeNull()
  const a = stand(world, 'a')
  const lagging = world.range(leaderRequest('job'))
  expect([look(), look()]).toEqual(['a', null])
  const b = stand(world, 'b')
  world.commit(proclaim(a.held, bytes('a2')))
  expect(look()).toBe('a2')
  world.commit(resign(a.held))
  b.run()
  expect(look()).toBe('b')
  expect(look(lagging), 'from a member that lags').toBeNull()
  world.commit(resign(b.held))
  expect(look()).toBeNull()
  stand(world, 'b')
  expect(look(), 'the same value, another term').toBe('b')
})

test('contenders are shown in the order of their turns, those who share the lock together', () => {
  const world = newWorld()
  const show = (): [number, number] => {
    const { holders, waiting } = standing('db', world.range(standingRequest('db')))
    return [holders.length, waiting.length]
  }
  const join = (isShared: boolean): bigint => {
    const lease = world.grant()
    new Client(world, isShared ? sharedLock('db', lease) : lock('db', lease)).run()
    return lease
  }
  expect(show()).toEqual([0, 0])
  const shared = [join(true), join(true)]
  const alone = join(false)
  join(true)
  expect(show()).toEqual([2, 2])
  for (const lease of shared) world.end(lease)
  expect(show()).toEqual([1, 1])
  world.end(alone)
  expect(show()).toEqual([1, 0])
})
