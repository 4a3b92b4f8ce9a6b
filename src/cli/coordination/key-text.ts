import { byteString, bytesOf } from '../../core/kernel/protobuf/byte-string.ts'
import type { Key } from '../../core/delos/wire/messages.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A key as a person writes it, in UTF-8. */
export function keyOf(text: string): Key {
  return byteString(encoder.encode(text))
}

export function keyText(key: Key): string {
  return decoder.decode(bytesOf(key))
}
