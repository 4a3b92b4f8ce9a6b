import { ByteWriter } from '../../../kernel/protobuf/byte-writer.ts'
import type { Pieces } from '../../../kernel/protobuf/codec.ts'
import type { KeyValue } from '../messages.ts'
import { contentLength, pairBytes, pairsLength } from '../pair-bytes.ts'
import { NO_BYTES } from '../../../kernel/protobuf/reader.ts'

/** With so many bytes of pairs an answer is written in one go: about a millisecond. */
const SHORT_BYTES = 262_144
/** Of one piece, unless a single value is longer. */
const PIECE_BYTES = 65_536
/** A value from here on is a piece of its own, without a copy: the store never changes it. */
const VALUE_ALONE_BYTES = 16_384

/** Bytes, or pairs that each are encoded under a tag of one byte. */
export type Part = Uint8Array | { readonly tag: number; readonly pairs: readonly KeyValue[]; readonly write: WritePair }
type WritePair = (writer: ByteWriter, pair: KeyValue) => void

export const lengthOf = (parts: readonly Part[]): number =>
  parts.reduce((sum, part) => sum + (part instanceof Uint8Array ? part.length : pairsLength(part.pairs)), 0)

/** It holds the pairs themselves, which it shares with the store, not their bytes. Null: it is short, as nearly always, and written at once for less. */
export function piecesOf<Message extends object>(message: Message, partsOf: (message: Message) => Part[]): Pieces | null {
  if (pairBytes(message) <= SHORT_BYTES) return null
  const parts = partsOf(message)
  return { length: lengthOf(parts), next: nextOf(parts) }
}

function nextOf(parts: readonly Part[]): () => Uint8Array | null {
  const writer = new ByteWriter(PIECE_BYTES)
  let [part, pair] = [0, 0]
  /** the value that follows what was written, and what its pair has after it */
  let alone: { value: Uint8Array; lease: bigint } | null = null

  /** Writes the next bytes or the next pair. @returns false at the end */
  const writeOne = (): boolean => {
    const now = parts[part]
    if (now === undefined) return false
    const kv = now instanceof Uint8Array ? undefined : now.pairs[pair]
    if (kv === undefined) {
      if (now instanceof Uint8Array) writer.raw(now)
      ;[part, pair] = [part + 1, 0]
      return true
    }
    pair += 1
    const { tag, write } = now as Exclude<Part, Uint8Array>
    writer.byte(tag)
    writer.varint(contentLength(kv))
    if (kv.value.length < VALUE_ALONE_BYTES) {
      write(writer, kv)
      return true
    }
    write(writer, { ...kv, value: NO_BYTES, lease: 0n })
    writer.byte(0x2a)
    writer.varint(kv.value.length)
    alone = kv
    return true
  }

  return () => {
    if (writer.length === 0 && alone !== null) {
      const { value, lease } = alone
      alone = null
      if (lease !== 0n) {
        writer.byte(0x30)
        writer.bigVarint(lease)
      }
      return value
    }
    while (alone === null && writer.length < PIECE_BYTES && writeOne());
    return writer.length > 0 ? writer.take() : null
  }
}
