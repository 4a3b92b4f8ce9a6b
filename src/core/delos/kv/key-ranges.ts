import type { Key } from '../wire/messages.ts'

/** `[from, to)`; `to` null: no end. */
export interface KeySpan {
  readonly from: Key
  readonly to: Key | null
}

/** etcd's pair of key and range_end: '' is the one key, '\0' all from the key on. */
export function spanOf(key: Key, rangeEnd: Key): KeySpan {
  if (rangeEnd === '') return { from: key, to: `${key}\0` }
  return { from: key, to: rangeEnd === '\0' ? null : rangeEnd }
}

/** A union of spans. Neighbours are merged, so a range that several grants cover together is covered. */
export class KeyRanges {
  readonly #added: KeySpan[] = []
  #merged: KeySpan[] | null = null

  add(span: KeySpan): void {
    if (span.to !== null && span.to <= span.from) return
    this.#added.push(span)
    this.#merged = null
  }

  addAll(other: KeyRanges): void {
    for (const span of other.#added) this.add(span)
  }

  hasKey(key: Key): boolean {
    const span = this.#spanAt(key)
    return span !== undefined && (span.to === null || key < span.to)
  }

  /** Whether every key of the span is in; of an empty span, its first key. */
  hasSpan({ from, to }: KeySpan): boolean {
    const span = this.#spanAt(from)
    if (span === undefined) return false
    if (span.to === null) return true
    return from < span.to && to !== null && to <= span.to
  }

  /** The last merged span that starts not after the key. */
  #spanAt(key: Key): KeySpan | undefined {
    const spans = (this.#merged ??= merge(this.#added))
    let low = 0
    let high = spans.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const span = spans[middle]
      if (span !== undefined && span.from <= key) low = middle + 1
      else high = middle
    }
    return spans[low - 1]
  }
}

function merge(spans: readonly KeySpan[]): KeySpan[] {
  const sorted = [...spans].sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0))
  const merged: KeySpan[] = []
  for (const span of sorted) {
    const last = merged[merged.length - 1]
    if (last === undefined || (last.to !== null && span.from > last.to)) merged.push(span)
    else if (last.to !== null && (span.to === null || span.to > last.to)) merged[merged.length - 1] = { from: last.from, to: span.to }
  }
  return merged
}
