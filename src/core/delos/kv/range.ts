/** Half-open interval of keys; `end` null: all keys from `start` on. */
export interface KeyRange {
  start: string
  end: string | null
}

/** `range_end` of an entry or a request that means every key from the first on, as in etcd. */
export const TO_THE_END = '\0'

const CODE_POINT_MAX = 0x10ffff

/**
 * The first key after all keys with this prefix, or null if there is none: the last code point plus one (UTF-8 sorts
 * as code points do; surrogates are none).
 */
export function prefixEnd(prefix: string): string | null {
  const points = Array.from(prefix, (char) => char.codePointAt(0) ?? 0)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === CODE_POINT_MAX) continue
    const next = last === 0xd7ff ? 0xe000 : last + 1
    return String.fromCodePoint(...points, next)
  }
  return null
}

/** The keys a request means: one, or all with the prefix (an empty prefix: all). */
export function rangeOf(key: string, isPrefix: boolean): KeyRange {
  if (isPrefix) return { start: key, end: prefixEnd(key) }
  return { start: key, end: `${key}\0` }
}

export function isInRange(range: KeyRange, key: string): boolean {
  return compareKeys(key, range.start) >= 0 && (range.end === null || compareKeys(key, range.end) < 0)
}

/** Order of the UTF-8 bytes: JS compares UTF-16 units, which differs beyond U+FFFF. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length;) {
    const x = a.codePointAt(i) ?? 0
    const y = b.codePointAt(i) ?? 0
    if (x !== y) return x - y
    i += x > 0xffff ? 2 : 1
  }
  return a.length - b.length
}
