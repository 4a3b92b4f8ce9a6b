export interface HotPrefix {
  prefix: string
  /** share of what was counted, 0 to 1 */
  share: number
  /** as counted; may be too much by as much as the rarest that is kept */
  count: number
}

/** Prefixes that are kept: more than are ever shown, so that what is shown is right. */
const KEPT_MAX = 64

/**
 * The most frequent prefixes of a stream of keys in bounded memory: Space-Saving (Metwally, Agrawal, El Abbadi 2005, section 3). Whatever
 * is over 1/64 of the stream is among them. Counts halve at each `turn`, so that what was hot long ago makes room.
 */
export class TopPrefixes {
  readonly #counts = new Map<string, number>()
  #total = 0

  note(key: string): void {
    const prefix = prefixOf(key)
    this.#total += 1
    const count = this.#counts.get(prefix)
    if (count !== undefined || this.#counts.size < KEPT_MAX) {
      this.#counts.set(prefix, (count ?? 0) + 1)
      return
    }
    let rarest = ''
    let fewest = Number.POSITIVE_INFINITY
    for (const [each, times] of this.#counts) {
      if (times >= fewest) continue
      fewest = times
      rarest = each
    }
    this.#counts.delete(rarest)
    this.#counts.set(prefix, fewest + 1)
  }

  turn(): void {
    this.#total /= 2
    for (const [prefix, count] of this.#counts) {
      if (count < 1) this.#counts.delete(prefix)
      else this.#counts.set(prefix, count / 2)
    }
  }

  top(max: number): HotPrefix[] {
    const total = this.#total
    if (total === 0) return []
    return [...this.#counts]
      .toSorted((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
      .slice(0, max)
      .map(([prefix, count]) => ({ prefix, share: Math.min(1, count / total), count: Math.round(count) }))
  }
}

const PARTS_MAX = 2
const CHARS_MAX = 40

/** The first two parts of a path, `/registry/pods/`; of a key without slashes its first 40 characters. */
export function prefixOf(key: string): string {
  let end = -1
  for (let parts = 0, from = key.startsWith('/') ? 1 : 0; parts < PARTS_MAX; parts += 1) {
    const slash = key.indexOf('/', from)
    if (slash < 0 || slash >= CHARS_MAX) break
    end = slash
    from = slash + 1
  }
  return end < 0 ? key.slice(0, CHARS_MAX) : key.slice(0, end + 1)
}
