import { isReplicated } from '../../../core/scuba/registry.ts'
import type { Store } from '../leaf/store.ts'

/** So long a server looks at the leaf before it is sure that it has told it of a newer map. */
const TOLD_MS = 3000
/** A server that waits for news asks again by then. */
const SEEN_MS_MAX = 40_000
/** After that time rows are sealed, whoever has the shards. */
const UNSURE_MS_MAX = 600_000

/**
 * Whether this leaf can be sure that the map it works by is that of now. While it is not (it was away, and is not told yet; neither server nor copies are
 * reached), rows of replicated tables stay in their batches: if its shards are another's by now, only batches tell which of them that one has.
 */
export class OwnYet {
  readonly #store: Pick<Store, 'registry'>
  readonly #isFollowed: () => boolean
  #seenSinceMs = 0
  #seenAtMs = -Infinity
  #unsureSinceMs: number | null = null

  /** @param isFollowed whether a copy follows: then it took batches under this leaf's epochs */
  constructor(store: Pick<Store, 'registry' | 'staysInBatches'>, isFollowed: () => boolean) {
    this.#store = store
    this.#isFollowed = isFollowed
    store.staysInBatches = (table) => this.holdsBack(table)
  }

  /** A server looked at this leaf; when it works by an older map it is told the newer one now. */
  seen(nowMs = performance.now()): void {
    if (nowMs - this.#seenAtMs > SEEN_MS_MAX) this.#seenSinceMs = nowMs
    this.#seenAtMs = nowMs
  }

  /** Whether rows of a table are not to be sealed now. */
  holdsBack(table: string, nowMs = performance.now()): boolean {
    const { tables, shards } = this.#store.registry.current
    if (!isReplicated(tables[table]) || shards.length === 0) return false
    const isSeen = nowMs - this.#seenAtMs <= SEEN_MS_MAX && nowMs - this.#seenSinceMs >= TOLD_MS
    if (isSeen || this.#isFollowed()) {
      this.#unsureSinceMs = null
      return false
    }
    this.#unsureSinceMs ??= nowMs
    return nowMs - this.#unsureSinceMs < UNSURE_MS_MAX
  }
}
