import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NativeWriter, type NativeColumn } from '../../../../src/core/scuba/clickhouse/native.ts'

const bits = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 14 }), fc.string({ unit: 'grapheme', minLength: 100, maxLength: 400 }))
const valueOf = (type: string): fc.Arbitrary<bigint | string> =>
  type.includes('String') ? text : type.includes('UInt8') ? fc.bigInt({ min: 0n, max: 1n }) : bits
const column = fc.oneof(
  ...['Int64', 'Nullable(Int64)', 'Nullable(Float64)', 'Nullable(UInt8)', 'Nullable(String)'].map((type) =>
    fc.record({
      type: fc.constant(type),
      name: fc.string({ maxLength: 200 }),
      values: fc.array(
        fc.option<bigint | string, null>(valueOf(type), {
          freq: type.startsWith('N') ? 4 : 1e9,
        }),
        { minLength: 1, maxLength: 70 },
      ),
      /** bytes between one long text and the next in memory; 0: none, and they are fetched together */
      gap: fc.constantFrom(0, 0, 3),
      isAllThere: fc.boolean(),
    }),
  ),
)
const block = fc.record({ columns: fc.array(column, { minLength: 1, maxLength: 5 }), rows: fc.integer({ min: 0, max: 70 }) })

test('what is written as Native is read back bit by bit, however texts lie in memory', () => {
  fc.assert(
    fc.property(fc.array(block, { minLength: 1, maxLength: 3 }), (blocks) => {
      const writer = new NativeWriter()
      const wanted = blocks.map(({ columns, rows: most }) => {
        const rows = Math.min(most, ...columns.map(({ values }) => values.length))
        const cut = columns.map((one) => ({ ...one, values: one.values.slice(0, rows) }))
        writer.block(rows, cut.map(inMemory))
        return cut.map(({ name, type, values }) => ({ name, type, values }))
      })
      expect(decode(writer.take())).toEqual(wanted)
      expect(writer.length).toBe(0)
    }),
    { numRuns: 150 },
  )
})

interface Column {
  name: string
  type: string
  values: (bigint | string | null)[]
}

/** As the engine would have it: entries of 16 bytes for texts, long ones in a heap behind an address. */
function inMemory({ name, type, values, gap, isAllThere }: Column & { gap: number; isAllThere: boolean }): NativeColumn {
  const isText = type.includes('String')
  const width = isText ? 16 : type.includes('UInt8') ? 1 : 8
  const bytes = new DataView(new ArrayBuffer(values.length * width))
  const validity = new Uint8Array(Math.ceil(values.length / 64) * 8)
  const heap: number[] = []
  const base = 0xffff_fff0n
  for (const [row, value] of values.entries()) {
    if (value !== null) validity[row >> 3] = (validity[row >> 3] ?? 0) | (1 << (row & 7))
    // What stands where there is no value means nothing.
    else if (isText) bytes.setUint32(row * 16, 77, true)
    if (typeof value === 'bigint') {
      if (width === 1) bytes.setUint8(row, Number(value))
      else bytes.setBigUint64(row * 8, value, true)
    } else if (value !== null) {
      const utf8 = new TextEncoder().encode(value)
      bytes.setUint32(row * 16, utf8.length, true)
      if (utf8.length <= 12) utf8.forEach((byte, at) => bytes.setUint8(row * 16 + 4 + at, byte))
      else {
        bytes.setBigUint64(row * 16 + 8, base + BigInt(heap.length), true)
        heap.push(...utf8, ...Array.from({ length: gap }, () => 255))
      }
    }
  }
  const isWhole = isAllThere && !values.includes(null)
  return {
    ...{ name, type, values: new Uint8Array(bytes.buffer), validity: isWhole ? null : validity },
    longText: (row, size) => {
      const at = Number(bytes.getBigUint64(row * 16 + 8, true) - base)
      return Uint8Array.from(heap.slice(at, at + size))
    },
  }
}

/** As ClickHouse reads it. */
function decode(bytes: Uint8Array): Column[][] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  const varint = (): number => {
    for (let value = 0, shift = 1; ; shift *= 128) {
      const byte = view.getUint8(at++)
      value += (byte & 127) * shift
      if (byte < 128) return value
    }
  }
  const string = (): string => {
    const length = varint()
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(at, (at += length)))
  }
  const one = (type: string): bigint | string => {
    if (type.includes('String')) return string()
    if (type.includes('UInt8')) return BigInt(view.getUint8(at++))
    return view.getBigUint64((at += 8) - 8, true)
  }
  const blocks: Column[][] = []
  while (at < bytes.length) {
    const [columns, rows] = [varint(), varint()]
    blocks.push(
      Array.from({ length: columns }, () => {
        const [name, type] = [string(), string()]
        const nulls = Array.from({ length: rows }, () => type.startsWith('Nullable(') && view.getUint8(at++) === 1)
        return { name, type, values: nulls.map((isNull) => (isNull ? (one(type), null) : one(type))) }
      }),
    )
  }
  return blocks
}
