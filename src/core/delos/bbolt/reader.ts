import { MusterError } from '../../kernel/errors.ts'
import { BUCKET_BYTES, BUCKET_FLAG, decodeMeta, ELEMENT_BYTES, PAGE, PAGE_HEADER_BYTES, type Meta } from './page.ts'

/** Bytes of a file from a place on; fewer where it ends. */
export type Source = (at: number, length: number) => Uint8Array

/** Largest page that any machine's bbolt makes, and deepest tree that is believed. */
const PAGE_BYTES_MAX = 64 * 1024
const DEPTH_MAX = 32

const damaged = (reason: string): MusterError => new MusterError('DELOS_SNAPSHOT_INVALID', `The file is damaged: ${reason}.`)

/** Where to begin reading: the newer of the two metas that is whole. Null: it is no bbolt file, or neither is. */
export function openBbolt(source: Source): Meta | null {
  const first = decodeMeta(source(0, PAGE_BYTES_MAX))
  const metas = [first]
  // The second stands one page on, and how long a page is may be known from it alone.
  for (let size = 1024; size <= PAGE_BYTES_MAX; size *= 2) metas.push(decodeMeta(source(size, PAGE_BYTES_MAX)))
  const whole = metas.filter((meta) => meta !== null).toSorted((a, b) => b.txid - a.txid)
  return whole[0] ?? null
}

/** Elements of a bucket in the order of their keys, as views; nothing of buckets within it. Throws DELOS_SNAPSHOT_INVALID. */
export function* readBucket(source: Source, meta: Meta, name: string): Generator<[key: Uint8Array, value: Uint8Array]> {
  const wanted = [...name].map((letter) => letter.charCodeAt(0))
  for (const { flags, key, value } of elements(source, meta, meta.root, 0)) {
    if ((flags & BUCKET_FLAG) === 0 || key.length !== wanted.length || wanted.some((byte, i) => key[i] !== byte)) continue
    if (value.length < BUCKET_BYTES) throw damaged(`bucket ${name} has no root`)
    const root = Number(new DataView(value.buffer, value.byteOffset).getBigUint64(0, true))
    const within = root === 0 ? leaf(value.subarray(BUCKET_BYTES)) : elements(source, meta, root, 0)
    for (const element of within) if ((element.flags & BUCKET_FLAG) === 0) yield [element.key, element.value]
    return
  }
}

interface Element {
  flags: number
  key: Uint8Array
  value: Uint8Array
}

function* elements(source: Source, meta: Meta, id: number, depth: number): Generator<Element> {
  if (depth > DEPTH_MAX || id >= meta.end) throw damaged(`page ${id} cannot be where it is said to be`)
  const head = source(id * meta.pageBytes, PAGE_HEADER_BYTES)
  if (head.length < PAGE_HEADER_BYTES) throw damaged(`it ends before page ${id}`)
  const view = new DataView(head.buffer, head.byteOffset)
  const flags = view.getUint16(8, true)
  const size = (1 + view.getUint32(12, true)) * meta.pageBytes
  if (view.getBigUint64(0, true) !== BigInt(id) || id + size / meta.pageBytes > meta.end) throw damaged(`page ${id} is not itself`)
  const page = source(id * meta.pageBytes, size)
  if (flags === PAGE.leaf) yield* leaf(page)
  else if (flags === PAGE.branch) {
    const inside = new DataView(page.buffer, page.byteOffset, page.byteLength)
    for (let i = 0; i < inside.getUint16(10, true); i += 1) {
      const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES
      if (at + ELEMENT_BYTES > page.length) throw damaged(`page ${id} is cut off`)
      yield* elements(source, meta, Number(inside.getBigUint64(at + 8, true)), depth + 1)
    }
  } else throw damaged(`page ${id} is of no kind that belongs into a tree`)
}

function* leaf(page: Uint8Array): Generator<Element> {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength)
  for (let i = 0; i < view.getUint16(10, true); i += 1) {
    const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES
    if (at + ELEMENT_BYTES > page.length) throw damaged('a page is cut off')
    const start = at + view.getUint32(at + 4, true)
    const middle = start + view.getUint32(at + 8, true)
    const end = middle + view.getUint32(at + 12, true)
    if (end > page.length) throw damaged('an element reaches beyond its page')
    yield { flags: view.getUint32(at, true), key: page.subarray(start, middle), value: page.subarray(middle, end) }
  }
}
