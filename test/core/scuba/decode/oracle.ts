import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import protobuf from 'protobufjs'
import { isRefusal, type MusterError } from '../../../../src/core/kernel/errors.ts'
import type { Decoded } from '../../../../src/core/scuba/decode/rows.ts'

const folder = join(import.meta.dirname, '../../../fixtures/telemetry')

/** Another implementation of the format, reading the protocol's own text. */
const roots = ['otlp', 'remote', 'exposition'].map(
  (name) => protobuf.parse(readFileSync(join(folder, `${name}.proto`), 'utf8'), { keepCase: false }).root,
)

/** `message`'s fields are in camel case; 64-bit integers may be texts, bytes are base64 or arrays. */
export function encoded(type: string, message: object): Uint8Array {
  const found = roots.map((root) => root.lookup(type)).find((one) => one !== null) as protobuf.Type
  return new Uint8Array(found.encode(found.fromObject(message)).finish())
}

export function rowsOf(read: Decoded | MusterError): Record<string, unknown>[] {
  if (isRefusal(read)) throw read
  return read.lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** A snappy block of literals, and of copies where the last four bytes come again. */
export function snappy(bytes: Uint8Array): Uint8Array {
  const out: number[] = []
  for (let length = bytes.length; ;) {
    out.push(length > 127 ? (length & 127) | 128 : length)
    if (length <= 127) break
    length >>>= 7
  }
  let at = 0
  while (at < bytes.length) {
    let copy = 0
    while (at >= 4 && copy < 64 && at + copy < bytes.length && bytes[at + copy] === bytes[at + copy - 4]) copy += 1
    if (copy >= 4) {
      out.push(((copy - 1) << 2) | 2, 4, 0)
      at += copy
      continue
    }
    const size = Math.min(60, bytes.length - at, 8)
    out.push((size - 1) << 2, ...bytes.subarray(at, at + size))
    at += size
  }
  return Uint8Array.from(out)
}
