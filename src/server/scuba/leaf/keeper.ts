import type { Compactor } from './compactor.ts'
import type { Parts } from './deeds.ts'
import type { Engine } from './engine.ts'
import type { Retainer } from './retainer.ts'
import type { Scrubber } from './scrubber.ts'
import type { Store } from './store.ts'

/** What keeps segments in order while nobody asks: one thing after the other, so that queries and sealing feel one at most. */
export class Keeper {
  readonly #store: Store
  readonly #engine: Engine
  readonly #compactor: Compactor
  readonly #retainer: Retainer
  readonly #scrubber: Scrubber
  readonly #stopped = new AbortController()
  #isBusy = false

  constructor({ store, engine, compactor, retainer, scrubber }: Pick<Parts, 'store' | 'engine' | 'compactor' | 'retainer' | 'scrubber'>) {
    this.#store = store
    this.#engine = engine
    this.#compactor = compactor
    this.#retainer = retainer
    this.#scrubber = scrubber
  }

  /** One round; a failure is logged and tried again in the next. Called each second. */
  async tick(nowMs: number): Promise<void> {
    this.#scrubber
      .tick(nowMs, this.#stopped.signal)
      .catch((error: unknown) => this.#store.log.warn('segments could not be compared', { error: String(error) }))
    if (this.#isBusy || !this.#engine.isReady) return
    this.#isBusy = true
    try {
      await this.#retainer.evict()
      await this.#retainer.tick()
      for (const { name } of this.#store.tails()) await this.#compactor.compact(name, nowMs)
    } catch (error) {
      this.#store.log.warn('segments could not be put in order; it is tried again', { error: String(error) })
    } finally {
      this.#isBusy = false
    }
  }

  stop(): void {
    this.#stopped.abort()
  }
}
