import { readFileSync } from 'node:fs'
import type { Reign } from '../core/contracts/node.ts'
import { replaceFileDurably } from '../platform/files.ts'

/**
 * Whose orders this node obeys. A leader that was replaced may not know it yet, and its orders name tasks of a state that is over: obeyed after
 * those of its successor they would end what runs, and forget what ended, so that it were started again. Kept in a file, since neither the next
 * agent of this node nor a boot makes old orders new.
 */
export class Obeyed {
  readonly #file: string
  #last: Reign | null
  /** of the newest orders of this life that were obeyed under it */
  #position = 0

  constructor(file: string) {
    this.#file = file
    this.#last = kept(file)
  }

  /**
   * @returns false when a later leader of the same log was obeyed already. Two may follow each other in one term: the later one has at least as
   * much of the log. Of another log nothing is known: it may be a restored one.
   */
  allows({ cluster, term }: Reign, position: number): boolean {
    if (this.#last === null || cluster !== this.#last.cluster) return true
    return term > this.#last.term || (term === this.#last.term && position >= this.#position)
  }

  /** Before its orders are acted on. Throws when it cannot be written down: then it holds until this agent ends. */
  note({ cluster, term }: Reign, position: number): void {
    this.#position = position
    if (cluster === this.#last?.cluster && term === this.#last.term) return
    this.#last = { cluster, term }
    replaceFileDurably(this.#file, `${JSON.stringify(this.#last)}\n`)
  }
}

function kept(file: string): Reign | null {
  try {
    const { cluster, term } = JSON.parse(readFileSync(file, 'utf8')) as { cluster?: unknown; term?: unknown }
    return typeof cluster === 'string' && typeof term === 'number' ? { cluster, term } : null
  } catch {
    // The first agent of this node.
    return null
  }
}
