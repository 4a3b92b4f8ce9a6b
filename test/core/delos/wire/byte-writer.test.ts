import { expect, test } from 'vitest'
import { ByteWriter } from '../../../../src/core/kernel/protobuf/byte-writer.ts'

test('a writer holds no slab before something is written, nor after what it wrote was taken and the rest is not worth keeping', () => {
  const writer = new ByteWriter(256)
  expect(writer.bytes.length).toBe(0)
  writer.raw(new Uint8Array(200).fill(7))
  expect(writer.bytes.length).toBe(256)
  expect(writer.take()).toEqual(new Uint8Array(200).fill(7))
  expect(writer.bytes.length).toBe(0)
  writer.byte(1)
  // In the next one the last output fits several times.
  expect(writer.bytes.length).toBe(4096)
  expect(writer.take()).toEqual(Uint8Array.of(1))
})

test('what was taken is never written again', () => {
  const writer = new ByteWriter()
  const taken = Array.from({ length: 300 }, (_, i) => {
    writer.raw(new Uint8Array(i).fill(i))
    return writer.take()
  })
  taken.forEach((bytes, i) => expect(bytes).toEqual(new Uint8Array(i).fill(i)))
})
