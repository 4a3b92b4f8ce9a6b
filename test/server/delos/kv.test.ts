import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  kvCompact,
  kvDel,
  kvGet,
  kvLevel,
  kvPut,
  kvTxn,
  leaseGrant,
  leaseKeepalive,
  leaseList,
  leaseRevoke,
  leaseShow,
  lockAcquire,
  lockList,
  lockRelease,
  lockShow,
  lockStanding,
} from '../../../src/core/delos/operations.ts'
import { NOBODY, type AuthChange } from '../../../src/core/delos/kv/command.ts'
import { prefixRange } from '../../../src/core/delos/programs/text.ts'
import { openFileLoglet } from '../../../src/server/delos/file-loglet.ts'
import { historyOf } from '../../../src/server/delos/kv-history.ts'
import { eventually } from '../../support/eventually.ts'
import { openKvStore, type KvStoreFixture } from './kv-store.ts'

let store: KvStoreFixture
beforeEach(async () => {
  store = await openKvStore()
})
afterEach(() => store.close())

const values = async (key: string, isPrefix = true): Promise<string[]> =>
  (await store.run(kvGet, { key, isPrefix })).kvs.map((kv) => `${kv.key}=${kv.value}`)
const tail = (): number => store.store.log.tail()

describe('revisions follow etcd', () => {
  test('the store starts at revision 1, each change is one revision, and version starts again after a delete', async () => {
    expect(await store.run(kvGet, { key: 'a' })).toMatchObject({ revision: 1, count: 0, kvs: [] })
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

  test('deleting what is not there is no revision', async () => {
    expect(await store.run(kvDel, { key: 'nothing' })).toEqual({ revision: 1, deleted: 0, prevs: [] })
  })

  test('deleting a prefix is one revision and takes only that prefix', async () => {
    for (const key of ['a', 'a/1', 'a/2', 'b', 'a0']) await store.run(kvPut, { key, value: 'x' })
    expect(await store.run(kvDel, { key: 'a/', isPrefix: true })).toMatchObject({ revision: 7, deleted: 2 })
    expect(await values('')).toEqual(['a=x', 'a0=x', 'b=x'])
    expect(await store.run(kvDel, { key: '', isPrefix: true })).toMatchObject({ revision: 8, deleted: 3 })
    expect(await values('')).toEqual([])
    expect(await store.refused(kvDel, { key: '' })).toBe('USAGE')
  })

  test('a write with a stale expectation is refused and changes nothing', async () => {
    expect(await store.refused(kvPut, { key: 'a', value: '1', expect: 1 })).toBe('DELOS_CONFLICT')
    expect(await store.refused(kvPut, { key: 'a', value: '1', expect: 0 })).toBe('')
    expect(await store.refused(kvPut, { key: 'a', value: '2', expect: 0 })).toBe('DELOS_CONFLICT')
    expect(await store.refused(kvPut, { key: 'a', value: '2', expect: 2 })).toBe('')
    expect(await store.refused(kvDel, { key: 'a', expect: 2 })).toBe('DELOS_CONFLICT')
    expect(await values('a')).toEqual(['a=2'])
  })

  test('a compacted or future revision is refused with the oldest and the newest, the compacted one itself can be read', async () => {
    for (let i = 1; i <= 5; i += 1) await store.run(kvPut, { key: 'a', value: String(i) })
    await store.run(kvDel, { key: 'a' })
    await store.run(kvCompact, { revision: 4 })
    expect((await store.run(kvGet, { key: 'a', revision: 4 })).kvs[0]?.value).toBe('3')
    await expect(store.run(kvGet, { key: 'a', revision: 3 })).rejects.toThrow(/the newest is 7\. The oldest is 4/)
    await expect(store.run(kvGet, { key: 'a', revision: 8 })).rejects.toThrow(/cannot be read: it does not exist yet/)
    expect(await store.refused(kvCompact, { revision: 99 })).toBe('DELOS_REVISION')
  })

  test('every revision stays readable as it was, and the history of a key tells all that it was', async () => {
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
    const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
    for (const [revision, then] of history) {
      const found = (await store.run(kvGet, { key: '', isPrefix: true, revision })).kvs
      const expected = [...then].sort(([a], [b]) => byBytes(a, b)).map(([one, value]) => `${one}=${value}`)
      expect(
        found.map((kv) => `${kv.key}=${kv.value}`),
        `revision ${revision}`,
      ).toEqual(expected)
    }
    for (const name of ['a', 'a/', 'a/b', 'b', '\u{1f600}', '￿']) {
      let was: string | undefined
      const expected: string[] = []
      for (const [revision, then] of history) {
        // A put of what was there is a version too; the model cannot see it, so only differences are compared.
        if (then.get(name) !== was) expected.push(`${revision} ${then.get(name) ?? '-'}`)
        was = then.get(name)
      }
      let last: string | undefined
      const told: string[] = []
      for (const { type, revision, kv } of historyOf(store.store, { key: name, isKeyBase64: false, limit: 1000 }).versions) {
        const value = type === 'put' ? kv.value : undefined
        if (value !== last) told.push(`${revision} ${value ?? '-'}`)
        last = value
      }
      expect(told).toEqual(expected)
    }
  })

  test('a prefix is exactly the keys that start so, in the order of their bytes', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 4 }).map((all) => String.fromCharCode(...all))
    fc.assert(
      fc.property(bytes, bytes, (prefix, rest) => {
        const { key, range_end: end } = prefixRange(prefix)
        const isIn = (one: string): boolean => one >= key && (end === '\0' || one < end)
        expect(isIn(prefix + rest)).toBe(true)
        expect(isIn(rest)).toBe(rest.startsWith(prefix) || (end === '\0' && rest >= prefix))
      }),
      { numRuns: 200 },
    )
  })

  test('keys and values are any bytes, and come back as they were', async () => {
    const bytes = Buffer.from([0xff, 0, 0x80, 0x0a])
    await store.run(kvPut, { key: bytes.toString('base64'), isKeyBase64: true, value: bytes.toString('base64'), isValueBase64: true })
    const { kvs } = await store.run(kvGet, { key: '', isPrefix: true })
    expect(kvs).toMatchObject([{ key: '/wCACg==', isKeyBase64: true, value: '/wCACg==', isValueBase64: true }])
    expect(await store.refused(kvPut, { key: 'a', value: '*', isValueBase64: true })).toBe('USAGE')
  })
})

describe('transactions', () => {
  const swap = {
    compare: [{ target: 'value' as const, key: 'a', is: '=' as const, to: '1' }],
    success: [
      { do: 'put' as const, key: 'a', value: '2' },
      { do: 'get' as const, key: 'b' },
    ],
    failure: [{ do: 'del' as const, key: '', isPrefix: true }],
  }

  test('do the one or the other, as one revision', async () => {
    await store.run(kvPut, { key: 'a', value: '1' })
    await store.run(kvPut, { key: 'b', value: 'x' })
    expect(await store.run(kvTxn, swap)).toMatchObject({
      revision: 4,
      succeeded: true,
      answers: [{ did: 'put' }, { did: 'get', kvs: [{ value: 'x' }] }],
    })
    expect(await store.run(kvTxn, swap)).toMatchObject({ revision: 5, succeeded: false, answers: [{ did: 'del', deleted: 2 }] })
  })

  test('are refused whole', async () => {
    const twice = {
      success: [
        { do: 'put' as const, key: 'a', value: '1' },
        { do: 'put' as const, key: 'a', value: '2' },
      ],
    }
    expect(await store.refused(kvTxn, twice)).toBe('DELOS_REFUSED')
    expect(await store.refused(kvTxn, { compare: [{ target: 'mod', key: 'a', is: '=', to: 'x' }] })).toBe('USAGE')
    expect(await values('')).toEqual([])
  })
})

describe('plans', () => {
  test('a plan says what would change and changes nothing; applied, it is done only if it still says the same', async () => {
    await store.run(kvPut, { key: 'a', value: '1' })
    const before = tail()
    const input = { key: 'a', value: '2' }
    const { plan, value } = await store.wish(kvPut, input, { isPlan: true })
    expect([value, tail()]).toEqual([null, before])
    expect(plan).toMatchObject({
      position: 2,
      changes: [{ table: 'kv', op: 'update', before: { value: '1' }, after: { key: 'a', value: '2', version: 2 } }],
    })
    expect(await store.refused(kvPut, { key: 'a', value: '3' }, { apply: plan?.id })).toBe('PLAN_STALE')
    // Somebody put the same value again: the row is another one.
    await store.run(kvPut, { key: 'a', value: '1' })
    expect(await store.refused(kvPut, input, { apply: plan?.id })).toBe('PLAN_STALE')
    const again = await store.wish(kvPut, input, { isPlan: true })
    expect(await store.refused(kvPut, input, { apply: again.plan?.id })).toBe('')
    expect(await values('a')).toEqual(['a=2'])
  })

  test('deletions, transactions, leases, locks and compaction are planned from the state of now', async () => {
    const { id } = await store.run(leaseGrant, { ttlMs: 60_000 })
    await store.run(kvPut, { key: 'a/1', value: 'x', lease: id })
    await store.run(lockAcquire, { name: 'job', lease: id })
    const before = tail()
    const changes = async (action: Parameters<typeof store.wish>[0], input: never): Promise<string[]> =>
      ((await store.wish(action, input, { isPlan: true })).plan?.changes ?? []).map(({ table, op }) => `${op} ${table}`)
    expect(await changes(kvDel, { key: 'a/', isPrefix: true } as never)).toEqual(['delete kv'])
    expect(await changes(kvDel, { key: 'none' } as never)).toEqual([])
    expect(await changes(kvTxn, { success: [{ do: 'put', key: 'n', value: '' }] } as never)).toEqual(['insert kv'])
    expect(await changes(leaseRevoke, { id } as never)).toEqual(['delete lease', 'delete kv', 'delete kv'])
    expect(await changes(leaseGrant, { ttlMs: 1000 } as never)).toEqual(['insert lease'])
    expect(await changes(lockRelease, { name: 'job' } as never)).toEqual(['delete lease', 'delete kv', 'delete kv'])
    expect(await changes(kvCompact, { revision: 2 } as never)).toEqual(['update history'])
    expect(tail()).toBe(before)
    expect(await store.refused(leaseKeepalive, { id }, { isPlan: true })).toBe('USAGE')
  })
})

describe('leases', () => {
  test('a revoked lease takes its keys with it, in one revision', async () => {
    const { id } = await store.run(leaseGrant, { ttlMs: 5000 })
    await store.run(kvPut, { key: 'a', value: '1', lease: id })
    await store.run(kvPut, { key: 'b', value: '1', lease: id })
    await store.run(kvPut, { key: 'b', value: '2' })
    expect(await store.run(leaseShow, { id })).toMatchObject({ id, ttlMs: 5000, keys: ['a'] })
    expect(await store.run(leaseRevoke, { id })).toMatchObject({ deleted: 1 })
    expect(await values('')).toEqual(['b=2'])
    expect(await store.refused(kvPut, { key: 'a', value: '1', lease: id })).toBe('DELOS_LEASE_UNKNOWN')
    expect(await store.refused(leaseShow, { id })).toBe('DELOS_LEASE_UNKNOWN')
    expect(await store.refused(leaseRevoke, { id })).toBe('DELOS_LEASE_UNKNOWN')
  })

  test('a lease can be renewed as soon as it is granted, also the first one, and its id is given once', async () => {
    const { id } = await store.run(leaseGrant, { ttlMs: 5000, id: '2a' })
    expect(id).toBe('2a')
    expect(await store.run(leaseKeepalive, { id })).toEqual({ id, ttlMs: 5000 })
    expect(await store.refused(leaseGrant, { ttlMs: 5000, id: '2a' })).toBe('DELOS_CONFLICT')
    expect(await store.refused(leaseKeepalive, { id: 'ff' })).toBe('DELOS_LEASE_UNKNOWN')
  })

  test('a lease that nobody renews ends, and takes its keys; one that is renewed stays, also over a restart', async () => {
    const [kept, left] = [await store.run(leaseGrant, { ttlMs: 2000 }), await store.run(leaseGrant, { ttlMs: 1000 })]
    await store.run(kvPut, { key: 'kept', value: '', lease: kept.id })
    await store.run(kvPut, { key: 'left', value: '', lease: left.id })
    const renewal = setInterval(() => void store.run(leaseKeepalive, { id: kept.id }).catch(() => undefined), 200)
    await store.reopen()
    await eventually('the lease ended', 20_000, async () => (await values('')).length === 1)
    clearInterval(renewal)
    expect(await values('')).toEqual(['kept='])
    expect((await store.run(leaseList, {})).leases).toMatchObject([{ id: kept.id, keys: ['kept'] }])
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
    expect((await store.run(lockList, {})).locks).toMatchObject([
      { name: 'db/migrate', holders: [{ token: first.token, value: 'one' }], waiting: [{ key: second.key }, { key: third.key }] },
    ])
    // A waiter that dies leaves the queue.
    await store.run(leaseRevoke, { id: second.lease })
    expect(await store.run(lockRelease, { name: 'db/migrate' })).toMatchObject({ released: [{ key: first.key }], next: third.key })
    const held = await store.run(lockShow, { name: 'db/migrate' })
    expect(held).toMatchObject({ holders: [{ key: third.key }], waiting: [] })
    expect(held.holders[0]?.token).toBeGreaterThan(first.token)
    expect(await store.refused(lockRelease, { name: 'other' })).toBe('DELOS_LOCK_UNKNOWN')
    expect(await store.refused(lockShow, { name: 'other' })).toBe('DELOS_LOCK_UNKNOWN')
  })

  test('asking again with the same lease keeps the place', async () => {
    const first = await store.run(lockAcquire, { name: 'l' })
    await store.run(lockAcquire, { name: 'l' })
    expect(await store.run(lockAcquire, { name: 'l', lease: first.lease })).toEqual(first)
  })

  test('who shares a lock holds it with others who do, and excludes who wants it alone', async () => {
    const share = (): Promise<{ isHeld: boolean; lease: string }> => store.run(lockAcquire, { name: 'l', isShared: true })
    const [one, two, alone, late] = [await share(), await share(), await store.run(lockAcquire, { name: 'l' }), await share()]
    expect([one.isHeld, two.isHeld, alone.isHeld, late.isHeld]).toEqual([true, true, false, false])
    for (const { lease } of [one, two]) await store.run(leaseRevoke, { id: lease })
    expect(await store.run(lockStanding, { name: 'l', lease: alone.lease })).toMatchObject({ isHeld: true, ahead: 0 })
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
  const before = store.store.replica.store.digest
  await store.reopen()
  expect(store.store.replica.store.digest).toBe(before)
  await store.reopen({ withoutDb: true })
  expect(store.store.replica.store.digest).toBe(before)
})

test('large values written at once are all stored, though together they are more than the log takes in one append', async () => {
  const value = 'x'.repeat(1_400_000)
  await Promise.all(Array.from({ length: 9 }, (_, i) => store.run(kvPut, { key: `large${i}`, value })))
  expect((await store.run(kvGet, { key: 'large', isPrefix: true, isCountOnly: true })).count).toBe(9)
})

test('a store that nobody uses writes no segment file and no rows', async () => {
  await store.run(kvGet, { key: '', isPrefix: true })
  await store.reopen()
  expect(readdirSync(join(store.paths.log, 'kv'), { recursive: true }).toSorted()).toEqual([
    '00000001',
    'register.1',
    'register.2',
    'register.3',
  ])
  expect(existsSync(store.paths.kvDb)).toBe(false)
})

test('a log of the form before is set aside whole, and the store begins anew', async () => {
  await store.store.close()
  const dir = join(store.paths.log, 'kv')
  rmSync(dir, { recursive: true })
  const old = await openFileLoglet(dir, { segmentBytes: 64 * 1024 })
  await old.append([Buffer.from(JSON.stringify({ type: 'delos.KvTxn', v: 1, at: 1, actor: 'user:a', body: { ops: [] } }))])
  await old.close()
  await store.reopen()
  expect(await store.run(kvPut, { key: 'a', value: '1' })).toMatchObject({ revision: 2 })
  const [aside = ''] = readdirSync(store.paths.log).filter((name) => name.startsWith('kv-old-form-'))
  expect(readdirSync(join(store.paths.log, aside, 'kv'))).toHaveLength(1)
})

test('users of the store do not lock its own control plane out', async () => {
  const changes: AuthChange[] = [
    { kind: 'userAdd', name: 'root', passwordHash: '', noPassword: true },
    { kind: 'roleAdd', role: 'root' },
    { kind: 'userGrantRole', user: 'root', role: 'root' },
    { kind: 'enable' },
  ]
  for (const change of changes) {
    const refused = await new Promise((resolve) => store.store.replica.submit({ kind: 'auth', change, who: NOBODY }, null, resolve))
    expect(refused, change.kind).toBeNull()
  }
  expect(await store.run(kvPut, { key: 'a', value: '1' })).toMatchObject({ kv: { key: 'a' } })
  expect((await store.run(lockAcquire, { name: 'l' })).isHeld).toBe(true)
})

describe('levels of the tree of keys', () => {
  const level = async (key: string, more: object = {}): Promise<string[]> => {
    const { children } = await store.run(kvLevel, { key, ...more })
    return children.map((child) => `${child.key}${child.isPrefix ? ` ${child.count}` : ''}`)
  }

  test('a level has the keys that end there and the prefixes that go on, each once, with all keys below counted', async () => {
    for (const key of ['a', 'a/', 'a/b', 'a/b/1', 'a/b/2', 'a/c/1', 'a0', '/root', 'b']) await store.run(kvPut, { key, value: 'x' })
    expect(await level('')).toEqual(['/ 1', 'a', 'a/ 5', 'a0', 'b'])
    expect(await level('a/')).toEqual(['a/', 'a/b', 'a/b/ 2', 'a/c/ 1'])
    expect(await level('a/b/')).toEqual(['a/b/1', 'a/b/2'])
    expect(await level('nothing/')).toEqual([])
    expect(await level('a', { separator: '0' })).toEqual(['a', 'a/', 'a/b', 'a/b/1', 'a/b/2', 'a/c/1', 'a0 1'])
  })

  test('a level is read in parts, none of which has what another has; a child of elsewhere is refused', async () => {
    for (const key of ['p/a', 'p/b/1', 'p/b/2', 'p/c', 'p/d/1']) await store.run(kvPut, { key, value: 'x' })
    const first = await store.run(kvLevel, { key: 'p/', limit: 2 })
    expect(first).toMatchObject({ count: 5, more: true, children: [{ key: 'p/a' }, { key: 'p/b/', isPrefix: true, count: 2 }] })
    expect(await store.run(kvLevel, { key: 'p/', limit: 2, after: 'p/b/' })).toMatchObject({
      more: false,
      children: [{ key: 'p/c' }, { key: 'p/d/' }],
    })
    await expect(store.run(kvLevel, { key: 'p/', after: 'q' })).rejects.toMatchObject({ code: 'USAGE' })
  })

  test('keys that are no text stand in base64, and the last bytes there are end a level', async () => {
    for (const key of ['/wAv', '/wBh', '////']) await store.run(kvPut, { key, isKeyBase64: true, value: 'x' })
    expect((await store.run(kvLevel, { key: '' })).children).toEqual([
      { key: '/wAv', isKeyBase64: true, isPrefix: true, count: 1 },
      { key: '/wBh', isKeyBase64: true, isPrefix: false, count: 1 },
      { key: '////', isKeyBase64: true, isPrefix: false, count: 1 },
    ])
  })
})
