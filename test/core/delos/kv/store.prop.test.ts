import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPrng, type Prng } from '../../../../src/core/kernel/prng.ts'
import { NOBODY, type KvCommand } from '../../../../src/core/delos/kv/command.ts'
import { isRpcError } from '../../../../src/core/delos/kv/errors.ts'
import type { Reading } from '../../../../src/core/delos/kv/reading.ts'
import type { KvChanges, KvRows } from '../../../../src/core/delos/kv/rows.ts'
import { sessionRow } from '../../../../src/core/delos/kv/sessions.ts'
import { createStore } from '../../../../src/core/delos/kv/store.ts'
import type { KvStore } from '../../../../src/core/delos/kv/store-contract.ts'
import type { Version } from '../../../../src/core/delos/kv/version.ts'
import type { RpcError } from '../../../../src/core/delos/wire/service.ts'
import { frame, put, remove } from './op-frames.ts'
import { requestSource } from './random-requests.ts'
import { compactCommand, grantCommand, rangeOf, revokeCommand, submit } from './requests.ts'

function readAll<Answer>(reading: Reading<Answer> | RpcError): Answer | RpcError {
  if (isRpcError(reading)) return reading
  for (;;) {
    const answer = reading.step()
    if (answer !== null) return answer
  }
}

const seeds = (judge: (prng: Prng) => void, numRuns = 100): void =>
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => judge(createPrng(seed))),
    { numRuns },
  )

/** A random command of any kind that changes keys, leases, rights or alarms. */
function anyCommand(prng: Prng, store: KvStore): KvCommand {
  const source = requestSource(prng, () => store)
  const kind = prng.below(100)
  if (kind < 40) return { kind: 'put', request: source.put(), who: NOBODY }
  if (kind < 52) return { kind: 'deleteRange', request: source.deleteRange(), who: NOBODY }
  if (kind < 72) return { kind: 'txn', request: source.txn(), who: NOBODY }
  if (kind < 77) return compactCommand(source.revision())
  if (kind < 84) return grantCommand(source.lease() || 9n, 1 + prng.below(1000))
  if (kind < 88) return revokeCommand(source.lease())
  if (kind < 90) return { kind: 'leasesExpired', ids: [source.lease(), source.lease()], epoch: store.epoch - prng.below(2) }
  if (kind < 92) return { kind: 'leaseCheckpoint', checkpoints: [{ id: source.lease(), remainingS: prng.below(50) }], epoch: store.epoch }
  if (kind < 93) return { kind: 'leaderClaimed', serverId: 'n1' }
  if (kind < 97) {
    const ops = Array.from({ length: prng.below(4) }, () => (prng.below(3) === 0 ? remove('b') : put('b', 'v')))
    const seq = prng.below(6)
    return { kind: 'ops', frame: frame(1 + prng.below(3), seq, 1 + prng.below(2), seq === 0 ? [] : ops), who: NOBODY }
  }
  const name = `u${prng.below(2)}`
  const role = `r${prng.below(2)}`
  const changes: KvCommand[] = [
    { kind: 'auth', change: { kind: 'userAdd', name, passwordHash: 'hash', noPassword: false }, who: NOBODY },
    { kind: 'auth', change: { kind: 'userDelete', name }, who: NOBODY },
    { kind: 'auth', change: { kind: 'roleAdd', role }, who: NOBODY },
    { kind: 'auth', change: { kind: 'roleDelete', role }, who: NOBODY },
    { kind: 'auth', change: { kind: 'userGrantRole', user: name, role }, who: NOBODY },
    {
      kind: 'auth',
      change: { kind: 'roleGrantPermission', role, permission: { permType: prng.below(3), key: 'a', range_end: 'b' } },
      who: NOBODY,
    },
    { kind: 'alarm', action: 'raise', memberId: 1n, type: 1, who: null },
    { kind: 'alarm', action: 'clear', memberId: 1n, type: 1, who: null },
  ]
  return changes[prng.below(changes.length)] as KvCommand
}

/** The durable copy as a database would keep it. */
class Copy {
  readonly #versions = new Map<string, Version>()
  readonly #leases = new Map<bigint, KvRows['leases'][number]>()
  readonly #users = new Map<string, KvRows['users'][number]>()
  readonly #roles = new Map<string, KvRows['roles'][number]>()
  readonly #alarms = new Map<string, KvRows['alarms'][number]>()
  readonly #sessions = new Map<number, NonNullable<KvRows['sessions']>[number] | null>()
  #state: KvRows['state'] | null = null

  write(changes: KvChanges): void {
    const place = (version: Version): string => `${version.mod_revision}/${version.sub}`
    for (const version of changes.versions) this.#versions.set(place(version), version)
    for (const version of changes.removed) expect(this.#versions.delete(place(version)), 'only what is there is removed').toBe(true)
    const update = <K, V>(into: Map<K, V>, rows: Map<K, V | null>): void =>
      rows.forEach((row, key) => (row === null ? into.delete(key) : into.set(key, row)))
    update(this.#leases, changes.leases)
    update(this.#users, changes.users)
    update(this.#roles, changes.roles)
    changes.alarms.forEach(({ alarm, isRaised }, id) => (isRaised ? this.#alarms.set(id, alarm) : this.#alarms.delete(id)))
    changes.sessions.forEach((row, id) => (row === null ? this.#sessions.delete(id) : this.#sessions.set(id, sessionRow(row))))
    this.#state = changes.state
  }

  rows(): KvRows {
    if (this.#state === null) throw new Error('nothing was written')
    const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1)
    return {
      versions: [...this.#versions.values()].sort((a, b) => a.mod_revision - b.mod_revision || a.sub - b.sub),
      leases: [...this.#leases.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
      users: [...this.#users.values()].sort(byName),
      roles: [...this.#roles.values()].sort(byName),
      alarms: [...this.#alarms.values()],
      sessions: [...this.#sessions.values()].flatMap((row) => row ?? []).sort((a, b) => a.used - b.used),
      state: this.#state,
    }
  }
}

function answersOf(prng: Prng, store: KvStore): unknown[] {
  const source = requestSource(prng, () => store)
  return Array.from({ length: 20 }, () => store.range(source.range(), NOBODY))
}

describe('the store', () => {
  test('is rebuilt from its rows as it was, whenever it stopped', () => {
    seeds((prng) => {
      const store = createStore()
      for (let i = prng.below(120); i >= 0; i -= 1) {
        submit(store, anyCommand(prng, store))
        if (prng.below(5) === 0) store.compactStep(prng.below(10))
      }
      const again = createStore({}, store.dump())
      expect(again.dump()).toEqual(store.dump())
      const seed = prng.below(1e9)
      expect(answersOf(createPrng(seed), again)).toEqual(answersOf(createPrng(seed), store))
      // And goes on as the first would have: the same commands, the same answers and digest.
      for (let i = 0; i < 30; i += 1) {
        const command = anyCommand(prng, store)
        expect(submit(again, command)).toEqual(submit(store, command))
      }
      expect(again.dump()).toEqual(store.dump())
      expect(again.liveBytes).toBe(store.liveBytes)
      expect(again.keyCount).toBe(store.keyCount)
    })
  })

  test('tells every change of its rows: they add up to its dump, and after compaction nothing is left over', () => {
    seeds((prng) => {
      const store = createStore()
      const copy = new Copy()
      for (let i = prng.below(120); i >= 0; i -= 1) {
        submit(store, anyCommand(prng, store))
        if (prng.below(4) === 0) store.compactStep(prng.below(10))
        const changes = prng.below(3) === 0 ? store.takeChanges() : null
        if (changes !== null) copy.write(changes)
      }
      store.apply({ kind: 'leaderClaimed', serverId: 'last' }, { position: store.cursor + 1, timeMs: 0 })
      while (store.compactStep(7));
      const changes = store.takeChanges()
      if (changes !== null) copy.write(changes)
      expect(copy.rows()).toEqual(store.dump())
      expect(store.sizeBytes).toBe(createStore({}, copy.rows()).sizeBytes)
      expect(store.takeChanges(), 'nothing happened since').toBeNull()
    })
  })

  test('a copy that stopped in the middle of a compaction finishes it', () => {
    seeds((prng) => {
      const store = createStore()
      const copy = new Copy()
      for (let i = 0; i < 80; i += 1) submit(store, anyCommand(prng, store))
      if (store.revision < 3) return
      submit(store, compactCommand(store.revision - prng.below(2)))
      store.compactStep(3)
      const changes = store.takeChanges()
      if (changes !== null) copy.write(changes)
      const again = createStore({}, copy.rows())
      expect(again.dump()).toEqual(store.dump())
      while (again.compactStep(5));
      const rest = again.takeChanges()
      if (rest !== null) copy.write(rest)
      expect(copy.rows().versions).toEqual(store.dump().versions)
    })
  })

  test('gives the same answers, digest and hash on every server, however far each is with its compaction and when it takes changes', () => {
    seeds((prng) => {
      const [eager, lazy] = [createStore(), createStore()]
      for (let i = 0; i < 100; i += 1) {
        const command = anyCommand(prng, eager)
        expect(submit(lazy, command)).toEqual(submit(eager, command))
        while (eager.compactStep(100));
        eager.takeChanges()
      }
      expect(lazy.digest).toBe(eager.digest)
      expect(readAll(lazy.openHashKv(0))).toEqual(readAll(eager.openHashKv(0)))
      const seed = prng.below(1e9)
      expect(answersOf(createPrng(seed), lazy)).toEqual(answersOf(createPrng(seed), eager))
    })
  })

  test('every uncompacted revision reads as it was when it was the last', () => {
    seeds((prng) => {
      const store = createStore()
      const then = new Map<number, unknown>()
      for (let i = 0; i < 100; i += 1) {
        submit(store, anyCommand(prng, store))
        store.compactStep(prng.below(6))
        then.set(store.revision, allAt(store, 0))
      }
      let compared = 0
      for (const [revision, kvs] of then) {
        const now = allAt(store, revision)
        if (revision < store.compactRevision) expect(now).toBe('etcdserver: mvcc: required revision has been compacted')
        else {
          expect(now).toEqual(kvs)
          compared += 1
        }
      }
      expect(compared).toBeGreaterThan(0)
    })
  })

  test('a refused command changes nothing', () => {
    let refused = 0
    seeds((prng) => {
      const store = createStore()
      for (let i = 0; i < 60; i += 1) {
        const before = store.dump()
        const command = anyCommand(prng, store)
        const answer = store.apply(command, { position: store.cursor, timeMs: 0 })
        if (!isRpcError(answer)) continue
        refused += 1
        expect({ ...store.dump(), state: null }).toEqual({ ...before, state: null })
        expect(store.revision).toBe(before.state.revision)
      }
    }, 40)
    expect(refused).toBeGreaterThan(100)
  })

  test('a lease has exactly the keys whose last put names it', () => {
    seeds((prng) => {
      const store = createStore()
      for (let i = 0; i < 120; i += 1) submit(store, anyCommand(prng, store))
      const all = store.range(rangeOf('\0', { range_end: '\0' }), NOBODY)
      if (isRpcError(all)) throw new Error(all.text)
      for (const { id } of store.leases()) {
        const shown = store.leaseTimeToLive({ ID: id, keys: true }, 5, NOBODY)
        if (isRpcError(shown)) throw new Error(shown.text)
        expect(shown.keys).toEqual(all.kvs.filter((kv) => kv.lease === id).map((kv) => kv.key))
      }
      const leases = new Set([...store.leases()].map(({ id }) => id))
      for (const kv of all.kvs) if (kv.lease !== 0n) expect(leases).toContain(kv.lease)
    })
  })
})

function allAt(store: KvStore, revision: number): unknown {
  const answer = store.range(rangeOf('\0', { range_end: '\0', revision }), NOBODY)
  return isRpcError(answer) ? answer.text : answer.kvs
}
