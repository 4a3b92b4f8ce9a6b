import { expect, test } from 'vitest'
import {
  delayTtlMs,
  isDelay,
  leaveDelay,
  lock,
  sharedLock,
  standing,
  standingRequest,
} from '../../../../src/core/delos/recipes/etcd/lock.ts'
import type { Turn } from '../../../../src/core/delos/recipes/etcd/queue.ts'
import { bytesOf } from '../../../../src/core/delos/recipes/etcd/request.ts'
import type { Recipe } from '../../../../src/core/delos/recipes/etcd/step.ts'
import { newWorld, type World } from './world.ts'

/** Asks until it is held, or has to wait; null: it waits. */
function turnOf<State>(world: World, recipe: Recipe<State, Turn>): Turn | null {
  let { start: state } = recipe
  for (;;) {
    const answer = world.commit(recipe.ask(state))
    if (answer === null) throw new Error('the lease is gone')
    const next = recipe.told(state, answer)
    if (next.do === 'held') return next.held
    if (next.do === 'wait') return null
    if (next.do === 'refused') throw new Error(next.text)
    state = next.state
  }
}

const value = bytesOf('holder')
const holdersOf = (world: World) => standing('db', world.range(standingRequest('db'))).holders

function delayed(world: World, make: typeof lock): { lease: bigint; delay: bigint; turn: Turn } {
  const lease = world.grant()
  const turn = turnOf(world, make('db', lease, value, true)) as Turn
  const delay = world.grant()
  expect(world.commit(leaveDelay(turn, delay, value))?.succeeded).toBe(true)
  return { lease, delay, turn }
}

test('a lock whose lease was lost stays taken until its delay is over, for whoever came meanwhile or comes then', () => {
  const world = newWorld()
  const { lease, delay, turn } = delayed(world, lock)
  const [early, late] = [world.grant(), world.grant()]
  // Etcd's clients make the same requests as a lock without a delay.
  expect(turnOf(world, lock('db', early))).toBeNull()
  world.end(lease)
  expect(turnOf(world, lock('db', early))).toBeNull()
  expect(turnOf(world, sharedLock('db', late))).toBeNull()
  expect(holdersOf(world).map((kv) => [isDelay(kv), kv.create_revision])).toEqual([[true, turn.token]])
  world.end(delay)
  expect(turnOf(world, lock('db', early))?.token).toBeGreaterThan(turn.token)
})

test('one that is given back in peace is free at once, and beside its holder a delay is nobody', () => {
  const world = newWorld()
  const { lease, delay, turn } = delayed(world, lock)
  const next = world.grant()
  expect(turnOf(world, lock('db', next))).toBeNull()
  const { holders, waiting } = standing('db', world.range(standingRequest('db')))
  expect([holders.map(({ key }) => key), waiting.length]).toEqual([[turn.key], 1])
  world.end(delay)
  world.end(lease)
  expect(turnOf(world, lock('db', next))).not.toBeNull()
})

test('who dies while it waits leaves no delay behind', () => {
  const world = newWorld()
  const first = world.grant()
  expect(turnOf(world, lock('db', first))).not.toBeNull()
  const [dies, lives] = [world.grant(), world.grant()]
  expect(turnOf(world, lock('db', dies, value, true))).toBeNull()
  expect(turnOf(world, lock('db', lives))).toBeNull()
  world.end(dies)
  world.end(first)
  expect(turnOf(world, lock('db', lives))).not.toBeNull()
})

test('the delay of one that shares a lock keeps out who wants it alone, and nobody who shares it', () => {
  const world = newWorld()
  const { lease, delay } = delayed(world, sharedLock)
  world.end(lease)
  const [alone, shares] = [world.grant(), world.grant()]
  expect(turnOf(world, sharedLock('db', shares))).not.toBeNull()
  world.end(shares)
  expect(turnOf(world, lock('db', alone))).toBeNull()
  world.end(delay)
  expect(turnOf(world, lock('db', alone))).not.toBeNull()
})

test('a turn that is over leaves no delay', () => {
  const world = newWorld()
  const lease = world.grant()
  const turn = turnOf(world, lock('db', lease, value, true)) as Turn
  world.end(lease)
  expect(world.commit(leaveDelay(turn, world.grant(), value))?.succeeded).toBe(false)
  expect(holdersOf(world)).toEqual([])
})

test('a delay is never shorter than said, whichever of the two leases was renewed last', () => {
  const [ttlMs, delayMs] = [15_000, 10_000]
  const placeEndsAtLatest = ttlMs
  const delayEndsAtEarliest = delayTtlMs(ttlMs, delayMs) - ttlMs / 3
  expect(delayEndsAtEarliest - placeEndsAtLatest).toBeGreaterThanOrEqual(delayMs)
})
