import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PAGE_BYTES } from '../../../../src/core/delos/bbolt/page.ts'
import { openBbolt, readBucket, type Source } from '../../../../src/core/delos/bbolt/reader.ts'
import { BboltWriter } from '../../../../src/core/delos/bbolt/writer.ts'
import { MusterError } from '../../../../src/core/kernel/errors.ts'

class MemoryFile {
  #room = new Uint8Array(1 << 20)
  bytes = this.#room.subarray(0, 0)
  readonly sink = (at: number, part: Uint8Array): void => {
    const end = at + part.length
    if (end > this.#room.length) {
      const larger = new Uint8Array(end * 2)
      larger.set(this.bytes)
      this.#room = larger
    }
    this.bytes = this.#room.subarray(0, Math.max(this.bytes.length, end))
    this.bytes.set(part, at)
  }
  readonly source: Source = (at, length) => this.bytes.subarray(at, at + length)
}

const ascending = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b)
const elements = fc
  .uniqueArray(fc.uint8Array({ minLength: 1, maxLength: 40 }), { selector: (key) => Buffer.from(key).toString('hex'), maxLength: 400 })
  .map((keys) => keys.toSorted(ascending))

function written(buckets: readonly (readonly [string, [Uint8Array, Uint8Array][]])[]): MemoryFile {
  const file = new MemoryFile()
  const writer = new BboltWriter(file.sink)
  for (const [name, pairs] of buckets) writer.bucket(Buffer.from(name), pairs)
  expect(writer.finish()).toBe(file.bytes.length)
  return file
}

const plain = (pairs: Iterable<[Uint8Array, Uint8Array]>): string[][] =>
  [...pairs].map((pair) => pair.map((part) => Buffer.from(part).toString('hex')))

test('what was put into buckets is read from them, in order, however large the values are', () => {
  fc.assert(
    fc.property(elements, fc.array(fc.nat(9000), { minLength: 1, maxLength: 8 }), (keys, sizes) => {
      const pairs = keys.map((key, i): [Uint8Array, Uint8Array] => [key, new Uint8Array(sizes[i % sizes.length] ?? 0).fill(i)])
      const file = written([
        ['a', []],
        ['b', pairs],
        ['c', pairs.slice(0, 1)],
      ])
      expect(file.bytes.length % PAGE_BYTES).toBe(0)
      const meta = openBbolt(file.source)
      if (meta === null) throw new Error('no meta')
      expect(plain(readBucket(file.source, meta, 'a'))).toEqual([])
      expect(plain(readBucket(file.source, meta, 'b'))).toEqual(plain(pairs))
      expect(plain(readBucket(file.source, meta, 'c'))).toEqual(plain(pairs.slice(0, 1)))
      expect(plain(readBucket(file.source, meta, 'd'))).toEqual([])
    }),
    { numRuns: 40 },
  )
})

test('a hundred thousand elements make a tree of several levels', () => {
  const pairs = Array.from({ length: 100_000 }, (_, i): [Uint8Array, Uint8Array] => {
    const key = Buffer.alloc(17)
    key.writeBigUInt64BE(BigInt(i))
    return [key, new Uint8Array(30)]
  })
  const file = written([['key', pairs]])
  const meta = openBbolt(file.source)
  if (meta === null) throw new Error('no meta')
  let at = 0
  for (const [key] of readBucket(file.source, meta, 'key')) {
    if (ascending(key, pairs[at]?.[0] as Uint8Array) !== 0) throw new Error(`element ${at} is another one`)
    at += 1
  }
  expect(at).toBe(pairs.length)
})

test('a file whose bytes were changed gives what was put in, or is refused; it is never read without an end', () => {
  const pairs = Array.from({ length: 300 }, (_, i): [Uint8Array, Uint8Array] => [Buffer.from(`k${1000 + i}`), new Uint8Array(50)])
  const whole = written([['key', pairs]]).bytes
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 5 }), (flips) => {
      const file = new MemoryFile()
      file.bytes = whole.slice()
      for (const [at, mask] of flips) file.bytes[at] = (file.bytes[at] ?? 0) ^ mask
      const meta = openBbolt(file.source)
      if (meta === null) return
      try {
        let count = 0
        for (const _ of readBucket(file.source, meta, 'key')) count += 1
        expect(count).toBeLessThan(100_000)
      } catch (error) {
        if (!(error instanceof MusterError)) throw error
        expect(error.code).toBe('DELOS_SNAPSHOT_INVALID')
      }
    }),
    { numRuns: 300 },
  )
})
