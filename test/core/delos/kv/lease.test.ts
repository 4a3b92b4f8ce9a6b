import { describe, expect, test } from 'vitest'
import { KV_ERRORS } from '../../../../src/core/delos/kv/errors.ts'
import { createLeaseClock } from '../../../../src/core/delos/kv/lease-clock.ts'
import { createStore } from '../../../../src/core/delos/kv/store.ts'
import type { KvStore } from '../../../../src/core/delos/kv/store-contract.ts'
import { NOBODY } from '../../../../src/core/delos/kv/command.ts'
import { deleteCommand, grantCommand, keysOf, putCommand, read, revokeCommand, run, submit } from './requests.ts'

const led = (): KvStore => {
  const store = createStore()
  run(store, { kind: 'leaderClaimed', serverId: 'n1' })
  return store
}
const keysUnder = (store: KvStore, id: bigint): string[] => {
  const answer = store.leaseTimeToLive({ ID: id, keys: true }, 1, NOBODY)
  return 'keys' in answer ? answer.keys : []
}

describe('a lease', () => {
  test('has at least the least TTL and at most 9,000,000,000 s, an id of 64 bits, and no twin', () => {
    const store = createStore({ leaseTtlMinS: 2 })
    expect(run(store, grantCommand(-(2n ** 63n), 1))).toMatchObject({ ID: -(2n ** 63n), TTL: 2 })
    expect(submit(store, grantCommand(1n, 9_000_000_001))).toBe(KV_ERRORS.leaseTtlTooLarge)
    expect(submit(store, grantCommand(-(2n ** 63n), 5))).toBe(KV_ERRORS.leaseExists)
    expect(submit(store, grantCommand(0n, 5))).toBe(KV_ERRORS.leaseNotFound)
  })

  test('revoked or expired takes all its keys in one revision', () => {
    for (const end of ['revoke', 'expire']) {
      const store = led()
      run(store, grantCommand(7n, 10))
      for (const key of ['c', 'a', 'b']) run(store, putCommand(key, '', { lease: 7n }))
      run(store, putCommand('other'))
      const before = store.revision
      if (end === 'revoke') run(store, revokeCommand(7n))
      else run(store, { kind: 'leasesExpired', ids: [7n], epoch: store.epoch })
      expect(store.revision).toBe(before + 1)
      expect(store.changesFrom(before + 1, 10).map((version) => `${version.key} ${version.sub}`)).toEqual(['a 0', 'b 1', 'c 2'])
      expect(keysOf(read(store, '\0', { range_end: '\0' }))).toEqual(['other'])
      expect(store.lease(7n)).toBeNull()
    }
  })

  test('loses a key that is deleted or put again without it or with another', () => {
    const store = led()
    run(store, grantCommand(1n, 10))
    run(store, grantCommand(2n, 10))
    for (const key of ['a', 'b', 'c', 'd']) run(store, putCommand(key, '', { lease: 1n }))
    run(store, deleteCommand('a'))
    run(store, putCommand('b'))
    run(store, putCommand('c', '', { lease: 2n }))
    run(store, putCommand('d', '', { ignore_lease: true }))
    expect(keysUnder(store, 1n)).toEqual(['d'])
    run(store, revokeCommand(1n))
    expect(keysOf(read(store, '\0', { range_end: '\0' }))).toEqual(['b', 'c'])
  })

  test('a resumed old leader expires nothing and logs no remainder: its epoch is over (etcd-io/etcd#15247)', () => {
    const store = led()
    run(store, grantCommand(7n, 10))
    run(store, putCommand('a', '', { lease: 7n }))
    const old = createLeaseClock(store, 0)
    run(store, { kind: 'leaderClaimed', serverId: 'n2' })
    const ids = old.takeExpired(1_000_000)
    expect(ids).toEqual([7n])
    expect(submit(store, { kind: 'leasesExpired', ids, epoch: old.epoch })).toBe(KV_ERRORS.staleEpoch)
    expect(submit(store, { kind: 'leaseCheckpoint', checkpoints: [{ id: 7n, remainingS: 1 }], epoch: old.epoch })).toBe(
      KV_ERRORS.staleEpoch,
    )
    expect(read(store, 'a').count).toBe(1)
    expect(store.lease(7n)?.remainingS).toBe(0)
  })

  test('can always be revoked, with a full disk too (etcd-io/etcd#14019)', () => {
    const store = led()
    run(store, grantCommand(7n, 10))
    run(store, { kind: 'alarm', action: 'raise', memberId: 1n, type: 1, who: null })
    run(store, revokeCommand(7n))
    expect([...store.leases()]).toEqual([])
  })
})

describe('the clock of leases', () => {
  test('a lease ends its TTL after the last keepalive, not before, and is asked for again until it is gone', () => {
    const store = led()
    const clock = createLeaseClock(store, 0)
    run(store, grantCommand(7n, 10))
    clock.granted(7n, 0)
    expect(clock.keepAlive(7n, 8000)).toBe(10)
    expect(clock.takeExpired(10_001)).toEqual([])
    expect(clock.takeExpired(17_999)).toEqual([])
    expect(clock.remainingS(7n, 12_500)).toBe(5)
    expect(clock.takeExpired(18_000)).toEqual([7n])
    expect(clock.keepAlive(7n, 18_000), 'too late').toBe(0)
    expect(clock.takeExpired(18_500)).toEqual([])
    expect(clock.takeExpired(19_000), 'the proposal may have been lost').toEqual([7n])
    run(store, { kind: 'leasesExpired', ids: [7n], epoch: clock.epoch })
    clock.gone(7n)
    expect(clock.takeExpired(30_000)).toEqual([])
    expect(clock.nextExpiryMs()).toBeNull()
  })

  test('a keepalive of a lease that is gone answers 0', () => {
    const store = led()
    const clock = createLeaseClock(store, 0)
    run(store, grantCommand(7n, 10))
    clock.granted(7n, 0)
    run(store, revokeCommand(7n))
    expect(clock.keepAlive(7n, 1)).toBe(0)
  })

  test('a lease granted again under its old id has its own time', () => {
    const store = led()
    const clock = createLeaseClock(store, 0)
    run(store, grantCommand(7n, 10))
    clock.granted(7n, 0)
    run(store, revokeCommand(7n))
    clock.gone(7n)
    run(store, grantCommand(7n, 10))
    clock.granted(7n, 9000)
    expect(clock.takeExpired(10_000)).toEqual([])
    expect(clock.takeExpired(19_000)).toEqual([7n])
  })

  test('after a change of leader a lease has its full TTL, or its logged remainder, and leaseMs', () => {
    const store = led()
    run(store, grantCommand(1n, 10))
    run(store, grantCommand(2n, 1000))
    run(store, { kind: 'leaseCheckpoint', checkpoints: [{ id: 2n, remainingS: 40 }], epoch: store.epoch })
    run(store, { kind: 'leaderClaimed', serverId: 'n2' })
    const clock = createLeaseClock(store, 5000, { leaseMs: 1500 })
    expect(clock.takeExpired(16_499)).toEqual([])
    expect(clock.takeExpired(16_500)).toEqual([1n])
    expect(clock.takeExpired(46_499).filter((id) => id === 2n)).toEqual([])
    expect(clock.takeExpired(46_500)).toContain(2n)
  })

  test('long leases are logged every 5 min with what is left, unless they were renewed; short ones never', () => {
    const store = led()
    const clock = createLeaseClock(store, 0)
    run(store, grantCommand(1n, 100))
    run(store, grantCommand(2n, 3600))
    run(store, grantCommand(3n, 3600))
    for (const id of [1n, 2n, 3n]) clock.granted(id, 0)
    clock.keepAlive(3n, 299_000)
    expect(clock.takeCheckpoints(299_999)).toEqual([])
    expect(clock.takeCheckpoints(300_000)).toEqual([{ id: 2n, remainingS: 3300 }])
    expect(clock.takeCheckpoints(300_001)).toEqual([])
  })

  test('a lease with a logged remainder has that taken back before it is renewed, or a new leader would end it too soon', () => {
    const store = led()
    const clock = createLeaseClock(store, 0)
    run(store, grantCommand(2n, 3600))
    clock.granted(2n, 0)
    expect(clock.mustLogFirst(2n)).toBe(false)
    run(store, { kind: 'leaseCheckpoint', checkpoints: clock.takeCheckpoints(300_000), epoch: clock.epoch })
    expect(clock.mustLogFirst(2n)).toBe(true)
    run(store, { kind: 'leaseCheckpoint', checkpoints: [{ id: 2n, remainingS: 0 }], epoch: clock.epoch })
    expect(clock.mustLogFirst(2n)).toBe(false)
    expect(clock.keepAlive(2n, 301_000)).toBe(3600)
  })

  test('gives no more at once than a batch holds, the earliest first', () => {
    const store = led()
    const clock = createLeaseClock(store, 0, { batchMax: 10 })
    for (let i = 1; i <= 25; i += 1) {
      const id = BigInt(i)
      run(store, grantCommand(id, 1 + ((i * 7) % 25)))
      clock.granted(id, 0)
    }
    const seen: bigint[] = []
    for (const count of [10, 10, 5, 0]) {
      const ids = clock.takeExpired(60_000)
      expect(ids).toHaveLength(count)
      run(store, { kind: 'leasesExpired', ids, epoch: clock.epoch })
      for (const id of ids) clock.gone(id)
      seen.push(...ids)
    }
    const ttl = (id: bigint): number => 1 + ((Number(id) * 7) % 25)
    expect(seen.map(ttl)).toEqual(seen.map(ttl).sort((a, b) => a - b))
  })
})
