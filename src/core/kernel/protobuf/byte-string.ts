const of = String.fromCharCode

/** V8 makes of `a + b` no string of its own from this length on, but a pair that whoever looks at it has to put together. */
const PAIR_CHARS_MIN = 13
const WHOLE_CHARS_MAX = 256
/** The arguments of one call, by their number. */
const chars: number[][] = []

/**
 * `bytes[start, end)` as a byte string, one char a byte. A short one is put together of eight chars a call, which beats one char at a time; a longer
 * one is made in one call, so that it is whole: a key is looked up and kept.
 */
export function byteString(bytes: Uint8Array, start = 0, end = bytes.length): string {
  if (end - start < PAIR_CHARS_MIN) return shortString(bytes, start, end)
  if (end - start <= WHOLE_CHARS_MAX) return wholeString(bytes, start, end)
  let text = ''
  for (let at = start; at < end; at += WHOLE_CHARS_MAX) text += wholeString(bytes, at, Math.min(end, at + WHOLE_CHARS_MAX))
  return text
}

function wholeString(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start
  const all = (chars[length] ??= Array.from({ length }, () => 0))
  for (let i = 0; i < length; i += 1) all[i] = bytes[start + i] as number
  return of.apply(null, all)
}

function shortString(bytes: Uint8Array, start: number, end: number): string {
  const b = bytes as unknown as { readonly [index: number]: number }
  const at = (i: number): number => b[i] as number
  let text = ''
  let i = start
  if (i + 8 <= end) {
    text = of(at(i), at(i + 1), at(i + 2), at(i + 3), at(i + 4), at(i + 5), at(i + 6), at(i + 7))
    i += 8
  }
  if (i + 4 <= end) {
    text += of(at(i), at(i + 1), at(i + 2), at(i + 3))
    i += 4
  }
  if (i + 2 <= end) {
    text += of(at(i), at(i + 1))
    i += 2
  }
  if (i < end) text += of(at(i))
  return text
}

/** The bytes of a byte string. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i)
  return bytes
}
