import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LEASES } from '../../../src/core/delos/controller.ts'
import { eventsFrom, kvBefore } from '../../../src/core/delos/kv/read.ts'
import { compareKeys, isInRange, prefixEnd, rangeOf } from '../../../src/core/delos/kv/range.ts'
import { compacted } from '../../../src/core/delos/machine.ts'
import {
  kvDel,
  kvGet,
  kvPut,
  leaseGrant,
  leaseList,
  leaseRevoke,
  lockAcquire,
  lockList,
  lockRelease,
} from '../../../src/core/delos/operations.ts'
import { openStore, type Store } from './store.ts'

let store: Store
beforeEach(async () => {
  store = await openStore()
})
afterEach(() => store.close())

const values = (key: string, isPrefix = true): string[] => store.ask(kvGet, { key, isPrefix }).kvs.map((kv) => `${kv.key}=${kv.value}`)

describe('revisions follow etcd', () => {
  test('the store starts at revision 1, each change is one revision, and version starts again after a delete', async () => {
    expect(store.ask(kvGet, { key: 'a' })).toMatchObject({ revision: 1, count: 0, kvs: [] })
    expect(await store.run(kvPut, { key: 'a', value: '1' })).toMatchObject({
      revision: 2,
      kv: { create_revision: 2, mod_revision: 2, version: 1 },
    })
    expect(await store.run(kvPut, { key: 'a', value: '2', wantsPrev: true })).toMatchObject({
      revision: 3,
      kv: { create_revision: 2, mod_revision: 3, version: 2 },
      prev: { value: '1' },
    })
    expect(await store.run(kvDel, { key: 'a', wantsPrev: true })).toMatchObject({ revision: 4, deleted: 1, prevs: [{ value: '2' }] })
    expect(await store.run(kvPut, { key: 'a', value: '3' })).toMatchObject({ kv: { create_revision: 5, version: 1 } })
  })

  test('deleting what is not there changes nothing and appends nothing', async () => {
    const tail = store.log.tail()
    expect(await store.run(kvDel, { key: 'nothing' })).toEqual({ revision: 1, deleted: 0, prevs: [] })
    expect(store.log.tail()).toBe(tail)
  })

  test('deleting a prefix is one revision and takes only that prefix', async () => {
    for (const key of ['a', 'a/1', 'a/2', 'b', 'a0']) await store.run(kvPut, { key, value: 'x' })
    expect(await store.run(kvDel, { key: 'a/', isPrefix: true })).toMatchObject({ revision: 7, deleted: 2 })
    expect(values('')).toEqual(['a=x', 'a0=x', 'b=x'])
    expect(await store.run(kvDel, { key: '', isPrefix: true })).toMatchObject({ revision: 8, deleted: 3 })
    expect(values('')).toEqual([])
  })

  test('a write with a stale expectation is refused and changes nothing', async () => {
    expect(await store.refused(kvPut, { key: 'a', value: '1', expect: 1 })).toBe('DELOS_CONFLICT')
    expect(await store.refused(kvPut, { key: 'a', value: '1', expect: 0 })).toBe('')
    expect(await store.refused(kvPut, { key: 'a', value: '2', expect: 0 })).toBe('DELOS_CONFLICT')
    expect(await store.refused(kvPut, { key: 'a', value: '2', expect: 2 })).toBe('')
    expect(await store.refused(kvDel, { key: 'a', expect: 2 })).toBe('DELOS_CONFLICT')
    expect(values('a')).toEqual(['a=2'])
  })

  test('a compacted or future revision is refused, the compacted one itself can be read', async () => {
    for (let i = 1; i <= 5; i += 1) await store.run(kvPut, { key: 'a', value: String(i) })
    await store.run(kvDel, { key: 'a' })
    await store.log.submit({ actor: 'test' }, () => ({ entries: [compacted.of({ revision: 4 })], value: () => undefined }))
    expect(store.ask(kvGet, { key: 'a', revision: 4 }).kvs[0]?.value).toBe('3')
    expect(() => store.ask(kvGet, { key: 'a', revision: 3 })).toThrow(/the oldest is 4, the newest 7/)
    expect(() => store.ask(kvGet, { key: 'a', revision: 8 })).toThrow(/cannot be read/)
  })

  test('every revision stays readable as it was, and the events in between tell the whole difference', async () => {
    const key = fc.constantFrom('a', 'a/', 'a/b', 'b', '\u{1f600}', '￿')
    const change = fc.record({ key, isDelete: fc.boolean(), isPrefix: fc.boolean(), value: fc.string({ maxLength: 5 }) })
    const changes = fc.sample(fc.array(change, { minLength: 60, maxLength: 60 }), { numRuns: 1, seed: 42 })[0] ?? []
    const history = new Map<number, Map<string, string>>([[1, new Map()]])
    let model = new Map<string, string>()
    for (const { key: at, isDelete, isPrefix, value } of changes) {
      model = new Map(model)
      const before = JSON.stringify([...model])
      if (!isDelete) model.set(at, value)
      else for (const one of model.keys()) if (isPrefix ? one.startsWith(at) : one === at) model.delete(one)
      const { revision } = isDelete ? await store.run(kvDel, { key: at, isPrefix }) : await store.run(kvPut, { key: at, value })
      if (!isDelete || before !== JSON.stringify([...model])) history.set(revision, model)
    }
    const sorted = (map: Map<string, string>): string[] =>
      [...map].sort(([a], [b]) => compareKeys(a, b)).map(([one, value]) => `${one}=${value}`)
    const replayed = new Map<string, string>()
    for (const [revision, then] of history) {
      const found = store.ask(kvGet, { key: '', isPrefix: true, revision }).kvs
      expect(
        found.map((kv) => `${kv.key}=${kv.value}`),
        `revision ${revision}`,
      ).toEqual(sorted(then))
      for (const { type, kv } of eventsFrom(store.log.db, { start: '', end: null }, revision, 0).filter(
        (event) => event.kv.mod_revision === revision,
      )) {
        expect(kvBefore(store.log.db, kv.key, revision)?.value).toBe(replayed.get(kv.key))
        if (type === 'put') replayed.set(kv.key, kv.value)
        else replayed.delete(kv.key)
      }
      expect(sorted(replayed)).toEqual(sorted(then))
    }
  })

  test('a prefix is exactly the keys that start so, in the order of their bytes', () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(text, text, (prefix, rest) => {
        expect(isInRange(rangeOf(prefix, true), prefix + rest)).toBe(true)
        expect(isInRange(rangeOf(prefix, true), rest)).toBe(rest.startsWith(prefix))
        const end = prefixEnd(prefix)
        expect(end === null || Buffer.compare(Buffer.from(prefix), Buffer.from(end)) === -1).toBe(true)
        expect(Math.sign(compareKeys(prefix, rest))).toBe(Buffer.compare(Buffer.from(prefix), Buffer.from(rest)))
      }),
      { numRuns: 60 },
    )
  })
})

describe('leases', () => {
  test('a revoked lease takes its keys with it, in one revision', async () => {
    const { id } = await store.run(leaseGrant, { ttlMs: 5000 })
    await store.run(kvPut, { key: 'a', value: '1', lease: id })
    await store.run(kvPut, { key: 'b', value: '1', lease: id })
    await store.run(kvPut, { key: 'b', value: '2' })
    expect(await store.run(leaseRevoke, { id })).toMatchObject({ deleted: 1 })
    expect(values('')).toEqual(['b=2'])
    expect(await store.refused(kvPut, { key: 'a', value: '1', lease: id })).toBe('DELOS_LEASE_UNKNOWN')
  })

  test('a lease ends when its time is over and not a millisecond before; a renewal gives it its full time again', async () => {
    const { id } = await store.run(leaseGrant, { ttlMs: 5000 })
    await store.run(kvPut, { key: 'a', value: '1', lease: id })
    const grantedAt = store.clock.now
    const renewed = new Map<string, number>()
    const soft = { since: 0, renewed }
    store.clock.now = grantedAt + 4999
    expect(await store.decide(LEASES, soft)).toEqual({ wakeAt: grantedAt + 5000, count: 0 })
    renewed.set(id, grantedAt + 4999)
    store.clock.now = grantedAt + 9998
    expect(await store.decide(LEASES, soft)).toEqual({ wakeAt: grantedAt + 9999, count: 0 })
    store.clock.now = grantedAt + 9999
    expect(await store.decide(LEASES, soft)).toEqual({ wakeAt: null, count: 1 })
    expect([values(''), store.ask(leaseList, {}).leases]).toEqual([[], []])
  })

  test('after a restart of the server every lease has its full time from then', async () => {
    await store.run(leaseGrant, { ttlMs: 5000 })
    const restartedAt = store.clock.now + 60_000
    store.clock.now = restartedAt + 4999
    expect(await store.decide(LEASES, { since: restartedAt, renewed: new Map() })).toMatchObject({ count: 0 })
    store.clock.now = restartedAt + 5000
    expect(await store.decide(LEASES, { since: restartedAt, renewed: new Map() })).toMatchObject({ count: 1 })
  })
})

describe('locks', () => {
  test('the first to come holds it, the others wait in order, and every holder has a higher token', async () => {
    const first = await store.run(lockAcquire, { name: 'db/migrate', value: 'one' })
    const second = await store.run(lockAcquire, { name: 'db/migrate' })
    const third = await store.run(lockAcquire, { name: 'db/migrate' })
    expect([first, second, third].map(({ isHeld, ahead }) => [isHeld, ahead])).toEqual([
      [true, 0],
      [false, 1],
      [false, 2],
    ])
    expect(store.ask(lockList, {}).locks).toMatchObject([
      { name: 'db/migrate', token: first.token, value: 'one', owner: 'user:test', waiting: [{ key: second.key }, { key: third.key }] },
    ])
    // A waiter that dies leaves the queue.
    await store.run(leaseRevoke, { id: second.lease })
    expect(await store.run(lockRelease, { name: 'db/migrate' })).toMatchObject({ key: first.key, next: third.key })
    const held = store.ask(lockList, {}).locks
    expect(held).toMatchObject([{ key: third.key, waiting: [] }])
    expect(held[0]?.token).toBeGreaterThan(first.token)
    expect(await store.refused(lockRelease, { name: 'other' })).toBe('DELOS_LOCK_UNKNOWN')
  })

  test('asking again with the same lease keeps the place', async () => {
    const first = await store.run(lockAcquire, { name: 'l' })
    await store.run(lockAcquire, { name: 'l' })
    expect(await store.run(lockAcquire, { name: 'l', lease: first.lease })).toEqual(first)
  })

  test('a fenced write of a holder that lost the lock is refused', async () => {
    const first = await store.run(lockAcquire, { name: 'l' })
    const second = await store.run(lockAcquire, { name: 'l' })
    const put = (token: number): Promise<string> => store.refused(kvPut, { key: 'guarded', value: 'x', fence: `l:${token}` })
    expect([await put(first.token), await put(second.token)]).toEqual(['', 'DELOS_FENCED'])
    await store.run(leaseRevoke, { id: first.lease })
    expect([await put(first.token), await put(second.token)]).toEqual(['DELOS_FENCED', ''])
    await store.run(leaseRevoke, { id: second.lease })
    expect(await put(second.token)).toBe('DELOS_FENCED')
  })
})

test('kv.db built again from the log is the same', async () => {
  const { id } = await store.run(leaseGrant, { ttlMs: 5000 })
  for (let i = 0; i < 30; i += 1) await store.run(kvPut, { key: `k${i % 7}`, value: String(i), ...(i % 3 === 0 ? { lease: id } : {}) })
  await store.run(kvDel, { key: 'k1' })
  await store.run(leaseRevoke, { id })
  const before = store.digest()
  await store.reopen({ withoutDb: true })
  expect(store.digest()).toBe(before)
})

test('large values written at once are all stored, though together they are more than the log takes in one append', async () => {
  const value = 'x'.repeat(1_400_000)
  await Promise.all(Array.from({ length: 9 }, (_, i) => store.run(kvPut, { key: `large${i}`, value })))
  expect(store.ask(kvGet, { key: 'large', isPrefix: true, isCountOnly: true }).count).toBe(9)
})
