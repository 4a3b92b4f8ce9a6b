import { NOBODY, type Identity } from '../../../core/delos/kv/command.ts'
import { isRpcError } from '../../../core/delos/kv/errors.ts'
import { childrenRequest, marksRequest, parentOf, removeEmptied } from '../../../core/delos/recipes/etcd/container.ts'
import type { Key } from '../../../core/delos/wire/messages.ts'
import type { Replica } from '../store/replica.ts'

/** So long a container stays with nothing in it. */
export const CONTAINER_EMPTY_MS = 60_000
const LOOKS = 6
/** Marks of one look; the next goes on behind them. */
const LOOK_MAX = 1000

/**
 * Removes containers that have been empty for a while, as the leader sees it (`core/delos/recipes/etcd/container.ts`): another leader begins
 * to count anew.
 */
export function sweepContainers(replica: Pick<Replica, 'store' | 'log' | 'submit'>, emptyMs: number): { stop: () => void } {
  const { store, log } = replica
  /** by mark: since when it was seen empty, and mod_revision of the mark then */
  const empty = new Map<Key, { sinceMs: number; markedAt: number }>()
  let from: Key = ''
  const who = (): Identity => (store.isAuthEnabled ? { user: 'root', authRevision: store.authRevision } : NOBODY)

  const look = (): void => {
    if (!log.role().isLeader) return empty.clear()
    const found = store.range(marksRequest(from, LOOK_MAX), who())
    if (isRpcError(found)) return
    for (const { key, mod_revision: markedAt } of found.kvs) lookAt(key, markedAt)
    const last = found.kvs.at(-1)
    from = found.more && last !== undefined ? `${last.key}\0` : ''
    if (found.kvs.length === 0) empty.clear()
  }
  const lookAt = (mark: Key, markedAt: number): void => {
    const parent = parentOf(mark)
    const children = store.range(childrenRequest(parent), who())
    if (isRpcError(children) || children.kvs.length > 0) return void empty.delete(mark)
    const since = empty.get(mark)
    const nowMs = performance.now()
    if (since?.markedAt !== markedAt) return void empty.set(mark, { sinceMs: nowMs, markedAt })
    if (nowMs - since.sinceMs < emptyMs) return
    empty.delete(mark)
    replica.submit({ kind: 'txn', request: removeEmptied(parent, markedAt), who: who() }, null, () => undefined)
  }
  const timer = setInterval(look, emptyMs / LOOKS)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}
