import type { Registry } from '../../core/scuba/registry.ts'

/**
 * What each leaf has to be told in one reign. A leaf takes nothing older over, and what it was told in another reign may be of an older state under a
 * version that is as high or higher: so each is told once by whoever leads, and one that works by a higher version makes this one's higher.
 */
export class RegistryTold {
  readonly #make: (version: number) => Registry
  #wanted: Registry | null = null
  readonly #told = new Map<string, Registry>()

  /** @param make the registry of now, under that version or, if the log is further, under a higher one */
  constructor(make: (version: number) => Registry) {
    this.#make = make
  }

  /** An entry made another registry of it. */
  change(): void {
    this.#wanted = null
  }

  /** @param known version that the leaf works by. @returns null: it works by the registry of now */
  due(leaf: string, known: number): Registry | null {
    if (this.#wanted === null || this.#wanted.version < known) this.#wanted = this.#make(known + 1)
    return known === this.#wanted.version && this.#told.get(leaf) === this.#wanted ? null : this.#wanted
  }

  /** The leaf has taken it over. */
  took(leaf: string, registry: Registry): void {
    this.#told.set(leaf, registry)
  }
}
