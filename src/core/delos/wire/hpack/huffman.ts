import type { ByteWriter } from '../../../kernel/protobuf/byte-writer.ts'

/**
 * Bits of the code of each byte and, last, of the end of string (RFC 7541, appendix B). The code is canonical, so the lengths are all there
 * is to know: codes of one length count up in the order of their symbols.
 */
// prettier-ignore
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
]
const END_OF_STRING = 256

const CODES = new Uint32Array(LENGTHS.length)
/** The code as a tree: node n has its children at 2n (bit 0) and 2n + 1; a negative entry is a leaf, `-1 - symbol`. */
const TREE: number[] = [0, 0]
{
  const symbols = LENGTHS.map((length, symbol) => ({ length, symbol })).toSorted((a, b) => a.length - b.length || a.symbol - b.symbol)
  let code = 0
  let before = 0
  for (const { length, symbol } of symbols) {
    code *= 2 ** (length - before)
    before = length
    CODES[symbol] = code
    let node = 0
    for (let bit = length - 1; bit > 0; bit -= 1) {
      const child = node * 2 + ((code >>> bit) & 1)
      if (TREE[child] === 0) {
        TREE[child] = TREE.length / 2
        TREE.push(0, 0)
      }
      node = TREE[child] as number
    }
    TREE[node * 2 + (code & 1)] = -1 - symbol
    code += 1
  }
}
const NODES = Int16Array.from(TREE)

/** Null if it is not a valid encoding: an end of string inside, or padding of a whole byte or other bits than ones (section 5.2). */
export function huffmanDecode(bytes: Uint8Array, start: number, end: number): string | null {
  let text = ''
  let node = 0
  let padding = 0
  let isOnes = true
  for (let i = start; i < end; i += 1) {
    const byte = bytes[i] as number
    for (let bit = 7; bit >= 0; bit -= 1) {
      const one = (byte >>> bit) & 1
      const next = NODES[node * 2 + one] as number
      if (next >= 0) {
        node = next
        padding += 1
        if (one === 0) isOnes = false
        continue
      }
      if (next === -1 - END_OF_STRING) return null
      text += String.fromCharCode(-1 - next)
      node = 0
      padding = 0
      isOnes = true
    }
  }
  return padding < 8 && isOnes ? text : null
}

export function huffmanBytes(text: string): number {
  let bits = 0
  for (let i = 0; i < text.length; i += 1) bits += LENGTHS[text.charCodeAt(i) & 0xff] as number
  return (bits + 7) >>> 3
}

export function huffmanEncode(writer: ByteWriter, text: string): void {
  let held = 0
  let bits = 0
  for (let i = 0; i < text.length; i += 1) {
    const symbol = text.charCodeAt(i) & 0xff
    const code = CODES[symbol] as number
    // At most 7 held bits and 30 new ones: taken in two halves to stay within 32.
    for (let left = LENGTHS[symbol] as number; left > 0;) {
      const take = Math.min(left, 16)
      left -= take
      held = (held << take) | ((code >>> left) & ((1 << take) - 1))
      bits += take
      while (bits >= 8) {
        bits -= 8
        writer.byte((held >>> bits) & 0xff)
      }
      held &= (1 << bits) - 1
    }
  }
  if (bits > 0) writer.byte(((held << (8 - bits)) | (0xff >>> bits)) & 0xff)
}
