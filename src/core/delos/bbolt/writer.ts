import { assert } from '../../kernel/assert.ts'
import { compareBytes } from '../kv/sorting.ts'
import { BUCKET_BYTES, BUCKET_FLAG, ELEMENT_BYTES, encodeMeta, PAGE, PAGE_BYTES, PAGE_HEADER_BYTES } from './page.ts'

/** Where the pages go; offsets only grow, but for the two pages at 0, which come last. */
export type Sink = (at: number, bytes: Uint8Array) => void

interface Child {
  /** the first key below it */
  key: Uint8Array
  page: number
}

interface Element {
  flags: number
  key: Uint8Array
  value: Uint8Array
}

/** Elements of a page, at most: their count is 16 bits, of which bbolt keeps the last value for itself. */
const ELEMENTS_MAX = 0xfff0
/** Pages 0 and 1 are the metas, 2 is the list of free ones. */
const FREELIST = 2
const TXID = 1

/**
 * Makes a bbolt file from buckets whose elements come in order: leaves are filled one after the other and the branches above them built when
 * a bucket ends, so that a file of any size takes the memory of its branches. Nothing is free in it.
 */
export class BboltWriter {
  readonly #sink: Sink
  #nextPage = FREELIST + 1
  readonly #buckets: Element[] = []

  constructor(sink: Sink) {
    this.#sink = sink
  }

  /**
   * @param name above the names of the buckets before it
   * @param elements keys ascending, none twice, none empty
   */
  bucket(name: Uint8Array, elements: Iterable<[key: Uint8Array, value: Uint8Array]>): void {
    const before = this.#buckets.at(-1)
    assert(before === undefined || compareBytes(before.key, name) < 0, 'buckets come in the order of their names')
    const root = this.#tree(leafElements(elements))
    // An empty bucket is its own leaf, inline.
    const value = new Uint8Array(root === null ? BUCKET_BYTES + PAGE_HEADER_BYTES : BUCKET_BYTES)
    if (root === null) new DataView(value.buffer).setUint16(BUCKET_BYTES + 8, PAGE.leaf, true)
    else new DataView(value.buffer).setBigUint64(0, BigInt(root), true)
    this.#buckets.push({ flags: BUCKET_FLAG, key: name, value })
  }

  /** Writes what is above the buckets. @returns bytes of the file */
  finish(): number {
    const root = this.#tree(this.#buckets)
    assert(root !== null, 'a file has a bucket')
    const freelist = new Uint8Array(PAGE_BYTES)
    writeHeader(freelist, FREELIST, PAGE.freelist, 0, 0)
    this.#sink(FREELIST * PAGE_BYTES, freelist)
    const meta = { pageBytes: PAGE_BYTES, root, freelist: FREELIST, end: this.#nextPage }
    this.#sink(0, encodeMeta(0, { ...meta, txid: TXID - 1 }))
    this.#sink(PAGE_BYTES, encodeMeta(1, { ...meta, txid: TXID }))
    return this.#nextPage * PAGE_BYTES
  }

  /** @returns the page of its root; null: there is no element */
  #tree(elements: Iterable<Element>): number | null {
    let level: Child[] = []
    for (const group of grouped(elements, ({ key, value }) => ELEMENT_BYTES + key.length + value.length))
      level.push({ key: group[0]?.key as Uint8Array, page: this.#leaf(group) })
    while (level.length > 1) {
      const above: Child[] = []
      for (const group of grouped(level, ({ key }) => ELEMENT_BYTES + key.length))
        above.push({ key: group[0]?.key as Uint8Array, page: this.#branch(group) })
      level = above
    }
    return level[0]?.page ?? null
  }

  #leaf(elements: readonly Element[]): number {
    return this.#page(
      PAGE.leaf,
      elements,
      ({ key, value }) => [key, value],
      (view, at, { flags, key, value }, offset) => {
        view.setUint32(at, flags, true)
        view.setUint32(at + 4, offset, true)
        view.setUint32(at + 8, key.length, true)
        view.setUint32(at + 12, value.length, true)
      },
    )
  }

  #branch(children: readonly Child[]): number {
    return this.#page(
      PAGE.branch,
      children,
      ({ key }) => [key],
      (view, at, { key, page }, offset) => {
        view.setUint32(at, offset, true)
        view.setUint32(at + 4, key.length, true)
        view.setBigUint64(at + 8, BigInt(page), true)
      },
    )
  }

  #page<T>(
    flags: number,
    items: readonly T[],
    dataOf: (item: T) => Uint8Array[],
    writeElement: (view: DataView, at: number, item: T, offset: number) => void,
  ): number {
    let size = PAGE_HEADER_BYTES + items.length * ELEMENT_BYTES
    for (const item of items) for (const data of dataOf(item)) size += data.length
    const pages = Math.ceil(size / PAGE_BYTES)
    const bytes = new Uint8Array(pages * PAGE_BYTES)
    const view = new DataView(bytes.buffer)
    const id = this.#nextPage
    writeHeader(bytes, id, flags, items.length, pages - 1)
    let data = PAGE_HEADER_BYTES + items.length * ELEMENT_BYTES
    for (const [i, item] of items.entries()) {
      const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES
      writeElement(view, at, item, data - at)
      for (const part of dataOf(item)) {
        bytes.set(part, data)
        data += part.length
      }
    }
    this.#nextPage += pages
    this.#sink(id * PAGE_BYTES, bytes)
    return id
  }
}

function* leafElements(elements: Iterable<[key: Uint8Array, value: Uint8Array]>): Generator<Element> {
  let before: Uint8Array | null = null
  for (const [key, value] of elements) {
    assert(key.length > 0 && (before === null || compareBytes(before, key) < 0), 'elements come in the order of their keys')
    before = key
    yield { flags: 0, key, value }
  }
}

/** What shares a page: as much as fits, and at least two of a branch's children, or the tree would have no end. */
function* grouped<T>(items: Iterable<T>, sizeOf: (item: T) => number): Generator<T[]> {
  let group: T[] = []
  let bytes = PAGE_HEADER_BYTES
  for (const item of items) {
    const size = sizeOf(item)
    if (group.length >= 2 && (bytes + size > PAGE_BYTES || group.length === ELEMENTS_MAX)) {
      yield group
      group = []
      bytes = PAGE_HEADER_BYTES
    }
    group.push(item)
    bytes += size
  }
  if (group.length > 0) yield group
}

function writeHeader(bytes: Uint8Array, id: number, flags: number, count: number, overflow: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  view.setBigUint64(0, BigInt(id), true)
  view.setUint16(8, flags, true)
  view.setUint16(10, count, true)
  view.setUint32(12, overflow, true)
}
