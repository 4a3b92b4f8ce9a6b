import { createHash } from 'node:crypto'
import { LIMITS } from '../../../core/scuba/limits.ts'

/** What an answer was made from: the same of it gives the same answer. */
export interface Basis {
  /** of the columns and what is declared of them */
  version: string
  files: readonly string[]
  missing: readonly string[]
}

export interface CachedAnswer<T = unknown> {
  answer: T
  /** as it goes out when it is asked for again */
  json: Buffer
  etag: string
  basis: Basis
  /** when it was last seen to be the newest */
  atMs: number
}

/** Whole answers, serialised; the ones not used for longest go first. */
export class AnswerCache {
  hits = 0
  /** how often all was forgotten: who keeps answers of it elsewhere forgets them then */
  generation = 0
  #bytes = 0
  readonly #answers = new Map<string, CachedAnswer>()

  get count(): number {
    return this.#answers.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get<T>(key: string): CachedAnswer<T> | null {
    const known = this.#answers.get(key)
    if (!known) return null
    this.#answers.delete(key)
    this.#answers.set(key, known)
    return known as CachedAnswer<T>
  }

  put<T extends object>(key: string, answer: T, basis: Basis, nowMs: number): CachedAnswer<T> {
    // Whoever gets it again hears that nothing had to be done for it.
    const json = Buffer.from(JSON.stringify({ ...answer, cache: { isWhole: true, hits: 0, misses: 0 }, elapsedMs: 0 }))
    const made = { answer, json, etag: createHash('sha1').update(json).digest('base64url'), basis, atMs: nowMs }
    this.#remove(key)
    if (sizeOf(made) > LIMITS.answerCacheBytesMax / 8) return made
    this.#answers.set(key, made)
    this.#bytes += sizeOf(made)
    for (const oldest of this.#answers.keys()) {
      if (this.#bytes <= LIMITS.answerCacheBytesMax) break
      this.#remove(oldest)
    }
    return made
  }

  clear(): void {
    this.generation += 1
    this.#answers.clear()
    this.#bytes = 0
  }

  #remove(key: string): void {
    const known = this.#answers.get(key)
    if (!known) return
    this.#answers.delete(key)
    this.#bytes -= sizeOf(known)
  }
}

/** The objects of an answer take about twice the room of its text. */
const sizeOf = ({ json, basis }: CachedAnswer): number => json.length * 3 + basis.files.length * 100 + 500

export function isSameBasis(a: Basis, b: Basis): boolean {
  return a.version === b.version && isSameList(a.files, b.files) && isSameList(a.missing, b.missing)
}

const isSameList = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((item, at) => item === b[at])
