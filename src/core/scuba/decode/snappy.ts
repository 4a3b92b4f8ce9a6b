import { refuse, type MusterError } from '../../kernel/errors.ts'
import { notReadable } from './rows.ts'

/**
 * Snappy's block format (google/snappy, `format_description.txt`), which remote-write bodies are in: a varint of the whole length, then
 * literals and copies of what was written before.
 * @returns the bytes, never more than `bytesMax`, or what is wrong and at which byte
 */
export function unsnappy(from: Uint8Array, bytesMax: number): Uint8Array | MusterError {
  const [length, start] = lengthOf(from)
  if (start < 0) return notReadable('snappy', 0, 'its length cannot be read')
  if (length > bytesMax) return refuse('SCUBA_TOO_LARGE', `the body is larger than ${bytesMax / 1024 / 1024} MiB when inflated`)
  // A copy makes at most 64 bytes of three: a short body cannot ask for much memory.
  if (length > (from.length - start) * 22) return notReadable('snappy', 0, `${from.length} bytes cannot stand for ${length}`)
  const to = new Uint8Array(length)
  let at = start
  let end = 0
  while (at < from.length) {
    const tag = from[at] as number
    const begin = at
    at += 1
    let size: number
    let offset = 0
    if ((tag & 3) === 0) {
      size = (tag >>> 2) + 1
      if (size > 60) {
        const extra = size - 60
        if (at + extra > from.length) return notReadable('snappy', begin)
        size = littleEndian(from, at, extra) + 1
        at += extra
      }
      if (size > from.length - at || size > length - end) return notReadable('snappy', begin, 'a literal is longer than what is left')
      to.set(from.subarray(at, at + size), end)
      at += size
      end += size
      continue
    }
    const extra = (tag & 3) === 3 ? 4 : tag & 3
    if (at + extra > from.length) return notReadable('snappy', begin)
    if ((tag & 3) === 1) {
      size = ((tag >>> 2) & 7) + 4
      offset = ((tag >>> 5) << 8) | (from[at] as number)
    } else {
      size = (tag >>> 2) + 1
      offset = littleEndian(from, at, extra)
    }
    at += extra
    if (offset === 0 || offset > end) return notReadable('snappy', begin, 'a copy begins before the first byte')
    if (size > length - end) return notReadable('snappy', begin, 'a copy is longer than what is left')
    // It may overlap what it writes, which repeats a pattern.
    if (offset >= size) to.copyWithin(end, end - offset, end - offset + size)
    else for (let i = 0; i < size; i += 1) to[end + i] = to[end + i - offset] as number
    end += size
  }
  return end === length ? to : notReadable('snappy', from.length, `it holds ${end} of ${length} bytes`)
}

/** The varint at the beginning, below 2^32, and where what follows begins; -1: there is none. */
function lengthOf(bytes: Uint8Array): [length: number, start: number] {
  let length = 0
  for (let i = 0; i < 5 && i < bytes.length; i += 1) {
    const byte = bytes[i] as number
    length += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return length < 2 ** 32 ? [length, i + 1] : [0, -1]
  }
  return [0, -1]
}

function littleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0
  for (let i = count - 1; i >= 0; i -= 1) value = value * 256 + (bytes[at + i] as number)
  return value
}
