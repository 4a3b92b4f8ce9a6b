const KEYS_MAX = 1000

/** What was found out of questions, by their keys. Of very many all is forgotten, and found out again. */
export class Noted {
  readonly #keys = new Set<string>()

  has(key: string): boolean {
    return this.#keys.has(key)
  }

  add(key: string): void {
    if (this.#keys.size > KEYS_MAX) this.#keys.clear()
    this.#keys.add(key)
  }
}
