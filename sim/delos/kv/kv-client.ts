import type { Prng } from '../../../src/core/kernel/prng.ts'
import type { Identity, KvCommand } from '../../../src/core/delos/kv/command.ts'
import { isRpcError, KV_ERRORS } from '../../../src/core/delos/kv/errors.ts'
import type { RangeResponse, TxnResponse, DeleteRangeResponse, ResponseHeader } from '../../../src/core/delos/wire/messages.ts'
import type { RpcError } from '../../../src/core/delos/wire/service.ts'
import { Violation } from '../../violation.ts'
import type { World } from '../world.ts'
import type { KvWorld } from './kv-world.ts'
import { groupOf, type KvInput, type KvOperation } from './model.ts'
import { UNKNOWN, type Answer, type KvNode } from './node.ts'
import { casOf, putBothOf, putOf, rangeOf, valueOf } from './requests.ts'
import { Watcher } from './watcher.ts'

const TIMEOUT_MS = 150
/** plain keys, and those under leases */
const KEYS = 4
const LEASED_KEYS = 5

/** Asks for one thing after the other, of servers at random; keeps leases and a watch beside it. */
export class KvClient {
  readonly #world: World
  readonly #kv: KvWorld
  readonly #prng: Prng
  readonly watcher: Watcher
  #isAuthSet: boolean
  /** what it saw last of a key, to compare with */
  readonly #seen = new Map<number, number>()
  #leases: { id: bigint; ttlS: number }[] = []
  finished = 0

  constructor(world: World, kv: KvWorld, prng: Prng, id: number) {
    this.#world = world
    this.#kv = kv
    this.#prng = prng
    this.#isAuthSet = !kv.hasAuth || id > 1
    this.watcher = new Watcher(world, kv, prng, kv.hasAuth && prng.next() < 0.6 ? 'reader' : 'root')
  }

  next(): void {
    if (this.finished === 0) this.watcher.start()
    if (!this.#world.wantsMore(this.finished)) return
    this.#world.queue.after(this.#prng.next() * 10, () => this.#begin())
  }

  #begin(): void {
    if (!this.#isAuthSet) return this.#setAuth()
    const dice = this.#prng.next()
    if (dice < 0.62) this.#keys()
    else if (dice < 0.72) this.#past()
    else if (dice < 0.76) this.#compact()
    else if (dice < 0.98) this.#lease()
    else this.#grant()
  }

  // --- calls

  /**
   * Carries a request to a server and its answer back; one of the two may not come.
   * @param ask runs at the server
   * @param done null: no answer in time, the outcome is unknown
   */
  #call(ask: (node: KvNode, answer: Answer) => void, done: (error: RpcError | null, response: object | null) => void): void {
    const { queue, servers } = this.#world
    const node = this.#kv.node(1 + this.#prng.below(servers.length))
    let isOver = false
    const over: Answer = (error, response) => {
      if (isOver) return
      isOver = true
      done(error, response)
    }
    const answer: Answer = (error, response) => {
      // What a server with wrong rows says counts for nothing; that it stops is checked.
      if (node.isDamaged) return
      queue.after(0.05 + this.#prng.next() * 0.2, () => over(error, response))
    }
    queue.after(0.05 + this.#prng.next() * 0.2, () => {
      if (!node.server.isUp) return
      node.server.hear(() => {
        const refusal = node.refusal()
        if (refusal === null) ask(node, answer)
      })
    })
    queue.after(TIMEOUT_MS, () => over(UNKNOWN, null))
  }

  #change(command: (who: Identity) => KvCommand, done: (error: RpcError | null, response: object | null) => void): void {
    this.#call((node, answer) => {
      const who = node.identity('root')
      if (isRpcError(who)) return answer(who, null)
      const asked = command(who)
      const refusal = node.store.check(asked)
      if (refusal !== null) answer(refusal, null)
      else node.submit(asked, answer)
    }, done)
  }

  #end(error: RpcError | null): void {
    if (error === null) this.finished += 1
    this.next()
  }

  /** What was told to a client stays so for all who ask later. */
  #heed(response: object, toldBefore: number): void {
    const { revision } = (response as { header: ResponseHeader }).header
    if (revision < toldBefore) throw new Violation(`stale: an answer of revision ${revision} after ${toldBefore} was told`)
    this.#kv.told = Math.max(this.#kv.told, revision)
  }

  // --- keys

  #keys(): void {
    const key = this.#prng.below(KEYS)
    const dice = this.#prng.next()
    const fresh = (): number => this.#world.freshValue()
    const input: KvInput =
      dice < 0.4
        ? { kind: 'get', key }
        : dice < 0.65
          ? { kind: 'put', key, value: fresh() }
          : dice < 0.72
            ? { kind: 'putBoth', value: fresh() }
            : dice < 0.85
              ? { kind: 'delete', key }
              : { kind: 'cas', key, expected: this.#seen.get(key) ?? 0, value: fresh() }
    const group = input.kind === 'putBoth' ? 1 : groupOf(key)
    const operation: KvOperation = { group, input, output: null, calledAt: this.#world.queue.now, returnedAt: Infinity }
    this.#kv.history.push(operation)
    const { told } = this.#kv
    const done = (error: RpcError | null, response: object | null): void => {
      if (error !== null && error.code !== UNKNOWN.code) {
        // Refused: it never happened.
        this.#kv.history.splice(this.#kv.history.indexOf(operation), 1)
      } else if (error === null && response !== null) {
        this.#heed(response, told)
        operation.output = outputOf(input, response)
        operation.returnedAt = this.#world.queue.now
        if (input.kind === 'get') this.#seen.set(key, operation.output)
        else if (input.kind === 'put' || (input.kind === 'cas' && operation.output === 1)) this.#seen.set(key, input.value)
      }
      this.#end(error)
    }
    if (input.kind === 'get') {
      return this.#call((node, answer) => {
        node.server.read(
          () => {
            const who = node.identity('root')
            return isRpcError(who) ? who : node.store.range(rangeOf(nameOf(key)), who)
          },
          (given) => {
            if (given === null) answer(UNKNOWN, null)
            else if (isRpcError(given)) answer(given, null)
            else answer(null, given)
          },
        )
      }, done)
    }
    this.#change((who) => {
      switch (input.kind) {
        case 'put':
          return { kind: 'put', request: putOf(nameOf(key), input.value), who }
        case 'delete':
          return { kind: 'deleteRange', request: { key: nameOf(key), range_end: '', prev_kv: false }, who }
        case 'cas':
          return { kind: 'txn', request: casOf(nameOf(key), input.expected, input.value), who }
        default:
          return { kind: 'txn', request: putBothOf('k0', 'k1', input.kind === 'putBoth' ? input.value : 0), who }
      }
    }, done)
  }

  /** What was: at any server, at an old revision or at that server's own. */
  #past(): void {
    const key = nameOf(this.#prng.below(KEYS))
    const revision = this.#prng.next() < 0.3 ? 0 : Math.max(1, this.#kv.told - this.#prng.below(30))
    this.#call(
      (node, answer) => {
        const who = node.identity('root')
        if (isRpcError(who)) return answer(who, null)
        const given = node.store.range(rangeOf(key, { revision, serializable: true }), who)
        if (node.isDamaged) return
        const { compactRevision } = node.store
        if (isRpcError(given)) {
          const isRight =
            (given === KV_ERRORS.compacted && revision > 0 && revision < compactRevision) ||
            (given === KV_ERRORS.futureRevision && revision > node.store.revision) ||
            given.code === 7 ||
            given.code === 3
          if (!isRight)
            throw new Violation(`past: revision ${revision} of ${compactRevision}..${node.store.revision} was refused: ${given.text}`)
          return answer(given, null)
        }
        if (revision > 0 && revision < compactRevision)
          throw new Violation(`past: compacted revision ${revision} < ${compactRevision} was answered`)
        const at = revision === 0 ? node.store.revision : revision
        const expected = this.#kv.checks.at(key, at)
        const [kv] = given.kvs
        if (kv?.mod_revision !== expected?.mod_revision || kv?.version !== expected?.version)
          throw new Violation(
            `past: ${key} at ${at} is of ${expected?.mod_revision ?? 'nobody'}, but was read as of ${kv?.mod_revision ?? 'nobody'}`,
          )
        answer(null, given)
      },
      (error) => this.#end(error),
    )
  }

  #compact(): void {
    const revision = this.#kv.told - this.#prng.below(40)
    if (revision <= 1) return this.next()
    this.#change(
      (who) => ({ kind: 'compact', request: { revision, physical: false }, who }),
      (error) => this.#end(error),
    )
  }

  // --- leases

  #grant(): void {
    const id = this.#kv.freshLease()
    const ttlS = 1 + this.#prng.below(6)
    this.#change(
      (who) => ({ kind: 'leaseGrant', id, ttlS, who }),
      (error) => {
        if (error === null) this.#leases.push({ id, ttlS })
        this.#end(error)
      },
    )
  }

  #lease(): void {
    const lease = this.#leases[this.#prng.below(this.#leases.length)]
    if (lease === undefined) return this.#grant()
    const dice = this.#prng.next()
    if (dice < 0.4) {
      const key = `l${this.#prng.below(LEASED_KEYS)}`
      this.#change(
        (who) => ({ kind: 'put', request: putOf(key, this.#world.freshValue(), lease.id), who }),
        (error) => {
          if (error === KV_ERRORS.leaseNotFound) this.#drop(lease)
          this.#end(error)
        },
      )
    } else if (dice < 0.9) {
      this.#call(
        (node, answer) =>
          node.keepAlive(lease.id, (ttlS, renewedAt) => {
            if (ttlS === null) answer(UNKNOWN, null)
            else answer(null, { ttlS, renewedAt })
          }),
        (error, response) => {
          const { ttlS, renewedAt } = (response ?? { ttlS: -1, renewedAt: 0 }) as { ttlS: number; renewedAt: number }
          if (ttlS === 0) this.#drop(lease)
          else if (ttlS > 0) this.#kv.checks.renewed(lease.id, renewedAt)
          this.#end(error)
        },
      )
    } else {
      this.#drop(lease)
      this.#change(
        (who) => ({ kind: 'leaseRevoke', id: lease.id, who }),
        (error) => this.#end(error),
      )
    }
  }

  #drop(lease: { id: bigint }): void {
    this.#leases = this.#leases.filter(({ id }) => id !== lease.id)
  }

  // --- users

  /** Root may all; the reader may read the first two keys. */
  #setAuth(): void {
    this.#call(
      (node, answer) => {
        const who = node.identity('root')
        if (isRpcError(who)) return answer(who, null)
        const permission = { permType: 0, key: 'k0', range_end: 'k2' }
        const changes = [
          { kind: 'userAdd', name: 'root', passwordHash: 'x', noPassword: false },
          { kind: 'userGrantRole', user: 'root', role: 'root' },
          { kind: 'roleAdd', role: 'reading' },
          { kind: 'roleGrantPermission', role: 'reading', permission },
          { kind: 'userAdd', name: 'reader', passwordHash: 'x', noPassword: false },
          { kind: 'userGrantRole', user: 'reader', role: 'reading' },
          { kind: 'enable' },
        ] as const
        for (const change of changes) {
          node.submit({ kind: 'auth', change, who }, (error, response) => {
            if (change.kind === 'enable') answer(error, response)
          })
        }
      },
      (error) => {
        if (error === null || error.code === 3) this.#isAuthSet = true
        this.#end(error)
      },
    )
  }
}

const nameOf = (key: number): string => `k${key}`

function outputOf(input: KvInput, response: object): number {
  switch (input.kind) {
    case 'get': {
      const [kv] = (response as RangeResponse).kvs
      return kv === undefined ? 0 : valueOf(kv.value)
    }
    case 'delete':
      return (response as DeleteRangeResponse).deleted
    case 'cas':
      return (response as TxnResponse).succeeded ? 1 : 0
    default:
      return 0
  }
}
