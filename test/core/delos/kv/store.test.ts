import { describe, expect, test } from 'vitest'
import { NOBODY } from '../../../../src/core/delos/kv/command.ts'
import { KV_ERRORS } from '../../../../src/core/delos/kv/errors.ts'
import { createStore } from '../../../../src/core/delos/kv/store.ts'
import { compactCommand, compareOf, deleteCommand, deleteOp, keysOf, putCommand, putOp, rangeOf, rangeOp } from './requests.ts'
import { bytes, read, run, submit, text, txnCommand, txnOf, txnOp } from './requests.ts'

const atKey = (key: string, value = 'v'): ReturnType<typeof putCommand> => putCommand(key, value)

describe('revisions', () => {
  test('an empty store is at revision 1, and each txn that changes something is one more', () => {
    const store = createStore()
    expect(store.revision).toBe(1)
    run(store, txnCommand(txnOf([putOp('a'), putOp('b'), deleteOp('c')])))
    expect(store.revision).toBe(2)
    expect(read(store, 'b').kvs[0]?.mod_revision).toBe(2)
  })

  test('deleting nothing, and a txn that only reads, take no revision', () => {
    const store = createStore()
    expect(run(store, deleteCommand('a', 'z'))).toMatchObject({ deleted: 0, header: { revision: 1 } })
    run(store, txnCommand(txnOf([rangeOp('a')])))
    expect(store.revision).toBe(1)
  })

  test('the version of a key starts at 1 again after it was deleted', () => {
    const store = createStore()
    run(store, atKey('a'))
    run(store, atKey('a'))
    expect(read(store, 'a').kvs[0]).toMatchObject({ version: 2, create_revision: 2, mod_revision: 3 })
    run(store, deleteCommand('a'))
    run(store, atKey('a'))
    expect(read(store, 'a').kvs[0]).toMatchObject({ version: 1, create_revision: 5, mod_revision: 5 })
  })
})

describe('a txn', () => {
  test('reads what it wrote before', () => {
    const store = createStore()
    const answer = run(store, txnCommand(txnOf([putOp('a', '1'), rangeOp('a')])))
    expect(text(answer.responses[1]?.response_range?.kvs[0]?.value ?? bytes(''))).toBe('1')
  })

  test('decides all comparisons, those of txns inside too, before it writes', () => {
    const store = createStore()
    const inner = txnOf([putOp('b', 'there')], [putOp('b', 'absent')], [compareOf('a', 0, 0, { version: 0 })])
    run(store, txnCommand(txnOf([putOp('a'), txnOp(inner)])))
    expect(text(read(store, 'b').kvs[0]?.value ?? bytes(''))).toBe('there')
  })

  test('with a range at a compacted or future revision fails before its first write', () => {
    const store = createStore()
    for (let i = 0; i < 5; i += 1) run(store, atKey('a'))
    run(store, compactCommand(4))
    expect(submit(store, txnCommand(txnOf([putOp('x'), rangeOp('a', { revision: 3 })])))).toBe(KV_ERRORS.compacted)
    expect(submit(store, txnCommand(txnOf([putOp('x'), rangeOp('a', { revision: 99 })])))).toBe(KV_ERRORS.futureRevision)
    expect(submit(store, txnCommand(txnOf([putOp('x'), txnOp(txnOf([rangeOp('a', { revision: 3 })]))])))).toBe(KV_ERRORS.compacted)
    expect(store.revision).toBe(6)
    expect(read(store, 'x').count).toBe(0)
  })

  test('with a put whose lease or key is missing fails before its first write', () => {
    const store = createStore()
    expect(submit(store, txnCommand(txnOf([putOp('x'), putOp('y', '', { lease: 7n })])))).toBe(KV_ERRORS.leaseNotFound)
    expect(submit(store, txnCommand(txnOf([putOp('x'), putOp('y', '', { ignore_value: true })])))).toBe(KV_ERRORS.keyNotFound)
    expect(store.revision).toBe(1)
  })
})

describe('bad requests are refused before they are logged', () => {
  const store = createStore()
  const check = (request: ReturnType<typeof txnOf>): unknown => store.check(txnCommand(request))

  test('an empty key', () => {
    expect(store.check(putCommand(''))).toBe(KV_ERRORS.emptyKey)
    expect(store.check(deleteCommand(''))).toBe(KV_ERRORS.emptyKey)
    expect(store.range(rangeOf(''), NOBODY)).toBe(KV_ERRORS.emptyKey)
    expect(check(txnOf([], [rangeOp('')]))).toBe(KV_ERRORS.emptyKey)
    expect(check(txnOf([], [], [compareOf('', 0, 0)]))).toBe(KV_ERRORS.emptyKey)
  })

  test('more than 128 operations, of all levels together on one way down', () => {
    const many = Array.from({ length: 129 }, (_, i) => putOp(`k${i}`))
    expect(check(txnOf(many))).toBe(KV_ERRORS.tooManyOps)
    expect(check(txnOf(many.slice(0, 128)))).toBeNull()
    expect(check(txnOf([txnOp(txnOf(many.slice(0, 128)))]))).toBe(KV_ERRORS.tooManyOps)
    let deep = txnOf([putOp('a')])
    for (let i = 0; i < 200; i += 1) deep = txnOf([txnOp(deep)])
    expect(check(deep)).toBe(KV_ERRORS.tooManyOps)
  })

  test('a key put twice, and a put inside a deleted range, at any depth', () => {
    expect(check(txnOf([putOp('a'), putOp('a')]))).toBe(KV_ERRORS.duplicateKey)
    expect(check(txnOf([putOp('b'), deleteOp('a', 'c')]))).toBe(KV_ERRORS.duplicateKey)
    expect(check(txnOf([deleteOp('a', 'c'), txnOp(txnOf([], [putOp('b')]))]))).toBe(KV_ERRORS.duplicateKey)
    expect(check(txnOf([txnOp(txnOf([putOp('a')])), txnOp(txnOf([putOp('a')]))]))).toBe(KV_ERRORS.duplicateKey)
    // Only one of the branches is done.
    expect(check(txnOf([txnOp(txnOf([putOp('a')], [putOp('a')]))]))).toBeNull()
    expect(check(txnOf([putOp('c'), deleteOp('a', 'c')]))).toBeNull()
  })

  test('a request of more than 1.5 MiB, a value with ignore_value, a lease with ignore_lease', () => {
    expect(store.check(putCommand('a'), 1024 * 1024 * 2)).toBe(KV_ERRORS.requestTooLarge)
    expect(store.check(putCommand('a', 'x', { ignore_value: true }))).toBe(KV_ERRORS.valueProvided)
    expect(store.check(putCommand('a', '', { ignore_lease: true, lease: 1n }))).toBe(KV_ERRORS.leaseProvided)
  })
})

describe('compaction', () => {
  test('keeps the newest version of each key at its revision, and what came later', () => {
    const store = createStore()
    run(store, atKey('a', '1'))
    run(store, atKey('a', '2'))
    run(store, atKey('b', '1'))
    run(store, atKey('a', '3'))
    run(store, compactCommand(4))
    while (store.compactStep(1));
    expect(store.dump().versions.map((version) => `${version.key}${text(version.value)}`)).toEqual(['a2', 'b1', 'a3'])
    expect(keysOf(read(store, 'a', { range_end: 'c', revision: 4 }))).toEqual(['a', 'b'])
    expect(text(read(store, 'a', { revision: 4 }).kvs[0]?.value ?? bytes(''))).toBe('2')
  })

  test('refuses reading below, compacting again, and compacting the future', () => {
    const store = createStore()
    for (let i = 0; i < 4; i += 1) run(store, atKey('a'))
    run(store, compactCommand(4))
    expect(store.range(rangeOf('a', { revision: 3 }), NOBODY)).toBe(KV_ERRORS.compacted)
    expect(store.range(rangeOf('a', { revision: 6 }), NOBODY)).toBe(KV_ERRORS.futureRevision)
    expect(submit(store, compactCommand(4))).toBe(KV_ERRORS.compacted)
    expect(submit(store, compactCommand(6))).toBe(KV_ERRORS.futureRevision)
  })

  test('never lowers the revision, also when all keys are gone and the store is loaded again', () => {
    const store = createStore()
    run(store, atKey('a'))
    run(store, deleteCommand('a'))
    run(store, putCommand('b'))
    run(store, deleteCommand('b'))
    run(store, compactCommand(5))
    while (store.compactStep(100));
    const again = createStore({}, store.dump())
    expect(again.revision).toBe(5)
    run(again, atKey('c'))
    expect(read(again, 'c').kvs[0]?.mod_revision).toBe(6)
  })

  test('a deleted key leaves nothing once compaction is past it', () => {
    const store = createStore()
    for (let i = 0; i < 1000; i += 1) run(store, atKey(`k${i}`))
    run(store, deleteCommand('k', 'l'))
    run(store, atKey('other'))
    run(store, compactCommand(store.revision))
    while (store.compactStep(100));
    expect(store.dump().versions.map((version) => version.key)).toEqual(['other'])
    expect(store.sizeBytes).toBe(store.liveBytes)
  })

  test('leaves nothing either when the next one comes while it is among the deletions at its revision', () => {
    for (let budget = 1; budget < 40; budget += 1) {
      const store = createStore()
      for (let i = 0; i < 10; i += 1) run(store, atKey(`k${i}`))
      run(store, deleteCommand('k', 'l'))
      run(store, compactCommand(store.revision))
      store.compactStep(budget)
      run(store, atKey('other'))
      run(store, compactCommand(store.revision))
      while (store.compactStep(7));
      expect(store.sizeBytes, `after a step of ${budget}`).toBe(store.liveBytes)
    }
  })

  test('a step throws away no more than it may, so that no write waits long (k3s-io/k3s#8042)', () => {
    const store = createStore()
    for (let i = 0; i < 500; i += 1) run(store, atKey('hot'))
    for (let i = 0; i < 500; i += 1) run(store, atKey(`k${i % 50}`))
    run(store, compactCommand(store.revision))
    store.takeChanges()
    let isMore = true
    let removed = 0
    while (isMore) {
      isMore = store.compactStep(10)
      const count = store.takeChanges()?.removed.length ?? 0
      expect(count).toBeLessThanOrEqual(10)
      removed += count
    }
    expect(removed).toBe(499 + 450)
  })
})

describe('a long list', () => {
  test('is paged by limit with more and the count of all, over many chunks of the index', () => {
    const store = createStore()
    const keys = Array.from({ length: 3000 }, (_, i) => `k${String((i * 7) % 3000).padStart(4, '0')}`)
    for (const key of keys) run(store, atKey(key))
    run(store, deleteCommand('k0500', 'k0600'))
    const seen: string[] = []
    for (let from = 'k'; ;) {
      const page = read(store, from, { range_end: 'l', limit: 400 })
      seen.push(...keysOf(page))
      expect(page.count).toBe(2900 - seen.length + page.kvs.length)
      if (!page.more) break
      from = `${page.kvs.at(-1)?.key}\0`
    }
    expect(seen).toEqual(keys.filter((key) => key < 'k0500' || key >= 'k0600').sort())
  })
})

describe('alarms', () => {
  test('with NOSPACE nothing grows; deleting, compacting, revoking and disarming go on', () => {
    const store = createStore()
    run(store, atKey('a'))
    run(store, atKey('b'))
    run(store, { kind: 'leaseGrant', id: 1n, ttlS: 10, who: NOBODY })
    run(store, { kind: 'alarm', action: 'raise', memberId: 1n, type: 1, who: null })
    expect(submit(store, atKey('c'))).toBe(KV_ERRORS.noSpace)
    expect(submit(store, txnCommand(txnOf([deleteOp('a')], [txnOp(txnOf([putOp('x')]))])))).toBe(KV_ERRORS.noSpace)
    expect(submit(store, { kind: 'leaseGrant', id: 2n, ttlS: 10, who: NOBODY })).toBe(KV_ERRORS.noSpace)
    run(store, txnCommand(txnOf([deleteOp('a')])))
    run(store, deleteCommand('b'))
    run(store, { kind: 'leaseRevoke', id: 1n, who: NOBODY })
    run(store, compactCommand(store.revision))
    expect(run(store, { kind: 'alarm', action: 'clear', memberId: 1n, type: 1, who: NOBODY }).alarms).toEqual([{ memberID: 1n, alarm: 1 }])
    run(store, atKey('c'))
  })

  test('with CORRUPT nothing is read or written until it is cleared: refuse, never guess', () => {
    const store = createStore()
    run(store, atKey('a'))
    run(store, { kind: 'alarm', action: 'raise', memberId: 1n, type: 2, who: NOBODY })
    expect(submit(store, deleteCommand('a'))).toBe(KV_ERRORS.corrupt)
    expect(store.range(rangeOf('a'), NOBODY)).toBe(KV_ERRORS.corrupt)
    run(store, { kind: 'alarm', action: 'clear', memberId: 1n, type: 2, who: NOBODY })
    expect(read(store, 'a').count).toBe(1)
  })

  test('a CORRUPT that a member says of itself is seen by all and stops no other; it outlives a restart as what it is', () => {
    const store = createStore()
    run(store, { kind: 'alarm', action: 'raise', memberId: 1n, type: 2, who: null })
    run(store, atKey('a'))
    expect(store.isCorrupt).toBe(false)
    const again = createStore({}, store.dump())
    expect(read(again, 'a').count).toBe(1)
    expect(again.alarms(0)).toEqual([{ memberID: 1n, alarm: 2 }])
  })
})

describe('values', () => {
  test('a value that is a window on a larger buffer does not keep that alive', () => {
    const store = createStore()
    const batch = new Uint8Array(1024 * 1024)
    for (const bytes of [10, 512, 513, 5000]) {
      run(store, { kind: 'put', request: { ...putCommand('a').request, value: batch.subarray(100, 100 + bytes) }, who: NOBODY })
      const value = read(store, 'a').kvs[0]?.value
      expect(value).toEqual(new Uint8Array(bytes))
      // Small ones share four kilobytes.
      expect(value?.buffer.byteLength).toBe(bytes <= 512 ? 4096 : bytes)
    }
  })
})
