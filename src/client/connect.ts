import { isRefusal } from '../core/kernel/errors.ts'
import type { Recipe } from '../core/delos/recipes/etcd/step.ts'
import type { KeyRange } from '../core/delos/recipes/etcd/request.ts'
import type * as m from '../core/delos/wire/messages.ts'
import { METHODS } from '../core/delos/wire/methods.ts'
import { openChannel, type ChannelOptions } from './channel.ts'
import { keepLease, type KeptLease, type Lease } from './lease.ts'
import type { Program } from '../core/delos/programs/program.ts'
import { runProgram } from './run-program.ts'
import { runRecipe, type RunOptions } from './run-recipe.ts'
import { watch, type Changes, type WatchOptions } from './watch.ts'

export type { Changes, KeptLease, Lease, WatchOptions }

/**
 * A client of any store with etcd's v3 API. Every call rejects with a MusterError whose message is etcd's own text: the store's refusal;
 * UNAVAILABLE when no server answers; DELOS_OUTCOME_UNKNOWN when a change may or may not have happened, as it is asked again only
 * when it certainly was not done.
 */
export interface StoreClient {
  range: (request: m.RangeRequest, signal?: AbortSignal) => Promise<m.RangeResponse>
  put: (request: m.PutRequest, signal?: AbortSignal) => Promise<m.PutResponse>
  deleteRange: (request: m.DeleteRangeRequest, signal?: AbortSignal) => Promise<m.DeleteRangeResponse>
  /** `isRepeatable`: asking twice changes no more than asking once, so that lost answers are made up for */
  txn: (request: m.TxnRequest, options?: { isRepeatable?: boolean; signal?: AbortSignal }) => Promise<m.TxnResponse>
  watch: (range: KeyRange, options: WatchOptions, signal: AbortSignal) => AsyncGenerator<Changes>
  /** @param ttlMs rounded up to whole seconds; the store may grant more */
  grantLease: (ttlMs: number, signal?: AbortSignal) => Promise<Lease>
  keepAlive: (lease: Lease, graceMs: number) => KeptLease
  /** Done once there is no such lease, whoever ended it. */
  revoke: (id: bigint, signal?: AbortSignal) => Promise<void>
  run: <State, Held>(recipe: Recipe<State, Held>, options: RunOptions) => Promise<Held>
  /** The whole store in parts: of a file in etcd's format, then the SHA-256 of all of it, with which `remaining_bytes` is 0. */
  snapshot: (signal: AbortSignal) => AsyncGenerator<m.SnapshotResponse>
  /** Runs a program of `core/delos/programs/`, whose values are answers or refusals. */
  ask: <Out>(program: Program<Out>, signal?: AbortSignal) => Promise<Out>
  /** Ends what is under way, and all connections. */
  close: () => void
}

/** Nothing is connected before the first call. */
export function connect(options: ChannelOptions): StoreClient {
  const channel = openChannel(options)
  return {
    range: (request, signal) => channel.call(METHODS['KV/Range'], request, { effect: 'read', signal }),
    put: (request, signal) => channel.call(METHODS['KV/Put'], request, { effect: 'once', signal }),
    deleteRange: (request, signal) => channel.call(METHODS['KV/DeleteRange'], request, { effect: 'once', signal }),
    txn: (request, { isRepeatable, signal } = {}) =>
      channel.call(METHODS['KV/Txn'], request, { effect: effectOf(request, isRepeatable === true), signal }),
    watch: (range, watched, signal) => watch(channel, range, watched, signal),
    grantLease: async (ttlMs, signal) => {
      const sentAt = performance.now()
      // A second lease of which nobody knows ends by itself.
      const effect = { effect: 'repeatable', signal } as const
      const granted = await channel.call(METHODS['Lease/LeaseGrant'], { TTL: Math.ceil(ttlMs / 1000), ID: 0n }, effect)
      return { id: granted.ID, ttlMs: granted.TTL * 1000, sentAt }
    },
    keepAlive: (lease, graceMs) => keepLease(channel, lease, graceMs),
    revoke: async (id, signal) => {
      await channel.call(METHODS['Lease/LeaseRevoke'], { ID: id }, { effect: 'repeatable', signal }).catch((error: unknown) => {
        if (!isRefusal(error) || error.code !== 'DELOS_LEASE_UNKNOWN') throw error
      })
    },
    snapshot: (signal) => channel.stream(METHODS['Maintenance/Snapshot'], {}, signal),
    run: (recipe, running) => runRecipe(channel, recipe, running),
    ask: (program, signal) => runProgram(channel, program, signal),
    close: channel.close,
  }
}

function effectOf(request: m.TxnRequest, isRepeatable: boolean): 'read' | 'repeatable' | 'once' {
  if (isReadOnly(request)) return 'read'
  return isRepeatable ? 'repeatable' : 'once'
}

function isReadOnly({ success, failure }: m.TxnRequest): boolean {
  return [...success, ...failure].every(
    (op) => op.request_put === null && op.request_delete_range === null && (op.request_txn === null || isReadOnly(op.request_txn)),
  )
}
