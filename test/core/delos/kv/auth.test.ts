import { describe, expect, test } from 'vitest'
import { NOBODY, type AuthChange, type Identity } from '../../../../src/core/delos/kv/command.ts'
import { KV_ERRORS, isRpcError } from '../../../../src/core/delos/kv/errors.ts'
import { createStore } from '../../../../src/core/delos/kv/store.ts'
import type { KvStore } from '../../../../src/core/delos/kv/store-contract.ts'
import { createWatchHub } from '../../../../src/core/delos/kv/watch/hub.ts'
import { compareOf, deleteOp, grantCommand, putOf, putOp, rangeOf, rangeOp, run, submit, txnOf, txnOp } from './requests.ts'
import { show } from './etcd-oracle.ts'
import { createOf, Reader } from './watch/watch-harness.ts'

interface Grant {
  type: 'read' | 'write' | 'readwrite'
  key: string
  end?: string
}

const change = (store: KvStore, what: AuthChange, who: Identity = NOBODY): void => {
  run(store, { kind: 'auth', change: what, who })
}

/** A store with auth on, root, and the user `ann` with these rights. */
function guarded(...grants: Grant[]): { store: KvStore; as: (user: string) => Identity } {
  const store = createStore()
  change(store, { kind: 'userAdd', name: 'root', passwordHash: 'h', noPassword: false })
  change(store, { kind: 'userGrantRole', user: 'root', role: 'root' })
  change(store, { kind: 'userAdd', name: 'ann', passwordHash: 'h', noPassword: false })
  change(store, { kind: 'roleAdd', role: 'team' })
  for (const { type, key, end } of grants) {
    const permission = { permType: ['read', 'write', 'readwrite'].indexOf(type), key, range_end: end ?? '' }
    change(store, { kind: 'roleGrantPermission', role: 'team', permission })
  }
  change(store, { kind: 'userGrantRole', user: 'ann', role: 'team' })
  change(store, { kind: 'enable' })
  const as = (user: string): Identity => {
    const who = store.authenticate(user, () => true)
    if (isRpcError(who)) throw new Error(who.text)
    return who
  }
  return { store, as }
}

const put = (store: KvStore, key: string, who: Identity, more: Partial<ReturnType<typeof putOf>> = {}): unknown =>
  submit(store, { kind: 'put', request: putOf(key, 'v', more), who })
const range = (store: KvStore, key: string, end: string, who: Identity): unknown => store.range(rangeOf(key, { range_end: end }), who)
const isDenied = (answer: unknown): boolean => answer === KV_ERRORS.permissionDenied

describe('rights', () => {
  test('read permission on one key opens only that key, for watches too (GHSA-xg4h-6gfc-h4m8)', () => {
    const { store, as } = guarded({ type: 'read', key: 'a' })
    expect(isDenied(range(store, 'a', '', as('ann')))).toBe(false)
    for (const end of ['\0', 'a\0\0', 'b', 'aa']) expect(isDenied(range(store, 'a', end, as('ann'))), `range to ${end}`).toBe(true)
    expect(isDenied(range(store, 'a\0', '', as('ann')))).toBe(true)

    const reader = new Reader()
    const ann = as('ann')
    const stream = createWatchHub(store).open(reader, (key, end) => store.mayRead(ann, key, end))
    stream.create(createOf('a', { range_end: '\0' }))
    stream.create(createOf('a', { range_end: 'b' }))
    stream.create(createOf('', { range_end: '\0' }))
    stream.create(createOf('a'))
    expect(reader.responses.map(({ canceled, watch_id: id, cancel_reason: reason }) => [canceled, id, reason])).toEqual([
      ...Array.from({ length: 3 }, () => [true, -1, 'rpc error: code = PermissionDenied desc = etcdserver: permission denied']),
      [false, 0, ''],
    ])
  })

  test('ranges granted piece by piece open the whole, and nothing beyond', () => {
    const { store, as } = guarded(
      { type: 'read', key: 'a', end: 'c' },
      { type: 'readwrite', key: 'c', end: 'e' },
      { type: 'read', key: 'x', end: '\0' },
    )
    expect(isDenied(range(store, 'b', 'e', as('ann')))).toBe(false)
    expect(isDenied(range(store, 'b', 'e\0', as('ann')))).toBe(true)
    expect(isDenied(range(store, 'a', '\0', as('ann')))).toBe(true)
    expect(isDenied(range(store, 'x', '\0', as('ann')))).toBe(false)
    expect(isDenied(put(store, 'b', as('ann')))).toBe(true)
    expect(isDenied(put(store, 'd', as('ann')))).toBe(false)
  })

  test('write permission does not read: not by prev_kv, not by a comparison', () => {
    const { store, as } = guarded({ type: 'write', key: 'a' })
    expect(isDenied(put(store, 'a', as('ann')))).toBe(false)
    expect(isDenied(put(store, 'a', as('ann'), { prev_kv: true }))).toBe(true)
    const deletion = { key: 'a', range_end: '', prev_kv: true }
    expect(isDenied(submit(store, { kind: 'deleteRange', request: deletion, who: as('ann') }))).toBe(true)
    const guess = txnOf([putOp('a')], [], [compareOf('a', 3, 0)])
    expect(isDenied(submit(store, { kind: 'txn', request: guess, who: as('ann') }))).toBe(true)
  })

  test('every part of a txn is judged, of either branch, at any depth', () => {
    const { store, as } = guarded({ type: 'readwrite', key: 'a' })
    const parts = [
      txnOf([rangeOp('b')]),
      txnOf([], [putOp('b')]),
      txnOf([txnOp(txnOf([], [deleteOp('b')]))]),
      txnOf([txnOp(txnOf([txnOp(txnOf([rangeOp('a', { range_end: '\0' })]))]))]),
      txnOf([txnOp(txnOf([], [], [compareOf('b', 0, 0)]))]),
      txnOf([putOp('a'), putOp('b')]),
    ]
    for (const request of parts) {
      expect(isDenied(submit(store, { kind: 'txn', request, who: as('ann') })), show(request)).toBe(true)
      if (store.isReadOnly(request)) expect(isDenied(store.readTxn(request, as('ann')))).toBe(true)
    }
    expect(isDenied(submit(store, { kind: 'txn', request: txnOf([putOp('a'), rangeOp('a')]), who: as('ann') }))).toBe(false)
    expect(submit(store, { kind: 'txn', request: txnOf([]), who: NOBODY })).toBe(KV_ERRORS.userEmpty)
    expect(store.range(rangeOf('b'), as('root'))).toMatchObject({ count: 0 })
  })

  test('a lease is attached to, revoked and looked into only by who may do so with all its keys', () => {
    const { store, as } = guarded({ type: 'readwrite', key: 'a' })
    run(store, { ...grantCommand(7n, 10), who: as('root') })
    expect(isDenied(put(store, 'a', as('ann'), { lease: 7n }))).toBe(false)
    const look = (): unknown => store.leaseTimeToLive({ ID: 7n, keys: true }, 5, as('ann'))
    expect(isDenied(look())).toBe(false)
    put(store, 'secret', as('root'), { lease: 7n })
    expect(isDenied(look())).toBe(true)
    expect(isDenied(put(store, 'a', as('ann'), { lease: 7n }))).toBe(true)
    expect(isDenied(submit(store, { kind: 'txn', request: txnOf([putOp('a', '', { lease: 7n })]), who: as('ann') }))).toBe(true)
    expect(isDenied(submit(store, { kind: 'leaseRevoke', id: 7n, who: as('ann') }))).toBe(true)
    run(store, { kind: 'leasesExpired', ids: [7n], epoch: store.epoch })
    expect(store.lease(7n)).toBeNull()
  })

  test('nobody and strangers do nothing; administration is of root alone', () => {
    const { store, as } = guarded({ type: 'readwrite', key: '\0', end: '\0' })
    expect(put(store, 'a', NOBODY)).toBe(KV_ERRORS.userEmpty)
    expect(isDenied(put(store, 'a', { user: 'eve', authRevision: store.authRevision }))).toBe(true)
    const who = as('ann')
    expect(isDenied(submit(store, { kind: 'auth', change: { kind: 'disable' }, who }))).toBe(true)
    expect(isDenied(submit(store, { kind: 'alarm', action: 'clear', memberId: 1n, type: 1, who }))).toBe(true)
    expect(submit(store, { kind: 'compact', request: { revision: 1, physical: false }, who: NOBODY })).toBe(KV_ERRORS.userEmpty)
    expect(isDenied(store.userList(who))).toBe(true)
    expect(store.userGet('ann', who)).toMatchObject({ roles: ['team'] })
    expect(isDenied(store.userGet('root', who))).toBe(true)
    expect(store.roleGet('team', who)).toMatchObject({ perm: [{ permType: 2, key: '\0', range_end: '\0' }] })
    expect(store.mayAdminister(as('root'))).toBeNull()
  })
})

describe('tokens and passwords', () => {
  test('a token of before the last change of rights is refused, told apart from a wrong password', () => {
    const { store, as } = guarded({ type: 'readwrite', key: 'a' })
    const old = as('ann')
    change(store, { kind: 'roleRevokePermission', role: 'team', key: 'a', rangeEnd: '' }, as('root'))
    expect(put(store, 'a', old)).toBe(KV_ERRORS.authRevisionOld)
    expect(isDenied(put(store, 'a', as('ann')))).toBe(true)
    expect(store.authenticate('ann', () => false)).toBe(KV_ERRORS.authFailed)
    expect(store.authenticate('eve', () => true)).toBe(KV_ERRORS.authFailed)
  })

  test('a user without password never gets in by one, only by certificate', () => {
    const { store, as } = guarded()
    change(store, { kind: 'userAdd', name: 'cn', passwordHash: '', noPassword: true }, as('root'))
    expect(store.authenticate('cn', () => true)).toBe(KV_ERRORS.authFailed)
    expect(store.identityOfCommonName('cn')).toEqual({ user: 'cn', authRevision: store.authRevision })
    expect(store.identityOfCommonName('stranger')).toBeNull()
  })

  test('auth is enabled only when root can administer, and root cannot be taken away while it is on', () => {
    const store = createStore()
    const enable = (): unknown => submit(store, { kind: 'auth', change: { kind: 'enable' }, who: NOBODY })
    expect(enable()).toBe(KV_ERRORS.rootUserMissing)
    change(store, { kind: 'userAdd', name: 'root', passwordHash: 'h', noPassword: false })
    expect(enable()).toBe(KV_ERRORS.rootRoleMissing)
    change(store, { kind: 'userGrantRole', user: 'root', role: 'root' })
    expect(store.authenticate('root', () => true)).toBe(KV_ERRORS.authNotEnabled)
    enable()
    const who = store.authenticate('root', () => true) as Identity
    for (const what of [
      { kind: 'userDelete', name: 'root' },
      { kind: 'userRevokeRole', user: 'root', role: 'root' },
      { kind: 'roleDelete', role: 'root' },
    ] as const) {
      expect(submit(store, { kind: 'auth', change: what, who })).toBe(KV_ERRORS.invalidAuthManagement)
    }
  })

  test('users, roles and rights survive in the rows (etcd-io/etcd#14571)', () => {
    const { store, as } = guarded({ type: 'read', key: 'a' })
    const who = as('ann')
    const again = createStore({}, store.dump())
    expect(isDenied(again.range(rangeOf('b'), who))).toBe(true)
    expect(isDenied(again.range(rangeOf('a'), who))).toBe(false)
    expect(again.authStatus()).toEqual(store.authStatus())
  })
})
