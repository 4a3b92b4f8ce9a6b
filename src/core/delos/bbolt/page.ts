/*
 * The file format of bbolt (go.etcd.io/bbolt, version 2), in which etcd keeps its data and makes its snapshots: pages of 4 KiB, little endian.
 * Two meta pages, of which the one with the higher transaction counts; a list of free pages; and B+ trees, whose leaves hold
 * elements in the order of their keys. A bucket is a tree of its own: an element with a flag, whose value says where its root is, or,
 * when the bucket is small, holds its one leaf.
 */

export const PAGE_BYTES = 4096
/** id u64 | flags u16 | count u16 | pages that follow and belong to it u32 */
export const PAGE_HEADER_BYTES = 16
export const PAGE = { branch: 0x01, leaf: 0x02, meta: 0x04, freelist: 0x10 } as const
/** leaf: flags u32 | offset of the key from here u32 | length of the key u32 | length of the value u32; branch: offset u32 | length u32 | page u64 */
export const ELEMENT_BYTES = 16
export const BUCKET_FLAG = 1
/** root page u64, 0: it follows inline | sequence u64 */
export const BUCKET_BYTES = 16
export const META = { magic: 0xed0cdaed, version: 2, bytes: 64, summedBytes: 56 } as const

export interface Meta {
  pageBytes: number
  root: number
  freelist: number
  /** one past the last page */
  end: number
  txid: number
}

const FNV_OFFSET = 0xcbf29ce484222325n
const FNV_PRIME = 0x100000001b3n
const U64_MAX = 0xffffffffffffffffn

/** FNV-1a, 64 bits. */
function fnv1a(bytes: Uint8Array): bigint {
  let hash = FNV_OFFSET
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * FNV_PRIME) & U64_MAX
  return hash
}

/** The whole page of a meta. */
export function encodeMeta(id: number, meta: Meta): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES)
  const page = new DataView(bytes.buffer)
  page.setBigUint64(0, BigInt(id), true)
  page.setUint16(8, PAGE.meta, true)
  const body = new DataView(bytes.buffer, PAGE_HEADER_BYTES)
  body.setUint32(0, META.magic, true)
  body.setUint32(4, META.version, true)
  body.setUint32(8, meta.pageBytes, true)
  body.setBigUint64(16, BigInt(meta.root), true)
  body.setBigUint64(32, BigInt(meta.freelist), true)
  body.setBigUint64(40, BigInt(meta.end), true)
  body.setBigUint64(48, BigInt(meta.txid), true)
  body.setBigUint64(META.summedBytes, fnv1a(bytes.subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + META.summedBytes)), true)
  return bytes
}

/** @param bytes from the beginning of a meta's page; null: it is none, or it is damaged */
export function decodeMeta(bytes: Uint8Array): Meta | null {
  if (bytes.length < PAGE_HEADER_BYTES + META.bytes) return null
  const body = new DataView(bytes.buffer, bytes.byteOffset + PAGE_HEADER_BYTES)
  if (body.getUint32(0, true) !== META.magic || body.getUint32(4, true) !== META.version) return null
  if (body.getBigUint64(META.summedBytes, true) !== fnv1a(bytes.subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + META.summedBytes)))
    return null
  return {
    pageBytes: body.getUint32(8, true),
    root: Number(body.getBigUint64(16, true)),
    freelist: Number(body.getBigUint64(32, true)),
    end: Number(body.getBigUint64(40, true)),
    txid: Number(body.getBigUint64(48, true)),
  }
}
