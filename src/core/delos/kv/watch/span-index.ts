import type { Key } from '../../wire/messages.ts'
import type { KeySpan } from '../key-ranges.ts'

interface Group<Item> {
  readonly span: KeySpan
  readonly items: Set<Item>
}

/** Groups that are not in the tree yet are searched one by one: few enough to be cheap, enough that the tree is seldom rebuilt. */
const LOOSE_MIN = 64

/**
 * Which of many key ranges hold a key. Equal ranges are one group, since a thousand programs watch the same prefix. The groups stand in an
 * array sorted by start, read as a balanced tree whose nodes know the greatest end below them (an augmented interval tree: Cormen et al.,
 * "Introduction to Algorithms", 14.3), built anew when an eighth of it has changed.
 */
export class SpanIndex<Item> {
  readonly #groups = new Map<string, Group<Item>>()
  #tree: Group<Item>[] = []
  /** by place in `#tree`: the greatest end in the subtree around it; null: no end */
  #ends: (Key | null)[] = []
  #loose: Group<Item>[] = []
  #emptied = 0

  add(span: KeySpan, item: Item): void {
    const name = nameOf(span)
    let group = this.#groups.get(name)
    if (group === undefined) {
      group = { span, items: new Set() }
      this.#groups.set(name, group)
      this.#loose.push(group)
      this.#rebuildWhenDue()
    }
    group.items.add(item)
  }

  remove(span: KeySpan, item: Item): void {
    const name = nameOf(span)
    const group = this.#groups.get(name)
    if (group === undefined) return
    group.items.delete(item)
    if (group.items.size > 0) return
    this.#groups.delete(name)
    this.#emptied += 1
    this.#rebuildWhenDue()
  }

  /** Calls `visit` for every item whose span holds the key. */
  visit(key: Key, visit: (item: Item) => void): void {
    for (const group of this.#loose) if (holds(group.span, key)) for (const item of group.items) visit(item)
    this.#visitTree(key, 0, this.#tree.length, visit)
  }

  #visitTree(key: Key, low: number, high: number, visit: (item: Item) => void): void {
    if (low >= high) return
    const middle = (low + high) >>> 1
    const end = this.#ends[middle]
    if (end !== null && (end === undefined || end <= key)) return
    this.#visitTree(key, low, middle, visit)
    const group = this.#tree[middle]
    if (group === undefined || group.span.from > key) return
    if (holds(group.span, key)) for (const item of group.items) visit(item)
    this.#visitTree(key, middle + 1, high, visit)
  }

  #rebuildWhenDue(): void {
    if (this.#loose.length + this.#emptied <= Math.max(LOOSE_MIN, this.#tree.length >>> 3)) return
    this.#tree = [...this.#groups.values()].sort((a, b) => (a.span.from < b.span.from ? -1 : a.span.from > b.span.from ? 1 : 0))
    this.#ends = this.#tree.map(() => '')
    this.#loose = []
    this.#emptied = 0
    this.#fillEnds(0, this.#tree.length)
  }

  /** @returns the greatest end of the groups in `[low, high)`; '' of none */
  #fillEnds(low: number, high: number): Key | null {
    if (low >= high) return ''
    const middle = (low + high) >>> 1
    const own = this.#tree[middle]?.span.to ?? null
    const end = later(later(this.#fillEnds(low, middle), own), this.#fillEnds(middle + 1, high))
    this.#ends[middle] = end
    return end
  }
}

const nameOf = ({ from, to }: KeySpan): string => `${from.length}/${from}/${to ?? '∞'}`

const holds = ({ from, to }: KeySpan, key: Key): boolean => from <= key && (to === null || key < to)

const later = (a: Key | null, b: Key | null): Key | null => (a === null || b === null ? null : a > b ? a : b)
