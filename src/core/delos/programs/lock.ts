import type { z } from 'zod'
import { isRefusal, refuse, type MusterError } from '../../kernel/errors.ts'
import type { lockAcquire, lockDelay, lockList, lockRelease, lockShow, lockStanding, LockView } from '../operations/lock.ts'
import { isDelay, leaveDelay, lock, sharedLock, standing, standingRequest } from '../recipes/etcd/lock.ts'
import { leaveQueue } from '../recipes/etcd/queue.ts'
import { leaseName, only, rangeRequest } from '../recipes/etcd/request.ts'
import type * as m from '../wire/messages.ts'
import { grant, revokePlan } from './lease.ts'
import { ask, type Program, type StoreOperation } from './program.ts'
import { deletedRow } from './rows.ts'
import { bytesIn, keyOf, keyText, leaseIn, leaseText, prefixRange, textOut } from './text.ts'

/*
 * Locks on the keys that `recipes/etcd/lock.ts` and etcd's own clients have, one step at a time: whoever asks keeps its lease and asks
 * again, so nothing is held open for a wait.
 */

type Standing = z.output<typeof lockStanding.output>

export const acquire: StoreOperation<z.output<typeof lockAcquire.input>, Standing> = {
  plan: null,
  run: function* ({ name, ttlMs, lease: given, value, isShared, isDelayed }) {
    const granted = given === undefined ? yield* grant.run({ ttlMs, id: undefined }, []) : { id: given }
    if (isRefusal(granted)) return granted
    const lease = leaseIn(granted.id)
    const bytes = bytesIn(value, false)
    if (isRefusal(bytes)) return bytes
    const recipe = (isShared ? sharedLock : lock)(keyOf(name), lease, bytes, isDelayed)
    // Only the joining: asking again with the same lease keeps the place, so a lost answer can be retried.
    yield* ask('KV/Txn', recipe.ask(recipe.start), 'repeatable')
    return yield* standingOf(name, granted.id, isShared)
  },
}

export const delay: StoreOperation<z.output<typeof lockDelay.input>, z.output<typeof lockDelay.output>> = {
  plan: null,
  run: function* ({ name, lease, isShared, token, delayLease }) {
    const key = keyOfTurn(name, lease, isShared)
    const [own] = (yield* ask('KV/Range', rangeRequest(only(key)))).kvs
    const left = yield* ask('KV/Txn', leaveDelay({ key, token }, leaseIn(delayLease), own?.value ?? new Uint8Array()), 'repeatable')
    if (!left.succeeded) return refuse('DELOS_LEASE_UNKNOWN', `Lease ${lease} has no place with a delay at the lock ${name}.`)
    return { name, delayLease }
  },
}

function keyOfTurn(name: string, lease: string, isShared: boolean): m.Key {
  return `${keyOf(name)}/${isShared ? 'shared/' : ''}${leaseName(leaseIn(lease))}`
}

export const place: StoreOperation<z.output<typeof lockStanding.input>, Standing> = {
  plan: null,
  run: ({ name, lease, isShared }) => standingOf(name, lease, isShared),
}

/** Where a contender stands; refused if its key or its lease is gone. */
function* standingOf(name: string, lease: string, isShared: boolean): Program<Standing | MusterError> {
  const key = keyOfTurn(name, lease, isShared)
  const { holders, waiting } = standing(keyOf(name), yield* ask('KV/Range', standingRequest(keyOf(name))))
  const queue = [...holders, ...waiting]
  const ahead = queue.findIndex((kv) => kv.key === key)
  const own = queue[ahead]
  const alive = own === undefined ? null : yield* ask('Lease/LeaseTimeToLive', { ID: own.lease, keys: false })
  if (own === undefined || alive === null || alive.TTL < 0)
    return refuse('DELOS_LEASE_UNKNOWN', `Lease ${lease} has no place at the lock ${name} any more.`)
  const holder = contender(name, holders[0] ?? own)
  return {
    name,
    key: keyText(key),
    lease,
    ttlMs: alive.grantedTTL * 1000,
    token: own.create_revision,
    isHeld: ahead < holders.length,
    ahead,
    holder: holder.value || holder.key,
  }
}

export const show: StoreOperation<z.output<typeof lockShow.input>, LockView> = {
  plan: null,
  run: function* ({ name }) {
    const view = viewOf(name, yield* ask('KV/Range', standingRequest(keyOf(name))))
    return view.holders.length === 0 ? nobody(name) : view
  },
}

/** Keys that are looked through for locks. */
const CONTENDERS_MAX = 10_000

export const list: StoreOperation<z.output<typeof lockList.input>, z.output<typeof lockList.output>> = {
  plan: null,
  run: function* ({ prefix }) {
    const found = yield* ask('KV/Range', rangeRequest(prefixRange(keyOf(prefix)), { limit: CONTENDERS_MAX }))
    const byName = new Map<m.Key, m.KeyValue[]>()
    for (const kv of found.kvs) {
      const name = lockOf(kv)
      if (name !== null) byName.set(name, [...(byName.get(name) ?? []), kv])
    }
    const inOrder = (kvs: m.KeyValue[]): m.KeyValue[] => kvs.sort((a, b) => a.create_revision - b.create_revision)
    return { locks: [...byName].map(([name, kvs]) => viewOf(keyText(name), { ...found, kvs: inOrder(kvs) })) }
  },
}

/** The lock a key contends for: keys whose last part is the lease they hang on, and delays; null for any other key. */
function lockOf({ key, lease }: m.KeyValue): m.Key | null {
  const [, delayed] = /^(.+?)(?:\/shared)?\/[0-9a-f]+\+delay$/s.exec(key) ?? []
  if (delayed !== undefined && lease !== 0n) return delayed
  const end = `/${leaseName(lease)}`
  if (lease === 0n || !key.endsWith(end)) return null
  const name = key.slice(0, -end.length)
  return name.endsWith('/shared') ? name.slice(0, -'/shared'.length) : name
}

export const release: StoreOperation<z.output<typeof lockRelease.input>, z.output<typeof lockRelease.output>> = {
  run: function* ({ name }) {
    const { holders, waiting } = standing(keyOf(name), yield* ask('KV/Range', standingRequest(keyOf(name))))
    if (holders.length === 0) return nobody(name)
    for (const { key, lease, create_revision: token } of holders) {
      // Its lease goes, so that what else hangs on it goes too; a key that somebody put by hand has none.
      if (lease === 0n) yield* ask('KV/Txn', leaveQueue({ key, token }), 'repeatable')
      else yield* ask('Lease/LeaseRevoke', { ID: lease }, 'once')
    }
    const next = waiting[0]
    return {
      name,
      released: holders.map((kv) => ({ key: keyText(kv.key), token: kv.create_revision })),
      next: next === undefined ? null : keyText(next.key),
    }
  },
  plan: function* ({ name }) {
    const answer = yield* ask('KV/Range', standingRequest(keyOf(name)))
    const { holders } = standing(keyOf(name), answer)
    if (holders.length === 0) return nobody(name)
    const plan = yield* revokePlan([...new Set(holders.flatMap(({ lease }) => (lease === 0n ? [] : [lease])))])
    if (isRefusal(plan)) return plan
    const bare = holders.filter(({ lease }) => lease === 0n)
    return {
      ...plan,
      revision: answer.header.revision,
      entries: [...plan.entries, ...bare.map(({ key }) => ({ type: 'delos.KvTxn', body: { delete: { key: keyText(key) } } }))],
      changes: [...plan.changes, ...bare.map(deletedRow)],
    }
  },
}

function viewOf(name: string, answer: m.RangeResponse): LockView {
  const { holders, waiting } = standing(keyOf(name), answer)
  return { name, holders: holders.map((kv) => contender(name, kv)), waiting: waiting.map((kv) => contender(name, kv)) }
}

function contender(name: string, kv: m.KeyValue): LockView['holders'][number] {
  return {
    key: keyText(kv.key),
    token: kv.create_revision,
    lease: kv.lease === 0n ? null : leaseText(kv.lease),
    value: isDelay(kv) ? `lock-delay of ${textOut(kv.value).text || keyText(kv.key)}` : textOut(kv.value).text,
    isShared: kv.key.startsWith(`${keyOf(name)}/shared/`),
  }
}

function nobody(name: string): MusterError {
  return refuse('DELOS_LOCK_UNKNOWN', `Nobody holds the lock ${name}.`)
}
