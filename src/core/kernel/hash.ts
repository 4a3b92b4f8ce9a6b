// oxlint-disable typescript/no-non-null-assertion -- indices are in range by the loops' bounds; a check for each byte would double the cost
import { assert } from './assert.ts'

const P1 = 0x9e3779b1
const P2 = 0x85ebca77
const P3 = 0xc2b2ae3d
const P4 = 0x27d4eb2f
const P5 = 0x165667b1

const rotl = (x: number, r: number): number => (x << r) | (x >>> (32 - r))

/**
 * xxHash32 (Yann Collet, xxHash specification 0.1.1) of bytes; the same value as HAProxy's `xxh32` converter.
 * @returns an unsigned 32-bit integer
 */
export function xxh32(bytes: Uint8Array, seed = 0): number {
  const n = bytes.length
  const word = (i: number): number => bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
  let h: number
  let i = 0
  if (n >= 16) {
    let a = (seed + P1 + P2) | 0
    let b = (seed + P2) | 0
    let c = seed | 0
    let d = (seed - P1) | 0
    for (; i <= n - 16; i += 16) {
      a = Math.imul(rotl(a + Math.imul(word(i), P2), 13), P1)
      b = Math.imul(rotl(b + Math.imul(word(i + 4), P2), 13), P1)
      c = Math.imul(rotl(c + Math.imul(word(i + 8), P2), 13), P1)
      d = Math.imul(rotl(d + Math.imul(word(i + 12), P2), 13), P1)
    }
    h = rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18)
  } else {
    h = (seed + P5) | 0
  }
  h = (h + n) | 0
  for (; i <= n - 4; i += 4) h = Math.imul(rotl(h + Math.imul(word(i), P3), 17), P4)
  for (; i < n; i += 1) h = Math.imul(rotl(h + Math.imul(bytes[i]!, P5), 11), P1)
  h = Math.imul(h ^ (h >>> 15), P2)
  h = Math.imul(h ^ (h >>> 13), P3)
  return (h ^ (h >>> 16)) >>> 0
}

/** Buckets a user falls into; a share of s parts per million takes the buckets below s. */
export const BUCKETS = 1_000_000

const encoder = new TextEncoder()

/** xxh32 of the UTF-8 bytes of `text`. */
export function hashText(text: string, seed = 0): number {
  return xxh32(encoder.encode(text), seed)
}

/**
 * The bucket of a user for a salt, 0..999,999: the one function that splits, cohorts, flags and faults share. A share that only grows keeps everybody who is in.
 */
export function userBucket(key: string, salt: string): number {
  const bucket = hashText(`${key}:${salt}`) % BUCKETS
  assert(bucket >= 0, 'a bucket is never negative')
  return bucket
}
