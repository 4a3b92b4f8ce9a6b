import { refuse, type MusterError } from '../../kernel/errors.ts'
import type { KeyRange } from '../recipes/etcd/request.ts'
import type { Kv } from '../schema.ts'
import { byteString, bytesOf } from '../../kernel/protobuf/byte-string.ts'
import { fromBase64, toBase64 } from '../../kernel/base64.ts'
import type * as m from '../wire/messages.ts'

/*
 * Between the store's bytes and JSON's text. A key or value that is UTF-8 stands as it is; any other in base64, and a flag says so.
 */

const encoder = new TextEncoder()
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function keyOf(text: string): m.Key {
  return byteString(encoder.encode(text))
}

/** The bytes that a text and its flag mean. */
export function bytesIn(text: string, isBase64: boolean): Uint8Array | MusterError {
  if (!isBase64) return encoder.encode(text)
  const bytes = fromBase64(text)
  return typeof bytes === 'number' ? refuse('USAGE', `what should be base64 is none from character ${bytes + 1} on`) : bytes
}

/** The key that a text and its flag mean. */
export function keyIn(text: string, isBase64: boolean): m.Key | MusterError {
  const bytes = bytesIn(text, isBase64)
  return bytes instanceof Uint8Array ? byteString(bytes) : bytes
}

export function textOut(bytes: Uint8Array): { text: string; isBase64: boolean } {
  try {
    return { text: strict.decode(bytes), isBase64: false }
  } catch {
    // Only base64 tells exactly which bytes these are.
    return { text: toBase64(bytes), isBase64: true }
  }
}

/** A key for people: its text, or its base64. */
export function keyText(key: m.Key): string {
  return textOut(bytesOf(key)).text
}

export function kvView({ key, value, create_revision, mod_revision, version, lease }: m.KeyValue): Kv {
  const [name, content] = [textOut(bytesOf(key)), textOut(value)]
  return {
    key: name.text,
    ...(name.isBase64 ? { isKeyBase64: true as const } : {}),
    value: content.text,
    ...(content.isBase64 ? { isValueBase64: true as const } : {}),
    create_revision,
    mod_revision,
    version,
    lease: lease === 0n ? null : leaseText(lease),
  }
}

export function leaseText(lease: bigint): string {
  return BigInt.asUintN(64, lease).toString(16)
}

/** Signed, as etcd's messages have it. */
export function leaseIn(id: string): bigint {
  return BigInt.asIntN(64, BigInt(`0x${id}`))
}

/** Every key that starts with the prefix; of the empty prefix, every key. */
export function prefixRange(prefix: m.Key): KeyRange {
  if (prefix === '') return { key: '\0', range_end: '\0' }
  for (let last = prefix.length - 1; last >= 0; last -= 1) {
    const byte = prefix.charCodeAt(last)
    if (byte < 0xff) return { key: prefix, range_end: prefix.slice(0, last) + String.fromCharCode(byte + 1) }
  }
  return { key: prefix, range_end: '\0' }
}

/** The keys that a request means; refused when it means none. */
export function rangeIn({ key, isKeyBase64, isPrefix }: { key: string; isKeyBase64: boolean; isPrefix: boolean }): KeyRange | MusterError {
  const start = keyIn(key, isKeyBase64)
  if (typeof start !== 'string') return start
  if (isPrefix) return prefixRange(start)
  return start === '' ? refuse('USAGE', 'A key is not empty; every key is meant by the prefix "".') : { key: start, range_end: '' }
}
