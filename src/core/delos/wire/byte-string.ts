const of = String.fromCharCode

/**
 * `bytes[start, end)` as a byte string, one char a byte. Eight chars a call: for keys of usual length this beats both one char at a time
 * and `apply` on an array.
 */
export function byteString(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const b = bytes as unknown as { readonly [index: number]: number }
  const at = (i: number): number => b[i] as number
  let text = ''
  let i = start
  for (; i + 8 <= end; i += 8) text += of(at(i), at(i + 1), at(i + 2), at(i + 3), at(i + 4), at(i + 5), at(i + 6), at(i + 7))
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
