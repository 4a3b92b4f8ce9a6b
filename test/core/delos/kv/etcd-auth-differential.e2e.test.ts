import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPrng } from '../../../../src/core/kernel/prng.ts'
import type { AuthChange, Identity } from '../../../../src/core/delos/kv/command.ts'
import { NOBODY } from '../../../../src/core/delos/kv/command.ts'
import { isRpcError } from '../../../../src/core/delos/kv/errors.ts'
import { createStore } from '../../../../src/core/delos/kv/store.ts'
import { asGateway, etcdMissing, show, startEtcd, type Oracle } from './etcd-oracle.ts'
import { bytes, compareOf, deleteOp, putOf, putOp, rangeOf, rangeOp, submit, txnOf } from './requests.ts'

/** Users, roles and rights: the same changes and requests to a real etcd and to the store, as root and as others. */

const STEPS = Number(process.env['KV_DIFFERENTIAL_OPERATIONS'] ?? 1200)
const SEED = Number(process.env['KV_DIFFERENTIAL_SEED'] ?? 7)

/** What is granted of each key. An empty range is taken by 3.4 and refused since. */
const RANGES: Record<string, string> = { a: 'a2', a1: '', b: 'c', c: '\0' }

let oracle: Oracle | undefined

beforeAll(async () => {
  if (etcdMissing === null) oracle = await startEtcd()
})
afterAll(async () => {
  await oracle?.stop()
})

test.skipIf(etcdMissing !== null)(
  `users, roles and rights are judged as etcd does${etcdMissing === null ? '' : ` (${etcdMissing})`}`,
  { timeout: 300_000 },
  async () => {
    const prng = createPrng(SEED)
    const store = createStore()
    const pick = <T>(items: readonly T[]): T => items[prng.below(items.length)] as T
    const users = ['u1', 'u2', 'root']
    const roles = ['r1', 'r2', 'root']
    const keys = ['a', 'a1', 'b', 'b5', 'c']
    const ends = ['', '', 'a2', 'b', 'c', '\0']
    const seen = new Map<string, number>()
    let at = 0

    const compare = async (path: string, request: object, token: string, answer: object): Promise<void> => {
      const theirs = await oracle?.ask(path, request, token)
      const ours = isRpcError(answer) ? { code: answer.code, text: answer.text } : asGateway(answer)
      expect(ours, `seed ${SEED}, step ${at}: ${path} ${show(request)} with auth ${store.isAuthEnabled}`).toEqual(theirs)
      const outcome = isRpcError(answer) ? answer.text : path
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
    }
    /** A fresh token for each request, since every change makes the old ones void. */
    const logIn = async (user: string): Promise<{ token: string; who: Identity }> => {
      const who = store.authenticate(user, () => true)
      const answer = (await oracle?.ask('auth/authenticate', { name: user, password: 'secret' })) as { token?: string }
      if (isRpcError(who)) return { token: '', who: NOBODY }
      return { token: answer.token ?? '', who }
    }

    for (let step = 0; step < STEPS; step += 1) {
      at = step
      const { token, who } = await logIn(pick(['root', 'root', 'root', 'u1', 'u2', 'u2', 'nobody']))
      if (prng.below(100) < 55) {
        const [path, request, change] = authRequest()
        await compare(path, request, token, submit(store, { kind: 'auth', change, who }))
      } else if (prng.below(100) < 30) {
        const [name, role] = [pick(users), pick(roles)]
        const kind = prng.below(4)
        if (kind === 0) await compare('auth/user/get', { name }, token, store.userGet(name, who))
        else if (kind === 1) await compare('auth/role/get', { role }, token, store.roleGet(role, who))
        else if (kind === 2) await compare('auth/user/list', {}, token, store.userList(who))
        else await compare('auth/role/list', {}, token, store.roleList(who))
      } else {
        // A range that ends before it starts reads nothing, and etcd judges it by chance of its interval tree.
        const from = pick(keys)
        const end = pick(ends.filter((to) => to === '' || to === '\0' || from < to))
        const key = from
        const kind = prng.below(4)
        if (kind === 0) {
          const request = putOf(key, 'v', { prev_kv: prng.below(3) === 0 })
          await compare('kv/put', request, token, submit(store, { kind: 'put', request, who }))
        } else if (kind === 1) {
          const request = rangeOf(key, { range_end: end })
          await compare('kv/range', request, token, store.range(request, who))
        } else if (kind === 2) {
          const request = { key, range_end: end, prev_kv: prng.below(3) === 0 }
          await compare('kv/deleterange', request, token, submit(store, { kind: 'deleteRange', request, who }))
        } else {
          const ops = [putOp(pick(keys)), rangeOp(pick(keys)), deleteOp(pick(keys))].slice(prng.below(3))
          const request = txnOf(ops, [rangeOp(key, { range_end: end })], [compareOf(key, 3, 0, { value: bytes('v') })])
          const answer = store.check({ kind: 'txn', request, who })
          if (answer === null) await compare('kv/txn', request, token, submit(store, { kind: 'txn', request, who }))
        }
      }
    }
    for (const outcome of ['permission denied', 'user name not found', 'role is not granted', 'root user does not']) {
      expect(
        [...seen.keys()].some((key) => key.includes(outcome)),
        outcome,
      ).toBe(true)
    }
    for (const path of ['kv/put', 'kv/range', 'kv/txn', 'auth/enable', 'auth/role/grant'])
      expect(seen.get(path) ?? 0, path).toBeGreaterThan(3)

    function authRequest(): [string, object, AuthChange] {
      const [name, role, key, end] = [pick(users), pick(roles), pick(keys), pick(ends)]
      switch (prng.below(16)) {
        case 0:
        case 1:
          return ['auth/user/add', { name, password: 'secret' }, { kind: 'userAdd', name, passwordHash: 'hash', noPassword: false }]
        case 2:
          return ['auth/user/delete', { name }, { kind: 'userDelete', name }]
        case 3:
          return ['auth/user/changepw', { name, password: 'secret' }, { kind: 'userChangePassword', name, passwordHash: 'hash' }]
        case 4:
        case 5:
        case 6:
          return ['auth/user/grant', { user: name, role }, { kind: 'userGrantRole', user: name, role }]
        case 7:
          return ['auth/user/revoke', { name, role }, { kind: 'userRevokeRole', user: name, role }]
        case 8:
        case 9:
          return ['auth/role/add', { name: role }, { kind: 'roleAdd', role }]
        case 10:
          return prng.below(3) === 0
            ? ['auth/role/delete', { role }, { kind: 'roleDelete', role }]
            : ['auth/enable', {}, { kind: 'enable' }]
        case 11:
        case 12:
        case 13: {
          // One range a key: with two, etcd may keep two grants of one of them.
          const permission = { permType: prng.below(3), key, range_end: RANGES[key] ?? '' }
          return ['auth/role/grant', { name: role, perm: permission }, { kind: 'roleGrantPermission', role, permission }]
        }
        case 14: {
          const rangeEnd = prng.below(3) === 0 ? end : (RANGES[key] ?? '')
          return ['auth/role/revoke', { role, key, range_end: rangeEnd }, { kind: 'roleRevokePermission', role, key, rangeEnd }]
        }
        default:
          return prng.below(8) === 0 ? ['auth/disable', {}, { kind: 'disable' }] : ['auth/enable', {}, { kind: 'enable' }]
      }
    }
  },
)
