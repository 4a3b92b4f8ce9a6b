import { asideRows } from './stand-down.ts'
import { mergeAside, type Merging } from './merge-aside.ts'

const LOOK_MS = 10_000
/** What could not be done by itself is looked at again by then. */
const AGAIN_MS = 600_000

/**
 * Puts back, on the leaf that answers for all, what others set aside and needs nobody's word: batches with a key that is still remembered. It is safe
 * because their senders, if they sent them again, did so under the same key.
 */
export class AsideKeeper {
  readonly #leaf: Merging
  readonly #dueMs = new Map<string, number>()
  #working = false

  constructor(leaf: Merging) {
    this.#leaf = leaf
  }

  /** Called often. */
  async tick(): Promise<void> {
    if (this.#working) return
    this.#working = true
    await this.#look().finally(() => (this.#working = false))
  }

  async #look(): Promise<void> {
    const { peers, store, name } = this.#leaf
    const own = !peers.isAlone && asideRows(store.dir) > 0 ? [name] : []
    for (const id of [...own, ...peers.list.flatMap((peer) => (peers.hasAside(peer.id) ? [peer.id] : []))]) {
      if (performance.now() < (this.#dueMs.get(id) ?? 0)) continue
      this.#dueMs.set(id, performance.now() + LOOK_MS)
      try {
        const { merged, rows, known, left } = await mergeAside(this.#leaf, id, { isPlan: false, isSure: true })
        this.#dueMs.set(id, performance.now() + AGAIN_MS)
        if (merged + known > 0)
          store.log.info('batches that a leaf had set aside are among the rows again', { leaf: id, merged, rows, known, left })
      } catch (error) {
        store.log.warn('what a leaf set aside could not be put back yet', { leaf: id, error: String(error) })
      }
    }
  }
}
