import type { Key, TxnRequest, TxnResponse } from '../../../core/delos/wire/messages.ts'
import type * as m from '../../../core/delos/wire/messages.ts'
import type { Call, EtcdService, RpcError, Unary } from '../../../core/delos/wire/service.ts'
import type { KeyRange } from '../../../core/delos/recipes/etcd/request.ts'
import { type Ports, runRecipe } from '../../../core/delos/recipes/etcd/run.ts'
import type { Recipe } from '../../../core/delos/recipes/etcd/step.ts'
import { NO_BYTES, type Version } from '../../../core/delos/kv/version.ts'
import type { Replica } from './replica.ts'

/** Calls of the store by what stands on it, with the rights of who asked. Promises, as these are few. */
export interface Calls {
  txn(request: TxnRequest, call: Call): Promise<TxnResponse>
  range(request: m.RangeRequest, call: Call): Promise<m.RangeResponse>
  /** Runs a recipe to its end. Rejects with an {@link RpcFailure} when it is refused, or when the caller cancels. */
  run<State, Held>(recipe: Recipe<State, Held>, call: Call): Promise<Held>
}

/** A refusal on its way through promises. */
export class RpcFailure extends Error {
  readonly rpc: RpcError
  constructor(rpc: RpcError) {
    super(rpc.text)
    this.rpc = rpc
  }
}

export const CANCELLED: RpcError = { code: 1, text: 'context canceled' }
const EXPIRED: RpcError = { code: 2, text: 'mutex: session is expired' }

type Kv = Pick<EtcdService, 'KV/Txn' | 'KV/Range'>

export function callsOf(replica: Replica, kv: Kv, encodeTxn: (request: TxnRequest) => Uint8Array): Calls {
  const changes = watchChanges(replica)
  const ask =
    <Request, Response>(method: Unary<Request, Response>, raw: (request: Request) => Uint8Array) =>
    (request: Request, call: Call): Promise<Response> =>
      new Promise((resolve, reject) =>
        method(request, raw(request), call, (error, response) => {
          if (error === null) resolve(response as Response)
          else reject(new RpcFailure(error))
        }),
      )
  const txn = ask(kv['KV/Txn'], encodeTxn)
  return {
    txn,
    range: ask(kv['KV/Range'], () => NO_BYTES),
    run: (recipe, call) =>
      new Promise((resolve, reject) => {
        const commit: Ports['commit'] = (request, reply) => kv['KV/Txn'](request, encodeTxn(request), call, reply)
        const stop = runRecipe(recipe, { commit, wait: changes.wait }, (outcome) => {
          if (outcome.do === 'held') resolve(outcome.held)
          else reject(new RpcFailure(outcome.do === 'failed' ? outcome.error : EXPIRED))
        })
        call.onCancel(() => {
          stop()
          reject(new RpcFailure(CANCELLED))
        })
      }),
  }
}

interface Waiter {
  range: KeyRange
  isForDeletion: boolean
  wake: () => void
}

/** Wakes who waits for a key or a range to change. Most wait for one key to go, so those are found by it. */
function watchChanges(replica: Replica) {
  const byKey = new Map<Key, Set<Waiter>>()
  const byRange = new Set<Waiter>()
  replica.onApplied((_position, changes) => {
    if (changes === null || (byKey.size === 0 && byRange.size === 0)) return
    for (const version of changes.versions) {
      for (const waiter of byKey.get(version.key) ?? []) if (isMeant(version, waiter.range, waiter.isForDeletion)) waiter.wake()
      for (const waiter of byRange) if (isMeant(version, waiter.range, waiter.isForDeletion)) waiter.wake()
    }
  })
  return {
    /** As the port of recipes wants it. A change that came already is told in the next turn. */
    wait: (range: KeyRange, from: number, until: 'changed' | 'deleted', changed: () => void): (() => void) => {
      const isForDeletion = until === 'deleted'
      const waiter = { range, isForDeletion, wake: changed }
      if (replica.store.changesFrom(from, Number.POSITIVE_INFINITY).some((version) => isMeant(version, range, isForDeletion))) {
        const soon = setImmediate(changed)
        return () => clearImmediate(soon)
      }
      const isSingle = range.range_end === ''
      const set = isSingle ? (byKey.get(range.key) ?? new Set()) : byRange
      if (isSingle) byKey.set(range.key, set)
      set.add(waiter)
      return () => {
        set.delete(waiter)
        if (isSingle && set.size === 0) byKey.delete(range.key)
      }
    },
  }
}

function isMeant({ key, isDeleted }: Version, range: KeyRange, isForDeletion: boolean): boolean {
  if (isForDeletion && !isDeleted) return false
  return range.range_end === '' ? key === range.key : key >= range.key && key < range.range_end
}
