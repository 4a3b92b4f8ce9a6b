const AGAIN_MS = 60_000
/** Different texts that are remembered. */
const TEXTS_MAX = 64

/** Whether a text is worth saying: it was not said in the last minute. For what would otherwise fill a log with one sentence. */
export class Seldom {
  readonly #saidAtMs = new Map<string, number>()

  isDue(text: string): boolean {
    const now = performance.now()
    if (now - (this.#saidAtMs.get(text) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) return false
    if (this.#saidAtMs.size >= TEXTS_MAX) this.#saidAtMs.clear()
    this.#saidAtMs.set(text, now)
    return true
  }
}
